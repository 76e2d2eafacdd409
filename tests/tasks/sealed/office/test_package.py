from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from tasks.premis.model import Trouble
from tasks.sealed.office import package as module
from tasks.sealed.office.package import Package, parse, stream
from tests.tasks.sealed.office import files

LAUGHS = "<!DOCTYPE a [<!ENTITY x0 'haha'>{}]><a>&x9;</a>".format(
    "".join(f"<!ENTITY x{n} '{f'&x{n - 1};' * 10}'>" for n in range(1, 10))
)


def test_a_package_that_unpacks_beyond_all_measure_is_a_suspected_bomb(tmp_path: Path) -> None:
    path = files.package(tmp_path / "a.docx", {"word/document.xml": bytes(70 << 20)})
    with pytest.raises(Trouble) as caught:
        Package(str(path))
    assert caught.value.code == "bomb-suspected"
    assert caught.value.detail["size"] == "73.4 MB"
    assert int(caught.value.detail["ratio"]) > 100


def test_equal_rows_that_shrink_well_are_no_bomb(tmp_path: Path) -> None:
    path = files.package(tmp_path / "a.xlsx", {"xl/sheet.xml": b"<row/>" * 1_000_000})
    with Package(str(path)) as package:
        assert len(package.read("xl/sheet.xml")) == 6_000_000


def test_a_member_that_lies_about_its_size_is_damaged(tmp_path: Path) -> None:
    path = files.package(tmp_path / "a.docx", {"a.xml": b"<a>" + b" " * 5000 + b"</a>"})
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", 5007), struct.pack("<I", 100)))
    with Package(str(path)) as package, pytest.raises(Trouble) as caught:
        package.read("a.xml")
    assert caught.value.code == "source-damaged"


def test_a_member_whose_name_is_no_text_is_damaged(tmp_path: Path) -> None:
    """Found by fuzzing: zipfile decodes the name in the local header, which the directory contradicts."""
    path = files.package(tmp_path / "a.odt", {"mimetype": b"x"})
    data = bytearray(path.read_bytes())
    data[6:8] = struct.pack("<H", 0x0800)  # the name is UTF-8
    data[30] = 0xFF
    path.write_bytes(bytes(data))
    with Package(str(path)) as package, pytest.raises(Trouble) as caught:
        package.read("mimetype")
    assert caught.value.code == "source-damaged"


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 and nothing else", b"no zip at all"])
def test_what_is_no_zip_is_damaged(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(data)
    with pytest.raises(Trouble) as caught:
        Package(str(tmp_path / "a.docx"))
    assert caught.value.code == "source-damaged"


def test_a_broken_member_is_damaged_and_named(tmp_path: Path) -> None:
    path = files.package(tmp_path / "a.docx", {"word/document.xml": b"<a>" + bytes(range(65, 91)) * 50 + b"</a>"})
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(bytes(data))
    with Package(str(path)) as package, pytest.raises(Trouble) as caught:
        package.read("word/document.xml")
    assert caught.value.code == "source-damaged"
    assert "word/document.xml" in caught.value.detail["what"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_that_multiply_are_refused_before_the_parser_sees_them(encoding: str) -> None:
    with pytest.raises(Trouble) as caught:
        parse(LAUGHS.encode(encoding), "a.xml")
    assert caught.value.code == "bomb-suspected"


def test_entities_that_go_in_circles_are_refused() -> None:
    with pytest.raises(Trouble) as caught:
        parse(b'<!DOCTYPE a [<!ENTITY x "&y;"><!ENTITY y "&x;">]><a>&x;</a>', "a.xml")
    assert caught.value.code == "bomb-suspected"


def test_entities_are_not_resolved_and_nothing_is_read_from_the_disk(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("top secret")
    root = parse(f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}">]><a>&x;</a>'.encode(), "a.xml")
    assert "secret" not in "".join(root.itertext())


def test_malformed_xml_is_damaged_whether_parsed_or_streamed() -> None:
    for read in (lambda: parse(b"<a><b></a>", "a.xml"), lambda: list(stream(b"<a><b/><b></a>", "a.xml", "b"))):
        with pytest.raises(Trouble) as caught:
            read()
        assert caught.value.code == "source-damaged"


def test_streamed_elements_are_complete_and_forgotten() -> None:
    data = b"<a>" + b"".join(b"<r><c>%d</c></r>" % n for n in range(1000)) + b"</a>"
    assert [int(r[0].text) for r in stream(data, "a.xml", "r")] == list(range(1000))


def test_parts_are_found_without_regard_to_case_and_relations_are_relative_to_their_part(tmp_path: Path) -> None:
    rows = files.relations(("a", "image", "../media/x%20y.png"), ("b", "hyperlink", "http://example.org/", "External"))
    path = files.package(tmp_path / "a.docx", {"word/_rels/document.xml.rels": rows, "Media/X y.PNG": b"picture"})
    with Package(str(path)) as package:
        found = package.relations("word/document.xml")
        assert (found["a"].target, found["a"].external) == ("media/x y.png", False)
        assert (found["b"].target, found["b"].external) == ("http://example.org/", True)
        assert list(package.related("word/document.xml", "image")) == ["media/x y.png"]
        assert package.read("media/x y.png") == b"picture"


def test_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MEMBERS", 3)
    path = files.package(tmp_path / "a.zip", {str(n): b"" for n in range(4)})
    with pytest.raises(Trouble) as caught:
        Package(str(path))
    assert caught.value.code == "bomb-suspected"


def test_an_encrypted_member_is_damaged_to_a_reader_without_its_key(tmp_path: Path) -> None:
    path = files.package(tmp_path / "a.docx", {"a.xml": b"<a/>"})
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as made:
        central = made.start_dir
    data[6] |= 1
    data[central + 8] |= 1
    path.write_bytes(bytes(data))
    with Package(str(path)) as package, pytest.raises(Trouble) as caught:
        package.read("a.xml")
    assert caught.value.code == "source-damaged"
