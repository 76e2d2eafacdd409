"""Small font programs made for one PDF font: Type1C with a glyph a code, TrueType with a glyph a CID."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen

from tasks.sealed.pdfa.fonts.encodings import NOTDEF
from tasks.sealed.pdfa.fonts.twins import Glyph, face

EM = 1000
YEAR_2000 = 3_029_529_600
"""Midnight of 2000-01-01 in seconds since 1904, as the head table counts."""
MAX_QUADRATIC_ERROR = 0.4
"""How far, in thousandths of the em, a quadratic outline may leave its cubic model."""

Draw = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Outline:
    """What a new glyph is made of: a function that draws it at 1000 units an em, and its advance."""

    draw: Draw
    width: int
    cubic: bool = True


def nothing(_pen: Any) -> None:
    """Draws nothing: an empty glyph."""


def twin_outline(glyph: Glyph, width: float | None) -> Outline:
    """Returns a glyph of an installed font with the advance `width` (thousandths), so that the text stays in place.

    A wider glyph is squeezed, a narrower one centred, as readers do with substitutes; None keeps its own advance.
    """
    source = face(glyph.file)
    scale = EM / source.units
    own = source.outlines[glyph.glyph].width * scale
    squeeze, shift = 1.0, 0.0
    if width is not None and own > 0:
        if width > own + 1:
            shift = (width - own) / 2
        elif 0 < width < own - 1:
            squeeze = width / own

    def draw(pen: Any) -> None:
        recording = DecomposingRecordingPen(source.outlines)
        source.outlines[glyph.glyph].draw(recording)
        recording.replay(TransformPen(pen, (scale * squeeze, 0, 0, scale, shift, 0)))

    return Outline(draw, round(own if width is None else width), cubic=not glyph.file.endswith(".ttf"))


@lru_cache(maxsize=20_000)
def _twin_charstring(glyph: Glyph, width: int | None) -> Any:
    return _charstring(twin_outline(glyph, width))


def _charstring(outline: Outline) -> Any:
    pen = T2CharStringPen(outline.width, None)
    outline.draw(pen)
    return pen.getCharString()


def type1c(base_font: str, glyphs: Mapping[str, Outline | tuple[Glyph, int | None]]) -> bytes:
    """Returns a bare CFF program with these glyphs; (Glyph, width) pairs come from a cache of the process."""
    order = [NOTDEF, *(glyph for glyph in glyphs if glyph != NOTDEF)]
    charstrings = {NOTDEF: _charstring(Outline(nothing, 0))}
    for name, source in glyphs.items():
        charstrings[name] = _charstring(source) if isinstance(source, Outline) else _twin_charstring(*source)
    title = re.sub(r"[^A-Za-z0-9+,-]", "", base_font)[:60] or "Font"
    builder = FontBuilder(EM, isTTF=False)
    builder.setupGlyphOrder(order)
    builder.setupCFF(title, {"FullName": title}, charstrings, {})
    return bytes(builder.font["CFF "].compile(builder.font))


def truetype(outlines: Mapping[int, Outline], characters: Mapping[int, int]) -> tuple[bytes, bytes]:
    """Returns (TrueType program, /CIDToGIDMap) with one glyph a CID; `characters` maps Unicode to CID for its cmap."""
    order = [NOTDEF]
    glyphs: dict[str, Any] = {NOTDEF: TTGlyphPen(None).glyph()}
    metrics: dict[str, tuple[int, int]] = {NOTDEF: (EM, 0)}
    positions: dict[int, int] = {}
    for cid, outline in sorted(outlines.items()):
        glyph_name = f"cid{cid:05d}"
        glyphs[glyph_name] = glyph = _quadratic(outline)
        metrics[glyph_name] = (
            max(0, min(outline.width, 65535)),
            getattr(glyph, "xMin", 0) if glyph.numberOfContours else 0,
        )
        positions[cid] = len(order)
        order.append(glyph_name)
    builder = FontBuilder(EM, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap({code: f"cid{cid:05d}" for code, cid in characters.items() if cid in positions})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(metrics)
    builder.setupHorizontalHeader(ascent=880, descent=-220)
    builder.setupNameTable({"familyName": "Stand-in", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost(keepGlyphNames=False)
    # The dates of the head table are the only thing that would differ between two runs.
    builder.font["head"].created = builder.font["head"].modified = YEAR_2000
    builder.font.recalcTimestamp = False
    target = io.BytesIO()
    builder.save(target)
    return target.getvalue(), glyph_map(positions)


def _quadratic(outline: Outline) -> Any:
    pen = TTGlyphPen(None)
    outline.draw(Cu2QuPen(pen, MAX_QUADRATIC_ERROR, reverse_direction=True) if outline.cubic else pen)
    return pen.glyph()


def glyph_map(positions: Mapping[int, int]) -> bytes:
    """Returns a /CIDToGIDMap stream's bytes: two bytes a CID, big-endian."""
    table = bytearray(2 * (max(positions, default=0) + 1))
    for cid, position in positions.items():
        table[2 * cid : 2 * cid + 2] = position.to_bytes(2, "big")
    return bytes(table)
