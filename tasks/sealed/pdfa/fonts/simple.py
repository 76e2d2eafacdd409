"""ISO 19005-2, 6.2.11.4.1 for simple fonts: a stand-in with the advances that the document's /Widths ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pikepdf import Array, Dictionary, Name

from tasks.sealed.pdfa.borrowed import STANDARD, WIN_ANSI, encoding_table
from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.fonts.build import Outline, nothing, twin_outline, type1c
from tasks.sealed.pdfa.fonts.encodings import (
    NOTDEF,
    builtin,
    declared_names,
    to_unicode,
    write_differences,
)
from tasks.sealed.pdfa.fonts.twins import Glyph, Twin, choose, find, plain_name
from tasks.sealed.pdfa.fonts.usage import Usage
from tasks.sealed.pdfa.objects import PdfObject, array, dictionary, integer, name_at, number

SYMBOLIC, NONSYMBOLIC = 4, 32
SYMBOLS = ("D050000L", "Standard Symbols PS")
NUMBERED = re.compile(r"[A-Za-z]\d+|G[0-9A-F]{2}|char\d+")
"""Glyph names that say a code and no character."""

WINGDINGS = {
    0x20: " ", 0x28: "\u260e", 0x2A: "\u2709", 0x4A: "\u263a", 0x6C: "\u25cf", 0x6E: "\u25a0", 0x6F: "\u25a1",
    0x71: "\u2751", 0x73: "\u2b25", 0x75: "\u25c6", 0x76: "\u2756", 0x9F: "\u2022", 0xA7: "\u25aa", 0xA8: "\u25fb",
    0xB7: "\u2022", 0xD8: "\u27a2", 0xDF: "\u2190", 0xE0: "\u2192", 0xE1: "\u2191", 0xE2: "\u2193", 0xF0: "\u21e8",
    0xFB: "\u2717", 0xFC: "\u2713", 0xFD: "\u2612", 0xFE: "\u2611",
}  # fmt: skip
"""The Wingdings codes that documents use most, as Unicode; there is no free twin of the font."""


def widths(font: PdfObject) -> dict[int, float]:
    """Returns a simple font's /Widths as code → thousandths of the em, /MissingWidth not applied."""
    first = integer(font, "/FirstChar")
    return {first + i: number(width) for i, width in enumerate(array(font, "/Widths")[:256])}


def embed(document: Document, font: PdfObject, usage: Usage) -> None:
    """Gives a simple font that is not embedded a Type1C program with one glyph for every code shown."""
    descriptor = dictionary(font, "/FontDescriptor")
    base_font = name_at(font, "/BaseFont")
    flags = integer(descriptor, "/Flags") if descriptor is not None else 0
    twin = choose(base_font, flags)
    names = _names(font, twin, base_font)
    declared = frozenset(font.keys())
    texts = to_unicode(font)
    wanted = widths(font)
    missing_width = number((descriptor or {}).get("/MissingWidth"))
    glyphs: dict[str, Outline | tuple[Glyph, int | None]] = {}
    advances: dict[str, int | None] = {}
    chosen: dict[int, str] = {}
    unknown = 0
    for code in sorted(usage.codes(font)):
        text = texts.get(code, "")
        name = names.get(code, NOTDEF)
        width = wanted.get(code, missing_width) if wanted else None
        rounded = None if width is None else round(width)
        found = _find(twin, name, text if len(text) == 1 else "", code)
        glyph = name if name != NOTDEF else f"uni{ord(text):04X}" if len(text) == 1 else f"c{code}"
        glyph = re.sub(r"[^A-Za-z0-9._]", "_", glyph)[:60] or f"c{code}"
        if glyph in glyphs and advances[glyph] != rounded:
            glyph = f"{glyph}.c{code}"
        unknown += found is None and code > 32 and bool(width or not wanted) and usage.complete
        glyphs[glyph] = (found, rounded) if found else Outline(nothing, rounded or 0)
        advances[glyph] = rounded
        chosen[code] = glyph
    program = type1c(base_font.lstrip("/"), glyphs or {"space": Outline(nothing, 250)})
    _install(document, font, descriptor, program, chosen or {32: "space"})
    _advances(font, chosen, glyphs)
    if not twin.exact and flags & SYMBOLIC and "/Encoding" not in declared and not texts and twin.family not in SYMBOLS:
        # Codes of a symbolic font mean what its own program says, and that is what is missing.
        unknown = len(chosen)
    _tell(document, base_font, twin, unknown, len(chosen))


