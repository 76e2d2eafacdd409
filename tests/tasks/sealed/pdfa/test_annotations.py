from __future__ import annotations

from pathlib import Path

import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream, String, parse_content_stream

from tasks.sealed.pdfa.fonts.encodings import parse_to_unicode
from tests.tasks.sealed.pdfa.pdfs import annotate, repaired

MARKUP = {
    "Square": {"C": Array([1, 0, 0]), "IC": Array([0, 1, 0])},
    "Circle": {"C": Array([1, 0, 0])},
    "Line": {"L": Array([20, 20, 80, 40]), "LE": Array([Name.OpenArrow, Name.None_])},
    "Ink": {"InkList": Array([Array([20, 20, 50, 30, 80, 40])])},
    "Polygon": {"Vertices": Array([20, 20, 80, 20, 50, 40])},
    "PolyLine": {"Vertices": Array([20, 20, 80, 20, 50, 40])},
    "Highlight": {"C": Array([1, 1, 0])},
    "Underline": {"C": Array([0])},
    "StrikeOut": {"C": Array([0])},
    "Squiggly": {"C": Array([0])},
    "FreeText": {"Contents": String("Note (a)"), "DA": String("/Helv 9 Tf 1 0 0 rg")},
    "Text": {"Contents": String("x")},
    "Caret": {"C": Array([0, 0, 1])},
}


@pytest.mark.parametrize("kind", sorted(MARKUP))
def test_markup_without_a_look_is_drawn_from_its_own_data(tmp_path: Path, kind: str) -> None:
    result = repaired(tmp_path, lambda pdf: annotate(pdf, Subtype=Name(f"/{kind}"), **MARKUP[kind]))
    with result.pdf as pdf:
        annotation = pdf.pages[0].Annots[0]
        assert list(annotation.AP.keys()) == ["/N"]
        assert annotation.AP.N.read_bytes().strip()
        assert annotation.F == 4
    assert any("drawn from its own data" in line for line in result.lines("6.3.3"))


def test_a_stamp_without_data_gets_an_empty_look_that_is_called_a_guess(tmp_path: Path) -> None:
    result = repaired(tmp_path, lambda pdf: annotate(pdf, Subtype=Name.Stamp))
    assert result.lines("6.3.3", "guess")


def test_a_hidden_annotation_stays_unseen_and_keeps_its_look_as_private_data(tmp_path: Path) -> None:
    def hide(pdf: Pdf) -> None:
        look = Stream(pdf, b"0 0 5 5 re f")
        look.Type, look.Subtype, look.BBox = Name.XObject, Name.Form, Array([0, 0, 5, 5])
        annotate(pdf, Subtype=Name.Stamp, F=2, AP=Dictionary(N=pdf.make_indirect(look)))

    result = repaired(tmp_path, hide)
    with result.pdf as pdf:
        annotation = pdf.pages[0].Annots[0]
        assert annotation.F == 4
        assert annotation.AP.N.read_bytes() == b""
        assert annotation["/PerenneHiddenAP"].N.read_bytes() == b"0 0 5 5 re f"
    assert result.lines("6.3.2", "loss")


def test_a_film_becomes_a_stamp_and_is_told(tmp_path: Path) -> None:
    result = repaired(tmp_path, lambda pdf: annotate(pdf, Subtype=Name.Movie))
    assert "annotation Movie made a stamp" in result.lines("6.3.1", "loss")


def form(pdf: Pdf, field: Dictionary, **entries: object) -> None:
    pdf.Root.AcroForm = pdf.make_indirect(Dictionary(Fields=Array([field]), **entries))


def test_a_field_without_a_look_shows_its_value(tmp_path: Path) -> None:
    def fill(pdf: Pdf) -> None:
        form(pdf, annotate(pdf, Subtype=Name.Widget, FT=Name.Tx, T=String("n"), V=String("Mara (1)")))

    result = repaired(tmp_path, fill)
    with result.pdf as pdf:
        look = pdf.pages[0].Annots[0].AP.N
        assert b"(Mara \\(1\\)) Tj" in look.read_bytes()
        assert "/FontFile3" in look.Resources.Font.F0.FontDescriptor


