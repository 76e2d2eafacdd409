"""The verdict on pixels and metadata."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from tasks.premis.model import Measure, Outcome, Product, Role, Trouble, Verdict
from tasks.validators import pixels
from tests.tasks.sealed.raster import support
from tests.tasks.sealed.raster.support import noise, palette_image, png


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def verdict(folder: Path, source: bytes, product: bytes) -> Verdict:
    job, given = support.job(folder), support.source(folder, source)
    (folder / "out/master.tif").write_bytes(product)
    return pixels.validate(given, Product(Role.MASTER, "out/master.tif"), job)


def test_the_two_libraries_that_agree_are_named(folder: Path) -> None:
    held = noise(20, 30, 3)
    found = verdict(folder, png(held), support.tiff(held, photometric="rgb"))
    assert found.outcome is Outcome.SUCCESS
    assert Measure("libraries", "2", "imagecodecs / Pillow") in found.measures
    assert Measure("pixels", "600", "px") in found.measures


@pytest.mark.provokes("pixels-differ")
def test_different_pixels_fail_with_their_number(folder: Path) -> None:
    held = noise(20, 30)
    found = verdict(folder, png(held), support.tiff(held ^ np.eye(20, 30, dtype=np.uint8)))
    assert (found.outcome, found.code) == (Outcome.FAIL, "pixels-differ")
    assert (found.detail["lost"], found.detail["total"]) == ("20", "600")


def test_lost_alpha_fails_with_every_pixel(folder: Path) -> None:
    held = noise(20, 30, 2)
    found = verdict(folder, png(held), support.tiff(held[..., 0]))
    assert (found.code, found.detail["lost"]) == ("pixels-differ", "600")


@pytest.mark.provokes("metadata-lost")
def test_lost_metadata_is_a_warning_with_its_names(folder: Path) -> None:
    held = noise(20, 30)
    found = verdict(folder, support.pillow(held, "PNG", dpi=(300, 300)), support.tiff(held))
    assert (found.outcome, found.code, found.detail) == (Outcome.WARNING, "metadata-lost", {"names": "resolution"})
    assert Measure("metadata_lost", "1") in found.measures


@pytest.mark.provokes("compared-once")
def test_one_library_alone_is_a_warning(folder: Path) -> None:
    frames = [palette_image(9).convert("RGB") for _ in range(2)]
    out = io.BytesIO()
    frames[0].save(out, "TIFF")
    deep = support.tiff(noise(9, 8, 4, dtype=np.uint16), photometric="separated")
    found = verdict(folder, deep, deep)
    assert (found.outcome, found.code) == (Outcome.WARNING, "compared-once")
    assert Measure("libraries", "1", "tifffile") in found.measures


def test_an_original_that_is_its_own_master_is_read_by_two_libraries(folder: Path) -> None:
    source = support.source(folder, support.tiff(noise(20, 30, 3), photometric="rgb"))
    found = pixels.validate(source, Product(Role.MASTER, source.name), support.job(folder))
    assert found.outcome is Outcome.SUCCESS
    assert Measure("libraries", "2", "tifffile / imagecodecs") in found.measures


def test_an_answer_of_a_wrong_shape_is_not_believed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support.DirectJob, "call", lambda *_args, **_named: {"lost": 0})
    with pytest.raises(Trouble):
        verdict(folder, b"", b"")
