"""ISO 19005-2, 6.2.11.4 to 6.2.11.8 in pass 2: fonts whose embedded program and dictionaries disagree, built anew.

Every code that is shown gets a glyph of its own with the advance that the document's /Widths ask for: the outlines
are the program's own, so the page looks as before, and .notdef (6.2.11.8) is no longer shown.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass

import pikepdf
from pikepdf import Array, Name, Stream

from tasks.sealed.pdfa.borrowed import STANDARD, encoding_table
from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.fonts import composite, dictionaries, sfnt, simple
from tasks.sealed.pdfa.fonts.build import glyph_map, truetype, type1c
from tasks.sealed.pdfa.fonts.cmaps import TWO_BYTES, cid_widths, code_map, remapped
from tasks.sealed.pdfa.fonts.encodings import (
    NOTDEF,
    base_table,
    declared_names,
    differences,
    to_unicode,
    unicode_of,
    write_differences,
    write_to_unicode,
)
from tasks.sealed.pdfa.fonts.patch import patched
from tasks.sealed.pdfa.fonts.programs import UNICODE_MAPS, Program, TrueType, UnreadableError, outline, read
from tasks.sealed.pdfa.fonts.usage import Usage
from tasks.sealed.pdfa.objects import (
    PdfObject,
    array,
    dictionary,
    integer,
    is_dictionary,
    is_stream,
    name_at,
    number,
    stream,
)

SYMBOLIC, NONSYMBOLIC = 4, 32
TOLERANCE = 1.0
"""veraPDF lets /Widths and the program differ by one thousandth of the em (6.2.11.5)."""
SYMBOL_MAPS = ((3, 0), (1, 0), (0, 3), (0, 1), (3, 1))
PROGRAM_CLAUSES = ("6.2.11.4.1", "6.2.11.6", "6.2.11.3")
"""Clauses that say a program is unreadable or wrongly mapped: then a font is rebuilt even when its widths agree."""
MAX_CID = 65535


@dataclass(frozen=True, slots=True)
class Shown:
    """What one code shows: its glyph's number in the program or None, the advance wanted, its glyph name or ""."""

    glyph: int | None
    width: float
    name: str = ""


def rebuild(document: Document, font: PdfObject, usage: Usage) -> None:
    """Mends the tables of one font's program, and builds it anew if what it shows and its program disagree."""
    holder = composite.descendant(font) if name_at(font, "/Subtype") == "/Type0" else font
    _mend(document, dictionary(holder, "/FontDescriptor"))
    subtype = name_at(font, "/Subtype")
    if subtype == "/Type0":
        _composite(document, font, usage)
    elif subtype == "/Type3":
        _type3(document, font)
    else:
        _simple(document, font, usage)


def _mend(document: Document, descriptor: PdfObject) -> None:
    """6.2.11.4.1: writes a TrueType program whose tables had to be fitted to each other or to the file's end."""
    program = stream(descriptor, "/FontFile2")
    if program is None:
        return
    try:
        data = program.read_bytes()
        mended = sfnt.mend(data) if data[:4] in sfnt.TRUETYPE else None
    except (pikepdf.PdfError, ValueError):
        return
    if mended is not None:
        program.write(mended)
        program["/Length1"] = len(mended)
        document.log("6.2.11.4.1", "tables of a font program fitted to each other")


