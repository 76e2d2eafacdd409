"""Lines of text in looks of fields and free text: the form's own font, Helvetica, or a font for other letters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pikepdf import Array, Dictionary, Name, Stream, String

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.drawing import Box, numbers
from tasks.sealed.pdfa.fonts.build import twin_outline
from tasks.sealed.pdfa.fonts.encodings import write_to_unicode
from tasks.sealed.pdfa.fonts.twins import choose, find, helvetica_width
from tasks.sealed.pdfa.objects import PdfObject, dictionary, inherited, name_at, number, text

DEFAULT_LOOK = "/Helv 0 Tf 0 g"
BASE_FONT = "/Helvetica"
UNKNOWN_WIDTH = 500


def draw_text(
    document: Document,
    annotation: Dictionary,
    box: Box,
    lines: list[str],
    before: str = "",
    *,
    centred: bool = False,
    multiline: bool = False,
) -> Stream:
    """Returns a look that shows lines of text in the font, size and colour of /DA, aligned as /Q says."""
    form = dictionary(document.pdf.Root, "/AcroForm")
    look = text(inherited(annotation, "/DA")) or text((form or Dictionary()).get("/DA")) or DEFAULT_LOOK
    font, size, paint = _read_look(look)
    if size <= 0:
        size = 10.0 if multiline else max(4.0, min(12.0, box.height * 0.7))
    resource, encode, measure = _lettering(document, form, font, lines)
    alignment = 1 if centred else int(number(inherited(annotation, "/Q")))
    y = box.height - size * 1.05 - 2 if multiline else (box.height - size) / 2 + size * 0.22
    shown = []
    for line in lines:
        width = measure(line) * size / 1000
        x = {1: (box.width - width) / 2, 2: box.width - width - 2}.get(alignment, 2.0)
        shown.append(f"1 0 0 1 {numbers(x, y)} Tm ".encode("ascii") + String(encode(line)).unparse() + b" Tj")
        y -= size * 1.15
    if re.search(r"\brg\b", paint):
        document.spaces.add("/DeviceRGB")
    clip = numbers(1, 1, max(box.width - 2, 1), max(box.height - 2, 1))
    head = f"{before}/Tx BMC q {clip} re W n BT {paint} /F0 {numbers(size)} Tf "
    content = head.encode("ascii", "replace") + b" ".join(shown) + b" ET Q EMC\n"
    return document.form(content, box.frame, Dictionary(Font=Dictionary({"/F0": resource})))


def _read_look(look: str) -> tuple[str, float, str]:
    """Splits a /DA into (font name, size, colour operators); anything but known colour operators is left out."""
    found = re.search(r"/(\S+)\s+(-?[\d.]+)\s+Tf", look)
    font, size = (
        (f"/{found[1]}", number(float(found[2]) if re.fullmatch(r"-?\d*\.?\d+", found[2]) else 0)) if found else ("", 0)
    )
    paints = re.findall(r"(?:-?[\d.]+\s+){1}g\b|(?:-?[\d.]+\s+){3}rg\b|(?:-?[\d.]+\s+){4}k\b", look)
    return font, size, paints[-1] if paints else "0 g"


def _lettering(
    document: Document, form: PdfObject, wanted: str, lines: Sequence[str]
) -> tuple[PdfObject, Callable[[str], bytes], Callable[[str], int]]:
    """Returns (font, how it encodes a line, how long it makes a line in thousandths of its size)."""
    try:
        "".join(lines).encode("cp1252")
    except UnicodeEncodeError:
        own = letters(document, lines)
        return own.font, own.encode, own.measure
    font = _font(document, form, wanted, ascii_only=all(line.isascii() for line in lines))
    return font, _western, lambda line: sum(helvetica_width(code) for code in _western(line))


def _western(line: str) -> bytes:
    return line.encode("cp1252")


def _font(document: Document, form: PdfObject, wanted: str, *, ascii_only: bool) -> PdfObject:
    """Returns the form's own font of that name if it can show these letters, else Helvetica."""
    fonts = dictionary(dictionary(form, "/DR"), "/Font")
    font = dictionary(fonts, wanted) if wanted else None
    plain = font is not None and name_at(font, "/Subtype") in ("/Type1", "/TrueType")
    if plain and ascii_only and not re.search(r"Symbol|Dingbats", name_at(font, "/BaseFont")):
        return font
    if document.drawn_font is None:
        document.drawn_font = document.pdf.make_indirect(
            Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)
        )
        document.census.fonts.append(document.drawn_font)
    return document.drawn_font


@dataclass(frozen=True, slots=True)
class Letters:
    """A composite font without a program yet: the clause on fonts embeds it like every other one."""

    font: PdfObject
    codes: Mapping[str, int]
    widths: Mapping[str, int]

    def encode(self, line: str) -> bytes:
        """Returns the two-byte codes of a line."""
        return b"".join(self.codes[letter].to_bytes(2, "big") for letter in line)

    def measure(self, line: str) -> int:
        """Returns the length of a line in thousandths of the font's size."""
        return sum(self.widths[letter] for letter in line)


def letters(document: Document, lines: Sequence[str]) -> Letters:
    """Returns a font with one code for each letter of the lines, and puts it into the census of fonts."""
    twin = choose(BASE_FONT, 0)
    shown = sorted({letter for line in lines for letter in line})
    codes = {letter: code for code, letter in enumerate(shown, start=1)}
    widths: dict[str, int] = {}
    for letter in shown:
        glyph = find(twin.file, twin.style, "", letter)
        widths[letter] = twin_outline(glyph, None).width if glyph is not None else UNKNOWN_WIDTH
    cidfont = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType2,
        BaseFont=Name(BASE_FONT),
        CIDSystemInfo=Dictionary(Registry=String("Adobe"), Ordering=String("Identity"), Supplement=0),
        W=Array([1, Array([widths[letter] for letter in shown])]),
    )
    font = document.pdf.make_indirect(
        Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=Name(BASE_FONT),
            Encoding=Name("/Identity-H"),
            DescendantFonts=Array([document.pdf.make_indirect(cidfont)]),
            ToUnicode=write_to_unicode(document, {code: letter for letter, code in codes.items()}, 2),
        )
    )
    document.census.fonts.append(font)
    return Letters(font, codes, widths)
