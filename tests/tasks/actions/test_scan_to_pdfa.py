from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest

from tasks.actions import scan_to_pdfa
from tasks.premis.model import Limits, Outcome, Role, Trouble
from tasks.tools.door import Door
from tasks.validators import ink, pages, pdfa, text
from tests.tasks import jobs
from tests.tasks.sealed import paper

pytestmark = pytest.mark.slow


def test_a_scan_becomes_a_valid_searchable_master_with_a_transcript(door: Door, tmp_path: Path) -> None:
    with door.job() as job:
        source = jobs.source(job, paper.scan(tmp_path / "a.pdf", [paper.sentence(), paper.sentence()]))
        migration = scan_to_pdfa.migrate(source, job, languages="vie")
        master, transcript = migration.products
        assert (master.role, master.puid, transcript.role, transcript.puid) == (
            Role.MASTER,
            "fmt/477",
            Role.TRANSCRIPT,
            "x-fmt/111",
        )
        for validator in (pdfa, pages, text, ink):
            assert validator.validate(source, master, job).outcome is Outcome.SUCCESS
        assert (job.folder / transcript.path).read_text("utf-8").count("Cộng hòa xã hội chủ nghĩa") == 2
        assert paper.image_bytes(job.folder / master.path) == paper.image_bytes(tmp_path / "a.pdf")
        assert {"tesseract", "ocrmypdf"} <= {agent.name for agent in job.agents}
    measures = {measure.name: measure.value for measure in migration.measures}
    assert (measures["pages"], measures["pages_read"]) == ("2", "2")
    assert migration.notes == ()


@pytest.mark.provokes("tool-missing")
def test_the_language_of_the_batch_wins(door: Door, tmp_path: Path) -> None:
    with door.job() as job:
        scan = paper.scan(tmp_path / "a.pdf", [paper.sentence()])
        source = jobs.source(job, scan, facts={"languages": "tlh"})
        with pytest.raises(Trouble) as caught:
            scan_to_pdfa.migrate(source, job, languages="vie")
    assert (caught.value.code, caught.value.detail) == ("tool-missing", {"tool": "tesseract language tlh"})


@pytest.mark.provokes("scan-low-confidence")
def test_a_doubtful_reading_is_noted_with_the_share_of_sure_words(door: Door, tmp_path: Path) -> None:
    with door.job() as job:
        source = jobs.source(job, paper.scan(tmp_path / "a.pdf", [paper.sentence()]))
        [note] = scan_to_pdfa.migrate(source, job, languages="vie", sure=100, share="0.99").notes
    assert note.code == "scan-low-confidence"
    assert note.detail["share"].endswith("%")


def test_an_empty_page_has_a_master_and_no_transcript(door: Door, tmp_path: Path) -> None:
    with door.job() as job:
        blank = paper.sentence("").point(lambda _: 255)
        source = jobs.source(job, paper.scan(tmp_path / "a.pdf", [blank]))
        migration = scan_to_pdfa.migrate(source, job)
    assert [product.role for product in migration.products] == [Role.MASTER]
    assert migration.notes == ()


@pytest.mark.provokes("signature-present")
def test_a_signed_scan_is_told_to_be_signed(door: Door, tmp_path: Path) -> None:
    with door.job() as job:
        scan = paper.scan(tmp_path / "a.pdf", [paper.sentence()])
        source = jobs.source(job, scan, facts={"signed": True})
        notes = scan_to_pdfa.migrate(source, job, languages="vie").notes
    assert [note.code for note in notes] == ["signature-present"]


@pytest.mark.provokes("content-removed")
def test_what_pdfa_forbids_is_taken_out_and_told(door: Door, tmp_path: Path) -> None:
    action = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS=pikepdf.String("app.alert(1)"))
    with door.job() as job:
        source = jobs.source(job, paper.scan(tmp_path / "a.pdf", [paper.sentence()], OpenAction=action))
        migration = scan_to_pdfa.migrate(source, job, languages="vie")
        assert pdfa.validate(source, migration.products[0], job).outcome is Outcome.SUCCESS
    assert "content-removed" in [note.code for note in migration.notes]


def test_the_same_scan_gives_the_same_bytes(door: Door, tmp_path: Path) -> None:
    scan = paper.scan(tmp_path / "a.pdf", [paper.sentence()])
    masters = []
    for _ in range(2):
        with door.job() as job:
            masters.append(scan_to_pdfa.migrate(jobs.source(job, scan), job, languages="vie").products[0].sha256)
    assert masters[0] == masters[1]


def test_ocr_that_takes_too_long_is_stopped(door: Door, tmp_path: Path) -> None:
    with door.job(Limits(wall_s=0.3)) as job:
        source = jobs.source(job, paper.scan(tmp_path / "a.pdf", [paper.sentence()] * 3))
        with pytest.raises(Trouble) as caught:
            scan_to_pdfa.migrate(source, job)
    assert caught.value.code == "tool-timeout"


def test_an_unknown_part_is_refused_before_any_work(door: Door, tmp_path: Path) -> None:
    with door.job() as job:
        source = jobs.source(job, paper.scan(tmp_path / "a.pdf", [paper.sentence()]))
        with pytest.raises(ValueError, match="part must be one of"):
            scan_to_pdfa.migrate(source, job, part=9)
        assert job.runs == ()