def _simple(document: Document, font: PdfObject, usage: Usage) -> None:
    descriptor = dictionary(font, "/FontDescriptor")
    embedded = dictionaries.program(descriptor)
    if embedded is None:
        return
    try:
        program = read(embedded)
    except UnreadableError:
        simple.embed(document, font, usage)
        _unreadable(document, font, len(usage.codes(font)))
        return
    shown = _shown(font, descriptor, program, usage.codes(font))
    disagree = any(_disagrees(program, entry) for entry in shown.values())
    if not shown or not (disagree or document.asked(*PROGRAM_CLAUSES) or not array(font, "/Widths")):
        return
    texts = to_unicode(font)
    _keep_text(document, font, program, shown, texts)
    if not _patch_simple(document, font, descriptor, program, shown):
        _draw_simple(document, font, descriptor, program, shown, texts)
    low, high = min(shown), max(shown)
    font["/FirstChar"], font["/LastChar"] = low, high
    font["/Widths"] = Array([round(shown[code].width, 4) if code in shown else 0 for code in range(low, high + 1)])
    document.log("6.2.11.5", "font built anew with the advances of its dictionary", name=name_at(font, "/BaseFont"))


def _patch_simple(
    document: Document, font: PdfObject, descriptor: PdfObject, program: Program, shown: Mapping[int, Shown]
) -> bool:
    """Patches a TrueType program in place; False when it is of another kind or cannot be written."""
    if not isinstance(program, TrueType):
        return False
    try:
        data, _ = patched(program, {code: (entry.glyph or 0, entry.width) for code, entry in shown.items()}, coded=True)
    except Exception:
        # fontTools answers damaged tables with whatever exception the damage leads to.
        return False
    _describe(document, font, descriptor, "/FontFile2", document.stream(data, {"/Length1": len(data)}))
    font["/Subtype"] = Name.TrueType
    if "/Encoding" in font:
        del font["/Encoding"]
    return True


def _describe(document: Document, font: PdfObject, old: PdfObject, key: str, program: Stream) -> None:
    """Gives a font a descriptor of its own with a new program, symbolic, since the program names its own codes."""
    made = copy.copy(old)
    for forgotten in (*dictionaries.PROGRAMS, "/CharSet"):
        if forgotten in made:
            del made[forgotten]
    made[key] = program
    made["/Flags"] = (integer(old, "/Flags") & ~NONSYMBOLIC) | SYMBOLIC
    font["/FontDescriptor"] = document.pdf.make_indirect(made)


def _draw_simple(
    document: Document,
    font: PdfObject,
    descriptor: PdfObject,
    program: Program,
    shown: Mapping[int, Shown],
    texts: Mapping[int, str],
) -> None:
    """Draws every shown glyph into a new Type1C program and names it as the encoding did."""
    names: dict[int, str] = {}
    for code, entry in shown.items():
        text = texts.get(code, "")
        chosen = (
            entry.name if entry.name not in ("", NOTDEF) else f"uni{ord(text):04X}" if len(text) == 1 else f"c{code}"
        )
        chosen = re.sub(r"[^A-Za-z0-9._]", "_", chosen)[:60]
        names[code] = chosen if chosen not in names.values() else f"{chosen}.c{code}"
    glyphs = {names[code]: outline(program, entry.glyph or 0, entry.width) for code, entry in shown.items()}
    data = type1c(name_at(font, "/BaseFont").lstrip("/"), glyphs)
    _describe(document, font, descriptor, "/FontFile3", document.stream(data, {"/Subtype": Name("/Type1C")}))
    font["/Subtype"], font["/Encoding"] = Name.Type1, write_differences(names)


def _unreadable(document: Document, font: PdfObject, total: int) -> None:
    """A font whose own program defies reading is replaced, and nothing proves that the stand-in shows the same."""
    document.log("6.2.11.4.1", "unreadable font program replaced", "guess", name=name_at(font, "/BaseFont"))
    document.unknown_glyph(name_at(font, "/BaseFont").lstrip("/"), total, total)


def _disagrees(program: Program, entry: Shown) -> bool:
    if entry.glyph in (None, 0) or entry.name == NOTDEF:
        return True
    try:
        return abs(program.width(entry.glyph or 0) - entry.width) > TOLERANCE
    except Exception:
        # A glyph that cannot even be measured is one to rebuild; fontTools raises many types for it.
        return True


