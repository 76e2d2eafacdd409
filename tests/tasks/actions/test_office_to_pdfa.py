from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tasks.actions import office_to_pdfa
from tasks.actions.office_to_pdfa import Filter, filters, migrate
from tasks.facts import office
from tasks.premis.model import Fact, Identification, Outcome, Role, Source, SourceFile, Trouble
from tasks.tools.door import Door
from tasks.validators import pdfa, words
from tests.tasks import answers, jobs
from tests.tasks.sealed.office import files

FIXTURES = Path(__file__).parents[3] / "fixtures"
GOOD: Mapping[str, Any] = {
    "office_freeze:freeze": 0,
    "office_facts:saved": "2003-04-03T10:00:00Z",
    "office": {"ok": True, "pages": 3},
    "pdfa:settle": {"part": 2, "log": []},
    "pdfa:repair": {"part": 2, "log": []},
    "verapdf": {"ok": True, "valid": True, "clauses": []},
}


def source(puid: str = "fmt/40", *, size: int = 9, **facts: Fact) -> Source:
    return Source(
        SourceFile("a.doc", size, "ab" * 32), "in/source.doc", Identification(puid), {"encrypted": "none", **facts}
    )


def test_the_filter_is_forced_and_the_master_carries_the_sources_date_and_digest() -> None:
    job, seen = answers.job(GOOD)
    migration = migrate(source(), job)
    (master,) = migration.products
    assert (master.role, master.path, master.puid) == (Role.MASTER, "out/master.pdf", "fmt/477")
    request = dict(seen.asked)["office"]
    assert (request["filter"], request["kind"], request["files"]) == ("MS Word 97", "writer", ["in/source.doc"])
    assert request["export"]["SelectPdfVersion"] == 2
    assert request["export"]["ExportNotes"] is False
    settled = dict(seen.asked)["pdfa:settle"]
    assert (settled["seed"], settled["date"], settled["part"]) == ("ab" * 32, "2003-04-03T10:00:00Z", 2)
    assert {m.name: m.value for m in migration.measures} == {"pages": "3"}


def test_what_verapdf_refuses_is_repaired_once_by_its_clauses() -> None:
    refused = {"ok": True, "valid": False, "clauses": [["6.3.1", 1, 2, "x"], ["6.3.3", 1, 1, "y"]]}
    job, seen = answers.job({**GOOD, "verapdf": refused})
    migrate(source(), job)
    assert [request["clauses"] for name, request in seen.asked if name == "pdfa:repair"] == [["6.3.1", "6.3.3"]]


def test_a_docx_with_volatile_fields_is_converted_from_its_frozen_copy() -> None:
    job, seen = answers.job({**GOOD, "office_freeze:freeze": 2})
    migration = migrate(source("fmt/412"), job)
    assert dict(seen.asked)["office"]["source"] == "out/frozen.docx"
    assert {m.name: m.value for m in migration.measures} == {"pages": "3", "fields_frozen": "2"}


def test_a_docx_that_python_docx_finds_odd_is_converted_as_it_is() -> None:
    job, seen = answers.job({**GOOD, "office_freeze:freeze": None})
    assert {m.name for m in migrate(source("fmt/412"), job).measures} == {"pages"}
    assert dict(seen.asked)["office"]["source"] == "in/source.doc"


@pytest.mark.parametrize(("size", "encrypted", "code"), [(9, "open", "source-encrypted"), (0, "none", "source-empty")])
def test_what_cannot_be_opened_is_not_tried(size: int, encrypted: str, code: str) -> None:
    job, seen = answers.job(GOOD)
    with pytest.raises(Trouble) as caught:
        migrate(source(size=size, encrypted=encrypted), job)
    assert (caught.value.code, seen.asked) == (code, [])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"error": "load", "text": "of another format"}, "source-damaged"),
        ({"error": "store", "text": "the office reported success but wrote nothing"}, "product-missing"),
        ({"error": "store", "text": "IOException"}, "tool-crash"),
        ({"strange": 1}, "tool-crash"),
    ],
)
def test_the_offices_failures_have_their_codes(answer: dict[str, Any], code: str) -> None:
    job, _ = answers.job({**GOOD, "office": answer})
    with pytest.raises(Trouble) as caught:
        migrate(source(), job)
    assert caught.value.code == code


