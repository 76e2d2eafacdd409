"""How a piece of work ends, from what its checks said."""

from __future__ import annotations

from tasks.actions import Migration
from tasks.policy import endings
from tasks.policy.rules import Rule
from tasks.premis.model import Ending, Identification, Limits, Note, Outcome, Trouble, Verdict

RULE = Rule(
    "pdf-2b", frozenset({"fmt/18"}), {}, "preservation", "fmt/477", "pdf_to_pdfa", {}, (), Limits(), "a test", "d"
)
STAR = Rule("any", frozenset({"*"}), {}, "preservation", "", "keep", {}, (), Limits(), "the rest", "d")
FOUND = Identification("fmt/18", name="PDF", version="1.4", release="V125")
INVALID = Verdict(Outcome.FAIL, "pdfa-invalid", {"count": "2"})
DIFFERENT = Verdict(Outcome.FAIL, "text-lost", {"lost": "3", "total": "9"})


def test_a_product_that_is_not_valid_fails_whatever_else_differs() -> None:
    assert endings.worst([DIFFERENT, INVALID]) is INVALID


def test_a_product_that_is_valid_and_not_the_same_is_held() -> None:
    worst = endings.worst([DIFFERENT])
    assert worst is not None
    assert endings.from_verdict(worst).ending is Ending.HELD


def test_passing_trouble_waits() -> None:
    assert endings.from_trouble(Trouble("tool-timeout", tool="x", limit="1 s")).ending is Ending.WAITING


def test_a_refusal_by_a_mere_note_is_a_fault_of_ours_and_never_a_good_ending() -> None:
    ended = endings.from_verdict(Verdict(Outcome.FAIL, "fonts-replaced"))
    assert (ended.ending, ended.code) == (Ending.FAILED, "unexpected")


def test_without_notes_a_master_is_the_same_as_its_source() -> None:
    ended = endings.good(False, RULE, FOUND, Migration(()), [Verdict(Outcome.SUCCESS)])
    assert (ended.ending, ended.outcome, ended.code) == (Ending.DONE, Outcome.SUCCESS, "same")
    assert ended.detail == {"target": "PDF/A-2b"}


def test_every_note_is_told_and_the_first_names_the_ending() -> None:
    notes = (Note("fonts-replaced", {"count": "1", "names": "Arial"}),)
    ended = endings.good(
        False, RULE, FOUND, Migration((), notes), [Verdict(Outcome.WARNING, "metadata-lost", {"names": "EXIF"})]
    )
    assert (ended.ending, ended.outcome, ended.code) == (Ending.DONE, Outcome.WARNING, "fonts-replaced")
    assert {"note fonts-replaced", "note metadata-lost"} <= set(ended.detail)


def test_a_kept_original_says_whether_its_claim_or_the_rule_kept_it() -> None:
    assert endings.good(True, RULE, FOUND, Migration(()), []).code == "already-valid"
    assert endings.good(True, STAR, FOUND, Migration(()), []).code == "no-rule"
    assert endings.good(True, STAR, Identification(None), Migration(()), []).code == "format-unknown"
