"""Fonts that stand in for fonts that are not embedded: metric twins first, then a family that looks alike.

The files are those of Debian's fonts-urw-base35, fonts-liberation2, fonts-crosextra-carlito, fonts-noto-core,
fonts-dejavu-core and fonts-droid-fallback. A file that is not installed is passed over.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont

from tasks.sealed.pdfa.fonts.encodings import NOTDEF, unicode_of

FONTS = Path("/usr/share/fonts")
URW, TRUETYPE = "opentype/urw-base35", "truetype"
STYLES = ("Regular", "Bold", "Italic", "BoldItalic")
FIXED_PITCH, SERIF, ITALIC, FORCE_BOLD = 1, 2, 64, 1 << 18


def _styles(pattern: str, regular: str, bold: str, italic: str, both: str) -> tuple[str, ...]:
    return tuple(pattern.format(style) for style in (regular, bold, italic, both))


FAMILIES: Mapping[str, tuple[str, ...]] = {
    "Nimbus Sans": _styles(f"{URW}/NimbusSans-{{}}.otf", *STYLES),
    "Nimbus Sans Narrow": _styles(f"{URW}/NimbusSansNarrow-{{}}.otf", "Regular", "Bold", "Oblique", "BoldOblique"),
    "Nimbus Roman": _styles(f"{URW}/NimbusRoman-{{}}.otf", *STYLES),
    "Nimbus Mono PS": _styles(f"{URW}/NimbusMonoPS-{{}}.otf", *STYLES),
    "P052": _styles(f"{URW}/P052-{{}}.otf", "Roman", "Bold", "Italic", "BoldItalic"),
    "URW Bookman": _styles(f"{URW}/URWBookman-{{}}.otf", "Light", "Demi", "LightItalic", "DemiItalic"),
    "URW Gothic": _styles(f"{URW}/URWGothic-{{}}.otf", "Book", "Demi", "BookOblique", "DemiOblique"),
    "C059": _styles(f"{URW}/C059-{{}}.otf", "Roman", "Bold", "Italic", "BdIta"),
    "Z003": (f"{URW}/Z003-MediumItalic.otf",) * 4,
    "Standard Symbols PS": (f"{URW}/StandardSymbolsPS.otf",) * 4,
    "D050000L": (f"{URW}/D050000L.otf",) * 4,
    "Carlito": _styles(f"{TRUETYPE}/crosextra/Carlito-{{}}.ttf", *STYLES),
    "Caladea": _styles(f"{TRUETYPE}/crosextra/Caladea-{{}}.ttf", *STYLES),
    "Liberation Sans": _styles(f"{TRUETYPE}/liberation2/LiberationSans-{{}}.ttf", *STYLES),
    "Liberation Serif": _styles(f"{TRUETYPE}/liberation2/LiberationSerif-{{}}.ttf", *STYLES),
    "Liberation Mono": _styles(f"{TRUETYPE}/liberation2/LiberationMono-{{}}.ttf", *STYLES),
    "Noto Sans": _styles(f"{TRUETYPE}/noto/NotoSans-{{}}.ttf", *STYLES),
    "Noto Serif": _styles(f"{TRUETYPE}/noto/NotoSerif-{{}}.ttf", *STYLES),
}
FALLBACK_FAMILIES = ("Liberation Sans", "Liberation Serif", "Noto Sans", "Noto Serif")
FALLBACK_FILES = tuple(
    f"{TRUETYPE}/{file}"
    for file in (
        "dejavu/DejaVuSans.ttf",
        "noto/NotoSansHebrew-Regular.ttf",
        "noto/NotoSansArabic-Regular.ttf",
        "noto/NotoSansThai-Regular.ttf",
        "noto/NotoSansDevanagari-Regular.ttf",
        "noto/NotoSansTamil-Regular.ttf",
        "noto/NotoSansSymbols-Regular.ttf",
        "noto/NotoSansSymbols2-Regular.ttf",
        "noto/NotoSansMath-Regular.ttf",
        "droid/DroidSansFallbackFull.ttf",
    )
)
IDEOGRAPHS = f"{TRUETYPE}/droid/DroidSansFallbackFull.ttf"
FIRST_IDEOGRAPH = 0x2E80

BY_NAME: tuple[tuple[str, str], ...] = (
    (r"zapfding|dingbat|wingding|webding", "D050000L"),
    (r"^symbol", "Standard Symbols PS"),
    (r"narrow|condensed", "Nimbus Sans Narrow"),
    (r"calibri", "Carlito"),
    (r"cambria", "Caladea"),
    (r"palatino|bookantiqua", "P052"),
    (r"bookman", "URW Bookman"),
    (r"avantgarde|centurygothic|futura", "URW Gothic"),
    (r"century|schoolbook", "C059"),
    (r"chancery", "Z003"),
    (r"courier|mono|consol|typewriter", "Nimbus Mono PS"),
    (r"helvet|arial|sans|verdana|tahoma|gothic|univers|myriad|segoe", "Nimbus Sans"),
    (r"times|serif|roman|garamond|georgia|minion|caslon|bodoni", "Nimbus Roman"),
)
EXACT = frozenset(
    [
        "helvetica",
        "arial",
        "arialmt",
        "times",
        "timesroman",
        "timesnewroman",
        "timesnewromanps",
        "timesnewromanpsmt",
        "courier",
        "couriernew",
        "couriernewps",
        "couriernewpsmt",
        "symbol",
        "symbolmt",
        "zapfdingbats",
        "calibri",
        "cambria",
        "palatino",
        "bookantiqua",
        "zapfchancery",
    ]
)
"""Names whose twin has the same advances by design."""

LOOK_ALIKE = {"\u00a0": " ", "\u00ad": "-", "\u2126": "\u03a9", "\u03bc": "\u00b5", "\u2206": "\u0394", "\u2215": "/",
              "\u2219": "\u00b7", "\u02c9": "\u00af", "\u2010": "-", "\u2011": "-"}  # fmt: skip
"""Characters that fonts name differently although the shape is one."""


@dataclass(frozen=True, slots=True)
class Twin:
    """The family that stands in: its file, the index of its style, and whether its advances are those of the name."""

    family: str
    file: str
    style: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Glyph:
    """One glyph of an installed font."""

    file: str
    glyph: str


@dataclass(frozen=True, slots=True)
class Face:
    """An opened font: outlines by glyph name, glyph names by character, units in the em."""

    outlines: Any
    characters: Mapping[int, str]
    units: int
    order: tuple[str, ...]


@cache
def face(file: str) -> Face:
    """Opens a font below /usr/share/fonts once a process."""
    font = TTFont(FONTS / file, lazy=True)
    return Face(font.getGlyphSet(), font.getBestCmap() or {}, font["head"].unitsPerEm, tuple(font.getGlyphOrder()))


@cache
def installed(file: str) -> bool:
    """Says whether a font file is there."""
    return (FONTS / file).exists()


def plain_name(base_font: str) -> str:
    """Returns a /BaseFont in small letters without its slash, subset tag and punctuation."""
    bare = re.sub(r"^/?(?:[A-Z]{6}\+)?", "", base_font)
    return re.sub(r"[^a-z0-9]", "", bare.lower())


def choose(base_font: str, flags: int) -> Twin:
    """Chooses by name, else by the descriptor's flags FixedPitch, Serif, Italic and ForceBold."""
    plain = plain_name(base_font)
    bold = bool(re.search(r"bold|black|heavy|demi", plain)) or bool(flags & FORCE_BOLD)
    italic = (
        bool(re.search(r"italic|oblique", plain)) or bool(flags & ITALIC) or bool(re.search(r"[,-](BI|It)$", base_font))
    )
    family = next((family for pattern, family in BY_NAME if re.search(pattern, plain)), "")
    if not family:
        family = "Nimbus Mono PS" if flags & FIXED_PITCH else "Nimbus Roman" if flags & SERIF else "Nimbus Sans"
    core = re.sub(r"(bold|italic|oblique|regular)", "", plain)
    style = int(bold) + 2 * int(italic)
    exact = core in EXACT
    if not installed(FAMILIES[family][style]):
        family, exact = (
            {"Caladea": "Liberation Serif", "Carlito": "Liberation Sans"}.get(family, "Liberation Sans"),
            False,
        )
    return Twin(family, FAMILIES[family][style], style, exact)


