from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from fontTools.cffLib import CFFFontSet
from fontTools.ttLib import TTFont
from pikepdf import Array, Dictionary, Name, Pdf, Stream, String

from tests.tasks.sealed.pdfa.pdfs import TEXT, embed_truetype, repaired, text, truetype

SYMBOLIC, NONSYMBOLIC = 4, 32


def font_of(pdf: Pdf) -> pikepdf.Object:
    return pdf.pages[0].Resources.Font.F1


def test_helvetica_is_embedded_by_its_metric_twin_and_the_text_stays(tmp_path: Path) -> None:
    result = repaired(tmp_path)
    with result.pdf as pdf:
        font = font_of(pdf)
        program = CFFFontSet()
        program.decompile(BytesIO(font.FontDescriptor.FontFile3.read_bytes()), None)
        assert set(program.topDictIndex[0].charset) == {".notdef", "space", *"Heloarchiv"}
        assert font.Widths[ord("H") - font.FirstChar] == 722
    assert result.same_text()
    assert result.answer["fonts"] == {"Helvetica": "Nimbus Sans"}
    assert result.lines("6.2.11.4.1", "fix")


def test_a_stand_in_takes_the_advances_of_the_document(tmp_path: Path) -> None:
    def narrow(pdf: Pdf) -> None:
        entries = {"FirstChar": 32, "LastChar": 122, "Widths": Array([400.25] * 91)}
        base = Dictionary(Type=Name.Font, Subtype=Name.TrueType, BaseFont=Name("/Fancy"), Encoding=Name.WinAnsiEncoding)
        pdf.pages[0].Resources.Font.F1 = pdf.make_indirect(
            Dictionary({**dict(base.items()), **{f"/{k}": v for k, v in entries.items()}})
        )

    result = repaired(tmp_path, narrow)
    with result.pdf as pdf:
        program = CFFFontSet()
        program.decompile(BytesIO(font_of(pdf).FontDescriptor.FontFile3.read_bytes()), None)
        from fontTools.pens.basePen import NullPen

        charstring = program.topDictIndex[0].CharStrings["H"]
        charstring.draw(NullPen())
        assert charstring.width == 400
        assert float(font_of(pdf).Widths[0]) == 400.25
    assert result.lines("6.2.11.4.1", "guess")
    assert result.same_text()


def test_a_font_that_draws_nothing_is_left_alone(tmp_path: Path) -> None:
    invisible = f"BT 3 Tr /F1 12 Tf 20 100 Td ({TEXT}) Tj ET".encode("ascii")
    with repaired(tmp_path, content=invisible).pdf as pdf:
        assert "/FontDescriptor" not in font_of(pdf)


def test_letters_of_a_symbol_font_that_nobody_has_are_unknown_and_not_guessed(tmp_path: Path) -> None:
    def wingdings(pdf: Pdf) -> None:
        font = Dictionary(Type=Name.Font, Subtype=Name.TrueType, BaseFont=Name.Wingdings)
        pdf.pages[0].Resources.Font.F1 = pdf.make_indirect(font)

    answer = repaired(tmp_path, wingdings, content=b"BT /F1 12 Tf (\\374\\001Z) Tj ET").answer
    assert answer["unknown"]["Wingdings"][0] >= 1


def composite(pdf: Pdf, base_font: str, widths: list[object], *, to_unicode: bytes | None = None) -> None:
    cidfont = Dictionary(
        Type=Name.Font, Subtype=Name.CIDFontType2, BaseFont=Name(f"/{base_font}"), W=Array(widths),
        CIDSystemInfo=Dictionary(Registry=String("Adobe"), Ordering=String("Identity"), Supplement=0),
    )  # fmt: skip
    font = Dictionary(
        Type=Name.Font, Subtype=Name.Type0, BaseFont=Name(f"/{base_font}"), Encoding=Name("/Identity-H"),
        DescendantFonts=Array([pdf.make_indirect(cidfont)]),
    )  # fmt: skip
    if to_unicode is not None:
        font.ToUnicode = Stream(pdf, to_unicode)
    pdf.pages[0].Resources.Font.F1 = pdf.make_indirect(font)


def test_codes_whose_widths_prove_microsofts_order_become_text(tmp_path: Path) -> None:
    twin = TTFont("/usr/share/fonts/truetype/liberation2/LiberationSans-Regular.ttf")
    codes = [ord(letter) - 29 for letter in "Archive"]
    widths: list[object] = []
    for code in sorted(set(codes)):
        advance = round(twin["hmtx"][twin.getBestCmap()[code + 29]][0] * 1000 / 2048)
        widths += [code, Array([advance])]
    shown = b"".join(code.to_bytes(2, "big") for code in codes).hex().encode()
    result = repaired(
        tmp_path, lambda pdf: composite(pdf, "Arial", widths), content=b"BT /F1 12 Tf 9 9 Td <" + shown + b"> Tj ET"
    )
    assert any("proved by widths" in line for line in result.lines("6.2.11.4.1", "fix"))
    assert result.answer["unknown"] == {}
    assert text(result.product) == "Archive"


def test_codes_that_nothing_proves_are_unknown(tmp_path: Path) -> None:
    result = repaired(
        tmp_path,
        lambda pdf: composite(pdf, "Mystery", [1, Array([111, 999, 333, 777])]),
        content=b"BT /F1 12 Tf <0001000200030004> Tj ET",
    )
    assert result.answer["unknown"] == {"Mystery": [4, 4]}


