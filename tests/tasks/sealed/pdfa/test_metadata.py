from __future__ import annotations

from pathlib import Path

from pikepdf import Name, Pdf

from tasks.sealed.pdf_facts import claim
from tests.tasks.sealed.pdfa.pdfs import repaired

PACKET = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:own="http://example.org/own/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<own:shelf>B 12</own:shelf><dc:format>application/pdf</dc:format></rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def with_packet(packet: bytes):
    def change(pdf: Pdf) -> None:
        pdf.Root.Metadata = pdf.make_stream(packet, Type=Name.Metadata, Subtype=Name.XML)
        pdf.docinfo["/Title"] = "Công văn số 12"

    return change


def test_the_title_reaches_the_packet_and_the_claim_is_2b(tmp_path: Path) -> None:
    with repaired(tmp_path, with_packet(PACKET.encode())).pdf as pdf:
        packet = pdf.Root.Metadata.read_bytes()
    assert "Công văn số 12" in packet.decode()
    assert claim(packet) == "2b"


def test_properties_that_pdfa_forbids_stay_in_a_private_copy_of_the_packet(tmp_path: Path) -> None:
    result = repaired(tmp_path, with_packet(PACKET.encode()))
    with result.pdf as pdf:
        assert b"B 12" not in pdf.Root.Metadata.read_bytes()
        private = pdf.Root.PieceInfo["/Perenne"].Private.SourceMetadata
        assert private.read_bytes() == PACKET.encode()
    assert result.lines("6.6.2.3")


def test_a_packet_that_is_no_xml_is_replaced_and_kept(tmp_path: Path) -> None:
    with repaired(tmp_path, with_packet(b"<x:xmpmeta>broken")).pdf as pdf:
        assert claim(pdf.Root.Metadata.read_bytes()) == "2b"
        assert pdf.Root.PieceInfo["/Perenne"].Private.SourceMetadata.read_bytes() == b"<x:xmpmeta>broken"
