"""Siegfried's words become identifications; what is not in the agreed shape is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.premis.model import Basis, Identification, Trouble
from tasks.pronom.siegfried import identify, read_answer

RELEASE = "V125 (container signatures 20260119)"


class Resident:
    """A job whose resident gives one reply and remembers what it was asked."""

    def __init__(self, reply: dict[str, Any]) -> None:
        self.reply = reply
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def ask(self, resident, request):
        self.asked.append((resident, request))
        return self.reply


def match(puid: str | None, basis: str = "", warning: str = "", name: str = "") -> dict[str, Any]:
    return {"puid": puid, "name": name, "version": "", "mime": "", "basis": basis, "warning": warning}


def reply(*matches: dict[str, Any], error: str = "") -> dict[str, Any]:
    return {
        "ok": True,
        "release": RELEASE,
        "answers": {"in/a": list(matches)},
        "errors": {"in/a": error} if error else {},
    }


def test_all_files_are_asked_for_in_one_request():
    job = Resident(
        {"release": RELEASE, "answers": {"in/a": [match("fmt/18", "byte match at 0, 8")], "in/b": [match(None)]}}
    )
    answers = identify(["in/a", "in/b"], job)
    assert job.asked == [("siegfried", {"files": ["in/a", "in/b"]})]
    assert {name: answer.puid for name, answer in answers.items()} == {"in/a": "fmt/18", "in/b": None}


def test_a_match_keeps_pronoms_words_and_its_release():
    told = {
        "puid": "fmt/18",
        "name": "PDF",
        "version": "1.4",
        "mime": "application/pdf",
        "basis": "byte match",
        "warning": "w",
    }
    expected = Identification("fmt/18", "PDF", "1.4", "application/pdf", Basis.SIGNATURE, "w", (), RELEASE)
    assert read_answer(reply(told), "in/a") == expected


@pytest.mark.parametrize(
    ("words", "basis"),
    [
        ("extension match docx; container name [Content_Types].xml with byte match at 0, 4", Basis.CONTAINER),
        ("extension match pdf; byte match at [[0 8] [29 5]]", Basis.SIGNATURE),
        ("extension match txt; text match ASCII", Basis.TEXT),
        ("extension match wpd", Basis.EXTENSION),
    ],
)
def test_the_strongest_ground_of_a_match_is_its_basis(words, basis):
    assert read_answer(reply(match("fmt/1", words)), "in/a").basis is basis


def test_of_several_matches_the_strongest_answers_and_the_others_are_kept():
    told = [match("fmt/1", "extension match x"), match("fmt/2", "byte match at 0"), match("fmt/3", "byte match at 4")]
    answer = read_answer(reply(*told), "in/a")
    assert (answer.puid, answer.others) == ("fmt/2", ("fmt/3", "fmt/1"))


def test_an_extension_alone_answers_weakly_and_with_a_warning():
    answer = read_answer(reply(match("x-fmt/44", "extension match wpd", "match on extension only")), "in/a")
    assert (answer.puid, answer.basis, answer.warning) == ("x-fmt/44", Basis.EXTENSION, "match on extension only")


def test_no_match_is_no_puid_and_siegfrieds_reason():
    why = "no match; possibilities based on extension are fmt/412, fmt/473"
    answer = read_answer(reply(match(None, warning=why)), "in/a")
    assert answer == Identification(None, basis=Basis.NOTHING, warning=why, release=RELEASE)


@pytest.mark.parametrize(("error", "basis"), [("empty source", Basis.EMPTY), ("permission denied", Basis.ERROR)])
def test_an_empty_or_unreadable_file_says_so(error, basis):
    answer = read_answer(reply(match(None), error=error), "in/a")
    assert (answer.puid, answer.basis, answer.warning) == (None, basis, error)


@pytest.mark.parametrize(
    "foreign",
    [
        {},
        {"release": RELEASE, "answers": []},
        {"release": RELEASE, "answers": {}},
        {"release": RELEASE, "answers": {"in/a": []}},
        {"release": RELEASE, "answers": {"in/a": ["fmt/18"]}},
        {"release": 125, "answers": {"in/a": [match("fmt/18", "byte match")]}},
        reply(match("fmt/18", "a dream")),
        reply(match("../etc/passwd", "byte match")),
        reply({**match("fmt/18", "byte match"), "name": None}),
    ],
)
def test_an_answer_in_a_foreign_shape_is_trouble(foreign):
    with pytest.raises(Trouble) as trouble:
        read_answer(foreign, "in/a")
    assert (trouble.value.code, trouble.value.detail["tool"]) == ("tool-crash", "Siegfried")
