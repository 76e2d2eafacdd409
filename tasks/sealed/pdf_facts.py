"""Facts of a PDF that a rule may ask for, read without changing anything. Runs inside a job only."""

from __future__ import annotations

import pikepdf
from lxml import etree
from pikepdf import Dictionary, Pdf, Stream

from tasks.premis.model import Trouble
from tasks.sealed.pdf_pages import is_scanned
from tasks.sealed.pdfa.objects import dictionary, is_dictionary, name_at, reachable, text
from tasks.sealed.pdfa.saving import open_source

LIBRARIES = ("pikepdf", "lxml")

Fact = str | int | bool

PDFAID = "{http://www.aiim.org/pdfa/ns/id/}"
CLAIMS = frozenset({"1a", "1b", "2a", "2b", "2u", "3a", "3b", "3u", "4", "4e", "4f"})
MAX_PACKET = 8 << 20


def facts(source: str) -> dict[str, Fact]:
    """Returns the facts of a PDF: pages, encrypted, signed, claims_pdfa, scanned, has_text, xfa, javascript,
    attachments, tagged, language, producer.

    `encrypted` is "none", "owner" (opens, but rights are restricted) or "open" (a password opens it; then every other
    fact has its empty value). Raises Trouble `source-damaged` when no page can be read.
    """
    try:
        pdf = open_source(source)
    except Trouble as trouble:
        if trouble.code == "source-encrypted":
            return _empty() | {"encrypted": "open"}
        raise
    with pdf:
        scanned, has_text = is_scanned(pdf)
        root = pdf.Root
        info = pdf.trailer.get("/Info")
        return {
            "pages": len(pdf.pages),
            "encrypted": "owner" if pdf.is_encrypted else "none",
            "claims_pdfa": claim(packet(pdf)),
            "scanned": scanned,
            "has_text": has_text,
            "xfa": "/XFA" in (dictionary(root, "/AcroForm") or Dictionary()),
            "tagged": is_dictionary(root.get("/StructTreeRoot")),
            "language": text(root.get("/Lang"))[:64],
            "producer": text(info.get("/Producer"))[:256] if isinstance(info, Dictionary) else "",
            **_behaviour(pdf),
        }


def _empty() -> dict[str, Fact]:
    return {
        "pages": 0,
        "encrypted": "none",
        "signed": False,
        "claims_pdfa": "",
        "scanned": False,
        "has_text": False,
        "xfa": False,
        "javascript": False,
        "attachments": 0,
        "tagged": False,
        "language": "",
        "producer": "",
    }


def _behaviour(pdf: Pdf) -> dict[str, Fact]:
    """Finds signatures that hold a value, JavaScript and embedded files wherever they hang."""
    signed = javascript = False
    # Adobe's usage rights (/UR3) are signed by Adobe's servers: they say nothing about who made the document.
    usage = dictionary(dictionary(pdf.Root, "/Perms"), "/UR3")
    rights = usage.objgen if usage is not None else None
    files: set[tuple[int, int]] = set()
    for value in reachable(pdf):
        if not isinstance(value, Dictionary | Stream):
            continue
        if "/EF" in value and (embedded := dictionary(value, "/EF")) is not None:
            files |= {child.objgen for _, child in embedded.items() if isinstance(child, Stream)}
        if "/JS" in value or name_at(value, "/S") == "/JavaScript":
            javascript = True
        if "/ByteRange" in value and "/Contents" in value and value.objgen != rights:
            signed = True
    return {"signed": signed, "javascript": javascript, "attachments": len(files)}


def packet(pdf: Pdf) -> bytes:
    """Returns the document's XMP packet, b"" when there is none or it cannot be read."""
    stream = pdf.Root.get("/Metadata")
    if not isinstance(stream, Stream):
        return b""
    try:
        return stream.read_bytes()
    except pikepdf.PdfError:
        return b""


def claim(xmp: bytes) -> str:
    """Returns the PDF/A flavour that a packet claims ("1b", "2u", "4f" …), "" when it claims none.

    pdfaid:part and pdfaid:conformance may be elements or attributes of any rdf:Description (ISO 19005, 6.6.4 of
    parts 2 and 3, 6.7.11 of part 1). A packet that contradicts itself or is not well
    formed claims nothing.
    """
    if not xmp or len(xmp) > MAX_PACKET:
        return ""
    if xmp[:2] not in (b"\xfe\xff", b"\xff\xfe"):
        xmp = xmp[max(xmp.find(b"<"), 0) : xmp.rfind(b">") + 1]
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(xmp, parser)
    except (etree.XMLSyntaxError, ValueError):
        return ""
    found: dict[str, set[str]] = {"part": set(), "conformance": set()}
    for element in root.iter():
        for key, values in found.items():
            if element.tag == PDFAID + key:
                values.add((element.text or "").strip())
            elif isinstance(element.tag, str) and (attribute := element.get(PDFAID + key)) is not None:
                values.add(str(attribute).strip())
    if len(found["part"]) != 1 or len(found["conformance"]) > 1:
        return ""
    flavour = found["part"].pop() + "".join(found["conformance"]).lower()
    return flavour if flavour in CLAIMS else ""
