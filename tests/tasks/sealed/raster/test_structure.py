"""The parser of the product finds what is wrong with a TIFF."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tasks.sealed.raster import structure, write
from tasks.sealed.raster.frame import frame
from tasks.sealed.raster.metadata import Metadata
from tests.tasks.sealed.raster.support import noise, tiff


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound.tif"
    told = Metadata(icc=b"a profile", resolution=(300, 1, 300, 1, 2))
    write.write(path, [(frame(noise(40, 50, 3)), told)])
    return path


def entry(data: bytes, code: int) -> int:
    """Where the entry of a field lies in the first directory."""
    at = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, at)[0]
    return next(p for p in range(at + 2, at + 2 + 12 * count, 12) if struct.unpack_from("<H", data, p)[0] == code)


def broken(path: Path, code: int, offset: int, form: str, value: int) -> list[str]:
    """The problems after one value of a field's entry was overwritten."""
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, entry(bytes(data), code) + offset, value)
    path.write_bytes(bytes(data))
    return structure.problems(path)[0]


def test_what_the_writer_writes_is_sound(sound: Path) -> None:
    assert structure.problems(sound) == ([], 1)


@pytest.mark.parametrize(
    ("code", "offset", "form", "value", "expected"),
    [
        (256, 8, "<I", 51, "strip 0 has 6000 bytes where 6120 are needed"),
        (256, 8, "<I", 0, "a picture of 0 by 40"),
        (258, 4, "<I", 2, ") for 3 samples"),
        (259, 8, "<H", 5, "compression 5"),
        (262, 8, "<H", 6, "PhotometricInterpretation 6"),
        (262, 8, "<H", 1, "3 samples where 1 and 0 extra are told"),
        (273, 8, "<I", 1 << 30, "strip 0 at byte 1073741824 lies outside the file"),
        (273, 8, "<I", 100, "overlap"),
        (274, 8, "<H", 9, "Orientation 9"),
        (279, 8, "<I", 5999, "strip 0 has 5999 bytes where 6000 are needed"),
        (282, 8, "<I", 6009, "does not begin on a word"),
        (284, 8, "<H", 2, "samples in planes"),
        (296, 8, "<H", 4, "ResolutionUnit 4"),
        (34675, 8, "<I", 1 << 29, "the value of field 34675 at byte"),
        (283, 0, "<H", 282, "out of order or double"),
        (256, 2, "<H", 99, "the type 99"),
        (256, 4, "<I", 0, "field 256 is empty"),
        (283, 0, "<H", 293, "YResolution is missing"),
    ],
)
def test_each_fault_is_named(code: int, offset: int, form: str, value: int, expected: str, sound: Path) -> None:
    assert expected in "; ".join(broken(sound, code, offset, form, value))


def test_a_chain_that_bites_its_tail_ends(sound: Path) -> None:
    data = bytearray(sound.read_bytes())
    at = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, at)[0]
    struct.pack_into("<I", data, at + 2 + 12 * count, at)
    sound.write_bytes(bytes(data))
    assert "never ends" in structure.problems(sound)[0][0]


@pytest.mark.parametrize("share", [0.2, 0.6, 0.99])
def test_a_cut_file_is_not_sound(share: float, sound: Path) -> None:
    data = sound.read_bytes()
    sound.write_bytes(data[: int(len(data) * share)])
    assert structure.problems(sound)[0]


def test_other_kinds_of_tiff_are_not_our_profile(tmp_path: Path) -> None:
    path = tmp_path / "other.tif"
    for data, expected in (
        (tiff(noise(40, 40, 3), photometric="rgb", tile=(16, 16)), "tiles"),
        (tiff(noise(40, 40), compression="lzw"), "compression 5"),
        (tiff(noise(40, 40), bigtiff=True), "no header of a classic TIFF"),
        (b"", "no header"),
        (tiff(noise(3, 40, 40, dtype=np.uint16), photometric="rgb", planarconfig="separate"), "samples in planes"),
    ):
        path.write_bytes(data)
        assert expected in "; ".join(structure.problems(path)[0])


def test_deflate_can_be_forbidden(tmp_path: Path) -> None:
    path = tmp_path / "deflate.tif"
    write.write(path, [(frame(noise(9, 9)), Metadata())], compression="deflate")
    assert structure.problems(path) == ([], 1)
    assert structure.problems(path, compressions=(1,))[0] == ["compression 8"]


def test_the_plain_tiff_of_another_writer_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, noise(30, 40, 3), photometric="rgb", metadata=None, resolution=(300, 300), rowsperstrip=10)
    assert structure.problems(path) == ([], 1)
