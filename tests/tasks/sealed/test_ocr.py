from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pytest
from PIL import Image
from pypdf import PdfReader

from tasks.premis.model import Trouble
from tasks.sealed import look, ocr, pdf_text, picture_pdf
from tests.tasks.sealed import paper

pytestmark = pytest.mark.slow


WITHOUT_ID = Path(__file__).parents[3] / "fixtures" / "formats" / "fmt-17" / "quét-một-trang.pdf"


def layer(source: Path, **keywords: Any) -> tuple[Path, str, dict[str, Any]]:
    product, transcript = source.with_name("ocr.pdf"), source.with_name("transcript.txt")
    answer = ocr.layer(str(source), str(product), str(transcript), **keywords)
    return product, transcript.read_text("utf-8"), answer


def found(text: str) -> float:
    """The share of the sentence's words that a text has, diacritics and all."""
    wanted = Counter(pdf_text.words(paper.VIETNAMESE))
    return (wanted & Counter(pdf_text.words(text))).total() / wanted.total()


def test_a_vietnamese_sentence_is_read_with_its_diacritics(tmp_path: Path) -> None:
    source = paper.scan(tmp_path / "a.pdf", [paper.sentence()])
    product, transcript, answer = layer(source, languages="vie")
    assert found(transcript) >= 0.9
    layered = pdf_text.compare(str(product), str(product))
    assert layered["words"] == answer["words"] > 10
    assert answer["sure"] >= 0.9 * answer["words"]
    assert float(answer["mean"]) > 80


def test_the_layer_can_be_read_back_from_the_pdf(tmp_path: Path) -> None:
    source = paper.scan(tmp_path / "a.pdf", [paper.sentence()])
    product, _, _ = layer(source, languages="vie")
    assert found(PdfReader(product).pages[0].extract_text()) >= 0.9


def test_pictures_keep_their_pixels_and_pages_their_look(tmp_path: Path) -> None:
    source = paper.scan(tmp_path / "a.pdf", [paper.sentence(), paper.sentence("Second page of this scan")])
    product, _, answer = layer(source)
    assert answer["read"] == 2
    assert paper.image_bytes(product) == paper.image_bytes(source)
    compared = look.compare(str(source), str(product), similarity="0.9999")
    assert (compared["blank"], compared["differing"]) == ([], [])


def test_a_jpeg_stream_goes_through_ocr_untouched(tmp_path: Path) -> None:
    picture, pages = tmp_path / "a.jpg", tmp_path / "a.pdf"
    paper.sentence(mode="RGB").save(picture, dpi=(200, 200))
    picture_pdf.pages(str(picture), str(pages))
    product, transcript, _ = layer(pages, languages="vie")
    assert paper.image_bytes(product, raw=True) == [picture.read_bytes()]
    assert found(transcript) >= 0.9


def test_pages_are_kept_apart_by_form_feeds_and_stay_in_order(tmp_path: Path) -> None:
    source = paper.scan(tmp_path / "a.pdf", [paper.sentence("First page here"), paper.sentence("Second page there")])
    _, transcript, _ = layer(source, languages="eng")
    first, second = transcript.split("\f")
    assert "First" in first
    assert "Second" in second


def test_a_page_with_text_is_not_read_again_and_its_text_is_in_the_transcript(tmp_path: Path) -> None:
    scan, written = paper.scan(tmp_path / "s.pdf", [paper.sentence()]), paper.pdf(tmp_path / "w.pdf", ["born digital"])
    both = tmp_path / "both.pdf"
    with pikepdf.open(scan) as joined, pikepdf.open(written) as more:
        joined.pages.extend(more.pages)
        joined.save(both)
    _, transcript, answer = layer(both, languages="vie")
    assert (answer["pages"], answer["read"]) == (2, 1)
    assert transcript.split("\f")[1].strip() == "born digital"


def test_an_empty_page_gives_an_empty_text(tmp_path: Path) -> None:
    source = paper.scan(tmp_path / "a.pdf", [Image.new("L", (800, 800), 255)])
    _, transcript, answer = layer(source)
    assert (transcript.strip(), answer["words"], answer["sure"], answer["mean"]) == ("", 0, 0, "")


