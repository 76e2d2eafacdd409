from __future__ import annotations

import datetime
import io
import zipfile
from pathlib import Path

import docx as python_docx
import pytest
from msoffcrypto.format.ooxml import OOXMLFile

from tasks.facts import NAMES
from tasks.premis.model import Trouble
from tasks.sealed.office.crypto import DEFAULT_PASSWORD
from tasks.sealed.office_facts import facts, saved
from tasks.sealed.office_text import source_text
from tests.tasks.sealed.office import files
from tests.tasks.sealed.office.files import paragraph, run

FIXTURES = Path(__file__).parents[4] / "fixtures"


def encrypted(path: Path, plain: Path, password: str) -> Path:
    with zipfile.ZipFile(plain, "a") as package:  # msoffcrypto pads nothing: whole segments only
        package.comment = b"."
    with zipfile.ZipFile(plain, "a") as package:
        package.comment = b"." * (1 + -plain.stat().st_size % 4096)
    out = io.BytesIO()
    with plain.open("rb") as stream:
        OOXMLFile(stream).encrypt(password, out)
    path.write_bytes(out.getvalue())
    return path


def test_a_password_is_a_fact_and_no_trouble(tmp_path: Path) -> None:
    plain = files.docx(tmp_path / "a.docx", paragraph(run("secret")))
    locked = encrypted(tmp_path / "b.docx", plain, "giấy thông hành")
    assert facts(str(plain))["encrypted"] == "none"
    assert facts(str(locked)) == {"encrypted": "open"}
    with pytest.raises(Trouble) as caught:
        source_text(str(locked))
    assert caught.value.code == "source-encrypted"


def test_a_workbook_locked_with_excels_own_password_opens_for_everybody(tmp_path: Path) -> None:
    strings = "<si><t>open to all</t></si>"
    sheet = '<sheetData><row><c t="s"><v>0</v></c></row></sheetData>'
    plain = files.xlsx(tmp_path / "a.xlsx", {"A": sheet}, strings)
    locked = encrypted(tmp_path / "b.xlsx", plain, DEFAULT_PASSWORD)
    assert facts(str(locked))["encrypted"] == "none"
    assert source_text(str(locked)).shown == ["open to all"]


def test_an_encrypted_opendocument_says_so_in_its_manifest(tmp_path: Path) -> None:
    entry = "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"
    path = files.odf(tmp_path / "a.odt", "<text:p>x</text:p>", manifest=entry)
    assert facts(str(path)) == {"kind": "document", "encrypted": "open"}


def test_what_a_page_cannot_hold_is_counted(tmp_path: Path) -> None:
    rows = [
        ("m", "vbaProject", "vbaProject.bin"),
        ("t", "attachedTemplate", "file:///C:/x.dotm", "External"),
        ("h", "hyperlink", "http://example.org/", "External"),
    ]
    parts: dict[str, str | bytes] = {
        "word/_rels/document.xml.rels": files.relations(*rows),
        "word/vbaProject.bin": b"macros",
        "word/embeddings/oleObject1.bin": b"object",
        "word/comments.xml": f'<w:comments xmlns:w="{files.W}"><w:comment/><w:comment/></w:comments>',
        "_xmlsignatures/sig1.xml": "<Signature/>",
    }
    body = paragraph(f"<w:ins>{run('one')}</w:ins>", f"<w:del>{run('two')}</w:del>")
    found = facts(str(files.docx(tmp_path / "a.docx", body, parts)))
    assert found == {
        "encrypted": "none", "kind": "document", "macros": True, "embedded": 1, "links": 1, "signed": True,
        "comments": 2, "tracked": 2, "words": 1,
    }  # fmt: skip


def test_an_opendocument_with_a_macro_and_a_distant_picture_says_so(tmp_path: Path) -> None:
    body = (
        '<text:p><draw:image xlink:href="http://example.org/a.png"/><draw:image xlink:href="Pictures/b.png"/></text:p>'
    )
    path = files.odf(tmp_path / "a.odt", body)
    with zipfile.ZipFile(path, "a") as package:
        package.writestr("Basic/Standard/Module1.xml", "<a/>")
        package.writestr("META-INF/documentsignatures.xml", "<a/>")
    found = facts(str(path))
    assert (found["links"], found["macros"], found["signed"]) == (1, True, True)


def test_rich_text_counts_objects_comments_and_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.rtf"
    path.write_bytes(rb"{\rtf1 {\object{\*\objdata 00}}{\*\annotation why}{\revised one}{\deleted two}\viewkind4 x}")
    found = facts(str(path))
    assert (found["embedded"], found["comments"], found["tracked"], found["kind"]) == (1, 1, 2, "document")


@pytest.mark.parametrize(
    "folder", ["fmt-40", "fmt-61", "fmt-126", "fmt-214", "fmt-215", "fmt-291", "fmt-295", "fmt-412"]
)
def test_every_fact_has_a_name_and_type_of_the_closed_list(folder: str) -> None:
    for path in (FIXTURES / "formats" / folder).iterdir():
        found = facts(str(path))
        assert found["encrypted"] == "none"
        assert {name: type(value) for name, value in found.items()} == {name: NAMES[name] for name in found}


def test_broken_containers_are_damaged() -> None:
    for path in (FIXTURES / "hostile" / "source-damaged").glob("*.docx"):
        with pytest.raises(Trouble) as caught:
            facts(str(path))
        assert caught.value.code == "source-damaged"


def test_the_document_says_when_it_was_saved(tmp_path: Path) -> None:
    document = python_docx.Document()
    document.core_properties.modified = datetime.datetime(2003, 4, 3, 10, 30, 0)
    document.save(str(tmp_path / "a.docx"))
    assert saved(str(tmp_path / "a.docx")) == "2003-04-03T10:30:00Z"
    (tmp_path / "a.rtf").write_bytes(rb"{\rtf1{\info{\revtim\yr1999\mo12\dy31\hr23\min59}}x}")
    assert saved(str(tmp_path / "a.rtf")) == "1999-12-31T23:59:00Z"


@pytest.mark.parametrize("data", [b"", b"{\\rtf1{\\info{\\revtim\\yr0}}}", b"PK\x03\x04"])
def test_a_document_that_does_not_say_when_it_was_saved_gets_no_date(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data)
    assert saved(str(tmp_path / "a")) == ""
