from __future__ import annotations

import zlib
from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Encryption, Name, Pdf, String

from tasks.premis.model import Trouble
from tasks.sealed.pdfa import repair
from tests.tasks.sealed.pdfa.pdfs import make, repaired, sha256


def test_the_same_source_gives_the_same_bytes_twice(tmp_path: Path) -> None:
    source = make(tmp_path / "a.pdf")
    for clauses in (None, ["6.2.11.5", "6.2.2"]):
        repair(str(source), str(tmp_path / "1.pdf"), clauses=clauses)
        repair(str(source), str(tmp_path / "2.pdf"), clauses=clauses)
        assert sha256(tmp_path / "1.pdf") == sha256(tmp_path / "2.pdf")


def test_the_content_stream_keeps_its_bytes(tmp_path: Path) -> None:
    result = repaired(tmp_path)
    with pikepdf.open(result.source) as source, result.pdf as product:
        assert source.pages[0].Contents.read_bytes() == product.pages[0].Contents.read_bytes()
    assert result.same_text()


def test_a_password_that_only_restricts_is_removed_and_told(tmp_path: Path) -> None:
    source = make(tmp_path / "a.pdf")
    with pikepdf.open(source) as pdf:
        pdf.save(tmp_path / "locked.pdf", encryption=Encryption(owner="x", user=""))
    answer = repair(str(tmp_path / "locked.pdf"), str(tmp_path / "b.pdf"))
    assert {"clause": "6.1.3", "kind": "loss"}.items() <= answer["log"][0].items()
    with pikepdf.open(tmp_path / "b.pdf") as pdf:
        assert not pdf.is_encrypted


def test_a_password_that_opens_is_asked_for(tmp_path: Path) -> None:
    source = make(tmp_path / "a.pdf")
    with pikepdf.open(source) as pdf:
        pdf.save(tmp_path / "locked.pdf", encryption=Encryption(owner="x", user="y"))
    with pytest.raises(Trouble) as raised:
        repair(str(tmp_path / "locked.pdf"), str(tmp_path / "b.pdf"))
    assert raised.value.code == "source-encrypted"


def test_a_page_whose_content_does_not_decode_is_never_passed_on(tmp_path: Path) -> None:
    def spoil(pdf: Pdf) -> None:
        pdf.pages[0].Contents.write(b"\x78\x9c broken", filter=Name.FlateDecode)

    with pytest.raises(Trouble) as raised:
        repaired(tmp_path, spoil)
    assert raised.value.code == "source-damaged"
    assert "page 1" in raised.value.detail["what"]


def test_a_deflated_stream_that_breaks_its_checksum_is_damage_even_if_readers_show_it(tmp_path: Path) -> None:
    packed = bytearray(zlib.compress(b"a picture or a font, letter by letter " * 9))
    packed[-1] ^= 0xFF

    def rot(pdf: Pdf) -> None:
        stream = pdf.make_stream(b"")
        stream.write(bytes(packed), filter=Name.FlateDecode)
        pdf.Root.Private = stream

    source = tmp_path / "a.pdf"
    make(source, rot)
    with pytest.raises(Trouble) as raised:
        repair(str(source), str(tmp_path / "b.pdf"))
    assert raised.value.code == "source-damaged"


def test_a_stream_that_cannot_be_written_again_is_damage_and_no_crash(tmp_path: Path) -> None:
    def damage(pdf: Pdf) -> None:
        stream = pdf.make_stream(b"data")
        stream.Filter = Array([Name.DCTDecode, Name.XXXXX])  # of equal length, for the exchange below
        pdf.pages[0].Resources.XObject = Dictionary(X=stream)

    source = make(tmp_path / "a.pdf", damage)
    data = source.read_bytes()
    source.write_bytes(data.replace(b"/DCTDecode /XXXXX", b"/Crypt /DCTDecode"))  # qpdf itself would not write it
    assert source.read_bytes() != data
    with pytest.raises(Trouble) as caught:
        repair(str(source), str(tmp_path / "b.pdf"))
    assert caught.value.code == "source-damaged"


def test_a_file_that_lost_its_cross_reference_table_is_repaired_and_says_so(tmp_path: Path) -> None:
    source = make(tmp_path / "a.pdf")
    damaged = source.read_bytes().replace(b"startxref", b"startxxxx")
    (tmp_path / "b.pdf").write_bytes(damaged)
    answer = repair(str(tmp_path / "b.pdf"), str(tmp_path / "c.pdf"))
    assert "damaged" in answer["recovered"]


def test_objects_that_refer_to_each_other_in_circles_end(tmp_path: Path) -> None:
    def knot(pdf: Pdf) -> None:
        one, other = pdf.make_indirect(Dictionary()), pdf.make_indirect(Dictionary())
        one.Next, other.Next, one.S = other, one, Name.GoTo
        other.Parent, one.Parent = one, other
        pdf.Root.Circle = one
        nest = Array()
        for _ in range(400):
            nest = Array([nest])
        pdf.Root.Deep = nest

    assert repaired(tmp_path, knot).same_text()


def test_strings_and_numbers_beyond_the_limits_are_cut_and_told(tmp_path: Path) -> None:
    def exceed(pdf: Pdf) -> None:
        pdf.Root.Private = Dictionary(Long=String("x" * 40000), Big=3_000_000_000)

    result = repaired(tmp_path, exceed)
    with result.pdf as pdf:
        assert len(bytes(pdf.Root.Private.Long)) == 32767
        assert pdf.Root.Private.Big == 2147483647
    assert result.lines("6.1.13", "loss")
    assert result.lines("6.1.13", "guess")


def test_every_line_of_the_log_has_the_agreed_shape(tmp_path: Path) -> None:
    for row in repaired(tmp_path).answer["log"]:
        assert set(row) == {"clause", "what", "count", "names", "kind"}
        assert row["kind"] in {"fix", "loss", "guess"}
        assert row["count"] > 0
