from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tasks.actions import image_to_pdfa
from tasks.premis.model import Outcome, Role, Trouble
from tasks.tools.door import Door
from tasks.validators import ink, pages, pdfa
from tests.tasks import jobs
from tests.tasks.sealed import paper

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.jpg", "L"),
        ("a.jpg", "RGB"),
        ("a.jpg", "CMYK"),
        ("a.png", "RGBA"),
        ("a.tif", "1"),
        ("a.tif", "CMYK"),
        ("a.gif", "P"),
    ],
)
def test_a_picture_of_a_page_becomes_a_valid_searchable_master(
    door: Door, tmp_path: Path, name: str, mode: str
) -> None:
    paper.sentence().convert("RGB").convert(mode).save(tmp_path / name, dpi=(200, 200))
    with door.job() as job:
        source = jobs.source(job, tmp_path / name, puid="fmt/43")
        master, transcript = image_to_pdfa.migrate(source, job, languages="vie").products
        assert (master.role, master.puid, transcript.role) == (Role.MASTER, "fmt/477", Role.TRANSCRIPT)
        for validator in (pdfa, pages, ink):
            verdict = validator.validate(source, master, job)
            assert verdict.outcome is Outcome.SUCCESS, verdict
        assert "Cộng hòa xã hội chủ nghĩa" in (job.folder / transcript.path).read_text("utf-8")


def test_every_page_of_a_tiff_is_in_the_master_and_its_transcript(door: Door, tmp_path: Path) -> None:
    first, second = paper.sentence("First page here"), paper.sentence("Second page there")
    first.save(tmp_path / "a.tif", save_all=True, append_images=[second], dpi=(200, 200))
    with door.job() as job:
        source = jobs.source(job, tmp_path / "a.tif", puid="fmt/353")
        migration = image_to_pdfa.migrate(source, job, languages="eng")
        read = (job.folder / migration.products[1].path).read_text("utf-8").split("\f")
        assert pages.validate(source, migration.products[0], job).outcome is Outcome.SUCCESS
    assert ["First" in read[0], "Second" in read[1]] == [True, True]


def test_an_assumed_resolution_is_never_silent(door: Door, tmp_path: Path) -> None:
    paper.sentence().save(tmp_path / "a.png")
    with door.job() as job:
        source = jobs.source(job, tmp_path / "a.png", puid="fmt/11")
        migration = image_to_pdfa.migrate(source, job, languages="vie", default_dpi=200)
    measures = {measure.name: measure.value for measure in migration.measures}
    assert (measures["dpi_x"], measures["dpi_assumed"], measures["streams_kept"]) == ("200", "1", "1")


def test_a_picture_without_writing_has_no_transcript(door: Door, tmp_path: Path) -> None:
    Image.new("L", (600, 400), 200).save(tmp_path / "a.png", dpi=(200, 200))
    with door.job() as job:
        source = jobs.source(job, tmp_path / "a.png", puid="fmt/11")
        migration = image_to_pdfa.migrate(source, job)
    assert [product.role for product in migration.products] == [Role.MASTER]


def test_a_damaged_picture_is_trouble(door: Door, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nand nothing else")
    with door.job() as job, pytest.raises(Trouble) as caught:
        image_to_pdfa.migrate(jobs.source(job, tmp_path / "a.png", puid="fmt/11"), job)
    assert caught.value.code == "source-damaged"
