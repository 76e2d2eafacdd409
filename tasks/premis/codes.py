"""The outcome codes: one row of `codes.toml` for everything that Perenne can say about a file.

Nobody else writes a message to a person. A code is a stable name; its texts may be improved, its word and its PREMIS
outcome may not. Loading refuses a broken table as a whole, so that a code in force can always be shown.
"""

from __future__ import annotations

import difflib
import re
import string
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tasks.premis.model import Ending, Event, Outcome
from tasks.words import LANGUAGES, Language, language
from tasks.words import details as told

NOTE = "note"
STOPPED = "stopped"
"""The word of what ends a run and is no file's matter: the machine, the store, the settings."""
WORDS = (*(ending.value for ending in Ending), NOTE, STOPPED)

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_HOLE = re.compile(r"[a-z][a-z0-9_]*")
_REQUIRED = {"word", "premis", *LANGUAGES}
_OPTIONAL: dict[str, type] = {"transient": bool, "stored": bool, "since": str, "until": str}
_OUTCOMES = {  # what PREMIS may say beside each word (face: "Words")
    "done": {Outcome.SUCCESS},
    "kept": {Outcome.SUCCESS},
    "held": {Outcome.FAIL, Outcome.WARNING},
    "failed": {Outcome.FAIL},
    "waiting": {Outcome.FAIL},
    NOTE: {Outcome.WARNING},
    STOPPED: {Outcome.FAIL},
}


class CodesError(ValueError):
    """The table of codes is broken; says the row and what is wrong with it."""


class Text(NamedTuple):
    """What a person reads: `message` says what was seen and what it means, `advice` what to do (empty when nothing)."""

    message: str
    advice: str


@dataclass(frozen=True, slots=True)
class Code:
    """One row. `word` is an ending or `note`; `transient` endings are taken up again by the next run.

    `stored` is False when the file's bytes are not in the store: no page may then say that all originals are safe.
    """

    code: str
    word: str
    premis: Outcome
    transient: bool
    stored: bool
    en: Text
    vi: Text
    fr: Text

    def text(self, lang: Language) -> Text:
        """The row's texts in one language, holes unfilled."""
        texts: dict[Language, Text] = {"en": self.en, "vi": self.vi, "fr": self.fr}
        return texts[lang]

    @property
    def holes(self) -> frozenset[str]:
        """The names of the details that the row's message and advice want."""
        return frozenset(_holes(self.en.message) | _holes(self.en.advice))


def _holes(text: str) -> set[str]:
    """The names in braces of one text; refuses conversions, formats, numbers and anything but plain names."""
    found: set[str] = set()
    for _, name, spec, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if spec or conversion or not _HOLE.fullmatch(name):
            raise ValueError(f"a hole must be a plain name, not {{{name}}}")
        found.add(name)
    return found


def _text(pair: object) -> Text:
    if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)):
        raise ValueError("a language needs [message, advice]")
    if not pair[0].strip():
        raise ValueError("a message is empty")
    return Text(*pair)


def _same_holes(texts: Iterable[Text]) -> None:
    wanted = {tuple(frozenset(_holes(part)) for part in (text.message, text.advice)) for text in texts}
    if len(wanted) > 1:
        raise ValueError("the languages do not have the same holes")


def _row(name: str, row: Mapping[str, Any]) -> Code:
    """One code from its row; raises ValueError saying what is wrong."""
    if not _NAME.fullmatch(name):
        raise ValueError("a code is lower-case words joined by hyphens")
    if missing := _REQUIRED - row.keys():
        raise ValueError(f"missing: {', '.join(sorted(missing))}")
    if unknown := row.keys() - _REQUIRED - _OPTIONAL.keys():
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    for key, kind in _OPTIONAL.items():
        if key in row and not isinstance(row[key], kind):
            raise ValueError(f"{key} must be a {kind.__name__}")
    word, transient = row["word"], row.get("transient", False)
    if word not in WORDS:
        raise ValueError(f"word is one of {', '.join(WORDS)}")
    premis = Outcome(row["premis"])
    if premis not in _OUTCOMES[word]:
        raise ValueError(f"{word} cannot be {premis.value}")
    if transient != (word == Ending.WAITING):
        raise ValueError("waiting is transient, and nothing else is")
    texts = {lang: _text(row[lang]) for lang in LANGUAGES}
    _same_holes(texts.values())
    return Code(name, word, premis, transient, row.get("stored", True), **texts)