def test_a_vietnamese_value_is_shown_with_all_its_letters(tmp_path: Path) -> None:
    def fill(pdf: Pdf) -> None:
        form(pdf, annotate(pdf, Subtype=Name.Widget, FT=Name.Tx, T=String("n"), V=String("Nguyễn Thị Hạnh")))

    result = repaired(tmp_path, fill)
    with result.pdf as pdf:
        look = pdf.pages[0].Annots[0].AP.N
        font = look.Resources.Font.F0
        assert "/FontFile2" in font.DescendantFonts[0].FontDescriptor
        mapping = parse_to_unicode(font.ToUnicode.read_bytes())
        shown = next(i.operands[0] for i in parse_content_stream(look) if str(i.operator) == "Tj")
    codes = [int.from_bytes(bytes(shown)[i : i + 2], "big") for i in range(0, len(bytes(shown)), 2)]
    assert "".join(mapping[code] for code in codes) == "Nguyễn Thị Hạnh"
    assert result.answer["unknown"] == {}


def test_the_order_to_redraw_replaces_a_look_that_contradicts_the_value(tmp_path: Path) -> None:
    def contradict(pdf: Pdf) -> None:
        look = Stream(pdf, b"BT (old) Tj ET")
        look.Subtype, look.BBox = Name.Form, Array([0, 0, 60, 20])
        entries = {"FT": Name.Tx, "T": String("n"), "V": String("new"), "AP": Dictionary(N=pdf.make_indirect(look))}
        form(pdf, annotate(pdf, Subtype=Name.Widget, **entries), NeedAppearances=True)

    result = repaired(tmp_path, contradict)
    with result.pdf as pdf:
        assert "/NeedAppearances" not in pdf.Root.AcroForm
        assert b"(new)" in pdf.pages[0].Annots[0].AP.N.read_bytes()
    assert result.lines("6.4.1", "guess")


def test_a_button_has_a_look_for_each_state(tmp_path: Path) -> None:
    def tick(pdf: Pdf) -> None:
        form(pdf, annotate(pdf, Subtype=Name.Widget, FT=Name.Btn, T=String("b"), V=Name.On, AS=Name.On))

    with repaired(tmp_path, tick).pdf as pdf:
        annotation = pdf.pages[0].Annots[0]
        assert set(annotation.AP.N.keys()) == {"/Off", "/On"}
        assert Name.On == annotation.AS
        assert annotation.AP.N.On.read_bytes() != annotation.AP.N.Off.read_bytes()


def test_scripts_triggers_and_xfa_go_and_are_named_while_links_stay(tmp_path: Path) -> None:
    def script(pdf: Pdf) -> None:
        run = Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))
        pdf.Root.OpenAction = run
        pdf.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array([String("a"), run])))
        pdf.pages[0].obj.AA = Dictionary(O=run)
        annotate(pdf, Subtype=Name.Link, A=Dictionary(S=Name.URI, URI=String("https://example.org/"), Next=run))
        form(pdf, annotate(pdf, Subtype=Name.Widget, FT=Name.Tx, T=String("n"), A=run), XFA=String("x"))

    result = repaired(tmp_path, script)
    with result.pdf as pdf:
        assert b"JavaScript" not in result.product.read_bytes()
        assert "/OpenAction" not in pdf.Root
        assert "/XFA" not in pdf.Root.AcroForm
        assert pdf.pages[0].Annots[0].A.S == Name.URI
        assert "/Next" not in pdf.pages[0].Annots[0].A
    assert {"action JavaScript", "JavaScript of the document"} <= set(result.lines("6.5.1", "loss"))
    assert result.lines("6.5.2", "loss")
    assert result.lines("6.4.2", "loss") == ["XFA form"]


def test_the_value_of_a_signature_goes_and_its_field_stays(tmp_path: Path) -> None:
    def sign(pdf: Pdf) -> None:
        value = Dictionary(Type=Name.Sig, ByteRange=Array([0, 1, 2, 3]), Contents=String("00"), Name=String("Mara"))
        form(pdf, annotate(pdf, Subtype=Name.Widget, FT=Name.Sig, T=String("s"), V=pdf.make_indirect(value)))

    result = repaired(tmp_path, sign)
    with result.pdf as pdf:
        field = pdf.Root.AcroForm.Fields[0]
        assert "/V" not in field
        assert str(field["/PerenneSigner"]["/Name"]) == "Mara"
    assert result.lines("6.4.3", "loss")
