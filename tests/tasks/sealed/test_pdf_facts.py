from __future__ import annotations

from pathlib import Path
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, AttachedFileSpec, Dictionary, Encryption, Name, Pdf, Stream, String

from tasks.facts import NAMES
from tasks.premis.model import Trouble
from tasks.sealed.pdf_facts import claim, facts
from tests.tasks.sealed.pdfa.pdfs import annotate, make


def known(folder: Path, change: Any = None, content: bytes | None = None) -> dict[str, Any]:
    return facts(str(make(folder / "a.pdf", change, content)))


def picture(pdf: Pdf) -> None:
    image = Stream(pdf, bytes(4))
    for key, value in {
        "/Type": Name.XObject,
        "/Subtype": Name.Image,
        "/Width": 2,
        "/Height": 2,
        "/ColorSpace": Name.DeviceGray,
        "/BitsPerComponent": 8,
    }.items():
        image[key] = value
    pdf.pages[0].Resources.XObject = Dictionary(I0=image)


FULL, HALF = b"q 300 0 0 200 0 0 cm /I0 Do Q", b"q 150 0 0 200 0 0 cm /I0 Do Q"
WORDS = b" BT /F1 9 Tf (" + b"word " * 40 + b") Tj ET"


def test_every_fact_is_there_and_of_its_documented_type(tmp_path: Path) -> None:
    found = known(tmp_path)
    assert all(type(value) is NAMES[name] for name, value in found.items())
    assert (found["pages"], found["encrypted"], found["claims_pdfa"], found["has_text"]) == (1, "none", "", True)


@pytest.mark.parametrize(
    ("content", "scanned", "has_text"),
    [
        (FULL, True, False),
        (FULL + b" BT 3 Tr /F1 9 Tf (hidden layer of an earlier recognition) Tj ET", True, True),
        (WORDS + b" " + FULL, True, True),
        (FULL + b" BT /F1 9 Tf (Received 12 May) Tj ET", True, True),
        (FULL + WORDS, False, True),
        (HALF, False, False),
        (b"", False, False),
    ],
    ids=["picture", "hidden text", "text below", "stamp", "text above", "half a page", "empty"],
)
def test_a_scan_is_a_page_that_is_a_picture(tmp_path: Path, content: bytes, scanned: bool, has_text: bool) -> None:
    found = known(tmp_path, picture, content or b" ")
    assert (found["scanned"], found["has_text"]) == (scanned, has_text)


def test_strips_of_one_picture_count_together(tmp_path: Path) -> None:
    strips = b"q 300 0 0 100 0 0 cm /I0 Do Q q 300 0 0 100 0 100 cm /I0 Do Q"
    assert known(tmp_path, picture, strips)["scanned"] is True


def test_one_page_of_text_makes_a_document_no_scan(tmp_path: Path) -> None:
    def add(pdf: Pdf) -> None:
        picture(pdf)
        pdf.add_blank_page(page_size=(300, 200))
        page = pdf.pages[1].obj
        page.Resources, page.Contents = pdf.pages[0].obj.Resources, Stream(pdf, WORDS)

    assert known(tmp_path, add, FULL)["scanned"] is False


def test_a_page_whose_text_claims_to_be_a_jbig2_picture_is_taken_for_text(tmp_path: Path) -> None:
    source = make(tmp_path / "a.pdf", None, WORDS)
    with Pdf.open(source, allow_overwriting_input=True) as pdf:
        pdf.pages[0].Contents.write(WORDS, filter=Name.JBIG2Decode)
        pdf.save(source)
    found = facts(str(source))
    assert (found["scanned"], found["has_text"]) == (False, True)


def test_a_form_that_draws_itself_ends(tmp_path: Path) -> None:
    def loop(pdf: Pdf) -> None:
        form = Stream(pdf, b"/X0 Do")
        form.Type, form.Subtype, form.BBox = Name.XObject, Name.Form, Array([0, 0, 9, 9])
        form.Resources = Dictionary(XObject=Dictionary(X0=form))
        pdf.pages[0].Resources.XObject = Dictionary(X0=form)

    assert known(tmp_path, loop, b"/X0 Do")["scanned"] is False