def load(text: str) -> Mapping[str, Code]:
    """All codes of a TOML table, in its order. Raises CodesError naming the first broken row; never half a table."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CodesError(f"codes: {error}") from error
    codes: dict[str, Code] = {}
    for name, row in table.items():
        try:
            if not isinstance(row, dict):
                raise ValueError("a code is a table")
            codes[name] = _row(name, row)
        except ValueError as error:
            raise CodesError(f"codes: [{name}] {error}") from error
    return MappingProxyType(codes)


CODES: Mapping[str, Code] = load(Path(__file__).with_name("codes.toml").read_text(encoding="utf-8"))
"""Every code in force, by name."""


def code(name: str) -> Code:
    """The code of that name. Raises KeyError when the table lacks it: a mistake of the caller, not of a file."""
    return CODES[name]


class _Safe(dict[str, str]):
    """A mapping in which everything can be asked for; a message is never lost for want of a detail."""

    def __missing__(self, key: str) -> str:
        return "?"


def unknown(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The names that are no code, each with the codes that are spelled like it, the nearest first."""
    return {name: tuple(difflib.get_close_matches(name, CODES)) for name in names if name not in CODES}


def given_by(event: Event) -> frozenset[str]:
    """Every code that an event gives its file: its own, and those of its notes."""
    notes = (key.removeprefix("note ") for key in event.detail if key.startswith("note "))
    return frozenset(name for name in (event.code, *notes) if name)


def stops(name: str) -> bool:
    """Whether a trouble of that code ends the run instead of a file."""
    return code(name).word == STOPPED


def message(name: str, detail: Mapping[str, str]) -> str:
    """What was seen and what it means, in the language in force; its holes filled, with `?` for a missing detail."""
    return _filled(code(name).text(language()).message, detail)


def advice(name: str, detail: Mapping[str, str]) -> str:
    """What to do, its holes filled like a message's; empty when there is nothing to do."""
    return _filled(code(name).text(language()).advice, detail)


def _filled(text: str, detail: Mapping[str, str]) -> str:
    return text.format_map(_Safe(told(dict(detail))))


def ending(name: str, *, noted: Ending = Ending.KEPT) -> Ending:
    """How a file ends that has this code. A note does not decide that: `noted` is the ending it was written beside."""
    word = code(name).word
    return noted if word == NOTE else Ending(word)


# --- worst first ---------------------------------------------------------------
# The order of face.md, "Words". A held product that could not be compared at all stands before those that were.
_ALARMS = (
    "fixity-broken",
    "fixity-missing",
    "fixity-unreadable",
    "inventory-damaged",
    "fixity-renamed",
    "bag-mismatch",
)
_HELD = (
    "source-encrypted",
    "bomb-suspected",
    "name-unsafe",
    "text-lost",
    "pages-differ",
    "parts-lost",
    "look-differs",
    "pixels-differ",
    "metadata-lost",
    "scan-low-confidence",
)
_FAILED, _HELD_UP, _WAITING, _NOTED, _GOOD = range(len(_ALARMS), len(_ALARMS) + 5)  # below: the alarms' places


def worst_first(event: Event) -> tuple[int, int, float, str]:
    """The sort key of an ending event: alarms, failed, held by kind and share lost, waiting, noted, good; then path."""
    path = event.source.path if event.source else ""
    if event.code in _ALARMS:
        return (_ALARMS.index(event.code), 0, 0.0, path)
    if event.ending is Ending.HELD:
        kind = _HELD.index(event.code) if event.code in _HELD else len(_HELD)
        return (_HELD_UP, kind, -_share_lost(event.detail), path)
    if event.ending is Ending.FAILED:
        return (_FAILED, 0, 0.0, path)
    if event.ending is Ending.WAITING:
        return (_WAITING, 0, 0.0, path)
    return (_NOTED if event.outcome is Outcome.WARNING else _GOOD, 0, 0.0, path)


def _share_lost(detail: Mapping[str, str]) -> float:
    """The share that a comparison missed, 0 to 1, as far as the details say so; 0 when they do not."""
    lost, total = _number(detail.get("lost", "")), _number(detail.get("total", ""))
    if lost is not None and total:
        return min(lost / total, 1.0)
    before, after = _number(detail.get("before", "")), _number(detail.get("after", ""))
    if before is not None and after is not None and max(before, after) > 0:
        return abs(before - after) / max(before, after)
    alike = _number(detail.get("score", detail.get("share", "")))
    if alike is None:
        return 0.0
    return 1.0 - min(alike / 100.0 if "%" in detail.get("share", "") else alike, 1.0)


def _number(text: str) -> float | None:
    """The figure in a detail written for people (`1,904`, `61%`, `0.982`), or None."""
    found = re.fullmatch(r"\s*(\d[\d,]*(?:\.\d+)?)\s*%?\s*", text)
    return float(found[1].replace(",", "")) if found else None
