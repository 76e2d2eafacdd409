"""The check of a picture's bytes: what our own code writes passes, and nothing else does."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tasks.report import png
from tasks.sealed import thumbnail

WIDTH, HEIGHT = 60, 40
sizes = st.tuples(st.integers(1, WIDTH), st.integers(1, HEIGHT))


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def header(width: int = 6, height: int = 2, form: bytes = png.FORM) -> bytes:
    return chunk(b"IHDR", width.to_bytes(4, "big") + height.to_bytes(4, "big") + form)


ROWS = b"\0\x01\x23\x45" * 2
DATA, END = chunk(b"IDAT", zlib.compress(ROWS)), chunk(b"IEND", b"")
GOOD = png.SIGNATURE + header() + DATA + END
PIECES = st.sampled_from([png.SIGNATURE, header(), png.SIGNATURE + header(), DATA, END, DATA + END]) | st.one_of(
    st.binary(max_size=40),
    st.builds(chunk, st.sampled_from([*png.NAMES, b"PLTE", b"tEXt"]), st.binary(max_size=40)),
    st.builds(header, st.integers(0, 9), st.integers(0, 9)),
)


def size(data: bytes) -> tuple[int, int]:
    return png.size(data, WIDTH, HEIGHT)


@given(sizes, st.randoms(use_true_random=False))
def test_every_picture_that_we_write_passes_and_keeps_its_shades(shape: tuple[int, int], chance) -> None:
    width, height = shape
    page = np.frombuffer(chance.randbytes(width * height), np.uint8).reshape(height, width)
    data = thumbnail.png(page)
    assert size(data) == shape
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    assert np.abs(shown.astype(int) - page).max() <= 8


@given(st.lists(PIECES, max_size=6))
def test_pieces_in_any_order_are_refused_or_are_a_picture_that_a_reader_shows(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    try:
        found = size(data)
    except ValueError:
        return
    shown = Image.open(io.BytesIO(data))
    shown.load()
    assert (shown.size, shown.format) == (found, "PNG")


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_one_changed_byte_is_found(at: int, change: int) -> None:
    assert size(GOOD) == (6, 2)
    with pytest.raises(ValueError, match=r"."):
        size(GOOD[:at] + bytes((GOOD[at] ^ change,)) + GOOD[at + 1 :])


@given(st.integers(0, len(GOOD) - 1))
def test_a_picture_that_was_cut_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        size(GOOD[:length])


@given(sizes, st.binary(max_size=600), st.integers(0, 9))
def test_data_of_another_length_than_the_header_promises_are_refused(
    shape: tuple[int, int], rows: bytes, level: int
) -> None:
    width, height = shape
    data = png.SIGNATURE + header(width, height) + chunk(b"IDAT", zlib.compress(rows, level)) + END
    row = 1 + (width + 1) // 2
    if len(rows) == height * row and max(rows[::row]) < png.FILTERS:
        assert size(data) == shape
        Image.open(io.BytesIO(data)).load()
    else:
        with pytest.raises(ValueError, match=r"bytes of pixels|filter"):
            size(data)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "not a PNG"),
        (b"<svg onload=alert(1)>", "not a PNG"),
        (b"\xff\xd8\xff\xe0", "not a PNG"),
        (GOOD + b"<script>", "something follows"),
        (png.SIGNATURE + header() + chunk(b"tEXt", b"Comment\0x") + DATA + END, "no IDAT"),
        (png.SIGNATURE + header() + DATA + DATA + END, "no IEND"),
        (png.SIGNATURE + header() + DATA + chunk(b"IEND", b"x"), "another form"),
        (png.SIGNATURE + header(form=bytes((8, 0, 0, 0, 0))) + DATA + END, "another form"),
        (png.SIGNATURE + header(form=bytes((4, 3, 0, 0, 0))) + DATA + END, "another form"),
        (png.SIGNATURE + header(form=bytes((4, 0, 0, 0, 1))) + DATA + END, "another form"),
        (png.SIGNATURE + header(0, 2) + DATA + END, "0 by 2 pixels"),
        (png.SIGNATURE + header(WIDTH + 1, 2) + DATA + END, "pixels"),
        (png.SIGNATURE + header(2**31 - 1, 2**31 - 1) + DATA + END, "pixels"),
        (png.SIGNATURE + b"\xff\xff\xff\xffIHDR" + header()[8:] + DATA + END, "no IHDR"),
        (png.SIGNATURE + header() + chunk(b"IDAT", zlib.compress(ROWS)[:-1]) + END, "bytes of pixels"),
        (png.SIGNATURE + header() + chunk(b"IDAT", zlib.compress(ROWS) + b"x") + END, "bytes of pixels"),
        (png.SIGNATURE + header() + chunk(b"IDAT", b"noise") + END, "."),
        (png.SIGNATURE + header() + chunk(b"IDAT", zlib.compress(b"\x05" + ROWS[1:])) + END, "filter"),
        (png.SIGNATURE + header() + chunk(b"IDAT", bytes(10_000)) + END, "too long"),
    ],
)
def test_another_form_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        size(data)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(bytes(1_000_000))
    assert len(bomb) < png.most(WIDTH, HEIGHT)
    with pytest.raises(ValueError, match="bytes of pixels"):
        size(png.SIGNATURE + header() + chunk(b"IDAT", bomb) + END)