def _shown(font: PdfObject, descriptor: PdfObject, program: Program, codes: set[int]) -> dict[int, Shown]:
    """Returns what each code shows, by the rules of ISO 32000-1, 9.6.6.2 (Type 1) and 9.6.6.4 (TrueType)."""
    encoding = font.get("/Encoding")
    if program.cubic:
        names = declared_names(font, program.encoding or encoding_table(STANDARD))
    else:
        names = declared_names(font, encoding_table(STANDARD) if is_dictionary(encoding) else {})
    symbolic = bool(integer(descriptor, "/Flags") & SYMBOLIC)
    wanted, missing = simple.widths(font), number(descriptor.get("/MissingWidth"))
    found: dict[int, Shown] = {}
    for code in sorted(codes):
        glyph_name = names.get(code, "")
        if program.cubic:
            glyph = program.numbers.get(glyph_name)
        else:
            ignored = symbolic and not is_dictionary(encoding) and (3, 0) in program.maps
            glyph = None if ignored or not glyph_name else _by_name(program, glyph_name)
            glyph = _by_code(program, code) if glyph is None else glyph
        width = wanted.get(code, missing) if wanted else None
        if width is None:
            width = program.width(glyph) if glyph is not None else 0.0
        found[code] = Shown(glyph, width, glyph_name)
    return found


def _by_name(program: Program, glyph_name: str) -> int | None:
    """Name → character → (3,1) cmap, else MacRoman code → (1,0) cmap, else the post table."""
    text = unicode_of(glyph_name)
    if len(text) == 1 and (found := program.maps.get((3, 1), {}).get(ord(text))) is not None:
        return program.numbers.get(found)
    if (1, 0) in program.maps:
        codes = {name: code for code, name in (base_table("/MacRomanEncoding") or {}).items()}
        if glyph_name in codes and (found := program.maps[(1, 0)].get(codes[glyph_name])) is not None:
            return program.numbers.get(found)
    return program.numbers.get(glyph_name)


def _by_code(program: Program, code: int) -> int | None:
    """Code → (3,0) cmap with the private offsets, else (1,0), else what there is; without any cmap code = glyph."""
    for key in SYMBOL_MAPS:
        table = program.maps.get(key)
        for candidate in (0xF000 + code, 0xF100 + code, code) if key == (3, 0) else (code,):
            if table and candidate in table:
                return program.numbers.get(table[candidate])
    return code if not program.maps and code < len(program.names) else None


def _keep_text(
    document: Document, font: PdfObject, program: Program, shown: Mapping[int, Shown], texts: Mapping[int, str]
) -> None:
    """6.2.11.7: the text of a font that lived by its cmap goes to /ToUnicode before the cmap does."""
    if is_stream(font.get("/ToUnicode")) or program.cubic:
        return
    characters: dict[str, int] = {}
    for key in UNICODE_MAPS:
        for character, glyph in program.maps.get(key, {}).items():
            characters.setdefault(glyph, character)
    found = dict(texts)
    for code, entry in shown.items():
        text = unicode_of(entry.name)
        if not text and entry.glyph:
            glyph = program.names[entry.glyph]
            text = chr(characters[glyph]) if glyph in characters else unicode_of(glyph)
        if text:
            found.setdefault(code, text)
    if found:
        font["/ToUnicode"] = write_to_unicode(document, found, 1)


def _type3(document: Document, font: PdfObject) -> None:
    """6.2.11.8: codes of a Type 3 font without a glyph get an empty one, which is what readers draw."""
    procedures = dictionary(font, "/CharProcs")
    if procedures is None or not is_dictionary(font.get("/Encoding")):
        return
    names = differences(font.get("/Encoding"))
    first, last = max(0, integer(font, "/FirstChar")), min(255, integer(font, "/LastChar", 255))
    added = [code for code in range(first, last + 1) if names.get(code, NOTDEF) == NOTDEF]
    for code in added:
        names[code] = f"empty{code}"
        procedures[f"/empty{code}"] = document.stream(b"0 0 d0")
    if added:
        font["/Encoding"] = write_differences(names)
        document.log("6.2.11.8", "code of a Type 3 font given an empty glyph", count=len(added))


