"""What the log's details say, in the language in force.

The log is written in one way, in English with ASCII figures, whatever language the machine spoke that day. So a detail
is read back here: an amount or a moment by its form, a sentence by the English row of the catalogue that it was made
from. What is neither, as a name or the words of another program, stays as it is.
"""

from __future__ import annotations

import functools
import re
import string

from tasks.words import catalogue
from tasks.words.catalogue import text
from tasks.words.language import Language, language
from tasks.words.numbers import localized

NAMES = frozenset({"file", "path", "name", "now", "folder", "shown", "other", "person", "reason", "because"})
"""Holes that hold what somebody else wrote: a file called `memory` keeps its name in every language."""
FIGURES = frozenset({"n", "count", "number", "total"})
"""Holes that hold a number and nothing else."""
GATHERING = ("detail-joined", "detail-listed", "detail-about", "detail-counted")
"""Rows that only put others together, the widest first. They fit anything with a comma, so they are asked last and
count only for what is known in them."""


def detail(value: str) -> str:
    """A detail's value as the language in force says it."""
    return value if language() == "en" else _told(value, language())


@functools.lru_cache(maxsize=4096)
def _told(value: str, _: Language) -> str:
    amount = localized(value)
    return amount if amount != value else _sentence(value)


def details(values: dict[str, str]) -> dict[str, str]:
    """A detail's values by the names of their holes, as the language in force says them; names stay as they are."""
    return {hole: value if hole in NAMES else detail(value) for hole, value in values.items()}


def _sentence(value: str) -> str:
    for key, letters, pattern in _patterns():
        if letters in value and (found := pattern.fullmatch(value)):
            given = found.groupdict()
            holes: dict[str, str] = details(given)
            if key in GATHERING and holes == given:
                continue
            count = holes.get("n", "")
            return text(key, **{**holes, "n": int(count)} if count.isascii() and count.isdigit() else holes)
    return value


@functools.cache
def _patterns() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """Of each row its key, its longest fixed letters, and its English forms as patterns.

    Those with more fixed letters come first, so that the nearest row answers.
    """
    found = [(key, form) for key, row in catalogue.details().items() for form in dict.fromkeys(row["en"])]
    found.sort(key=lambda one: _place(*one))
    return tuple((key, max(_fixed(form), key=len), _pattern(form)) for key, form in found)


def _fixed(form: str) -> list[str]:
    return [letters for letters, _, _, _ in string.Formatter().parse(form)]


def _place(key: str, form: str) -> tuple[int, int]:
    if key in GATHERING:
        return 1, GATHERING.index(key)
    return 0, -sum(map(len, _fixed(form)))


def _pattern(form: str) -> re.Pattern[str]:
    parts = string.Formatter().parse(form)
    fixed = [re.escape(letters) + (f"(?P<{hole}>{_inside(hole)})" if hole else "") for letters, hole, _, _ in parts]
    return re.compile("".join(fixed), re.DOTALL)


def _inside(hole: str) -> str:
    return r"-?\d[\d,.]*" if hole in FIGURES else ".+?"
