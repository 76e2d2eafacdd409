"""The catalogue: every text in three languages, every text used, no English left over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tasks.words import LANGUAGES, detail, spoken, text
from tasks.words.catalogue import PREFIX, CatalogueError, catalogue, load

ROOT = Path(__file__).resolve().parents[3]
SOURCES = "".join(
    path.read_text(encoding="utf-8") for folder in ("flows", "tasks") for path in (ROOT / folder).rglob("*.py")
)
ENDINGS = {f"{word}{tail}" for word in ("done", "kept", "held", "failed", "waiting") for tail in ("", "-means")}
ENGLISH = re.compile(
    r"\b(the|is|are|was|were|of|and|not|with|from|this|that|file|files|batch|needs?|person|store|since|run|when|what)\b",
    re.IGNORECASE,
)
"""Words that stand in almost every English sentence and in no Vietnamese one."""


def _words(value: str) -> str:
    """A text without what is the same in every language: holes, names of artifacts, commands."""
    return re.sub(r"\{\w+\}|[“«] ?\w+ ?[”»]|perenne [\w ]+|\.ready|`[^`]*`", "", value)


def test_a_text_in_vietnamese_or_french_has_no_english_left_over() -> None:
    forms = [form for row in catalogue().values() for lang in ("vi", "fr") for form in row[lang]]
    assert [form for form in forms if ENGLISH.search(_words(form))] == []


def test_every_text_of_the_catalogue_is_used() -> None:
    made = (PREFIX, *re.findall(r"""\btext\(\s*f["']([a-z-]+)\{""", SOURCES))
    free = ENDINGS | {key for key in catalogue() if key.startswith(made)}
    assert [
        key for key in catalogue() if key not in free and f'"{key}"' not in SOURCES and f"'{key}'" not in SOURCES
    ] == []


def test_every_text_that_is_asked_for_is_in_the_catalogue() -> None:
    asked = set(re.findall(r"""\btext\(\s*["']([a-z0-9-]+)["']""", SOURCES))
    assert len(asked) > 40
    assert asked - catalogue().keys() == set()


@pytest.mark.parametrize(("lang", "told"), [("en", "0 files"), ("vi", "0 tệp"), ("fr", "0 fichier")])
def test_nothing_is_singular_in_french_alone(lang: str, told: str) -> None:
    with spoken(lang):
        assert text("n-files", n=0) == told


@pytest.mark.parametrize(("count", "told"), [(1, "1 file"), (2, "2 files"), (1904, "1,904 files")])
def test_one_and_many_are_counted_as_people_say_it(count: int, told: str) -> None:
    assert text("n-files", n=count) == told


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ('[a]\nen = "x"\nvi = "x"', "a row has en, vi, fr"),
        ('[a]\nen = "x"\nvi = "x"\nfr = "x"\nde = "x"', "a row has en, vi, fr"),
        ('[a]\nen = "x {b}"\nvi = "x"\nfr = "x {b}"', "same holes"),
        ('[a]\nen = ["x", "y"]\nvi = "x"\nfr = "x"', "need the hole {n}"),
        ('[a]\nen = "x {b!r}"\nvi = "x {b!r}"\nfr = "x {b!r}"', "plain name"),
        ('[a]\nen = " "\nvi = "x"\nfr = "x"', "a language needs"),
        ("[a\n", "c: "),
    ],
)
def test_a_broken_row_is_refused_with_its_fault(row: str, wrong: str) -> None:
    with pytest.raises(CatalogueError, match=re.escape(wrong)):
        load(row, "c")


def test_a_detail_of_the_log_is_told_in_the_language_in_force() -> None:
    told = {}
    for lang in LANGUAGES:
        with spoken(lang):
            told[lang] = detail("open files")
    assert told == {"en": "open files", "vi": "tệp mở", "fr": "fichiers ouverts"}


def test_a_detail_that_nobody_translated_stays_as_it_was_written() -> None:
    with spoken("vi"):
        assert detail("Segmentation fault") == "Segmentation fault"
