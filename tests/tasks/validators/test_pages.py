from __future__ import annotations

from pathlib import Path

import pytest

from tasks.premis.model import Outcome, Product, Role, Verdict
from tasks.tools.door import Door
from tasks.validators import pages
from tests.tasks import jobs
from tests.tasks.sealed import paper

pytestmark = pytest.mark.slow


def validate(door: Door, source: Path, product: Path) -> Verdict:
    with door.job() as job:
        return pages.validate(jobs.source(job, source), jobs.product(job, product), job)


def test_the_same_pages_are_a_success_with_both_counts(door: Door, tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", ["one", "two"])
    verdict = validate(door, source, source)
    assert verdict.outcome is Outcome.SUCCESS
    assert {m.name: m.value for m in verdict.measures} == {
        "pages_before": "2",
        "pages_after": "2",
        "pages_resized": "0",
    }


@pytest.mark.provokes("pages-differ")
def test_a_dropped_page_fails(door: Door, tmp_path: Path) -> None:
    source, product = paper.pdf(tmp_path / "a.pdf", ["one", "two"]), paper.pdf(tmp_path / "b.pdf", ["one"])
    verdict = validate(door, source, product)
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "pages-differ")
    assert verdict.detail == {"before": "2", "after": "1"}


def test_a_page_of_another_size_fails_and_is_named(door: Door, tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", ["one"])
    verdict = validate(door, source, paper.pdf(tmp_path / "b.pdf", ["one"], size=(595, 842)))
    assert verdict.code == "pages-differ"
    assert verdict.detail == {"before": "1 (page 1: 420 x 595 pt)", "after": "1 (page 1: 595 x 842 pt)"}


def test_a_lost_frame_of_a_tiff_fails(door: Door, tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    paper.sentence().save(source, save_all=True, append_images=[paper.sentence()])
    assert validate(door, source, paper.pdf(tmp_path / "b.pdf", ["one"])).code == "pages-differ"


def test_other_sources_need_a_page_and_no_more(door: Door, tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("text")
    assert validate(door, source, paper.pdf(tmp_path / "b.pdf", ["one", "two"])).outcome is Outcome.SUCCESS


def test_an_original_that_is_its_own_master_has_its_own_pages(door: Door, tmp_path: Path) -> None:
    with door.job() as job:
        source = jobs.source(job, paper.pdf(tmp_path / "a.pdf", ["one"]))
        verdict = pages.validate(source, Product(Role.MASTER, source.name), job)
        assert verdict.outcome is Outcome.SUCCESS
        assert job.runs == ()
