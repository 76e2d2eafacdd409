from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest

from tasks.premis.model import Trouble
from tasks.sealed import pdf_text
from tests.tasks.sealed import paper


def compare(source: Path, product: Path) -> dict[str, object]:
    return pdf_text.compare(str(source), str(product))


def test_equal_pages_lose_no_word_and_are_read_by_pypdf(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(40), paper.words(40, 100)])
    answer = compare(source, source)
    assert (answer["words"], answer["lost"], answer["order"]) == (80, 0, "1.0000")
    assert (answer["by_pypdf"], answer["by_pypdfium2"]) == (2, 0)


def test_one_word_removed_is_one_word_lost_and_its_page_is_told(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(40), paper.words(40, 100)])
    product = paper.pdf(tmp_path / "b.pdf", [paper.words(40), paper.words(40, 100).replace("word117", "")])
    answer = compare(source, product)
    assert (answer["lost"], answer["worst"]) == (1, 2)


def test_a_word_in_another_case_or_spelling_is_lost(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", ["The sum of 100 francs"])
    product = paper.pdf(tmp_path / "b.pdf", ["The sum of 700 francs"])
    assert compare(source, product)["lost"] == 1


def test_a_page_dropped_loses_all_its_words(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(40), paper.words(30, 100)])
    product = paper.pdf(tmp_path / "b.pdf", [paper.words(40)])
    assert compare(source, product)["lost"] == 30


def test_a_destroyed_text_layer_loses_every_word(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(40)])
    product = tmp_path / "b.pdf"
    with pikepdf.open(source) as opened:
        font = opened.pages[0].Resources.Font.F
        font.ToUnicode = opened.make_stream(
            b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <ff> endcodespacerange "
            b"1 beginbfrange <20> <7f> <E020> endbfrange endcmap end"
        )
        opened.save(product)
    assert compare(source, product)["lost"] == 40


def test_words_in_another_order_are_not_lost_but_lower_the_order(tmp_path: Path) -> None:
    lines = paper.words(40).splitlines()
    source = paper.pdf(tmp_path / "a.pdf", ["\n".join(lines)])
    product = paper.pdf(tmp_path / "b.pdf", ["\n".join(reversed(lines))])
    answer = compare(source, product)
    assert answer["lost"] == 0
    assert float(str(answer["order"])) < 0.5


def test_words_that_come_in_addition_are_no_loss(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(10)])
    product = paper.pdf(tmp_path / "b.pdf", [paper.words(10) + "\nread by OCR"])
    assert compare(source, product)["lost"] == 0


def test_a_source_without_text_has_no_words_to_lose(tmp_path: Path) -> None:
    source = paper.scan(tmp_path / "a.pdf", [paper.sentence()])
    answer = compare(source, source)
    assert (answer["words"], answer["lost"], answer["pages"]) == (0, 0, 1)


def test_pdfium_reads_both_sides_where_pypdf_cannot_open_the_source(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(20)])
    broken = tmp_path / "broken.pdf"
    data = source.read_bytes()
    broken.write_bytes(data[: data.rindex(b"xref")])
    answer = compare(broken, source)
    assert (answer["words"], answer["lost"]) == (20, 0)


