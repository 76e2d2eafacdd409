"""ISO 19005-2, 6.2.11: what can be mended in font dictionaries without reading an embedded program's glyphs."""

from __future__ import annotations

import re
import struct

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream, String

from tasks.sealed.pdfa.borrowed import STANDARD, encoding_table
from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.fonts.encodings import (
    base_name,
    declared_names,
    differences,
    unicode_of,
    write_differences,
    write_to_unicode,
)
from tasks.sealed.pdfa.objects import (
    PdfObject,
    array,
    dictionary,
    integer,
    is_dictionary,
    is_stream,
    name_at,
    stream,
    text,
)

PROGRAMS = ("/FontFile", "/FontFile2", "/FontFile3")
SUBTYPES = frozenset({"/Type0", "/Type1", "/MMType1", "/Type3", "/TrueType", "/CIDFontType0", "/CIDFontType2"})
SYMBOLIC, NONSYMBOLIC = 4, 32
TABLE_ENTRY = struct.Struct(">4sIII")
LATIN_BASES = frozenset({"/WinAnsiEncoding", "/MacRomanEncoding"})


def register(document: Document, holder: PdfObject) -> None:
    """Takes the fonts of a resource dictionary into the census, each made an object of its own."""
    fonts = holder.get("/Font")
    if not is_dictionary(fonts):
        return
    for key, font in list(fonts.items()):
        if is_dictionary(font) and not font.is_indirect:
            fonts[key] = document.pdf.make_indirect(font)


def font(document: Document, holder: PdfObject) -> None:
    """6.2.11.2: every font dictionary says that it is one; its name is a name."""
    subtype = name_at(holder, "/Subtype")
    is_font = name_at(holder, "/Type") == "/Font" or (subtype in SUBTYPES and "/BaseFont" in holder)
    if not is_dictionary(holder) or not (is_font or (subtype == "/Type3" and "/CharProcs" in holder)):
        return
    if name_at(holder, "/Type") != "/Font":
        holder["/Type"] = Name.Font
        document.log("6.2.11.2", "type of a font dictionary")
    if isinstance(holder.get("/BaseFont"), String):
        holder["/BaseFont"] = Name("/" + (re.sub(r"\s", "", text(holder["/BaseFont"])) or "Unnamed"))
        document.log("6.2.11.2", "name of a font made a name")
    if not subtype.startswith("/CIDFont"):
        document.census.fonts.append(holder)


def program(descriptor: PdfObject) -> Stream | None:
    """Returns the embedded font program of a descriptor, None when there is none."""
    found = (stream(descriptor, key) for key in PROGRAMS)
    return next((entry for entry in found if entry is not None), None)


def simple(document: Document, holder: PdfObject, descriptor: PdfObject) -> None:
    """6.2.11.2, 6.2.11.4.2 and 6.2.11.6 for a simple font whose program is embedded."""
    document.drop(descriptor, "/CharSet", "6.2.11.4.2", "list of the glyphs of a subset")
    if name_at(holder, "/Subtype") == "/TrueType" and stream(descriptor, "/FontFile2") is not None:
        if integer(descriptor, "/Flags") & SYMBOLIC and "/Encoding" in holder:
            _symbolic(document, holder, descriptor)
        elif not integer(descriptor, "/Flags") & SYMBOLIC:
            _nonsymbolic(document, holder)
    compact = stream(descriptor, "/FontFile3")
    if compact is not None and name_at(compact, "/Subtype") not in ("/Type1C", "/CIDFontType0C", "/OpenType"):
        compact["/Subtype"] = Name("/OpenType" if _start(compact) == b"OTTO" else "/Type1C")
        document.log("6.2.11.2", "kind of a font program by its first bytes")
    _widths(document, holder)


def compact_cid(document: Document, descriptor: PdfObject) -> None:
    """6.2.11.2: the program of a CIDFont in /FontFile3 is CIDFontType0C or OpenType, told by its first bytes."""
    compact = stream(descriptor, "/FontFile3")
    if compact is None:
        return
    wanted = "/OpenType" if _start(compact) == b"OTTO" else "/CIDFontType0C"
    if name_at(compact, "/Subtype") != wanted:
        compact["/Subtype"] = Name(wanted)
        document.log("6.2.11.2", "kind of a font program by its first bytes")


def _start(program_stream: Stream) -> bytes:
    try:
        return bytes(program_stream.read_bytes()[:4])
    except pikepdf.PdfError:
        return b""


