from __future__ import annotations

from pathlib import Path

import pytest

from tasks.premis.model import Outcome, Trouble, Verdict
from tasks.tools.door import Door
from tasks.validators import text
from tests.tasks import jobs
from tests.tasks.sealed import paper

pytestmark = pytest.mark.slow


def validate(door: Door, source: Path, product: Path, **thresholds: str) -> Verdict:
    with door.job() as job:
        return text.validate(jobs.source(job, source), jobs.product(job, product), job, **thresholds)


def test_the_same_text_is_a_success_read_by_pypdf(door: Door, tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(40)])
    verdict = validate(door, source, source)
    measures = {m.name: m.value for m in verdict.measures}
    assert verdict.outcome is Outcome.SUCCESS
    assert (measures["words"], measures["words_lost"], measures["pages_by_pypdf"]) == ("40", "0", "1")


@pytest.mark.provokes("text-lost")
def test_a_removed_word_in_a_short_text_fails_with_the_count(door: Door, tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(40)])
    verdict = validate(door, source, paper.pdf(tmp_path / "b.pdf", [paper.words(40).replace("word7", "", 1)]))
    assert (verdict.outcome, verdict.code) == (Outcome.FAIL, "text-lost")
    assert verdict.detail == {"lost": "1", "total": "40"}


def test_the_policy_says_how_much_may_be_lost(door: Door, tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(40)])
    product = paper.pdf(tmp_path / "b.pdf", [paper.words(35)])
    assert validate(door, source, product, recall="0.85").outcome is Outcome.SUCCESS
    assert validate(door, source, product, recall="0.90").code == "text-lost"


def test_a_text_turned_upside_down_fails_though_no_word_is_missing(door: Door, tmp_path: Path) -> None:
    lines = paper.words(40).splitlines()
    source = paper.pdf(tmp_path / "a.pdf", ["\n".join(lines)])
    assert validate(door, source, paper.pdf(tmp_path / "b.pdf", ["\n".join(reversed(lines))])).code == "text-lost"


def test_a_source_without_text_is_a_success_that_says_so(door: Door, tmp_path: Path) -> None:
    source = paper.scan(tmp_path / "a.pdf", [paper.sentence()])
    verdict = validate(door, source, paper.pdf(tmp_path / "b.pdf", ["read by OCR"]))
    assert verdict.outcome is Outcome.SUCCESS
    assert verdict.measures[0].value == "0"


def test_what_is_no_pdf_cannot_be_compared(door: Door, tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("text")
    with pytest.raises(Trouble) as caught:
        validate(door, source, paper.pdf(tmp_path / "b.pdf", ["text"]))
    assert caught.value.code == "source-damaged"
