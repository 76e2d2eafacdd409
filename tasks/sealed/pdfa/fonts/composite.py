"""ISO 19005-2, 6.2.11.3 and 6.2.11.4.1 for composite fonts: dictionaries, and a stand-in where none is embedded."""

from __future__ import annotations

import copy
import re

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream, String

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.fonts.build import Outline, nothing, truetype, twin_outline
from tasks.sealed.pdfa.fonts.cmaps import (
    TWO_BYTES,
    cid_widths,
    code_map,
    ordering,
    predefined,
    remapped,
    unicode_of_cids,
)
from tasks.sealed.pdfa.fonts.encodings import to_unicode, write_to_unicode
from tasks.sealed.pdfa.fonts.meaning import by_widths
from tasks.sealed.pdfa.fonts.twins import Glyph, choose, find
from tasks.sealed.pdfa.fonts.usage import Usage
from tasks.sealed.pdfa.objects import (
    PdfObject,
    array,
    dictionary,
    integer,
    is_dictionary,
    is_stream,
    name,
    name_at,
    number,
    text,
)

FIRST_GBK_LATIN = 814
"""GBK-EUC-H sends the single bytes from the space on to the half-width CIDs of Adobe-GB1 that begin here."""
FIRST_SPARE_CID = 30_000
"""Codes that a predefined CMap sends to CID 0 get CIDs from here on, since CID 0 always counts as .notdef."""


def descendant(font: PdfObject) -> PdfObject:
    """Returns the CIDFont of a Type 0 font, None when it has none."""
    found = font.get("/DescendantFonts")
    if is_dictionary(found):
        font["/DescendantFonts"] = Array([found])
        return font["/DescendantFonts"][0]
    parts = array(font, "/DescendantFonts")
    return parts[0] if parts and is_dictionary(parts[0]) else None


def dictionaries(document: Document, font: PdfObject, cidfont: PdfObject, *, embedded: bool) -> None:
    """6.2.11.3.1 to 6.2.11.4.2: agreement of the CMap and the CIDFont, CIDToGIDMap, CIDSet."""
    if "/BaseFont" not in font:
        font["/BaseFont"] = cidfont.get("/BaseFont") or Name.Unnamed
        document.log("6.2.11.2", "name of a composite font taken from its descendant")
    if dictionary(cidfont, "/CIDSystemInfo") is None:
        cidfont["/CIDSystemInfo"] = Dictionary(Registry=String("Adobe"), Ordering=String("Identity"), Supplement=0)
        document.log("6.2.11.3.1", "character collection of a font completed")
    if is_stream(font.get("/Encoding")):
        _own_cmap(document, font["/Encoding"], cidfont)
    if not embedded:
        return
    if name_at(cidfont, "/Subtype") == "/CIDFontType2" and "/CIDToGIDMap" not in cidfont:
        cidfont["/CIDToGIDMap"] = Name.Identity
        document.log("6.2.11.3.2", "CIDToGIDMap Identity, as readers assume")
    descriptor = dictionary(cidfont, "/FontDescriptor")
    document.drop(descriptor, "/CIDSet", "6.2.11.4.2", "list of the CIDs of a subset")


def _own_cmap(document: Document, cmap: Stream, cidfont: PdfObject) -> None:
    """6.2.11.3.1 and 6.2.11.3.3: the CIDFont names the CMap's collection, /WMode says what the CMap says."""
    try:
        data = cmap.read_bytes()
    except pikepdf.PdfError:
        return
    mode = re.search(rb"/WMode\s+([01])\s+def", data)
    if integer(cmap, "/WMode") != (int(mode[1]) if mode else 0):
        cmap["/WMode"] = int(mode[1]) if mode else 0
        document.log("6.2.11.3.3", "writing mode of a CMap repeated in its dictionary")
    system = dictionary(cmap, "/CIDSystemInfo")
    if system is not None:
        registry, collection = text(system.get("/Registry")), text(system.get("/Ordering"))
        supplement = integer(system, "/Supplement")
    else:
        inside = [re.search(rb"/%s\s*\(([^()]*)\)" % key, data) for key in (b"Registry", b"Ordering")]
        count = re.search(rb"/Supplement\s+(\d{1,4})", data)
        registry, collection = (found[1].decode("latin-1") if found else "" for found in inside)
        supplement = int(count[1]) if count else 0
    own = dictionary(cidfont, "/CIDSystemInfo")
    if registry and collection and (registry, collection) != (text(own.get("/Registry")), text(own.get("/Ordering"))):
        entries = Dictionary(Registry=String(registry), Ordering=String(collection), Supplement=supplement)
        cidfont["/CIDSystemInfo"] = entries
        document.log("6.2.11.3.1", "character collection of a font set to its CMap's")


