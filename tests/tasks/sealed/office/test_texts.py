from __future__ import annotations

import struct
from pathlib import Path

import docx as python_docx
import pytest

from tasks.premis.model import Trouble
from tasks.sealed.office import Unreadable, biff, rtf, word97
from tasks.sealed.office_text import source_text
from tests.tasks.sealed.office import files
from tests.tasks.sealed.office.files import MC, A, P, R, W, paragraph, run

FORMATS = Path(__file__).parents[4] / "fixtures" / "formats"


def test_a_word_document_tells_shown_hidden_and_deleted_letters_apart(tmp_path: Path) -> None:
    body = paragraph(
        run("seen "),
        run("hidden", "<w:vanish/>"),
        run("visible again", '<w:vanish w:val="0"/>'),
        f"<w:del>{run('gone').replace('w:t>', 'w:delText>')}</w:del>",
        f"<w:ins>{run(' added')}</w:ins>",
    )
    text = source_text(str(files.docx(tmp_path / "a.docx", body)))
    assert (text.shown, text.hidden, text.deleted) == (["seen visible again added"], ["hidden"], ["gone"])


def test_a_style_can_hide_letters(tmp_path: Path) -> None:
    styles = f'<w:styles xmlns:w="{W}"><w:style w:styleId="X"><w:rPr><w:vanish/></w:rPr></w:style></w:styles>'
    parts = {
        "word/_rels/document.xml.rels": files.relations(("s", "styles", "styles.xml")),
        "word/styles.xml": styles,
    }
    body = paragraph(run("seen"), run("not seen", '<w:rStyle w:val="X"/>'))
    text = source_text(str(files.docx(tmp_path / "a.docx", body, parts)))
    assert (text.shown, text.hidden) == (["seen"], ["not seen"])


def test_of_a_field_only_the_result_is_text(tmp_path: Path) -> None:
    mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    code = "<w:r><w:instrText>DATE</w:instrText></w:r>"
    body = paragraph(mark.format("begin"), code, mark.format("separate"), run("3 April 2003"), mark.format("end"))
    assert source_text(str(files.docx(tmp_path / "a.docx", body))).shown == ["3 April 2003"]


def test_a_text_box_is_read_once_although_it_is_stored_twice(tmp_path: Path) -> None:
    box = f"<w:txbxContent>{paragraph(run('in the box'))}</w:txbxContent>"
    both = f"<mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
    text = source_text(str(files.docx(tmp_path / "a.docx", paragraph(run("around "), f"<w:r>{both}</w:r>"))))
    assert sorted(text.shown) == ["around", "in the box"]
    assert MC


def test_printed_margins_and_used_notes_belong_to_the_text(tmp_path: Path) -> None:
    def margin(kind: str, text: str) -> str:
        return f'<w:{kind} xmlns:w="{W}">{paragraph(run(text))}</w:{kind}>'

    rows = [
        ("h1", "header", "h1.xml"),
        ("h2", "header", "h2.xml"),
        ("n", "footnotes", "n.xml"),
        ("c", "comments", "c.xml"),
    ]
    notes = "".join(f'<w:footnote w:id="{n}">{paragraph(run(f"note {n}"))}</w:footnote>' for n in (1, 2))
    parts = {
        "word/_rels/document.xml.rels": files.relations(*rows),
        "word/h1.xml": margin("hdr", "letterhead"),
        "word/h2.xml": margin("hdr", "first page only"),
        "word/n.xml": f'<w:footnotes xmlns:w="{W}">{notes}</w:footnotes>',
        "word/c.xml": f'<w:comments xmlns:w="{W}"><w:comment>{paragraph(run("why?"))}</w:comment></w:comments>',
    }
    references = [
        f'<w:headerReference w:type="{kind}" r:id="{n}"/>' for kind, n in (("default", "h1"), ("first", "h2"))
    ]
    section = f"<w:sectPr>{''.join(references)}</w:sectPr>"
    body = paragraph(run("body"), '<w:r><w:footnoteReference w:id="2"/></w:r>') + section
    text = source_text(str(files.docx(tmp_path / "a.docx", body, parts)))
    assert text.shown == ["body", "letterhead", "note 2"]
    assert text.notes == ["why?"]


def test_our_reader_and_python_docx_agree_on_a_plain_document(tmp_path: Path) -> None:
    document = python_docx.Document()
    document.add_heading("Biên bản", 1)
    document.add_paragraph("Hôm nay, hồi 08 giờ 15 phút")
    document.add_table(1, 2).rows[0].cells[1].text = "ô"
    document.save(str(tmp_path / "a.docx"))
    read = source_text(str(tmp_path / "a.docx"))
    theirs = [p.text for p in python_docx.Document(str(tmp_path / "a.docx")).paragraphs]
    assert read.shown == [*theirs, "ô"]


