from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, AttachedFileSpec, Dictionary, Name, Pdf

from tasks.premis.model import Trouble
from tasks.sealed.pdf_facts import facts
from tasks.sealed.pdfa import profiles, settle
from tests.tasks.sealed.pdfa.pdfs import make, sha256, text

SEED, DATE = "ab" * 32, "2026-01-02T03:04:05Z"


def date_it(value: str):
    def change(pdf: Pdf) -> None:
        pdf.docinfo["/CreationDate"] = value
        pdf.docinfo["/Title"] = "Kept"

    return change


def test_two_runs_of_another_program_settle_to_the_same_bytes(tmp_path: Path) -> None:
    first = make(tmp_path / "a.pdf", date_it("D:20200101000000Z"))
    second = make(tmp_path / "b.pdf", date_it("D:20211231235959Z"))
    for source in (first, second):
        settle(str(source), f"{source}.out", seed=SEED, date=DATE)
    assert sha256(first) != sha256(second)
    assert sha256(Path(f"{first}.out")) == sha256(Path(f"{second}.out"))


def test_ids_dates_and_declaration_come_from_the_arguments(tmp_path: Path) -> None:
    source = make(tmp_path / "a.pdf", date_it("D:20200101000000Z"))
    settle(str(source), str(tmp_path / "b.pdf"), seed=SEED, date=DATE)
    with pikepdf.open(tmp_path / "b.pdf") as pdf:
        assert bytes(pdf.trailer.ID[0]) == bytes.fromhex(SEED)[:16]
        assert str(pdf.docinfo["/CreationDate"]) == str(pdf.docinfo["/ModDate"]) == "D:20260102030405Z"
        packet = pdf.Root.Metadata.read_bytes().decode()
    assert packet.count(DATE) == 3
    assert ">Kept<" in packet
    assert facts(str(tmp_path / "b.pdf"))["claims_pdfa"] == "2b"
    assert text(source) == text(tmp_path / "b.pdf")


def test_the_time_in_a_colour_profile_comes_from_the_arguments_and_its_colours_stay(tmp_path: Path) -> None:
    def intent(stamp: bytes):
        def change(pdf: Pdf) -> None:
            data = profiles.srgb()
            profile = pdf.make_stream(data[:24] + stamp + data[36:])
            entries = Dictionary(Type=Name.OutputIntent, S=Name.GTS_PDFA1, DestOutputProfile=profile)
            pdf.Root.OutputIntents = Array([pdf.make_indirect(entries)])

        return change

    products = []
    for letter, stamp in (("a", b"\x07\xe9" + bytes(10)), ("b", b"\x07\xea" + bytes(10))):
        source = make(tmp_path / f"{letter}.pdf", intent(stamp))
        products.append(tmp_path / f"{letter}.out")
        settle(str(source), str(products[-1]), seed=SEED, date=DATE)
    assert sha256(products[0]) == sha256(products[1])
    with pikepdf.open(products[0]) as pdf:
        data = pdf.Root.OutputIntents[0].DestOutputProfile.read_bytes()
    assert [int.from_bytes(data[i : i + 2], "big") for i in range(24, 36, 2)] == [2026, 1, 2, 3, 4, 5]
    assert data[100:] == profiles.srgb()[100:]


def test_a_file_with_attachments_is_declared_part_3(tmp_path: Path) -> None:
    def attach(pdf: Pdf) -> None:
        pdf.attachments["a.txt"] = AttachedFileSpec(pdf, b"a", filename="a.txt")

    source = make(tmp_path / "a.pdf", attach)
    answer = settle(str(source), str(tmp_path / "b.pdf"), seed=SEED, date=DATE)
    assert answer["part"] == 3
    assert facts(str(tmp_path / "b.pdf"))["claims_pdfa"] == "3b"


@pytest.mark.parametrize("date", ["2026-01-02", "yesterday", "2026-01-02T03:04:05"])
def test_a_date_without_time_or_zone_is_refused(tmp_path: Path, date: str) -> None:
    source = make(tmp_path / "a.pdf")
    with pytest.raises(ValueError, match="ISO 8601"):
        settle(str(source), str(tmp_path / "b.pdf"), seed=SEED, date=date)


def test_what_is_no_pdf_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"no pdf at all")
    with pytest.raises(Trouble) as raised:
        settle(str(tmp_path / "a.pdf"), str(tmp_path / "b.pdf"), seed=SEED, date=DATE)
    assert raised.value.code == "source-damaged"