@lru_cache(maxsize=20_000)
def find(file: str, style: int, glyph: str, character: str) -> Glyph | None:
    """Finds a glyph by its name in `file`, else by its character there and then in the families that know most."""
    if glyph and glyph != NOTDEF and glyph in face(file).outlines:
        return Glyph(file, glyph)
    wanted = character or unicode_of(glyph)
    if len(wanted) != 1:
        return None
    if ord(wanted) >= FIRST_IDEOGRAPH and installed(IDEOGRAPHS) and ord(wanted) in face(IDEOGRAPHS).characters:
        return Glyph(IDEOGRAPHS, face(IDEOGRAPHS).characters[ord(wanted)])
    candidates = [file, *(FAMILIES[family][style] for family in FALLBACK_FAMILIES), *FALLBACK_FILES]
    for shape in dict.fromkeys((wanted, unicodedata.normalize("NFKC", wanted), LOOK_ALIKE.get(wanted, wanted))):
        for candidate in candidates:
            if len(shape) == 1 and installed(candidate) and ord(shape) in face(candidate).characters:
                return Glyph(candidate, face(candidate).characters[ord(shape)])
    return None


@cache
def helvetica_width(code: int) -> int:
    """Returns the advance of a Windows-1252 code in Helvetica, in thousandths of the em."""
    sans = face(FAMILIES["Nimbus Sans"][0])
    glyph = sans.characters.get(ord(bytes([code]).decode("cp1252", "replace")))
    return round(sans.outlines[glyph].width * 1000 / sans.units) if glyph else 556
