from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pypdfium2
import pytest
from PIL import Image

from tasks.premis.model import Trouble
from tasks.report import png
from tasks.report.pictures import HEIGHT, WIDTH
from tasks.sealed import pdfium, thumbnail
from tests.tasks.sealed import paper

FIXTURES = Path(__file__).parents[3] / "fixtures"
A4 = (595, 842)


def draw(path: Path, page: int = 1) -> tuple[Image.Image, int]:
    """The picture of a page and the number of pages."""
    answer = thumbnail.draw(str(path), page, width=WIDTH, height=HEIGHT)
    data = base64.b64decode(answer["png"])
    assert png.size(data, WIDTH, HEIGHT)
    return Image.open(io.BytesIO(data)).convert("L"), answer["pages"]


def saved(path: Path, picture: Image.Image, **options: Any) -> Path:
    picture.save(path, **options)
    return path


def darkest(picture: Image.Image) -> tuple[int, int]:
    """Column and row of the darkest pixel, each as 0 for the first half and 1 for the second."""
    row, column = divmod(int(np.asarray(picture).argmin()), picture.width)
    return 2 * column // picture.width, 2 * row // picture.height


def test_an_a4_page_fills_the_width(tmp_path: Path) -> None:
    shown, pages = draw(paper.pdf(tmp_path / "a.pdf", [paper.words(40), "second"], size=A4))
    assert (shown.size, pages) == ((WIDTH, 632), 2)
    low, high = shown.getextrema()
    assert (low < 64, high) == (True, 255)


@pytest.mark.parametrize(
    ("size", "expected"), [((600, 6000), (64, 640)), ((6000, 600), (446, 45)), ((3, 14400), (1, 640))]
)
def test_all_of_a_page_of_another_shape_is_shown_smaller(
    tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    shown, _ = draw(paper.pdf(tmp_path / "a.pdf", [""], size=size, drawing=b"0 g 0 0 9999 20 re f"))
    assert shown.size == expected
    assert darkest(shown)[1] == 1  # the bar at its foot


def test_the_page_that_is_asked_for_is_the_one_that_is_drawn(tmp_path: Path) -> None:
    made = paper.pdf(tmp_path / "a.pdf", ["", paper.words(40), ""])
    assert [draw(made, number)[0].getextrema()[0] < 128 for number in (1, 2, 3)] == [False, True, False]


@pytest.mark.parametrize("page", [0, 4, 10**9])
def test_a_page_that_is_not_there_is_no_picture(tmp_path: Path, page: int) -> None:
    made = paper.pdf(tmp_path / "a.pdf", ["", "", ""])
    assert thumbnail.draw(str(made), page, width=WIDTH, height=HEIGHT) == {"png": "", "pages": 3}
    tiff = saved(tmp_path / "a.tif", Image.new("L", (9, 9)))
    assert thumbnail.draw(str(tiff), page, width=WIDTH, height=HEIGHT) == {"png": "", "pages": 1}


def test_a_page_that_pdfium_cannot_load_is_drawn_as_qpdf_rewrites_it(tmp_path: Path) -> None:
    source, broken = paper.pdf(tmp_path / "a.pdf", [paper.words(40), "two"]), tmp_path / "broken.pdf"
    broken.write_bytes(source.read_bytes().replace(b"/Type /Page ", b"/Type /Pale ", 1))
    with pdfium.document(str(broken)) as pdf, pytest.raises(pypdfium2.PdfiumError):
        pdf[0]
    assert np.array_equal(draw(broken)[0], draw(source)[0])


def test_a_page_that_nobody_can_draw_says_so(tmp_path: Path) -> None:
    broken = paper.without_last_page(paper.pdf(tmp_path / "a.pdf", ["one", "two"]), tmp_path / "broken.pdf")
    assert draw(broken, 1)[1] == 2
    with pytest.raises(Trouble, match="page 2 cannot be drawn"):
        draw(broken, 2)


def test_shades_are_the_nearest_of_sixteen(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    shown, _ = draw(saved(tmp_path / "a.png", Image.fromarray(ramp)))
    assert shown.size == (256, 4)
    assert np.array_equal(np.asarray(shown)[0], np.round(np.arange(256) / 17).astype(np.uint8) * 17)


def test_an_odd_number_of_columns_keeps_its_last_one(tmp_path: Path) -> None:
    pixels = np.full((3, 5), 255, np.uint8)
    pixels[:, 4] = 0
    shown, _ = draw(saved(tmp_path / "a.png", Image.fromarray(pixels)))
    assert np.array_equal(np.asarray(shown), pixels)


def test_a_small_picture_is_not_enlarged(tmp_path: Path) -> None:
    assert draw(saved(tmp_path / "a.gif", Image.new("P", (16, 16))))[0].size == (16, 16)


def test_a_page_of_a_tiff_is_shown_upright(tmp_path: Path) -> None:
    first, second = Image.new("L", (600, 900), 255), Image.new("L", (900, 600), 255)
    second.paste(0, (0, 0, 200, 100))  # top left as stored; turned clockwise it is top right
    path = tmp_path / "a.tif"
    first.save(path, save_all=True, append_images=[second], tiffinfo={274: 6})
    shown, pages = draw(path, 2)
    assert (pages, shown.size, darkest(shown)) == (2, (426, 640), (1, 0))


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P", "CMYK", "I;16"])
def test_a_large_picture_that_is_shrunk_in_bands_is_the_same_picture(tmp_path: Path, mode: str) -> None:
    made = paper.sentence(size=90, width=3000).resize((3000, 2801))
    large = Image.fromarray(np.asarray(made).astype(np.uint16) * 257) if mode == "I;16" else made.convert(mode)
    assert large.mode == mode
    shown, _ = draw(saved(tmp_path / "a.tif", large))
    expected = np.asarray(made.resize(shown.size, Image.Resampling.BOX)).astype(int)
    assert shown.size == (446, 416)
    assert np.abs(np.asarray(shown).astype(int) - expected).mean() < 6


def test_a_picture_of_floats_is_spread_over_its_own_range(tmp_path: Path) -> None:
    height, width = 1500, 1400
    samples = np.linspace(-3, 5, height * width, dtype=np.float32).reshape(height, width)
    shown, _ = draw(saved(tmp_path / "a.tif", Image.fromarray(samples)))
    assert (shown.size, shown.getextrema()) == ((446, 477), (0, 255))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("bomb-suspected/khổng-lồ.png", "bomb-suspected"),
        ("source-encrypted/hợp-đồng-2011.pdf", "source-encrypted"),
        ("source-damaged/không-có-trang.pdf", "source-damaged"),
        ("source-damaged/quét-bị-cắt.tif", "source-damaged"),
        ("source-damaged/ảnh-thủng.png", "source-damaged"),
    ],
)
def test_what_cannot_be_drawn_says_why(name: str, code: str) -> None:
    with pytest.raises(Trouble) as caught:
        draw(FIXTURES / "hostile" / name)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["fmt-412/quyết-định-147.docx", "fmt-141/chuông.wav", "x-fmt-111/ghi-chú-utf-8.txt"])
def test_what_is_neither_pdf_nor_picture_is_left_alone(name: str) -> None:
    assert thumbnail.draw(str(FIXTURES / "formats" / name), width=WIDTH, height=HEIGHT) == {"png": "", "pages": 0}


def test_a_page_without_content_is_white_and_not_an_error(tmp_path: Path) -> None:
    with pikepdf.new() as made:
        made.add_blank_page(page_size=A4)
        made.save(tmp_path / "a.pdf")
    assert draw(tmp_path / "a.pdf")[0].getextrema() == (255, 255)
