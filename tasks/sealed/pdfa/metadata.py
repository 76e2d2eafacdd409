"""ISO 19005-2, 6.6 Metadata: one XMP packet that PDF/A permits, the old one kept beside it."""

from __future__ import annotations

import re

import pikepdf
from pikepdf import Dictionary, Name, Pdf, Stream, String

from tasks.sealed.pdfa.borrowed import (
    INFO_TO_XMP,
    Reading,
    Value,
    read_packet,
    sync_docinfo_from_xmp,
    write_packet,
    xmp_value_from_info,
)
from tasks.sealed.pdfa.ledger import Ledger

PDFAID = "{http://www.aiim.org/pdfa/ns/id/}"
XMP = "{http://ns.adobe.com/xap/1.0/}"
PRIVATE_KEY = "/Perenne"
MAX_PACKET = 8 << 20
"""A larger packet is not read: real ones are some kilobytes, and a hostile one must not cost the job's memory."""


def declare(pdf: Pdf, ledger: Ledger, part: int, *, date: str | None = None) -> None:
    """6.6.2 and 6.6.4: writes the packet that PDF/A permits and declares `part`, level B.

    What the old packet says beyond that is not lost: the packet is kept whole as a private stream of /PieceInfo.
    Entries of the information dictionary that XMP lacks are copied to it. `date` (ISO 8601) overrides all dates.
    """
    packet = _old_packet(pdf)
    reading = _read(packet, part)
    properties = {key: value for key, value in reading.properties.items() if not key.startswith(PDFAID)}
    _fill_from_info(pdf, ledger, properties)
    if date is not None:
        for name in ("CreateDate", "ModifyDate", "MetadataDate"):
            properties[f"{XMP}{name}"] = Value("simple", text=date)
    properties[f"{PDFAID}part"] = Value("simple", text=str(part))
    properties[f"{PDFAID}conformance"] = Value("simple", text="B")
    dropped = [label for label in reading.dropped_labels() if not label.startswith("pdfaid:")]
    if packet is not None and (dropped or not reading.parsed):
        _keep_packet(pdf, packet)
        for label in dropped or ["whole packet: unreadable"]:
            ledger.write("6.6.2.3", "XMP property moved to the private copy of the old packet", name=label)
    pdf.Root.Metadata = pdf.make_stream(write_packet(properties), Type=Name.Metadata, Subtype=Name.XML)
    if part == 1:
        # ISO 19005-1, 6.7.3: there the information dictionary must agree with the packet.
        sync_docinfo_from_xmp(pdf, "1b")


def _old_packet(pdf: Pdf) -> bytes | None:
    stream = pdf.Root.get("/Metadata")
    if not isinstance(stream, Stream):
        return None
    try:
        packet = stream.read_bytes()
    except pikepdf.PdfError:
        return stream.read_raw_bytes()
    return packet


def _read(packet: bytes | None, part: int) -> Reading:
    if packet is None:
        return Reading()
    if len(packet) > MAX_PACKET:
        reading = Reading()
        reading.parsed = False
        return reading
    if packet[:2] in (b"\xfe\xff", b"\xff\xfe"):
        return read_packet(packet, f"{part}b")
    # Padding and stray bytes around the packet are common and harmless, yet no XML parser takes them.
    start, end = packet.find(b"<"), packet.rfind(b">")
    return read_packet(packet[start : end + 1] if start >= 0 else packet, f"{part}b")


def _fill_from_info(pdf: Pdf, ledger: Ledger, properties: dict[str, Value]) -> None:
    info = pdf.trailer.get("/Info")
    if info is None:
        return
    if not isinstance(info, Dictionary):
        del pdf.trailer["/Info"]
        ledger.write("6.1.5", "information dictionary of a wrong type removed", "loss")
        return
    for info_key, xmp_key, form in INFO_TO_XMP:
        if xmp_key in properties or info_key not in info:
            continue
        value = xmp_value_from_info(info[info_key], form)
        if value is not None:
            properties[xmp_key] = value


def _keep_packet(pdf: Pdf, packet: bytes) -> None:
    """Puts the packet under /Root /PieceInfo, where PDF lets an application keep data of its own."""
    pieces = pdf.Root.get("/PieceInfo")
    if not isinstance(pieces, Dictionary):
        pieces = Dictionary()
        pdf.Root.PieceInfo = pieces
    # /LastModified is required; a fixed one keeps repeated runs equal, and nobody compares it with the page's.
    private = Dictionary(SourceMetadata=pdf.make_stream(packet))
    pdf.Root.PieceInfo[PRIVATE_KEY] = pdf.make_indirect(
        Dictionary(LastModified=String("D:20000101000000Z"), Private=private)
    )


def date_information(pdf: Pdf, date: str) -> None:
    """Sets both dates of the information dictionary; raises ValueError when `date` is not ISO 8601 with a zone."""
    info = pdf.trailer.get("/Info")
    if not isinstance(info, Dictionary):
        info = pdf.docinfo
    for key in ("/CreationDate", "/ModDate"):
        info[key] = String(pdf_date(date))


def pdf_date(date: str) -> str:
    """Returns an ISO 8601 date with time as a PDF date (ISO 32000-1, 7.9.4); raises ValueError on anything else."""
    found = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(Z|([+-])(\d\d):(\d\d))", date)
    if found is None:
        raise ValueError(f"not an ISO 8601 time with zone: {date!r}")
    zone = "Z" if found[7] == "Z" else f"{found[8]}{found[9]}'{found[10]}'"
    return "D:" + "".join(found.group(*range(1, 7))) + zone