def test_the_encoding_of_a_symbolic_font_goes_after_its_text_is_saved(tmp_path: Path) -> None:
    def symbolic(pdf: Pdf) -> None:
        font = TTFont(BytesIO(truetype(TEXT)))
        font["cmap"].tables = [table for table in font["cmap"].tables if table.platformID == 3][:1]
        font["cmap"].tables[0].platEncID = 0
        font["cmap"].tables[0].cmap = {0xF000 + code: name for code, name in font["cmap"].tables[0].cmap.items()}
        target = BytesIO()
        font.save(target)
        embed_truetype(pdf, target.getvalue(), flags=SYMBOLIC, Encoding=Name.WinAnsiEncoding)

    result = repaired(tmp_path, symbolic)
    with result.pdf as pdf:
        assert "/Encoding" not in font_of(pdf)
        assert b"beginbfchar" in font_of(pdf).ToUnicode.read_bytes()
    assert text(result.product) == TEXT


def test_lists_of_subsets_go_and_cid_to_gid_is_stated(tmp_path: Path) -> None:
    def subset_lists(pdf: Pdf) -> None:
        embed_truetype(pdf, truetype(TEXT), flags=NONSYMBOLIC, Encoding=Name.WinAnsiEncoding)
        descriptor = font_of(pdf).FontDescriptor
        descriptor.CharSet = String("/H/e")
        composite(pdf, "ABCDEF+Liberation", [])
        cidfont = font_of(pdf).DescendantFonts[0]
        cidfont.FontDescriptor = Dictionary(dict(descriptor.items()))
        cidfont.FontDescriptor.CIDSet = Stream(pdf, b"\xff")

    result = repaired(tmp_path, subset_lists, content=b"BT /F1 12 Tf <00010002> Tj ET")
    with result.pdf as pdf:
        cidfont = font_of(pdf).DescendantFonts[0]
        assert cidfont.CIDToGIDMap == Name.Identity
        assert "/CIDSet" not in cidfont.FontDescriptor


@pytest.mark.parametrize("clauses", [None, ["6.2.11.5"]])
def test_wrong_advances_are_patched_in_the_program_and_only_in_pass_2(
    tmp_path: Path, clauses: list[str] | None
) -> None:
    def wide(pdf: Pdf) -> None:
        embed_truetype(pdf, truetype(TEXT, scale=1.2), flags=NONSYMBOLIC, Encoding=Name.WinAnsiEncoding)

    result = repaired(tmp_path, wide, clauses=clauses)
    with result.pdf as pdf, pikepdf.open(result.source) as source:
        font, before = font_of(pdf), font_of(source)
        program = TTFont(BytesIO(font.FontDescriptor.FontFile2.read_bytes()))
        shown = program["cmap"].tables[0].cmap
        letter = shown.get(0xF000 + ord("H")) or shown[ord("H")]
        advance = round(program["hmtx"][letter][0] * 1000 / 2048)
        wanted = before.Widths[ord("H") - 32]
        assert font.Widths[ord("H") - font.FirstChar] == wanted
        assert (abs(advance - wanted) <= 1) is (clauses is not None)
    assert text(result.product) == TEXT


def test_a_shown_notdef_becomes_a_glyph_of_its_own(tmp_path: Path) -> None:
    def lacking(pdf: Pdf) -> None:
        embed_truetype(pdf, truetype("Helo"), flags=NONSYMBOLIC, Encoding=Name.WinAnsiEncoding)

    result = repaired(tmp_path, lacking, clauses=["6.2.11.8"])
    with result.pdf as pdf:
        program = TTFont(BytesIO(font_of(pdf).FontDescriptor.FontFile2.read_bytes()))
        shown = program["cmap"].tables[0].cmap
        assert program.getGlyphID(shown[0xF000 + ord("v")]) > 0
    assert text(result.product) == TEXT


def test_a_program_that_defies_reading_is_replaced_and_held(tmp_path: Path) -> None:
    def ruin(pdf: Pdf) -> None:
        embed_truetype(pdf, b"\0\1\0\0" + b"\xff" * 300, flags=NONSYMBOLIC, Encoding=Name.WinAnsiEncoding)

    answer = repaired(tmp_path, ruin, clauses=["6.2.11.4.1"]).answer
    assert "Liberation" in answer["unknown"]


def test_codes_of_a_type_3_font_without_a_glyph_get_an_empty_one(tmp_path: Path) -> None:
    def drawn(pdf: Pdf) -> None:
        glyph = Stream(pdf, b"500 0 d0 0 0 400 400 re f")
        font = Dictionary(
            Type=Name.Font, Subtype=Name.Type3, FontBBox=Array([0, 0, 500, 500]), FirstChar=97, LastChar=98,
            FontMatrix=Array([0.001, 0, 0, 0.001, 0, 0]), CharProcs=Dictionary(a=pdf.make_indirect(glyph)),
            Encoding=Dictionary(Differences=Array([97, Name.a])), Widths=Array([500, 500]), Resources=Dictionary(),
        )  # fmt: skip
        pdf.pages[0].Resources.Font.F1 = pdf.make_indirect(font)

    result = repaired(tmp_path, drawn, content=b"BT /F1 12 Tf (ab) Tj ET", clauses=["6.2.11.8"])
    with result.pdf as pdf:
        assert pdf.pages[0].Resources.Font.F1.CharProcs["/empty98"].read_bytes() == b"0 0 d0"
