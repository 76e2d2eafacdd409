"""What the CIDs of a composite font without a program mean: told by the file, by a collection, or proved by widths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tasks.sealed.pdfa.fonts.twins import FAMILIES, Face, Glyph, face, plain_name

MICROSOFT_ORDER = 29
"""TrueType fonts of Microsoft keep ASCII in order, glyph 3 being the space: glyph = character - 29."""
SAME_WIDTH, SAME_SHARE = 3.0, 0.03
ENOUGH = 0.8
"""So large a share of the widths must agree before a reading of the CIDs counts as proved."""
FEW = 3
METRIC_NAMES = (
    ("courier", "Liberation Mono"),
    ("times", "Liberation Serif"),
    ("calibri", "Carlito"),
    ("arial", "Liberation Sans"),
    ("helv", "Liberation Sans"),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A proved reading: what it assumes, the glyph and the text of each CID."""

    name: str
    glyphs: Mapping[int, Glyph]
    texts: Mapping[int, str]


def by_widths(base_font: str, style: int, file: str, cids: set[int], widths: Mapping[int, float]) -> Reading | None:
    """Tests three readings of the CIDs against a twin's advances; returns the best if at least 80 % agree.

    The readings: a CID is a Unicode value; a CID is a Unicode value less 29; a CID is a glyph of the metric twin.
    `widths` gives the document's advance of every CID. None when nothing is proved: the caller must not guess.
    """
    plain = plain_name(base_font)
    family = next((family for word, family in METRIC_NAMES if word in plain), None)
    named = family is not None and "black" not in plain and "narrow" not in plain
    chosen = FAMILIES[family][style] if family is not None and named else file
    twin = face(chosen)
    readings: dict[str, Callable[[int], str | None]] = {
        "CID = Unicode": lambda cid: twin.characters.get(cid),
        "CID = Unicode - 29": lambda cid: twin.characters.get(cid + MICROSOFT_ORDER) if 3 <= cid <= 97 else None,
    }
    if named:
        readings["CID = glyph of the metric twin"] = lambda cid: twin.order[cid] if cid < len(twin.order) else None
    scored = {name: _agreement(twin, read, cids - {0}, widths) for name, read in readings.items()}
    best = max(scored, key=lambda name: scored[name])
    if not (scored[best] >= ENOUGH and len(cids - {0}) >= FEW):
        return None
    return _reading(best, chosen, twin, readings[best], cids)


def _agreement(twin: Face, read: Callable[[int], str | None], cids: set[int], widths: Mapping[int, float]) -> float:
    glyphs = {cid: glyph for cid in cids if (glyph := read(cid)) is not None and glyph in twin.outlines}
    if not glyphs or len(glyphs) < ENOUGH * len(cids):
        return 0.0
    equal = 0
    for cid, glyph in glyphs.items():
        own = twin.outlines[glyph].width * 1000 / twin.units
        equal += abs(own - widths[cid]) <= max(SAME_WIDTH, SAME_SHARE * widths[cid])
    return equal / len(glyphs)


def _reading(name: str, file: str, twin: Face, read: Callable[[int], str | None], cids: set[int]) -> Reading:
    characters = {glyph: chr(code) for code, glyph in twin.characters.items()}
    glyphs = {cid: Glyph(file, glyph) for cid in cids if (glyph := read(cid)) is not None}
    return Reading(name, glyphs, {cid: characters.get(glyph.glyph, "") for cid, glyph in glyphs.items()})
