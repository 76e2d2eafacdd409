"""Facts of pictures, and which of them look like a page of text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tasks.premis.model import Trouble
from tasks.sealed import picture_facts, picture_text
from tasks.sealed.raster.frame import Frame, Space, frame
from tests.tasks.sealed.raster.support import noise, palette_image, pillow, png, smooth, tiff

WORDS = (
    "Biên bản cuộc họp ngày mười hai tháng ba tại trụ sở ủy ban nhân dân. " * 3,
    "Procès-verbal de la séance du conseil " * 4,
)


def page(size: tuple[int, int] = (1000, 1400), points: int = 22, lines: int = 30, paper: int = 250) -> Image.Image:
    """A page of printed text."""
    image = Image.new("L", size, paper)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(points)
    for number in range(lines):
        draw.text((80, 90 + number * int(points * 1.7)), WORDS[number % 2][: int(size[0] / points * 1.6)], 25, font)
    return image


def is_text(image: Image.Image) -> bool:
    return picture_text.look(np.asarray(image.convert("L"))).text


@pytest.mark.parametrize("angle", [0, 3, -7, 10, -10, 90, 270])
def test_a_page_of_text_is_found_at_any_skew(angle: int) -> None:
    assert is_text(page().rotate(angle, expand=True, fillcolor=250))


@pytest.mark.parametrize("scale", [0.6, 1.0, 2.5])
def test_a_page_of_text_is_found_at_any_resolution(scale: float) -> None:
    image = page()
    assert is_text(image.resize((int(image.width * scale), int(image.height * scale))))


def test_text_on_grey_uneven_and_noisy_paper_is_found() -> None:
    pixels = np.asarray(page(paper=225)).astype(int)
    shade = np.linspace(0, -60, pixels.shape[1]).astype(int)
    dirty = np.clip(pixels + shade + np.random.default_rng(1).normal(0, 6, pixels.shape), 0, 255).astype(np.uint8)
    assert picture_text.look(dirty).text


def test_text_beside_a_photograph_is_found() -> None:
    image = page()
    image.paste(Image.fromarray(noise(400, 600)), (200, 700))
    assert is_text(image)


@pytest.mark.parametrize("kind", ["noise", "soft", "blank", "black", "grid", "circles", "small"])
def test_what_is_no_text_is_not_found(kind: str) -> None:
    image = Image.new("L", (900, 700), 255)
    draw = ImageDraw.Draw(image)
    if kind == "noise":
        image = Image.fromarray(noise(700, 900))
    elif kind == "soft":
        image = Image.fromarray(smooth(700, 900, 1)[..., 0])
    elif kind == "black":
        image = Image.new("L", (900, 700), 0)
    elif kind == "grid":
        for at in range(50, 900, 50):
            draw.line([(at, 0), (at, 700)], 0, 3)
            draw.line([(0, at), (900, at)], 0, 3)
    elif kind == "circles":
        for at in range(100, 700, 200):
            draw.ellipse([at, 100, at + 150, 250], outline=0, width=8)
    elif kind == "small":
        image = page().resize((40, 56))
    assert not is_text(image)


def test_size_depth_frames_and_resolution_are_told(tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(pillow(page(), "PNG", dpi=(300, 200), icc_profile=b"some profile"))
    assert picture_facts.facts(str(path)) == {
        "width": 1000, "height": 1400, "bits": 8, "channels": 1, "frames": 1, "dpi_x": 300, "dpi_y": 200, "icc": True,
        "scanned_text": True,
    }  # fmt: skip
    path.write_bytes(tiff(noise(2, 30, 40, 3, dtype=np.uint16), photometric="rgb"))
    told = picture_facts.facts(str(path))
    assert (told["bits"], told["channels"], told["frames"], told["dpi_x"], told["scanned_text"]) == (16, 3, 2, 0, False)
    path.write_bytes(pillow(palette_image(16), "PNG", bits=4))
    told = picture_facts.facts(str(path))
    assert (told["bits"], told["channels"]) == (4, 1)


def test_a_damaged_and_an_empty_file_are_troubles(tmp_path: Path) -> None:
    path = tmp_path / "source"
    for data, code in ((b"", "source-empty"), (png(noise(50, 50))[:400], "source-damaged")):
        path.write_bytes(data)
        with pytest.raises(Trouble) as caught:
            picture_facts.facts(str(path))
        assert caught.value.code == code


def test_grey_is_what_a_viewer_sees() -> None:
    white, clear = np.full((2, 2, 3), 255, np.uint8), np.zeros((2, 2, 4), np.uint8)
    inks = np.zeros((2, 2, 4), np.uint8)
    cases = [
        (frame(white), 255),
        (frame(clear), 255),
        (frame(inks, Space.CMYK), 255),
        (frame(np.full((2, 2, 1), 65535, np.uint16)), 255),
        (Frame(np.ones((2, 2, 1), np.uint8), Space.GRAY, 1, 1, white_is_zero=True), 0),
        (frame(np.full((2, 2, 1), 2.5, np.float32)), 0),
    ]
    for one, expected in cases:
        assert np.all(picture_facts.gray(one) == expected)


def test_a_large_sheet_is_brought_down_some_rows_at_a_time() -> None:
    pixels = smooth(1700, 300, 3)
    small = picture_facts.small_gray(frame(pixels))
    by = picture_text.step(pixels.shape)
    whole = picture_text.shrunk(picture_facts.gray(frame(pixels)), by)
    assert np.array_equal(small, whole[: small.shape[0]])
    assert small.shape[0] >= 1700 // by - 1
