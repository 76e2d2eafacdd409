"""The verdict on a TIFF's structure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.premis.model import Outcome, Product, Role, Trouble
from tasks.validators import tiff
from tests.tasks.sealed.raster import support
from tests.tasks.sealed.raster.support import noise

MASTER = Product(Role.MASTER, "out/master.tif")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_sound_tiff_passes_and_its_pages_are_counted(folder: Path) -> None:
    job, source = support.job(folder), support.source(folder, b"")
    (folder / "out/master.tif").write_bytes(support.tiff(noise(2, 20, 20), photometric="minisblack"))
    verdict = tiff.validate(source, MASTER, job)
    assert verdict.outcome is Outcome.SUCCESS
    assert [(one.name, one.value) for one in verdict.measures] == [("pages", "2"), ("problems", "0")]


@pytest.mark.provokes("tiff-invalid")
def test_what_is_wrong_is_told_in_words(folder: Path) -> None:
    job, source = support.job(folder), support.source(folder, b"")
    (folder / "out/master.tif").write_bytes(support.tiff(noise(20, 20), compression="lzw"))
    verdict = tiff.validate(source, MASTER, job)
    assert (verdict.outcome, verdict.code, verdict.detail) == (Outcome.FAIL, "tiff-invalid", {"what": "compression 5"})


def test_deflate_passes_unless_it_is_forbidden(folder: Path) -> None:
    job, source = support.job(folder), support.source(folder, b"")
    (folder / "out/master.tif").write_bytes(support.tiff(noise(20, 20), compression="zlib"))
    assert tiff.validate(source, MASTER, job).outcome is Outcome.SUCCESS
    assert tiff.validate(source, MASTER, job, deflate=False).outcome is Outcome.FAIL


def test_an_answer_of_a_wrong_shape_is_not_believed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support.DirectJob, "call", lambda *_args, **_named: {"problems": []})
    with pytest.raises(Trouble):
        tiff.validate(support.source(folder, b""), MASTER, support.job(folder))
