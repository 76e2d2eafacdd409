"""What the log's details say, in the language in force.

The log is written in one way, in English with ASCII figures, whatever language the machine spoke that day. So a detail
is read back here: an amount or a moment by its form, a sentence by the English row of the catalogue that it was made
from. What is neither, as a name or the words of another program, stays as it is.
"""

from __future__ import annotations

import functools
import re

from tasks.words.catalogue import catalogue, text
from tasks.words.language import language
from tasks.words.numbers import localized

PREFIX = "detail-"
"""The rows of the catalogue that a detail of the log may be made from: `texts/details.toml`."""


def detail(value: str) -> str:
    """A detail's value as the language in force says it."""
    if language() == "en":
        return value
    amount = localized(value)
    return amount if amount != value else _sentence(value)


def _sentence(value: str) -> str:
    for key, pattern in _patterns():
        if found := pattern.fullmatch(value):
            holes = {name: detail(part) for name, part in found.groupdict().items()}
            count = holes.get("n", "")
            return text(key, **{**holes, "n": int(count)} if count.isdigit() else holes)
    return value


@functools.cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each row's English forms as patterns; those with more fixed letters first, so that the nearest row answers."""
    found = [
        (key, form) for key, row in catalogue().items() if key.startswith(PREFIX) for form in dict.fromkeys(row["en"])
    ]
    found.sort(key=lambda one: -len(re.sub(r"\{\w+\}", "", one[1])))
    return tuple((key, _pattern(form)) for key, form in found)


def _pattern(form: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", form)
    fixed = [re.escape(part) if number % 2 == 0 else f"(?P<{part}>.+?)" for number, part in enumerate(parts)]
    return re.compile("".join(fixed), re.DOTALL)