def test_scripts_signatures_files_and_forms_are_found_wherever_they_hang(tmp_path: Path) -> None:
    def hang(pdf: Pdf) -> None:
        annotate(pdf, Subtype=Name.Link, A=Dictionary(S=Name.JavaScript, JS=String("1")))
        pdf.attachments["a.txt"] = AttachedFileSpec(pdf, b"a", filename="a.txt")
        value = Dictionary(Type=Name.Sig, ByteRange=Array([0, 1, 2, 3]), Contents=String("x"))
        field = annotate(pdf, Subtype=Name.Widget, FT=Name.Sig, T=String("s"), V=pdf.make_indirect(value))
        pdf.Root.AcroForm = Dictionary(Fields=Array([field]), XFA=String("x"))
        pdf.Root.StructTreeRoot = Dictionary(Type=Name.StructTreeRoot)
        pdf.Root.Lang = String("vi-VN")

    found = known(tmp_path, hang)
    assert (found["javascript"], found["signed"], found["attachments"], found["xfa"]) == (True, True, 1, True)
    assert (found["tagged"], found["language"]) == (True, "vi-VN")


def test_usage_rights_of_a_vendor_are_no_signature(tmp_path: Path) -> None:
    def rights(pdf: Pdf) -> None:
        value = Dictionary(Type=Name.Sig, ByteRange=Array([0, 1, 2, 3]), Contents=String("x"))
        pdf.Root.Perms = Dictionary(UR3=pdf.make_indirect(value))

    assert known(tmp_path, rights)["signed"] is False


@pytest.mark.parametrize(("user", "expected", "pages"), [("", "owner", 1), ("secret", "open", 0)])
def test_a_password_is_a_fact_and_no_error(tmp_path: Path, user: str, expected: str, pages: int) -> None:
    with pikepdf.open(make(tmp_path / "a.pdf")) as pdf:
        pdf.save(tmp_path / "b.pdf", encryption=Encryption(owner="owner", user=user))
    found = facts(str(tmp_path / "b.pdf"))
    assert (found["encrypted"], found["pages"]) == (expected, pages)


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4\n%%EOF", b"\0" * 4096], ids=["empty", "header only", "zeros"])
def test_what_cannot_be_read_is_damaged(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.pdf").write_bytes(data)
    with pytest.raises(Trouble) as raised:
        facts(str(tmp_path / "a.pdf"))
    assert raised.value.code == "source-damaged"
    assert raised.value.detail["what"]


def described(inside: str, attributes: str = "") -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:p="http://www.aiim.org/pdfa/ns/id/" {attributes}>{inside}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


@pytest.mark.parametrize(
    ("packet", "flavour"),
    [
        (described("<p:part>2</p:part><p:conformance>U</p:conformance>"), "2u"),
        (described("", 'p:part="1" p:conformance="B"'), "1b"),
        (described("<p:part>4</p:part>", 'p:rev="2020"'), "4"),
        (described("<p:part>4</p:part><p:conformance>F</p:conformance>"), "4f"),
        (described("<p:part>2</p:part>"), ""),
        (described("<p:part>2</p:part><p:part>3</p:part><p:conformance>B</p:conformance>"), ""),
        (described("<p:part>9</p:part><p:conformance>Z</p:conformance>"), ""),
        (b"\xef\xbb\xbf  " + described("", 'p:part="3" p:conformance="A"') + b"   \0", "3a"),
        (b"<x:xmpmeta>pdfaid:part 1", ""),
        (b"<!DOCTYPE a [<!ENTITY b '2'>]>" + described("<p:part>&b;</p:part>"), ""),
        (b"", ""),
    ],
)
def test_a_claim_is_read_as_elements_or_attributes_and_never_guessed(packet: bytes, flavour: str) -> None:
    assert claim(packet) == flavour