def test_a_generic_container_is_read_as_what_the_facts_say() -> None:
    job, seen = answers.job(GOOD)
    migrate(source("fmt/494", kind="spreadsheet"), job)
    assert dict(seen.asked)["office"]["filter"] == "Calc MS Excel 2007 XML"
    with pytest.raises(Trouble) as caught:
        migrate(source("fmt/111"), job)
    assert caught.value.code == "source-damaged"


def test_a_format_without_a_filter_and_an_odd_part_are_mistakes_of_the_policy() -> None:
    job, _ = answers.job(GOOD)
    with pytest.raises(ValueError, match="fmt/353"):
        migrate(source("fmt/353"), job)
    with pytest.raises(ValueError, match="part"):
        migrate(source(), job, part=1)


def test_what_stays_in_the_original_is_told() -> None:
    job, _ = answers.job(GOOD)
    notes = {n.code: n.detail for n in migrate(source(macros=True, comments=2, embedded=0, signed=True), job).notes}
    assert notes["content-removed"] == {"names": "macros, comments (2)"}
    assert "signature-present" in notes


def test_each_format_has_one_filter_and_its_facts() -> None:
    table = filters()
    assert table["fmt/412", ""] == Filter("MS Word 2007 XML", "writer")
    assert {puid for puid, _ in table} == office.PUIDS
    assert {reader.kind for reader in table.values()} == {"writer", "calc", "impress"}
    assert office_to_pdfa.KINDS.keys() == {"document", "spreadsheet", "presentation"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "folder", ["fmt-40", "fmt-50", "fmt-61", "fmt-126", "fmt-214", "fmt-215", "fmt-293", "fmt-295"]
)
def test_a_document_becomes_valid_pdfa_with_all_its_words(folder: str, door: Door) -> None:
    (path,) = (FIXTURES / "formats" / folder).iterdir()
    with door.job() as job:
        facts = office.facts(job.give(path, f"facts{path.suffix}"), job)
        original = jobs.source(job, path, puid=folder.replace("-", "/", 1), facts=facts)
        (master,) = migrate(original, job).products
        assert pdfa.validate(original, master, job).outcome is Outcome.SUCCESS
        verdict = words.validate(original, master, job)
        assert verdict.outcome is Outcome.SUCCESS, verdict
        assert int(next(m.value for m in verdict.measures if m.name == "words")) > 50
        assert "LibreOffice" in {agent.name for agent in job.agents}


@pytest.mark.slow
def test_a_cell_that_the_office_drops_is_found_missing(door: Door, tmp_path: Path) -> None:
    cells = "".join(f"<table:table-cell><text:p>{word}</text:p></table:table-cell>" for word in ("here", "dropped"))
    columns = '<table:table-column table:number-columns-repeated="2"/>'
    outcomes = []
    for name, table in (("whole.odt", columns), ("odd.odt", "")):  # without columns, LibreOffice draws the first alone
        body = f"<text:p>before</text:p><table:table>{table}<table:table-row>{cells}</table:table-row></table:table>"
        path = files.odf(tmp_path / name, body)
        with door.job() as job:
            original = jobs.source(job, path, puid="fmt/291")
            (master,) = migrate(original, job).products
            outcomes.append(words.validate(original, master, job, spare=0).outcome)
    assert outcomes == [Outcome.SUCCESS, Outcome.FAIL]


@pytest.mark.slow
def test_noise_named_doc_is_damaged(door: Door) -> None:
    with door.job() as job, pytest.raises(Trouble) as caught:
        migrate(jobs.source(job, FIXTURES / "hostile" / "source-damaged" / "nhiễu.doc", puid="fmt/40"), job)
    assert caught.value.code == "source-damaged"


@pytest.mark.slow
def test_a_document_in_vntime_letters_is_not_passed_as_text(door: Door) -> None:
    path = FIXTURES / "formats" / "fmt-412" / "công-văn-vntime.docx"
    with door.job() as job:
        original = jobs.source(job, path, puid="fmt/412")
        (master,) = migrate(original, job).products
        verdict = words.validate(original, master, job)
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "text-lost")
    assert int(verdict.detail["lost"]) > 50
