"""The writer: what others read back, the same bytes each time, and where it refuses."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from tasks.premis.model import Trouble
from tasks.sealed.raster import structure, tiff_source, write
from tasks.sealed.raster.frame import Budget, Frame, Space, expanded, frame
from tasks.sealed.raster.metadata import Metadata
from tests.tasks.sealed.raster.support import noise

FREE = Budget(1 << 40, 1 << 40, 1)


def written(folder: Path, *frames: Frame, told: Metadata | None = None, compression: str = "none") -> Path:
    path = folder / "made.tif"
    pairs = ((one, told or Metadata()) for one in frames)
    assert write.write(path, pairs, compression=compression, total=len(frames)) == len(frames)
    return path


@pytest.mark.parametrize("shape", [(33, 47), (33, 47, 2), (33, 47, 3), (33, 47, 4)])
def test_tifffile_and_pillow_read_the_same_pixels(shape: tuple[int, ...], tmp_path: Path) -> None:
    pixels = noise(*shape)
    path = written(tmp_path, frame(pixels))
    assert np.array_equal(tifffile.imread(path), pixels)
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), pixels)


def test_both_read_black_and_white_palettes_and_inks(tmp_path: Path) -> None:
    bits = noise(33, 47, dtype=bool)
    with Image.open(written(tmp_path, frame(bits))) as image:
        assert np.array_equal(np.asarray(image), bits)
    table = noise(7, 3).astype(np.uint16) * 257
    index = (noise(33, 47) % 7)[..., None]
    with Image.open(written(tmp_path, Frame(index, Space.PALETTE, palette=table))) as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image.convert("RGB")), (table // 257).astype(np.uint8)[index[..., 0]])
    inks = noise(33, 47, 4)
    with Image.open(written(tmp_path, frame(inks, Space.CMYK))) as image:
        assert (image.mode, np.array_equal(np.asarray(image), inks)) == ("CMYK", True)


def test_several_pages_are_numbered_and_read_back_in_order(tmp_path: Path) -> None:
    pages = [noise(9, 11), noise(12, 8, 3), noise(10, 10, dtype=np.uint16)]
    with tifffile.TiffFile(written(tmp_path, *map(frame, pages))) as tiff:
        assert [page.tags[297].value for page in tiff.pages] == [(0, 3), (1, 3), (2, 3)]
        assert [page.tags[254].value for page in tiff.pages] == [2, 2, 2]
        for page, pixels in zip(tiff.pages, pages, strict=True):
            assert np.array_equal(page.asarray(), pixels)


def test_an_unknown_resolution_stays_unknown(tmp_path: Path) -> None:
    with tifffile.TiffFile(written(tmp_path, frame(noise(4, 4)))) as tiff:
        assert tiff.pages[0].tags[296].value == 1
        assert tiff.pages[0].tags[282].value == (1, 1)


def test_strips_are_about_512_kilobytes_and_end_with_the_picture(tmp_path: Path) -> None:
    with tifffile.TiffFile(written(tmp_path, frame(noise(1100, 1000, 3)))) as tiff:
        counts = tiff.pages[0].tags[279].value
    assert len(counts) == 7
    assert sum(counts) == 3_300_000
    assert all(500_000 < count <= 524_288 for count in counts[:-1])


@pytest.mark.parametrize("compression", ["none", "deflate"])
def test_the_same_picture_gives_the_same_bytes(compression: str, tmp_path: Path) -> None:
    pixels = noise(200, 100, 3)
    told = Metadata(icc=b"profile", xmp=b"<x/>", resolution=(300, 1, 300, 1, 2), orientation=6)
    first = written(tmp_path, frame(pixels), told=told, compression=compression).read_bytes()
    assert written(tmp_path, frame(pixels.copy()), told=told, compression=compression).read_bytes() == first


def test_more_than_4_gibibytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "LARGEST", 10_000)
    with pytest.raises(Trouble) as caught:
        written(tmp_path, frame(noise(101, 100)))
    assert caught.value.code == "output-too-large"


KINDS = st.sampled_from([np.dtype(name) for name in ("bool", "u1", "u2", "i2", "u4", "f4", "f8")])
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kind=KINDS, size=SIZES, compression=st.sampled_from(["none", "deflate"]))
def test_what_is_written_is_sound_and_reads_back_as_it_was(
    data: st.DataObject, kind: np.dtype, size: tuple[int, int, int], compression: str, tmp_path: Path
) -> None:
    gray = kind.kind in "bif" or kind.itemsize > 2
    shape = (*size[:2], 1) if gray else size
    pixels = data.draw(hnp.arrays(kind, shape, elements=None if kind.kind != "f" else st.floats(-9, 9, width=32)))
    one = frame(pixels)
    path = written(tmp_path, one, compression=compression)
    assert structure.problems(path) == ([], 1)
    (back,) = tiff_source.frames(path, FREE)
    assert (back.space, back.bits, back.extra) == (one.space, one.bits, one.extra)
    assert np.array_equal(expanded(back).samples, one.samples)


def test_samples_of_a_big_endian_machine_are_written_little(tmp_path: Path) -> None:
    pixels = noise(5, 5, dtype=np.uint16)
    path = written(tmp_path, frame(pixels.astype(">u2")))
    assert np.array_equal(tifffile.imread(io.BytesIO(path.read_bytes())), pixels)