def test_when_time_is_up_pdfium_reads_the_rest_so_that_no_page_is_left_out(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", [paper.words(5), paper.words(5)])
    product = paper.pdf(tmp_path / "b.pdf", [paper.words(5), ""])
    answer = pdf_text.compare(str(source), str(product), seconds=0)
    assert (answer["by_pypdfium2"], answer["lost"]) == (2, 5)


def test_a_source_that_nobody_opens_is_trouble(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.pdf", paper.pdf(tmp_path / "good.pdf", ["x"])
    bad.write_bytes(b"%PDF-1.7\nnothing")
    with pytest.raises(Trouble) as caught:
        compare(bad, good)
    assert caught.value.code == "source-damaged"


def test_a_source_with_a_password_is_trouble(tmp_path: Path) -> None:
    plain, locked = paper.pdf(tmp_path / "a.pdf", ["x"]), tmp_path / "locked.pdf"
    with pikepdf.open(plain) as opened:
        opened.save(locked, encryption=pikepdf.Encryption(owner="o", user="u"))
    with pytest.raises(Trouble) as caught:
        compare(locked, plain)
    assert caught.value.code == "source-encrypted"


def test_a_product_that_does_not_open_is_the_tools_fault(tmp_path: Path) -> None:
    good, bad = paper.pdf(tmp_path / "a.pdf", ["x"]), tmp_path / "bad.pdf"
    bad.write_bytes(b"")
    with pytest.raises(Trouble) as caught:
        compare(good, bad)
    assert caught.value.code == "tool-crash"


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ("one two three", "one two three", 0),
        ("one two three", "one twothree", 0),
        ("onetwo three", "one two three", 0),
        ("one two two", "one two", 1),
        ("one two", "", 2),
        ("fi\u00adnal ﬁle", "final file", 0),
        ("Vi\u1ec7t", "Vie\u0323\u0302t", 0),
        ("Việt", "Viet", 1),
    ],
)
def test_a_word_is_lost_only_when_its_letters_are_gone(before: str, after: str, lost: int) -> None:
    assert pdf_text.lost_words(pdf_text.words(before), pdf_text.words(after)) == lost


def test_private_letters_are_rubbish_and_vietnamese_is_not() -> None:
    assert pdf_text.rubbish("\ue001\ue002 abc")
    assert not pdf_text.rubbish(paper.VIETNAMESE)


def test_pages_of_equal_number_and_size_are_alike(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", ["x", "y"])
    answer = pdf_text.pages(str(source), str(source))
    assert (answer["source"], answer["before"], answer["after"], answer["resized"]) == ("pdf", 2, 2, [])


def test_a_page_of_another_size_is_told_with_both_sizes(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", ["x"])
    product = paper.pdf(tmp_path / "b.pdf", ["x"], size=(600, 800))
    assert pdf_text.pages(str(source), str(product))["resized"] == [[1, "420 x 595", "600 x 800"]]


def test_a_page_turned_on_its_side_is_told(tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", ["x"])
    product = paper.rotated(source, tmp_path / "b.pdf", 90)
    assert pdf_text.pages(str(source), str(product))["resized"] == [[1, "420 x 595", "595 x 420"]]


def test_a_page_with_a_wrong_type_is_a_page_as_qpdf_sees_it(tmp_path: Path) -> None:
    source, broken = paper.pdf(tmp_path / "a.pdf", ["one", "two"]), tmp_path / "broken.pdf"
    broken.write_bytes(source.read_bytes().replace(b"/Type /Page ", b"/Type /Pale ", 1))
    answer = pdf_text.pages(str(broken), str(source))
    assert (answer["before"], answer["after"], answer["resized"]) == (2, 2, [])


def test_frames_of_a_picture_count_as_its_pages(tmp_path: Path) -> None:
    picture = tmp_path / "a.tif"
    paper.sentence().save(picture, save_all=True, append_images=[paper.sentence()])
    product = paper.pdf(tmp_path / "b.pdf", ["x"])
    answer = pdf_text.pages(str(picture), str(product))
    assert (answer["source"], answer["before"], answer["after"]) == ("picture", 2, 1)


def test_of_other_sources_only_the_product_is_counted(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("text")
    answer = pdf_text.pages(str(source), str(paper.pdf(tmp_path / "b.pdf", ["x", "y"])))
    assert (answer["source"], answer["before"], answer["after"]) == ("other", 0, 2)


def test_the_claimed_flavour_is_read_from_the_packet(tmp_path: Path) -> None:
    plain, claiming = paper.pdf(tmp_path / "a.pdf", ["x"]), tmp_path / "b.pdf"
    with pikepdf.open(plain) as opened:
        with opened.open_metadata() as packet:
            packet["pdfaid:part"], packet["pdfaid:conformance"] = "2", "B"
        opened.save(claiming)
    assert pdf_text.claim(str(claiming)) == "2b"
    assert pdf_text.claim(str(plain)) == ""
