"""The catalogue: every sentence that is not a code's, one row a sentence, three languages a row.

A row is `en`, `vi`, `fr`; each a text, or `[one, many]` chosen by the hole `{n}`. Loading refuses a broken row, so that
a text which is asked for can always be given.
"""

from __future__ import annotations

import functools
import string
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tasks.words.language import LANGUAGES, Language, language
from tasks.words.numbers import number

FOLDER = Path(__file__).with_name("texts")
DETAILS = FOLDER / "details.toml"
PREFIX = "detail-"
"""What the rows of `texts/details.toml` are called, and no others."""
COUNT = "n"
"""The hole that chooses between one and many."""

Forms = tuple[str, str]
"""The text for one, the text for many; the same twice where the language or the sentence knows no difference."""
Row = Mapping[Language, Forms]


class CatalogueError(ValueError):
    """The catalogue is broken; says the row and what is wrong with it."""


def text(key: str, /, **holes: object) -> str:
    """The text of that key in the language in force, its holes filled; whole numbers are written as the language does.

    Raises KeyError for a key or a hole that is not there: a mistake of the caller, found by any test that calls it.
    """
    lang = language()
    forms = (details() if key.startswith(PREFIX) else _sentences())[key][lang]
    counted = holes.get(COUNT)
    chosen = forms[0] if isinstance(counted, int) and _is_one(counted, lang) else forms[1]
    return chosen.format_map({name: _shown(value) for name, value in holes.items()})


def catalogue() -> Mapping[str, Row]:
    """Every row of every file in `texts/`. Raises CatalogueError naming the first broken row."""
    return MappingProxyType({**_sentences(), **details()})


@functools.cache
def details() -> Mapping[str, Row]:
    """The rows that a detail of the log is read back by: many, and none of them is needed in English."""
    return MappingProxyType(_of_files([DETAILS]))


@functools.cache
def _sentences() -> Mapping[str, Row]:
    return MappingProxyType(_of_files(path for path in sorted(FOLDER.glob("*.toml")) if path != DETAILS))


def _of_files(paths: Iterable[Path]) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for path in paths:
        found = load(path.read_text(encoding="utf-8"), path.stem)
        if twice := rows.keys() & found.keys():
            raise CatalogueError(f"{path.stem}: [{min(twice)}] is in another file, too")
        if strange := [key for key in found if key.startswith(PREFIX) != (path == DETAILS)]:
            raise CatalogueError(f"{path.stem}: [{strange[0]}] is no row of this file")
        rows |= found
    return rows


def load(toml: str, name: str) -> dict[str, Row]:
    """The rows of one file. Raises CatalogueError; never half a file."""
    try:
        table = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{name}: {error}") from error
    rows: dict[str, Row] = {}
    for key, row in table.items():
        try:
            rows[key] = _row(row)
        except ValueError as error:
            raise CatalogueError(f"{name}: [{key}] {error}") from error
    return rows


def holes(forms: Iterable[str]) -> frozenset[str]:
    """The names in braces. Raises ValueError for a conversion, a format or anything but a plain name."""
    found: set[str] = set()
    for form in forms:
        for _, name, spec, conversion in string.Formatter().parse(form):
            if name is None:
                continue
            if spec or conversion or not name.isidentifier():
                raise ValueError(f"a hole must be a plain name, not {{{name}}}")
            found.add(name)
    return frozenset(found)


def _row(row: Any) -> Row:
    if not isinstance(row, dict) or set(row) != set(LANGUAGES):
        raise ValueError(f"a row has {', '.join(LANGUAGES)} and nothing else")
    forms: dict[Language, Forms] = {lang: _forms(row[lang]) for lang in LANGUAGES}
    wanted = {holes(both) for both in forms.values()}
    if len(wanted) > 1:
        raise ValueError("the languages do not have the same holes")
    if any(one != many for one, many in forms.values()) and COUNT not in wanted.pop():
        raise ValueError(f"one and many need the hole {{{COUNT}}}")
    return forms


def _forms(value: Any) -> Forms:
    if isinstance(value, str) and value.strip():
        return value, value
    if isinstance(value, list) and len(value) == 2 and all(isinstance(v, str) and v.strip() for v in value):
        return value[0], value[1]
    raise ValueError("a language needs a text or [one, many]")


def _is_one(count: int, lang: Language) -> bool:
    return count in (0, 1) if lang == "fr" else count == 1


def _shown(value: object) -> str:
    return number(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)
