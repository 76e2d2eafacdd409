from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tasks.premis.model import Fact, Outcome, Verdict
from tasks.tools.door import Door
from tasks.validators import ink
from tests.tasks import jobs
from tests.tasks.sealed import paper

pytestmark = pytest.mark.slow

BOX = b"0.2 g 60 100 300 150 re f"


def validate(door: Door, source: Path, product: Path, *, facts: Mapping[str, Fact] | None = None) -> Verdict:
    with door.job() as job:
        return ink.validate(jobs.source(job, source, facts=facts), jobs.product(job, product), job)


def test_the_same_look_is_a_success(door: Door, tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(40), ""], drawing=BOX)
    verdict = validate(door, source, source)
    assert verdict.outcome is Outcome.SUCCESS
    assert {m.name: m.value for m in verdict.measures}["pages_compared"] == "2"


@pytest.mark.provokes("product-blank")
def test_a_blanked_page_fails(door: Door, tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(40), paper.words(40)])
    verdict = validate(door, source, paper.pdf(tmp_path / "b.pdf", [paper.words(40), ""]))
    assert (verdict.outcome, verdict.code, verdict.detail) == (Outcome.FAIL, "product-blank", {"pages": "1"})


@pytest.mark.provokes("look-differs")
def test_a_lost_drawing_fails_with_the_page_and_its_areas(door: Door, tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(40)], drawing=BOX)
    verdict = validate(door, source, paper.pdf(tmp_path / "b.pdf", [paper.words(40)]))
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "look-differs")
    assert (verdict.detail["page"], verdict.detail["areas"]) == ("1", "1")


def test_an_office_text_may_not_become_blank_paper(door: Door, tmp_path: Path) -> None:
    source, blank = tmp_path / "a.docx", paper.pdf(tmp_path / "b.pdf", ["", ""])
    source.write_bytes(b"PK, not a picture, not a PDF")
    assert validate(door, source, blank).code == "product-blank"
    assert validate(door, source, blank, facts={"words": 12}).code == "product-blank"
    assert validate(door, source, blank, facts={"words": 0}).outcome is Outcome.SUCCESS
    assert validate(door, source, paper.pdf(tmp_path / "c.pdf", ["x", ""])).outcome is Outcome.SUCCESS


def test_a_source_page_that_nobody_can_draw_waits_for_a_person(door: Door, tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", ["one", "two"])
    verdict = validate(door, paper.without_last_page(source, tmp_path / "broken.pdf"), source)
    assert (verdict.outcome, verdict.code, verdict.detail["page"]) == (Outcome.FAIL, "look-differs", "2")
