"""Pictures to TIFF: what the action promises its caller."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tasks.actions import image_to_tiff
from tasks.premis.model import Role, Trouble
from tests.tasks.sealed.raster import support
from tests.tasks.sealed.raster.support import noise, pillow, png, tiff


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_master_is_measured_and_named(folder: Path) -> None:
    migration = image_to_tiff.migrate(support.source(folder, png(noise(30, 40, 3))), support.job(folder))
    (master,) = migration.products
    data = (folder / "out/master.tif").read_bytes()
    assert (master.role, master.path, master.puid) == (Role.MASTER, "out/master.tif", "fmt/353")
    assert (master.size, master.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    figures = {one.name: one.value for one in migration.measures}
    assert figures == {"frames": "1", "width": "40", "height": "30", "channels": "3", "bits": "8"}


def test_the_same_source_gives_the_same_master(folder: Path) -> None:
    source = support.source(folder, pillow(noise(60, 50, 3), "PNG", dpi=(300, 300)))
    first = image_to_tiff.migrate(source, support.job(folder)).products
    assert image_to_tiff.migrate(source, support.job(folder)).products == first


def test_a_plain_tiff_of_our_profile_is_its_own_master(folder: Path) -> None:
    source = support.source(folder, tiff(noise(30, 40, 3), photometric="rgb", resolution=(300, 300)), "fmt/353")
    (master,) = image_to_tiff.migrate(source, support.job(folder)).products
    assert master.path == source.name
    assert not list((folder / "out").iterdir())


@pytest.mark.parametrize("kind", [{"compression": "lzw"}, {"tile": (16, 16)}, {"bigtiff": True}])
def test_any_other_tiff_gets_a_master(kind: dict[str, Any], folder: Path) -> None:
    source = support.source(folder, tiff(noise(30, 40, 3), photometric="rgb", **kind))
    (master,) = image_to_tiff.migrate(source, support.job(folder)).products
    assert master.path == "out/master.tif"


@pytest.mark.provokes("source-damaged")
def test_a_plain_tiff_whose_pixels_are_cut_is_damaged(folder: Path) -> None:
    data = tiff(noise(30, 40, 3), photometric="rgb")
    with pytest.raises(Trouble) as caught:
        image_to_tiff.migrate(support.source(folder, data[:-500]), support.job(folder))
    assert caught.value.code == "source-damaged"


def test_a_compression_that_is_not_known_is_refused_before_anything_runs(folder: Path) -> None:
    with pytest.raises(ValueError, match="jpeg"):
        image_to_tiff.migrate(support.source(folder, b""), support.job(folder), compression="jpeg")


@pytest.mark.provokes("bomb-suspected")
def test_a_frame_beyond_the_rules_limit_is_held(folder: Path) -> None:
    with pytest.raises(Trouble) as caught:
        image_to_tiff.migrate(support.source(folder, png(noise(1100, 1000))), support.job(folder), megapixels=1)
    assert caught.value.code == "bomb-suspected"


@pytest.mark.parametrize(
    "answer", [None, {}, {"kept": False, "frames": 1}, {"kept": True, "frames": "1"}, {"kept": 1, "frames": 1}]
)
def test_an_answer_of_a_wrong_shape_is_not_believed(answer: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support.DirectJob, "call", lambda *_args, **_named: answer)
    with pytest.raises(Trouble) as caught:
        image_to_tiff.migrate(support.source(folder, b"x"), support.job(folder))
    assert caught.value.code == "tool-crash"
