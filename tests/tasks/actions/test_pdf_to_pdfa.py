from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from tasks.actions import pdf_to_pdfa
from tasks.facts import pdf as pdf_facts
from tasks.premis.model import Fact, Identification, Outcome, Role, Source, SourceFile, Trouble
from tasks.tools.door import Door
from tasks.validators import pdfa
from tests.tasks import jobs
from tests.tasks.sealed.pdfa import pdfs

REPAIRED = {"part": 2, "log": [], "fonts": {}, "unknown": {}, "recovered": ""}
REFUSED = {"ok": True, "valid": False, "clauses": [["6.2.11.5", 1, 3, "m"], ["6.2.2", 1, 1, "m"]]}
VALID = {"ok": True, "valid": True, "clauses": []}


class Scripted:
    """A job that answers from a list; it remembers what it was asked."""

    def __init__(self, judged: list[dict[str, Any]], repaired: Any = REPAIRED) -> None:
        self.judged, self.repaired, self.asked = judged, repaired, []

    def call(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        self.asked.append((function, kwargs.get("clauses")))
        return self.repaired

    def ask(self, resident: str, request: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append((resident, request["flavour"]))
        return self.judged.pop(0)

    def digest(self, name: str) -> tuple[int, str]:
        return 1, "0" * 64


def source(**facts: Fact) -> Source:
    return Source(SourceFile("a.pdf", 1, "0" * 64), "in/source.pdf", Identification("fmt/18"), facts)


def test_a_true_claim_keeps_the_original() -> None:
    job = Scripted([VALID])
    [master] = pdf_to_pdfa.migrate(source(claims_pdfa="1b"), job).products
    assert master.path == "in/source.pdf"
    assert job.asked == [("verapdf", "1b")]


def test_a_false_claim_is_repaired() -> None:
    job = Scripted([REFUSED, VALID])
    [master] = pdf_to_pdfa.migrate(source(claims_pdfa="1b"), job).products
    assert (master.path, master.puid) == ("out/master.pdf", "fmt/477")


def test_pass_2_gets_the_clauses_that_verapdf_refused() -> None:
    job = Scripted([REFUSED, VALID])
    migration = pdf_to_pdfa.migrate(source(), job)
    assert [what for what in job.asked if what[0] != "verapdf"] == [
        ("tasks.sealed.pdfa:repair", None),
        ("tasks.sealed.pdfa:repair", ["6.2.11.5", "6.2.2"]),
    ]
    assert migration.measures[0].value == "2"


def test_a_product_that_verapdf_cannot_read_is_repaired_for_its_fonts() -> None:
    job = Scripted([{"error": "crash"}])
    pdf_to_pdfa.migrate(source(), job)
    assert job.asked[-1] == ("tasks.sealed.pdfa:repair", ["6.2.11"])


def test_a_password_is_asked_for_before_anything_runs() -> None:
    job = Scripted([])
    with pytest.raises(Trouble) as raised:
        pdf_to_pdfa.migrate(source(encrypted="open"), job)
    assert (raised.value.code, job.asked) == ("source-encrypted", [])


def test_letters_without_a_proved_shape_hold_the_product() -> None:
    job = Scripted([VALID], REPAIRED | {"unknown": {"Wingdings": [3, 20]}})
    with pytest.raises(Trouble) as raised:
        pdf_to_pdfa.migrate(source(), job)
    assert raised.value.code == "parts-lost"
    assert raised.value.detail == {"lost": "3", "total": "20", "part": "letter shapes", "names": "Wingdings"}


def line(clause: str, what: str, kind: str) -> dict[str, Any]:
    return {"clause": clause, "what": what, "count": 2, "names": [], "kind": kind}


def test_losses_guesses_fonts_and_signatures_are_told() -> None:
    log = [line("6.5.1", "action JavaScript", "loss"), line("6.3.3", "empty look for Stamp", "guess")]
    job = Scripted([VALID], REPAIRED | {"log": log, "fonts": {"Arial": "Nimbus Sans"}, "recovered": "file is damaged"})
    notes = {note.code: dict(note.detail) for note in pdf_to_pdfa.migrate(source(signed=True), job).notes}
    assert notes == {
        "fonts-replaced": {"count": "1", "names": "Arial → Nimbus Sans"},
        "content-removed": {"names": "action JavaScript (2)"},
        "source-repaired": {"what": "file is damaged; empty look for Stamp (2)"},
        "signature-present": {"state": "not verified"},
    }


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        REPAIRED | {"part": 7},
        REPAIRED | {"log": [{"clause": "6"}]},
        REPAIRED | {"log": [line("6.1", "x", "joke")]},
        REPAIRED | {"unknown": {"F": 3}},
    ],
)
def test_an_answer_of_another_shape_is_not_believed(answer: Any) -> None:
    with pytest.raises(Trouble) as raised:
        pdf_to_pdfa.migrate(source(), Scripted([VALID], answer))
    assert raised.value.code == "tool-crash"


def test_only_parts_2_and_3_are_made() -> None:
    with pytest.raises(ValueError, match="2 or 3"):
        pdf_to_pdfa.migrate(source(), Scripted([]), part=4)


@pytest.mark.slow
def test_a_plain_pdf_becomes_a_valid_master_behind_the_door(door: Door, tmp_path: Path) -> None:
    with door.job() as job:
        path = pdfs.make(tmp_path / "a.pdf")
        given = jobs.source(job, path)
        facts = pdf_facts.facts(given.name, job)
        [master] = pdf_to_pdfa.migrate(Source(given.file, given.name, given.identification, facts), job).products
        assert (master.role, master.puid) == (Role.MASTER, "fmt/477")
        assert pdfa.validate(given, master, job).outcome is Outcome.SUCCESS
        assert pdfs.text(job.folder / master.path) == pdfs.TEXT


@pytest.mark.slow
def test_a_font_with_wrong_advances_is_valid_after_pass_2(door: Door, tmp_path: Path) -> None:
    def wide(pdf: pikepdf.Pdf) -> None:
        program = pdfs.truetype(pdfs.TEXT, scale=1.2)
        pdfs.embed_truetype(pdf, program, flags=32, Encoding=pikepdf.Name.WinAnsiEncoding)

    with door.job() as job:
        given = jobs.source(job, pdfs.make(tmp_path / "a.pdf", wide))
        migration = pdf_to_pdfa.migrate(given, job)
        assert pdfa.validate(given, migration.products[0], job).outcome is Outcome.SUCCESS
    assert {measure.name: measure.value for measure in migration.measures}["passes"] == "2"


@pytest.mark.slow
def test_a_valid_master_is_kept_when_it_comes_back(door: Door, tmp_path: Path) -> None:
    result = pdfs.repaired(tmp_path)
    with door.job() as job:
        given = jobs.source(job, result.product, facts={"claims_pdfa": "2b"})
        [master] = pdf_to_pdfa.migrate(given, job).products
    assert master.path == given.name
