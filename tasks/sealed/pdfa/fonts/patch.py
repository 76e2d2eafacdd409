"""Patching an embedded TrueType program: advances and codes change, outlines and their hints stay as they are."""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping
from dataclasses import dataclass, field

from fontTools.ttLib import TTFont, newTable
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable

from tasks.sealed.pdfa.fonts.build import EM
from tasks.sealed.pdfa.fonts.programs import TrueType

KEPT = frozenset({"head", "hhea", "maxp", "hmtx", "loca", "glyf", "cvt ", "fpgm", "prep"})
"""The tables of a TrueType program that PDF needs (ISO 32000-1, 9.9)."""
PRIVATE = 0xF000
MAX_GLYPHS = 65535


@dataclass(slots=True)
class _Patch:
    """A program being patched: which glyphs have their advance already, and copies made for other advances."""

    font: TTFont
    names: list[str]
    fixed: dict[int, int] = field(default_factory=dict)
    copies: dict[tuple[int, int], int] = field(default_factory=dict)

    def place(self, glyph: int, advance: int) -> int:
        """Returns the number of a glyph with that outline and advance; never 0, which is .notdef (6.2.11.8)."""
        if glyph and self.fixed.setdefault(glyph, advance) == advance:
            metrics = self.font["hmtx"].metrics
            metrics[self.names[glyph]] = (advance, metrics[self.names[glyph]][1])
            return glyph
        if (glyph, advance) not in self.copies:
            if len(self.names) >= MAX_GLYPHS:
                raise ValueError("too many glyphs")
            name = f"copy{len(self.names):05d}"
            table = self.font["glyf"]
            table.glyphs[name] = copy.deepcopy(table.glyphs[self.names[glyph]])
            self.font["hmtx"].metrics[name] = (advance, self.font["hmtx"].metrics[self.names[glyph]][1])
            self.copies[(glyph, advance)] = len(self.names)
            self.names.append(name)
        return self.copies[(glyph, advance)]


def patched(program: TrueType, shown: Mapping[int, tuple[int, float]], *, coded: bool) -> tuple[bytes, dict[int, int]]:
    """Returns (the program, glyph number by key) where each key of `shown` has its own (outline, advance).

    Advances come in thousandths of the em. `coded` adds a (3,0) cmap that sends the keys, as codes, to their glyphs.
    Raises whatever fontTools raises for a table that cannot be written; then the glyphs must be drawn anew.
    """
    font = program.font
    units = font["head"].unitsPerEm / EM
    patch = _Patch(font, list(program.names))
    for key in [key for key in font.keys() if key not in KEPT and key != "GlyphOrder"]:  # noqa: SIM118  not a dict
        del font[key]
    numbers: dict[int, int] = {}
    for key, (glyph, width) in sorted(shown.items()):
        advance = max(0, min(round(width * units), 65535))
        numbers[key] = patch.place(glyph, advance)
    font.setGlyphOrder(patch.names)
    font["glyf"].glyphOrder = patch.names
    if coded:
        table = CmapSubtable.newSubtable(4)
        table.platformID, table.platEncID, table.language = 3, 0, 0
        table.cmap = {PRIVATE + code: patch.names[number] for code, number in numbers.items()}
        font["cmap"] = newTable("cmap")
        font["cmap"].tableVersion, font["cmap"].tables = 0, [table]
    font.recalcTimestamp = False
    target = io.BytesIO()
    font.save(target)
    return target.getvalue(), numbers