def test_a_picture_on_its_side_is_read_the_way_its_page_is_shown(tmp_path: Path) -> None:
    turned = paper.sentence().transpose(Image.Transpose.ROTATE_90)
    source = paper.rotated(paper.scan(tmp_path / "t.pdf", [turned]), tmp_path / "a.pdf", 90)
    product, transcript, _ = layer(source, languages="vie")
    assert found(transcript) >= 0.9
    assert paper.image_bytes(product) == [turned.tobytes()]
    with pikepdf.open(product) as opened:
        assert opened.pages[0].get("/Rotate", 0) == 90


@pytest.mark.parametrize("shape", ["alpha", "cmyk", "sixteen", "no dpi"])
def test_pictures_of_every_shape_are_read(tmp_path: Path, shape: str) -> None:
    picture, pages = tmp_path / "a.tif", tmp_path / "a.pdf"
    sentence = paper.sentence()
    if shape == "sixteen":
        Image.fromarray(np.asarray(sentence).astype(np.uint16) * 257).save(picture, dpi=(200, 200))
    else:
        mode = {"alpha": "RGBA", "cmyk": "CMYK", "no dpi": "L"}[shape]
        sentence.convert("RGB").convert(mode).save(picture, **({} if shape == "no dpi" else {"dpi": (200, 200)}))
    picture_pdf.pages(str(picture), str(pages), default_dpi=200)
    _, transcript, _ = layer(pages, languages="vie")
    assert found(transcript) >= 0.9


def test_what_the_document_says_of_itself_stays(tmp_path: Path) -> None:
    source = paper.scan(tmp_path / "a.pdf", [paper.sentence()], Lang=pikepdf.String("fr-CA"))
    with pikepdf.open(source, allow_overwriting_input=True) as opened:
        opened.docinfo["/Title"] = "Biên bản"
        with opened.open_metadata() as packet:
            packet["dc:description"] = "kept"
        opened.save(source)
        said = {key: str(value) for key, value in opened.docinfo.items()}
    product, _, _ = layer(source)
    with pikepdf.open(product) as opened:
        assert str(opened.Root.Lang) == "fr-CA"
        assert {key: str(value) for key, value in opened.docinfo.items()} == said
        assert "kept" in opened.Root.Metadata.read_bytes().decode()


@pytest.mark.parametrize("identified", [True, False])
def test_equal_scans_give_equal_bytes_and_leave_nothing_behind(tmp_path: Path, identified: bool) -> None:
    source = paper.scan(tmp_path / "a.pdf", [paper.sentence()])
    if not identified:
        source.write_bytes(WITHOUT_ID.read_bytes())
    with pikepdf.open(source) as pdf:
        assert ("/ID" in pdf.trailer) is identified
    first = layer(source)[0].read_bytes()
    assert layer(source)[0].read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "ocr.pdf", "transcript.txt"]


def test_a_language_that_is_not_installed_is_a_missing_tool(tmp_path: Path) -> None:
    source = paper.scan(tmp_path / "a.pdf", [paper.sentence()])
    with pytest.raises(Trouble) as caught:
        layer(source, languages="vie+tlh")
    assert (caught.value.code, caught.value.detail["tool"]) == ("tool-missing", "tesseract language tlh")


@pytest.mark.parametrize("languages", ["", "vie eng", "-l", "../vie"])
def test_what_is_no_language_never_reaches_the_command_line(tmp_path: Path, languages: str) -> None:
    source = paper.scan(tmp_path / "a.pdf", [paper.sentence()])
    with pytest.raises(Trouble) as caught:
        layer(source, languages=languages)
    assert caught.value.code == "tool-missing"


def test_a_scan_whose_picture_has_no_height_is_damaged(tmp_path: Path) -> None:
    """Found by fuzzing: OCRmyPDF divides by the resolution, which is none."""
    source = paper.scan(tmp_path / "a.pdf", [paper.sentence()])
    with pikepdf.open(source, allow_overwriting_input=True) as opened:
        paper.images(opened)[0].Height = 0
        opened.save(source)
    with pytest.raises(Trouble) as caught:
        layer(source)
    assert caught.value.code == "source-damaged"


@pytest.mark.provokes("source-encrypted")
def test_a_scan_with_a_password_is_trouble(tmp_path: Path) -> None:
    source = paper.scan(tmp_path / "a.pdf", [paper.sentence()])
    with pikepdf.open(source, allow_overwriting_input=True) as opened:
        opened.save(source, encryption=pikepdf.Encryption(owner="o", user="u"))
    with pytest.raises(Trouble) as caught:
        layer(source)
    assert caught.value.code == "source-encrypted"