def embed(document: Document, font: PdfObject, cidfont: PdfObject, usage: Usage) -> None:
    """Gives a CIDFont without a program a TrueType one with a glyph for every CID shown; codes and CMap stay.

    The meaning of a CID comes from /ToUnicode, from its Adobe collection, or from widths that prove it; a CID without
    a proved meaning is noted as unknown, so that the product is held and never a guess passed on as the text.
    """
    cmap = code_map(font) or TWO_BYTES
    base_font = name_at(cidfont, "/BaseFont") or name_at(font, "/BaseFont")
    descriptor = dictionary(cidfont, "/FontDescriptor")
    twin = choose(base_font, integer(descriptor, "/Flags") if descriptor is not None else 0)
    texts, codes = _texts(document, font, cidfont, usage)
    default, given = cid_widths(cidfont)
    widths = {cid: given.get(cid, default) for cid in texts}
    glyphs: dict[int, Glyph] = {}
    if cmap is TWO_BYTES and ordering(cidfont) == "Identity" and not all(texts.values()):
        reading = by_widths(base_font, twin.style, twin.file, set(texts), widths)
        if reading is not None:
            glyphs |= reading.glyphs
            texts |= {cid: found for cid, found in reading.texts.items() if not texts[cid]}
            document.log("6.2.11.4.1", f"meaning of a font's codes proved by widths: {reading.name}", name=base_font)
    for cid, meant in texts.items():
        if cid not in glyphs and len(meant) == 1 and (found := find(twin.file, twin.style, "", meant)) is not None:
            glyphs[cid] = found
    outlines = {
        cid: twin_outline(glyphs[cid], widths[cid]) if cid in glyphs else Outline(nothing, round(widths[cid]))
        for cid in texts
    }
    characters = {ord(meant): cid for cid, meant in texts.items() if len(meant) == 1}
    program, positions = truetype(outlines, characters)
    install(document, cidfont, descriptor, program, positions)
    if "/ToUnicode" not in font or isinstance(font.get("/ToUnicode"), Name):
        known = {code: texts[cid] for code, cid in codes.items() if texts[cid]}
        if known:
            font["/ToUnicode"] = write_to_unicode(document, known, 2)
    shown = base_font.lstrip("/")
    document.replaced_fonts[shown] = twin.family
    document.log("6.2.11.4.1", "composite font not embedded: a similar font stands in", "guess", name=shown)
    unknown = [cid for cid, meant in texts.items() if cid not in glyphs and (meant.strip() or not meant)]
    if unknown:
        document.unknown_glyph(shown, len(unknown), len(texts))


def _texts(
    document: Document, font: PdfObject, cidfont: PdfObject, usage: Usage
) -> tuple[dict[int, str], dict[int, int]]:
    """Returns (CID → text or "", code → CID) of what is shown; codes without a CID get one of their own."""
    cmap = code_map(font) or TWO_BYTES
    encoding = name(font.get("/Encoding"))
    mapped, collection = to_unicode(font), unicode_of_cids(ordering(cidfont))
    texts: dict[int, str] = {}
    codes: dict[int, int] = {}
    spare: dict[tuple[int, int], int] = {}
    for shown in sorted(usage.shown(font)):
        for code, length, cid in cmap.decode(shown):
            if cid == 0 and encoding and not encoding.startswith("/Identity"):
                cid = spare.setdefault((code, length), FIRST_SPARE_CID + len(spare))
                texts[cid] = mapped.get(code, " " if code < 33 else "")
            elif cid not in texts or not texts[cid]:
                meant = mapped.get(code, "")
                if not meant and cid < len(collection) and collection[cid]:
                    meant = chr(collection[cid])
                if not meant and length == 2 and re.search("UCS2|UTF16", encoding):
                    meant = chr(code)
                texts[cid] = meant
            codes[code] = cid
    if spare:
        font["/Encoding"] = remapped(document, font, spare, cidfont)
        document.log("6.2.11.8", "codes without a glyph given a glyph of their own", count=len(spare))
    return texts, codes


def install(document: Document, cidfont: PdfObject, old: PdfObject, program: bytes, positions: bytes) -> None:
    """Puts a TrueType program with its /CIDToGIDMap into a CIDFont, under a descriptor of its own."""
    forgotten = ("/FontFile", "/FontFile2", "/FontFile3", "/CIDSet")
    made = copy.copy(old) if old is not None else Dictionary()
    for key in forgotten:
        if key in made:
            del made[key]
    defaults: dict[str, PdfObject] = {
        "/Type": Name.FontDescriptor,
        "/FontName": cidfont.get("/BaseFont") or Name.Unnamed,
        "/FontBBox": Array([0, -220, 1000, 880]),
        "/ItalicAngle": 0,
        "/Ascent": 880,
        "/Descent": -220,
        "/CapHeight": 700,
        "/StemV": 80,
    }
    for key, value in defaults.items():
        if key not in made:
            made[key] = value
    made["/Flags"], made["/FontFile2"] = 4, document.stream(program, {"/Length1": len(program)})
    cidfont["/FontDescriptor"] = document.pdf.make_indirect(made)
    cidfont["/Subtype"] = Name.CIDFontType2
    cidfont["/CIDToGIDMap"] = document.stream(positions)


def of_gbk_name(document: Document, font: PdfObject) -> None:
    """A simple font with a Chinese name and GBK text is a composite one: GBK-EUC-H says what its bytes mean."""
    if predefined("GBK-EUC-H") is None:
        return
    given = {integer(font, "/FirstChar") + i: round(number(width)) for i, width in enumerate(array(font, "/Widths"))}
    cidfont = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType2,
        BaseFont=font.get("/BaseFont"),
        CIDSystemInfo=Dictionary(Registry=String("Adobe"), Ordering=String("GB1"), Supplement=2),
        DW=1000,
        W=Array([1, 95, 500, FIRST_GBK_LATIN, Array([given.get(code, 500) for code in range(32, 127)])]),
    )
    for key in ("/FirstChar", "/LastChar", "/Widths", "/FontDescriptor"):
        if key in font:
            del font[key]
    font["/Subtype"], font["/Encoding"] = Name.Type0, Name("/GBK-EUC-H")
    font["/DescendantFonts"] = Array([document.pdf.make_indirect(cidfont)])
    document.log("6.2.11.4.1", "font with a Chinese name read as GBK", "guess", name=name_at(font, "/BaseFont"))