def _widths(document: Document, holder: PdfObject) -> None:
    """6.2.11.2: /Widths has one number for each code from /FirstChar to /LastChar."""
    given = array(holder, "/Widths")
    first = integer(holder, "/FirstChar", -1)
    if not given or ("/FirstChar" in holder and integer(holder, "/LastChar", -1) == first + len(given) - 1):
        return
    first = max(0, min(first, 255))
    holder["/Widths"] = Array(given[: 256 - first])
    holder["/FirstChar"], holder["/LastChar"] = first, first + min(len(given), 256 - first) - 1
    document.log("6.2.11.2", "range of a font's widths counted anew")


def character_maps(data: bytes) -> list[tuple[int, int]]:
    """Returns the (platform, encoding) pairs of a TrueType program's cmap, read without trusting its offsets."""
    if len(data) < 12:
        return []
    for i in range(min(struct.unpack(">H", data[4:6])[0], 64)):
        entry = data[12 + 16 * i : 28 + 16 * i]
        if len(entry) < 16:
            return []
        tag, _, offset, _ = TABLE_ENTRY.unpack(entry)
        if tag == b"cmap" and offset + 4 <= len(data):
            count = min(struct.unpack(">H", data[offset + 2 : offset + 4])[0], 64)
            entries = (data[offset + 4 + 8 * k : offset + 8 + 8 * k] for k in range(count))
            return [struct.unpack(">HH", pair) for pair in entries if len(pair) == 4]
    return []


def _symbolic(document: Document, holder: PdfObject, descriptor: PdfObject) -> None:
    """6.2.11.6: a symbolic TrueType font has no /Encoding; what that said of the text goes to /ToUnicode first."""
    try:
        maps = character_maps(descriptor["/FontFile2"].read_bytes())
    except pikepdf.PdfError:
        return
    if (3, 0) in maps or (maps and (3, 1) not in maps):
        _text_from_encoding(document, holder)
        del holder["/Encoding"]
        document.log("6.2.11.6", "encoding of a symbolic font, which readers ignore")
        return
    descriptor["/Flags"] = (integer(descriptor, "/Flags") & ~SYMBOLIC) | NONSYMBOLIC
    document.log("6.2.11.6", "font with a Unicode cmap marked as non-symbolic")
    encoding = holder.get("/Encoding")
    if is_dictionary(encoding) and base_name(encoding) not in LATIN_BASES:
        holder["/Encoding"] = write_differences(differences(encoding), Name.WinAnsiEncoding)


def _nonsymbolic(document: Document, holder: PdfObject) -> None:
    """6.2.11.6: the encoding of a non-symbolic TrueType font rests on WinAnsi or MacRoman, the names all kept."""
    encoding = holder.get("/Encoding")
    if base_name(encoding) in LATIN_BASES:
        return
    if is_dictionary(encoding):
        standard = declared_names(holder, encoding_table(STANDARD))
        win = dict(encoding_table("WinAnsiEncoding"))
        names = {code: glyph for code, glyph in standard.items() if win.get(code) != glyph}
        holder["/Encoding"] = write_differences(names, Name.WinAnsiEncoding)
        document.log("6.2.11.6", "encoding of a TrueType font based on WinAnsiEncoding, its names kept")


def _text_from_encoding(document: Document, holder: PdfObject) -> None:
    if is_stream(holder.get("/ToUnicode")):
        return
    names = declared_names(holder, encoding_table(STANDARD))
    texts = {code: unicode_of(glyph) for code, glyph in names.items() if unicode_of(glyph)}
    if texts:
        holder["/ToUnicode"] = write_to_unicode(document, texts, 1)
        document.log("6.2.11.7", "text of a symbolic font taken from its encoding")


def agreement(document: Document, holder: Dictionary) -> None:
    """6.2.11.2: a simple font has a subtype that PDF knows, and a name."""
    if name_at(holder, "/Subtype") not in ("/Type1", "/MMType1", "/TrueType"):
        document.log("6.2.11.2", "unknown subtype of a font made Type1", "guess", name=name_at(holder, "/Subtype"))
        holder["/Subtype"] = Name.Type1
    if "/BaseFont" not in holder:
        descriptor = dictionary(holder, "/FontDescriptor")
        holder["/BaseFont"] = Name(name_at(descriptor, "/FontName") or "/Unnamed")
        document.log("6.2.11.2", "name of a font taken from its descriptor")