def _composite(document: Document, font: PdfObject, usage: Usage) -> None:
    cidfont = composite.descendant(font)
    descriptor = dictionary(cidfont, "/FontDescriptor") if cidfont is not None else None
    embedded = dictionaries.program(descriptor)
    if embedded is None:
        return
    try:
        program = read(embedded)
    except UnreadableError:
        composite.embed(document, font, cidfont, usage)
        _unreadable(document, font, len(usage.shown(font)))
        return
    cmap = code_map(font) or TWO_BYTES
    codes = {(code, size): cid for text in usage.shown(font) for code, size, cid in cmap.decode(text)}
    default, given = cid_widths(cidfont)
    shown = {
        cid: Shown(_glyph_of(program, cidfont, cid), given.get(cid, default)) for cid in sorted(set(codes.values()))
    }
    disagree = any(_disagrees(program, entry) for entry in shown.values())
    if not shown or not (disagree or document.asked("6.2.11.4.1")):
        return
    zero = {key: cid for key, cid in codes.items() if cid == 0}
    if zero:
        spare = next(cid for cid in range(1, MAX_CID) if cid not in shown and cid not in given)
        shown[spare] = shown.pop(0)
        changes = {key: spare if key in zero else cid for key, cid in codes.items()} if cmap is TWO_BYTES else {}
        _send_elsewhere(document, font, cidfont, changes or dict.fromkeys(zero, spare), spare, shown[spare].width)
    data, positions = _composite_program(program, shown)
    composite.install(document, cidfont, descriptor, data, positions)
    document.log("6.2.11.5", "font built anew with the advances of its dictionary", name=name_at(font, "/BaseFont"))


def _composite_program(program: Program, shown: Mapping[int, Shown]) -> tuple[bytes, bytes]:
    """Returns (TrueType program, CIDToGIDMap): a TrueType one patched, any other drawn anew."""
    if isinstance(program, TrueType):
        wanted = {cid: (entry.glyph or 0, entry.width) for cid, entry in shown.items()}
        try:
            data, numbers = patched(program, wanted, coded=False)
            return data, glyph_map(numbers)
        except Exception:  # noqa: S110  fontTools answers damaged tables with whatever the damage leads to
            pass
    return truetype({cid: outline(program, entry.glyph or 0, entry.width) for cid, entry in shown.items()}, {})


def _glyph_of(program: Program, cidfont: PdfObject, cid: int) -> int | None:
    """CID → glyph by ISO 32000-1, 9.7.4.2: the charset of a CID-keyed CFF, else CIDToGIDMap, else the CID itself."""
    if program.by_cid:
        return program.numbers.get(f"cid{cid:05d}")
    mapping = cidfont.get("/CIDToGIDMap")
    if is_stream(mapping) and not program.cubic:
        try:
            table = mapping.read_bytes()
        except pikepdf.PdfError:
            return None
        found = int.from_bytes(table[2 * cid : 2 * cid + 2], "big")
    else:
        found = cid
    return found if found < len(program.names) else None


def _send_elsewhere(
    document: Document,
    font: PdfObject,
    cidfont: PdfObject,
    changes: Mapping[tuple[int, int], int],
    spare: int,
    width: float,
) -> None:
    """6.2.11.8: CID 0 is .notdef whatever its glyph, so codes that show it get the CID `spare` with its outline."""
    if not isinstance(font.get("/Encoding"), Name):
        return
    font["/Encoding"] = remapped(document, font, changes, cidfont)
    cidfont["/W"] = Array([*array(cidfont, "/W"), spare, Array([round(width, 4)])])
    document.log("6.2.11.8", "codes without a glyph given a glyph of their own")
