from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest

from tasks.premis.model import Outcome, Product, Role
from tasks.tools.door import Door
from tasks.validators import pdfa
from tests.tasks import jobs
from tests.tasks.sealed import paper

pytestmark = pytest.mark.slow


@pytest.fixture
def valid(tmp_path: Path) -> Path:
    """A valid PDF/A-2b: a picture in gray, made so by pikepdf's own means."""
    source, product = paper.scan(tmp_path / "plain.pdf", [paper.sentence()]), tmp_path / "valid.pdf"
    with pikepdf.open(source) as opened:
        pikepdf.pdfa.prepare(opened, "2b")
        opened.save(product, force_version="1.7")
    return product


def test_a_valid_file_is_a_success_that_names_its_target(door: Door, valid: Path) -> None:
    with door.job() as job:
        verdict = pdfa.validate(jobs.source(job, valid), jobs.product(job, valid), job)
        assert (verdict.outcome, verdict.detail) == (Outcome.SUCCESS, {"target": "PDF/A-2b"})
        assert any("veraPDF" in agent.name for agent in job.agents)


@pytest.mark.provokes("pdfa-invalid")
def test_an_invalid_file_fails_with_its_clauses(door: Door, tmp_path: Path) -> None:
    plain = paper.pdf(tmp_path / "a.pdf", ["font not embedded"])
    with door.job() as job:
        verdict = pdfa.validate(jobs.source(job, plain), jobs.product(job, plain), job)
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "pdfa-invalid")
    assert verdict.detail["target"] == "PDF/A-2b"
    assert "6.2.11.4.1-1" in verdict.detail["clauses"]
    assert verdict.detail["count"] == verdict.measures[0].value != "0"


def test_the_puid_of_the_product_chooses_the_flavour(door: Door, valid: Path) -> None:
    with door.job() as job:
        verdict = pdfa.validate(jobs.source(job, valid), jobs.product(job, valid, puid="fmt/354"), job)
    assert (verdict.code, verdict.detail["target"]) == ("pdfa-invalid", "PDF/A-1b")


def test_a_kept_original_is_judged_by_its_own_claim(door: Door, valid: Path) -> None:
    with door.job() as job:
        source = jobs.source(job, valid, puid="fmt/20")
        verdict = pdfa.validate(source, Product(Role.MASTER, source.name, "fmt/20"), job)
    assert (verdict.outcome, verdict.detail) == (Outcome.SUCCESS, {"target": "PDF/A-2b"})


def test_a_kept_original_that_claims_nothing_is_no_pdfa(door: Door, tmp_path: Path) -> None:
    with door.job() as job:
        source = jobs.source(job, paper.pdf(tmp_path / "a.pdf", ["x"]))
        verdict = pdfa.validate(source, Product(Role.MASTER, source.name, "fmt/18"), job)
    assert verdict.code == "pdfa-invalid"


def test_what_is_no_pdf_at_all_is_invalid(door: Door, tmp_path: Path) -> None:
    rubbish = tmp_path / "a.pdf"
    rubbish.write_bytes(b"nothing")
    with door.job() as job:
        verdict = pdfa.validate(jobs.source(job, rubbish), jobs.product(job, rubbish), job)
    assert verdict.code == "pdfa-invalid"