def test_hidden_sheets_rows_and_columns_are_not_shown_and_numbers_are_no_words(tmp_path: Path) -> None:
    strings = (
        "<si><t>shared</t></si><si><r><t>ri</t></r><r><t>ch</t></r><rPh><t>yomi</t></rPh></si><si><t>covered</t></si>"
    )
    first = (
        '<cols><col min="2" max="2" hidden="1"/></cols><sheetData>'
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>2</v></c><c r="C1"><v>42</v></c></row>'
        '<row r="2" hidden="1"><c r="A2" t="s"><v>2</v></c></row>'
        '<row r="3"><c r="A3" t="s"><v>1</v></c><c r="C3" t="inlineStr"><is><t>inline</t></is></c>'
        '<c r="D3" t="str"><f>A1</f><v>computed</v></c></row></sheetData>'
    )
    other = '<sheetData><row><c t="s"><v>0</v></c></row></sheetData>'
    path = files.xlsx(tmp_path / "a.xlsx", {"One": first, "Two": other}, strings, {"Two": "veryHidden"})
    text = source_text(str(path))
    assert text.shown == ["shared", "rich", "inline", "computed"]
    assert text.hidden == ["covered", "covered", "shared"]


def test_slides_come_in_their_order_and_notes_apart(tmp_path: Path) -> None:
    def slide(text: str) -> str:
        line = f"<a:p><a:r><a:t>{text}</a:t></a:r><a:fld type='slidenum'><a:t>7</a:t></a:fld></a:p>"
        return f'<p:sld xmlns:p="{P}" xmlns:a="{A}">{line}</p:sld>'

    ids = '<p:sldId id="256" r:id="b"/><p:sldId id="257" r:id="a"/>'
    parts = {
        "ppt/presentation.xml": f'<p:deck xmlns:p="{P}" xmlns:r="{R}"><p:sldIdLst>{ids}</p:sldIdLst></p:deck>',
        "ppt/_rels/presentation.xml.rels": files.relations(
            ("a", "slide", "slides/1.xml"), ("b", "slide", "slides/2.xml")
        ),
        "ppt/slides/1.xml": slide("later"),
        "ppt/slides/2.xml": slide("sooner"),
        "ppt/slides/_rels/2.xml.rels": files.relations(("n", "notesSlide", "../notes/1.xml")),
        "ppt/notes/1.xml": slide("aside"),
    }
    text = source_text(str(files.ooxml(tmp_path / "a.pptx", "ppt/presentation.xml", parts)))
    assert (text.shown, text.notes) == (["sooner", "later"], ["aside"])


def test_an_opendocument_text_keeps_its_spaces_and_sets_comments_and_deletions_apart(tmp_path: Path) -> None:
    body = (
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion>"
        "</text:changed-region></text:tracked-changes>"
        '<text:p>one<text:s text:c="2"/>two<text:span text:style-name="H">unseen</text:span>'
        "<office:annotation><dc:creator>me</dc:creator><text:p>remark</text:p></office:annotation></text:p>"
    )
    styles = '<style:style style:name="H"><style:text-properties text:display="none"/></style:style>'
    text = source_text(str(files.odf(tmp_path / "a.odt", body, styles=styles)))
    assert (text.shown, text.hidden, text.deleted, text.notes) == (["one two"], ["unseen"], ["gone"], ["remark"])


def test_hidden_tables_rows_and_columns_of_an_opendocument_sheet_are_not_shown(tmp_path: Path) -> None:
    def cell(text: str) -> str:
        return f"<table:table-cell><text:p>{text}</text:p></table:table-cell>"

    columns = '<table:table-column/><table:table-column table:visibility="collapse"/>'
    body = (
        f"<table:table>{columns}<table:table-row>{cell('seen')}{cell('column')}</table:table-row>"
        f'<table:table-row table:visibility="filter">{cell("row")}</table:table-row></table:table>'
        f'<table:table table:style-name="T"><table:table-row>{cell("table")}</table:table-row></table:table>'
    )
    styles = '<style:style style:name="T"><style:table-properties table:display="false"/></style:style>'
    text = source_text(str(files.odf(tmp_path / "a.ods", body, styles=styles, kind="spreadsheet")))
    assert (text.shown, text.hidden) == (["seen"], ["column", "row", "table"])


