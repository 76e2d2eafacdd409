from __future__ import annotations

import zipfile
from pathlib import Path

from tasks.sealed.office_freeze import freeze
from tasks.sealed.office_text import source_text
from tests.tasks.sealed.office import files
from tests.tasks.sealed.office.files import paragraph, run


def field(code: str, result: str) -> str:
    mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    parts = [mark.format("begin"), f"<w:r><w:instrText> {code} </w:instrText></w:r>", mark.format("separate")]
    return "".join([*parts, result, mark.format("end")])


def frozen(tmp_path: Path, body: str) -> tuple[int | None, str]:
    source = files.docx(tmp_path / "a.docx", body)
    count = freeze(str(source), str(tmp_path / "b.docx"))
    return count, (tmp_path / "b.docx").read_bytes() and mark_up(tmp_path / "b.docx") if count else ""


def mark_up(path: Path) -> str:
    return zipfile.ZipFile(path).read("word/document.xml").decode()


def test_a_date_field_becomes_the_text_that_was_saved(tmp_path: Path) -> None:
    count, made = frozen(tmp_path, paragraph(field(r'DATE \@ "d/M/y"', run("3/4/03"))))
    assert count == 1
    assert "fldChar" not in made
    assert "instrText" not in made
    assert source_text(str(tmp_path / "b.docx")).shown == ["3/4/03"]


def test_a_simple_field_is_frozen_too(tmp_path: Path) -> None:
    simple = f'<w:fldSimple w:instr=" FILENAME ">{run("công văn.doc")}</w:fldSimple>'
    count, made = frozen(tmp_path, paragraph(simple))
    assert count == 1
    assert "fldSimple" not in made
    assert "công văn.doc" in made


def test_fields_that_depend_on_the_pages_stay_alive(tmp_path: Path) -> None:
    assert frozen(tmp_path, paragraph(field("PAGE", run("7")), field("NUMPAGES", run("9")))) == (0, "")
    assert not (tmp_path / "b.docx").exists()


def test_a_volatile_field_inside_a_living_one_is_frozen_alone(tmp_path: Path) -> None:
    count, made = frozen(tmp_path, paragraph(field("TOC", field("TIME", run("noon")))))
    assert count == 1
    assert made.count("<w:fldChar ") == 3
    assert "TOC" in made


def test_a_field_without_a_saved_text_is_left_to_the_office(tmp_path: Path) -> None:
    bare = '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>DATE</w:instrText></w:r>'
    assert frozen(tmp_path, paragraph(bare + '<w:r><w:fldChar w:fldCharType="end"/></w:r>')) == (0, "")


def test_a_template_is_not_read_and_says_so(tmp_path: Path) -> None:
    path = files.docx(tmp_path / "a.docx", paragraph(run("x")))
    files.package(path, {"[Content_Types].xml": "<Types/>", "_rels/.rels": files.relations()})
    assert freeze(str(path), str(tmp_path / "b.docx")) is None