def _tell(document: Document, base_font: str, twin: Twin, unknown: int, total: int) -> None:
    """6.2.11.4.1: a twin is a fix, a font that merely looks alike a guess, a glyph that nobody has is unknown."""
    shown = base_font.lstrip("/")
    document.replaced_fonts[shown] = twin.family
    pair = f"{shown} by {twin.family}"
    if twin.exact:
        document.log("6.2.11.4.1", "font not embedded: a metric twin stands in", name=pair)
    else:
        document.log("6.2.11.4.1", "font not embedded: a similar font stands in, its advances kept", "guess", name=pair)
    if unknown:
        document.unknown_glyph(shown, unknown, total)


def _find(twin: Twin, name: str, character: str, code: int) -> Glyph | None:
    found = find(twin.file, twin.style, name, character)
    if found is None and NUMBERED.fullmatch(name) and 32 <= code < 127:
        return find(twin.file, twin.style, "", chr(code))
    return found


def _names(font: PdfObject, twin: Twin, base_font: str) -> dict[int, str]:
    """Returns code → glyph name by the font's /Encoding, else by the encoding built into such a font."""
    plain = plain_name(base_font)
    if twin.family == "D050000L" and re.search(r"wingding|webding", plain):
        return {code: f"uni{ord(character):04X}" for code, character in WINGDINGS.items()}
    if twin.family in SYMBOLS:
        # Their own encoding holds whatever base the file names; only /Differences may override it.
        names = dict(builtin("D050000L" if twin.family == "D050000L" else "StandardSymbolsPS"))
        encoding = font.get("/Encoding")
        return names | (declared_names(font, names) if isinstance(encoding, Dictionary) else {})
    default: Mapping[int, str] = encoding_table(STANDARD)
    if name_at(font, "/Subtype") == "/TrueType":
        default = {**encoding_table(WIN_ANSI), **(default if isinstance(font.get("/Encoding"), Dictionary) else {})}
    names = declared_names(font, default)
    if name_at(font, "/Encoding") == "/WinAnsiEncoding":
        # ISO 32000-1, Annex D.2, note 3: codes without a glyph there show a bullet.
        names = {code: names.get(code, "bullet") for code in range(32, 256)} | names
    return names


def _install(document: Document, font: PdfObject, old: PdfObject, program: bytes, chosen: Mapping[int, str]) -> None:
    """Puts the program into a descriptor of the font's own, since fonts may share one, and names every code."""
    flags = integer(old, "/Flags") if old is not None else 0
    kept = {
        key: old.get(key) if old is not None and key in old else default
        for key, default in (
            ("/ItalicAngle", 0), ("/Ascent", 750), ("/Descent", -250), ("/CapHeight", 700), ("/StemV", 80),
        )
    }  # fmt: skip
    descriptor = Dictionary(
        {
            "/Type": Name.FontDescriptor,
            "/FontName": font.get("/BaseFont"),
            "/Flags": (flags & ~NONSYMBOLIC) | SYMBOLIC,
            "/FontBBox": Array([-200, -250, 1200, 950]),
            "/FontFile3": document.stream(program, {"/Subtype": Name("/Type1C")}),
            **kept,
        }
    )
    font["/FontDescriptor"] = document.pdf.make_indirect(descriptor)
    font["/Subtype"] = Name.Type1
    font["/Encoding"] = write_differences(chosen)


def _advances(
    font: PdfObject, chosen: Mapping[int, str], glyphs: Mapping[str, Outline | tuple[Glyph, int | None]]
) -> None:
    """Writes /Widths where the font had none for these codes; given widths stay to the last digit."""
    wanted = widths(font)
    if wanted and all(code in wanted for code in chosen):
        return
    found = dict(wanted)
    for code, glyph in chosen.items():
        if code not in found:
            found[code] = advance(glyphs[glyph])
    low, high = min(found, default=32), max(found, default=32)
    font["/FirstChar"], font["/LastChar"] = low, high
    font["/Widths"] = Array([_tidy(found.get(code, 0)) for code in range(low, high + 1)])


def advance(source: Outline | tuple[Glyph, int | None]) -> float:
    """Returns the advance a new glyph was given."""
    return source.width if isinstance(source, Outline) else twin_outline(*source).width


def _tidy(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, 4)
