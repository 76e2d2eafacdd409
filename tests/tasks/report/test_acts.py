"""What an event tells in a line."""

from __future__ import annotations

from tasks.premis.model import EventType, Outcome
from tasks.report import acts
from tasks.words import spoken
from tests.tasks.premis.events import event


def test_an_identification_names_format_basis_and_release() -> None:
    detail = {"format": "Acrobat PDF", "format_version": "1.4", "puid": "fmt/18", "basis": "signature"}
    found = event(
        1, "originals/a.pdf", kind=EventType.IDENTIFICATION, outcome=Outcome.SUCCESS, code="", rule="",
        detail={**detail, "release": "V125 (container signatures 20260119)"},
    )  # fmt: skip
    assert acts.told(found) == "Acrobat PDF 1.4 (fmt/18), by signature, PRONOM V125"
    with spoken("vi"):
        assert acts.told(found) == "Acrobat PDF 1.4 (fmt/18), theo chữ ký định dạng, PRONOM V125"


def test_an_act_that_failed_says_its_rule_and_its_codes_message_in_the_language_in_force() -> None:
    failed = event(1, "originals/a.pdf", code="text-lost", rule="word-2b", detail={"lost": "3", "total": "61"})
    assert acts.told(failed) == "word-2b: 3 of 61 words of the source are missing or wrong in the product."
    with spoken("vi"):
        assert acts.told(failed) == "word-2b: 3 trong 61 từ của bản gốc bị mất hoặc sai trong bản chuyển đổi."


def test_what_was_stored_is_told_with_its_size_and_the_start_of_its_digest() -> None:
    stored = event(
        1, "originals/a.pdf", kind=EventType.INGESTION, outcome=Outcome.SUCCESS, code="", rule="", sha256="ab" * 32
    )
    told = acts.told(stored)
    assert told.endswith(", sha256 abababab…")
