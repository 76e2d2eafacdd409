from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from tasks.sealed import look, picture_pdf
from tests.tasks.sealed import paper

BOX = b"0.2 g 60 100 300 150 re f"
STAMP = b"0.8 0 0 rg 300 60 80 60 re f"


def compare(source: Path, product: Path, **thresholds: Any) -> dict[str, Any]:
    return look.compare(str(source), str(product), **thresholds)


def test_equal_pages_look_the_same(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(40), ""], drawing=BOX)
    answer = compare(source, source)
    assert (answer["blank"], answer["differing"], answer["compared"]) == ([], [], 2)
    assert answer["least"] == "1.0000"


def test_a_page_blanked_is_told_by_its_number(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(40), paper.words(40)])
    product = paper.pdf(tmp_path / "b.pdf", [paper.words(40), ""])
    assert compare(source, product)["blank"] == [2]


def test_one_word_on_the_page_is_enough_for_it_not_to_be_blank(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", ["Annex"])
    product = paper.pdf(tmp_path / "b.pdf", [""])
    assert compare(source, product)["blank"] == [1]


def test_a_page_that_was_empty_may_stay_empty(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [""])
    assert compare(source, source)["blank"] == []


def test_a_black_page_for_a_written_one_differs(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(40)])
    product = paper.pdf(tmp_path / "b.pdf", [""], drawing=b"0 g 0 0 420 595 re f")
    answer = compare(source, product)
    assert answer["blank"] == [1]


def test_a_lost_stamp_differs_in_one_area(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(60)], drawing=BOX + b" " + STAMP)
    product = paper.pdf(tmp_path / "b.pdf", [paper.words(60)], drawing=BOX)
    [[page, areas, score]] = compare(source, product)["differing"]
    assert (page, areas) == (1, 1)
    assert float(score) < 1


def test_lines_that_moved_by_a_pixel_are_the_same_lines(tmp_path: Path) -> None:
    lines = b" ".join(b"40 %d 340 0.7 re f" % height for height in range(60, 560, 20))
    source = paper.pdf(tmp_path / "a.pdf", [""], drawing=lines)
    product = paper.pdf(tmp_path / "b.pdf", [""], drawing=b"1 0 0 1 0 1.2 cm " + lines)
    assert compare(source, product)["differing"] == []


def test_a_page_that_pdfium_cannot_load_is_drawn_as_qpdf_rewrites_it(tmp_path: Path) -> None:
    source, broken = paper.pdf(tmp_path / "a.pdf", ["one", "two"]), tmp_path / "broken.pdf"
    broken.write_bytes(source.read_bytes().replace(b"/Type /Page ", b"/Type /Pale ", 1))
    assert compare(broken, source)["compared"] == 2
    assert compare(broken, paper.pdf(tmp_path / "b.pdf", ["", "two"]))["blank"] == [1]


def test_a_page_that_nobody_can_draw_is_told(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", ["one", "two"])
    assert compare(paper.without_last_page(source, tmp_path / "broken.pdf"), source)["unreadable"] == [2]


def test_a_picture_and_its_page_look_the_same(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    paper.sentence().save(source, dpi=(200, 200))
    picture_pdf.pages(str(source), str(tmp_path / "b.pdf"))
    answer = compare(source, tmp_path / "b.pdf")
    assert (answer["source"], answer["compared"], answer["blank"], answer["differing"]) == ("picture", 1, [], [])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_is_compared_as_viewers_show_it(tmp_path: Path, orientation: int) -> None:
    source, exif = tmp_path / "a.jpg", Image.Exif()
    exif[274] = orientation
    paper.sentence().save(source, dpi=(200, 200), exif=exif)
    picture_pdf.pages(str(source), str(tmp_path / "b.pdf"))
    answer = compare(source, tmp_path / "b.pdf")
    assert (answer["compared"], answer["blank"], answer["differing"]) == (1, [], [])


def test_a_picture_turned_upside_down_differs(tmp_path: Path) -> None:
    source, other = tmp_path / "a.png", tmp_path / "b.png"
    paper.sentence().save(source, dpi=(200, 200))
    ImageOps.flip(paper.sentence()).save(other, dpi=(200, 200))
    picture_pdf.pages(str(other), str(tmp_path / "b.pdf"))
    assert compare(source, tmp_path / "b.pdf")["differing"]


def test_a_blank_page_for_a_picture_is_told(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    paper.sentence().save(source, dpi=(200, 200))
    assert compare(source, paper.pdf(tmp_path / "b.pdf", [""]))["blank"] == [1]


def test_other_sources_are_not_compared_and_say_so(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("text")
    answer = compare(source, paper.pdf(tmp_path / "b.pdf", ["text"]))
    assert (answer["source"], answer["compared"]) == ("other", 0)


def test_blank_pages_of_a_product_alone_are_found(tmp_path: Path) -> None:
    product = paper.pdf(tmp_path / "a.pdf", ["text", "", "text"])
    assert look.alone(str(product)) == {"pages": 3, "blank": [2]}


def test_light_writing_on_dark_ground_is_ink() -> None:
    page = np.full((100, 100), 30, np.uint8)
    page[10:20, 10:30] = 220
    assert look.ink_share(page) == pytest.approx(0.02)


def test_areas_that_touch_at_a_corner_are_one() -> None:
    marked = np.zeros((6, 6), bool)
    marked[0, 0] = marked[1, 1] = marked[4, 4] = True
    assert sorted(look.areas(marked)) == [1, 2]
