"""Damage and bombs are told, each in its own words; what is odd but whole is read."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from tasks.premis.model import Trouble
from tasks.sealed.raster import compare, convert, decode, png_plain
from tasks.sealed.raster.frame import Budget, Space, budget, widen
from tests.tasks.sealed.raster.support import chunk, noise, palette_image, pillow, png, smooth, tiff

SOURCES = {
    "jpeg": lambda: pillow(smooth(200, 300, 3), "JPEG", quality=95),
    "png": lambda: png(noise(100, 100, 3)),
    "png palette": lambda: pillow(palette_image(200, (90, 80)), "PNG"),
    "png 16": lambda: png(noise(60, 60, 3, dtype=np.uint16)),
    "gif": lambda: pillow(noise(100, 100), "GIF"),
    "bmp": lambda: pillow(noise(100, 100, 3), "BMP"),
    "webp": lambda: pillow(noise(100, 100, 3), "WEBP", lossless=True),
    "jp2": lambda: imagecodecs.jpeg2k_encode(noise(100, 100, 3), level=0, codecformat="jp2"),
    "avif": lambda: imagecodecs.avif_encode(noise(64, 64, 3), level=100),
    "tiff lzw": lambda: pillow(noise(100, 100, 3), "TIFF", compression="tiff_lzw"),
    "tiff g4": lambda: pillow(noise(100, 100, dtype=bool), "TIFF", compression="group4"),
    "tiff with its directory first": lambda: tiff(noise(100, 100), compression="zlib"),
}


def trouble(folder: Path, data: bytes, **limits: int) -> Trouble:
    (folder / "source").write_bytes(data)
    with pytest.raises(Trouble) as caught:
        convert.convert(str(folder / "source"), str(folder / "out.tif"), **limits)
    return caught.value


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
@pytest.mark.parametrize("kind", SOURCES)
def test_a_cut_picture_is_damaged(kind: str, share: float, tmp_path: Path) -> None:
    data = SOURCES[kind]()
    found = trouble(tmp_path, data[: int(len(data) * share)])
    assert found.code == "source-damaged"
    assert found.detail["what"]
    assert "0x" not in found.detail["what"]


@pytest.mark.parametrize(
    "data", [b"no picture at all", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\0\x08\0\0\0", b"BM" * 9]
)
def test_what_only_begins_like_a_picture_is_damaged(data: bytes, tmp_path: Path) -> None:
    assert trouble(tmp_path, data).code == "source-damaged"


def test_an_empty_file_is_told_as_empty(tmp_path: Path) -> None:
    assert trouble(tmp_path, b"").code == "source-empty"


def test_a_wrong_checksum_in_a_png_is_damage(tmp_path: Path) -> None:
    data = bytearray(png(noise(50, 50)))
    data[data.index(b"IDAT") + 100] ^= 1
    found = trouble(tmp_path, bytes(data))
    assert found.detail["what"] == "checksum of a IDAT chunk"


def test_a_strip_that_the_file_does_not_hold_is_damage_not_zeros(tmp_path: Path) -> None:
    data = bytearray(tiff(noise(64, 64), compression="zlib"))
    at = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, at)[0]
    place = next(p for p in range(at + 2, at + 2 + 12 * count, 12) if struct.unpack_from("<H", data, p)[0] == 273)
    struct.pack_into("<I", data, place + 8, 0)
    assert trouble(tmp_path, bytes(data)).code == "source-damaged"


def test_a_jpeg_whose_samples_have_no_bits_is_damaged(tmp_path: Path) -> None:
    """Found by fuzzing: bits were repeated without end to fill a sample of none."""
    out = io.BytesIO()
    Image.fromarray(noise(20, 30)).save(out, "JPEG")
    data = bytearray(out.getvalue())
    at = data.index(b"\xff\xc0") + 4
    for bits in (0, 1, 17, 255):
        data[at] = bits
        assert trouble(tmp_path, bytes(data)).code == "source-damaged"


def test_a_jpeg_2000_of_two_sizes_is_damaged(tmp_path: Path) -> None:
    """Found by fuzzing: the second reader believes the header box, and asked for all the memory there is."""
    data = bytearray(imagecodecs.jpeg2k_encode(noise(30, 40, 3), level=0, codecformat="jp2"))
    at = data.index(b"ihdr") + 8
    data[at : at + 4] = struct.pack(">I", 1)
    assert trouble(tmp_path, bytes(data)).detail["what"] == "header of 1 by 30, picture of 40 by 30"


def bomb(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_bomb_is_told_before_it_is_unpacked(tmp_path: Path) -> None:
    found = trouble(tmp_path, bomb(60_000, 60_000))
    assert found.code == "bomb-suspected"
    assert found.detail["size"] == "10.8 GB"
    assert int(found.detail["ratio"]) > 1000


def test_many_small_frames_are_a_bomb_too(tmp_path: Path) -> None:
    frames = [Image.new("P", (500, 500), number) for number in range(20)]
    for one in frames:
        one.putpalette(list(range(256)) * 3)
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    assert trouble(tmp_path, out.getvalue(), size=10_000_000).code == "bomb-suspected"


def test_a_text_that_grows_without_end_is_a_bomb(tmp_path: Path) -> None:
    text = chunk(b"zTXt", b"Title\0\0" + zlib.compress(bytes(64 << 20), 9))
    data = png(noise(9, 9))
    assert trouble(tmp_path, data[:33] + text + data[33:]).code == "bomb-suspected"


def test_the_limit_is_the_callers(tmp_path: Path) -> None:
    assert trouble(tmp_path, png(noise(100, 100)), pixels=9_999).code == "bomb-suspected"


def test_jpeg_of_12_bits_and_without_loss_is_read(tmp_path: Path) -> None:
    deep = noise(16, 16, dtype=np.uint16) >> 4
    data = imagecodecs.ljpeg_encode(deep, bitspersample=12)
    (tmp_path / "source").write_bytes(data)
    (one,) = decode.picture(tmp_path / "source", budget(tmp_path / "source", 10_000, 10_000)).frames
    assert (one.bits, one.source_bits) == (16, 12)
    assert np.array_equal(one.samples[..., 0], widen(deep, 12))


@pytest.mark.parametrize("bits", [2, 4, 10, 12, 14])
def test_widening_is_undone_by_a_shift_and_keeps_black_and_white(bits: int) -> None:
    values = np.arange(1 << bits, dtype=np.uint8 if bits < 8 else np.uint16)
    wide = widen(values, bits)
    assert np.array_equal(wide >> (wide.dtype.itemsize * 8 - bits), values)
    assert (wide[0], wide[-1]) == (0, np.iinfo(wide.dtype).max)


INTERLACED = [
    (mode, bits) for mode, depths in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 4, 8)), (6, (8,))) for bits in depths
]


@pytest.mark.parametrize(("colour", "bits"), INTERLACED)
def test_our_png_reader_agrees_with_libpng_on_interlaced_pictures(colour: int, bits: int) -> None:
    data = interlaced(colour, bits, 21, 19)
    one = png_plain.read(data, Budget(1000, 10_000, 1))
    samples = one.samples
    if one.space is Space.PALETTE and one.palette is not None:
        samples = (one.palette // 257).astype(np.uint8)[samples[..., 0]]
    elif one.bits == 1:
        samples = samples * np.uint8(255)
    other = imagecodecs.png_decode(data)
    assert np.array_equal(samples, other if other.ndim == 3 else other[..., None])


def interlaced(colour: int, bits: int, width: int, height: int) -> bytes:
    """Random bytes in the order of Adam7, with every filter."""
    raw = bytearray()
    for x, y, dx, dy in png_plain.ADAM7:
        w, h = -(-(width - x) // dx), -(-(height - y) // dy)
        for row in range(h if w > 0 else 0):
            raw += bytes([row % 5]) + noise((w * png_plain.CHANNELS[colour] * bits + 7) // 8).tobytes()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 1))
    table = chunk(b"PLTE", noise(3 << bits).tobytes()) if colour == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + head + table + chunk(b"IDAT", zlib.compress(bytes(raw))) + chunk(b"IEND", b"")


@pytest.mark.slow
@pytest.mark.parametrize("kind", SOURCES)
def test_no_flipped_byte_ends_in_anything_but_a_master_or_a_trouble(kind: str, tmp_path: Path) -> None:
    whole, random = SOURCES[kind](), np.random.default_rng(7)
    codes = set()
    path = tmp_path / "source"
    for _ in range(150):
        data = bytearray(whole)
        for place in random.integers(0, min(len(data), 400), 3):
            data[place] = random.integers(0, 256)
        path.write_bytes(bytes(data))
        try:
            convert.convert(str(path), str(tmp_path / "out.tif"), pixels=10_000_000, size=50_000_000)
            answer = compare.compare(str(path), str(tmp_path / "out.tif"), pixels=10_000_000, size=50_000_000)
        except Trouble as found:
            codes.add(found.code)
        else:
            assert isinstance(answer["lost"], int)
    assert codes <= {"source-damaged", "bomb-suspected"}


@pytest.mark.parametrize("big", [False, True])
def test_a_tiff_that_names_a_page_outside_the_file_has_lost_it(big: bool, tmp_path: Path) -> None:
    """Readers stop at the last page that they find, and say nothing: the page would be missing in the master."""
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path, bigtiff=big) as writer:
        for _ in range(3):
            writer.write(noise(40, 30, 3), photometric="rgb", metadata=None)
    with tifffile.TiffFile(path) as whole:
        last = whole.pages[2].offset
    assert decode.picture(path, budget(path, 1 << 20, 1 << 30)).count == 3
    path.write_bytes(path.read_bytes()[:last])
    with pytest.raises(Trouble, match="source-damaged") as caught:
        decode.picture(path, budget(path, 1 << 20, 1 << 30))
    assert "further page" in caught.value.detail["what"]