def test_shared_strings_of_a_binary_workbook_may_run_over_records(tmp_path: Path) -> None:
    long = "năm nghìn chữ " * 40
    head = struct.pack("<II", 2, 2) + files.wide("đầu") + struct.pack("<HB", len(long), 1)
    letters = long.encode("utf-16-le")
    sst = files.biff(0xFC, head + letters[:300]) + files.biff(0x3C, b"\x01" + letters[300:])
    start = files.biff(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 0))
    where = len(start) + 2 * (4 + 8 + 2) + len(sst) + 4
    sheets = b"".join(files.biff(0x85, struct.pack("<IBB", where, state, 0) + b"\x01\x00A\x00") for state in (0, 1))
    cells = files.biff(0xFD, struct.pack("<HHHI", 0, 0, 0, 0)) + files.biff(0xFD, struct.pack("<HHHI", 5, 0, 0, 1))
    hidden = files.biff(0x208, struct.pack("<HHHHHHHH", 5, 0, 1, 0, 0, 0, 0x20, 0))
    where = len(start) + len(sheets) + len(sst) + 4
    sheets = b"".join(files.biff(0x85, struct.pack("<IBB", where, state, 0) + b"\x01\x00A\x00") for state in (0, 1))
    data = start + sheets + sst + files.biff(0x0A) + start + cells + hidden + files.biff(0x0A)
    text = biff.read_stream(data)
    assert text.shown == ["đầu"]
    assert text.hidden == [long, "đầu", long]


def test_a_sheet_of_excel_2_needs_no_container(tmp_path: Path) -> None:
    label = struct.pack("<HH3xB", 0, 0, 5) + b"h\xe9llo"
    path = tmp_path / "a.xls"
    path.write_bytes(files.biff(0x09, b"\x02\x00\x10\x00") + files.biff(0x04, label) + files.biff(0x0A))
    assert source_text(str(path)).shown == ["héllo"]


def test_rich_text_knows_code_pages_unicode_and_what_is_no_text() -> None:
    data = (
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204 Arial Cyr;}}{\info{\title no}}"
        rb"\f0 caf\'e9 \u7879?t {\f1 \'c4\'e0} {\v unseen}{\deleted gone}{\*\unknown no}\par next\~line"
        rb"{\footnote below}{\field{\*\fldinst DATE}{\fldrslt today}}}"
    )
    text = rtf.read(data)
    assert text.shown == ["café ệt Да", "next\xa0linebelowtoday"]
    assert (text.hidden, text.deleted) == (["unseen"], ["gone"])


def test_rich_text_passes_over_binary_data_and_refuses_endless_groups() -> None:
    assert rtf.read(b"{\\rtf1 a{\\pict\\bin5 }}}}}}b}").shown == ["ab"]
    with pytest.raises(Trouble) as caught:
        rtf.read(b"{\\rtf1" + b"{" * 100_000)
    assert caught.value.code == "source-damaged"


def test_word_2_is_read_by_its_header() -> None:
    words = b"one\rtwo \x13PAGE\x147\x15\r"
    head = struct.pack("<HH6xH12xII", 0xA5DB, 45, 0, 0x180, 0x180 + len(words))
    assert word97.read_flat(head.ljust(0x180, b"\0") + words).shown == ["one", "two 7"]
    words = b"Setup: " + "Установка".encode("cp1251") + b", caf\xe9\r"
    head = struct.pack("<HH6xH12xII", 0xA5DC, 101, 0, 0x180, 0x180 + len(words))
    assert word97.read_flat(head.ljust(0x180, b"\0") + words).shown == ["Setup: Установка, café"]
    with pytest.raises(Unreadable):
        word97.read_flat(struct.pack("<HH6xH12xII", 0xA5DB, 45, 4, 0x180, 0x190).ljust(0x190, b"\0"))


@pytest.mark.parametrize(
    ("folder", "kind", "words"),
    [
        ("fmt-40", "document", "BIÊN BẢN KIỂM TRA BẢN SAO LƯU"),
        ("fmt-61", "spreadsheet", "Trạm bơm số 01"),
        ("fmt-126", "presentation", "PHÒNG ĐỌC – SALLE DE LECTURE"),
        ("fmt-50", "document", "Kính gửi: Các phòng, ban trực thuộc"),
    ],
)
def test_real_files_of_the_old_formats_are_read(folder: str, kind: str, words: str) -> None:
    for path in (FORMATS / folder).iterdir():
        text = source_text(str(path))
        assert text.kind == kind
        assert any(words in line for line in text.shown)


def test_a_format_without_a_reader_is_unreadable_and_not_empty(tmp_path: Path) -> None:
    (tmp_path / "a.wpd").write_bytes(b"\xffWPC" + bytes(100))
    with pytest.raises(Unreadable):
        source_text(str(tmp_path / "a.wpd"))
