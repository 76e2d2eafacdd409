"""What people read, in three languages: one catalogue of texts, and numbers as each language writes them.

Knows nothing of the project. `text("all-good", n=60)` is a sentence in the language that this process speaks.
"""

from tasks.words.catalogue import text
from tasks.words.details import detail, details
from tasks.words.language import LANGUAGES, Language, chosen, language, speak, spoken
from tasks.words.letters import visible
from tasks.words.numbers import clock, day, duration, listed, moment, number, offset, percent, roughly, size

__all__ = [
    "LANGUAGES",
    "Language",
    "chosen",
    "clock",
    "day",
    "detail",
    "details",
    "duration",
    "language",
    "listed",
    "moment",
    "number",
    "offset",
    "percent",
    "roughly",
    "size",
    "speak",
    "spoken",
    "text",
    "visible",
]
