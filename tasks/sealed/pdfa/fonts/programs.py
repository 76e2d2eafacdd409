"""Embedded font programs of every kind behind one interface: glyphs by number, their advances and outlines."""

from __future__ import annotations

import io
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import pikepdf
from fontTools.cffLib import CFFFontSet
from fontTools.pens.basePen import NullPen
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont
from pikepdf import Stream

from tasks.sealed.pdfa.borrowed import STANDARD, Type1Program, encoding_table
from tasks.sealed.pdfa.fonts import sfnt
from tasks.sealed.pdfa.fonts.build import EM, Outline, nothing
from tasks.sealed.pdfa.fonts.encodings import NOTDEF

UNICODE_MAPS = ((3, 10), (3, 1), (0, 6), (0, 4), (0, 3), (0, 2), (0, 1), (0, 0))
MAX_GLYPHS = 65536


class UnreadableError(ValueError):
    """A font program that no reader understands."""


class Program(ABC):
    """An embedded font program.

    `names` are its glyph names by number, `maps` the cmap subtables by (platform, encoding) with glyph names,
    `encoding` its built-in encoding, `cubic` the kind of its curves, `by_cid` whether its names are CIDs.
    """

    names: Sequence[str]
    numbers: Mapping[str, int]
    maps: Mapping[tuple[int, int], Mapping[int, str]]
    encoding: Mapping[int, str]
    cubic: bool
    by_cid: bool

    @abstractmethod
    def width(self, number: int) -> float:
        """Returns a glyph's advance in thousandths of the em; raises what fontTools raises for a broken glyph."""

    @abstractmethod
    def draw(self, number: int, pen: Any) -> None:
        """Draws a glyph at 1000 units an em; raises what fontTools raises for a broken glyph."""


class _Charstrings(Program):
    """Type 1 and CFF: charstrings by name."""

    cubic = True

    def __init__(
        self,
        charstrings: Mapping[str, Any],
        names: Sequence[str],
        encoding: Mapping[int, str],
        *,
        by_cid: bool = False,
        units: float = EM,
    ) -> None:
        self._charstrings, self.names, self.encoding, self.by_cid = charstrings, names, encoding, by_cid
        self.numbers = {glyph: i for i, glyph in reversed(list(enumerate(names)))}
        self.maps = {}
        self._scale = EM / units

    def width(self, number: int) -> float:
        charstring = self._charstrings[self.names[number]]
        charstring.draw(NullPen())
        return float(charstring.width * self._scale)

    def draw(self, number: int, pen: Any) -> None:
        self._charstrings[self.names[number]].draw(TransformPen(pen, (self._scale, 0, 0, self._scale, 0, 0)))


class TrueType(Program):
    """glyf outlines in an sfnt; `font` is what patching changes."""

    cubic, by_cid = False, False

    def __init__(self, font: TTFont) -> None:
        self.font = font
        try:
            self.names = font.getGlyphOrder()
        except Exception:
            # The post table is only names; a broken one must not cost the outlines.
            if "post" in font:
                del font["post"]
            self.names = [f"glyph{i:05d}" for i in range(font["maxp"].numGlyphs)]
            font.setGlyphOrder(list(self.names))
        self.numbers = {glyph: i for i, glyph in enumerate(self.names)}
        self.encoding = {}
        self.maps = _maps(font)
        self._metrics, self._outlines = font["hmtx"], font.getGlyphSet()
        self._scale = EM / font["head"].unitsPerEm

    def width(self, number: int) -> float:
        """Returns the advance that hmtx gives."""
        return float(self._metrics[self.names[number]][0] * self._scale)

    def draw(self, number: int, pen: Any) -> None:
        """Draws a glyph, its components put in place."""
        recording = DecomposingRecordingPen(self._outlines)
        self._outlines[self.names[number]].draw(recording)
        recording.replay(TransformPen(pen, (self._scale, 0, 0, self._scale, 0, 0)))


def _maps(font: TTFont) -> dict[tuple[int, int], Mapping[int, str]]:
    found: dict[tuple[int, int], Mapping[int, str]] = {}
    if "cmap" in font:
        for table in font["cmap"].tables:
            try:
                found[(table.platformID, table.platEncID)] = table.cmap
            except Exception:  # noqa: S112  one unreadable subtable leaves the others; fontTools raises many types
                continue
    return found


def read(stream: Stream) -> Program:
    """Reads an embedded font program, mending its tables when it must; raises UnreadableError."""
    try:
        return _read(stream.read_bytes())
    except UnreadableError:
        raise
    except (pikepdf.PdfError, RecursionError, MemoryError) as error:
        raise UnreadableError(str(error)[:120]) from error
    except Exception as error:
        # fontTools answers damage with whatever exception the damage leads to.
        raise UnreadableError(f"{type(error).__name__}: {error}"[:120]) from error


def _read(data: bytes) -> Program:
    if data[:4] in sfnt.TRUETYPE:
        font = TTFont(io.BytesIO(sfnt.mend(data) or data), lazy=True, recalcBBoxes=False)
        if "glyf" in font and "CFF " not in font:
            return TrueType(font)
        return _compact(font["CFF "].cff, _maps(font))
    if data[:4] == b"OTTO":
        font = TTFont(io.BytesIO(data), lazy=True)
        return _compact(font["CFF "].cff, _maps(font))
    if data[:2] in (b"\1\0", b"\1\1"):
        fonts = CFFFontSet()
        fonts.decompile(io.BytesIO(data), None)
        return _compact(fonts, {})
    return _type1(data)


def _compact(fonts: CFFFontSet, maps: dict[tuple[int, int], Mapping[int, str]]) -> Program:
    top = fonts.topDictIndex[0]
    encoding: Mapping[int, str] = {}
    by_cid = hasattr(top, "ROS")
    if not by_cid:
        coded = getattr(top, "Encoding", "StandardEncoding")
        if isinstance(coded, list):
            encoding = {code: glyph for code, glyph in enumerate(coded) if glyph != NOTDEF}
        elif coded == "StandardEncoding":
            encoding = encoding_table(STANDARD)
    matrix = getattr(top, "FontMatrix", None) or [0.001]
    found = _Charstrings(
        top.CharStrings, list(top.charset), encoding, by_cid=by_cid, units=1 / matrix[0] if matrix[0] else EM
    )
    found.maps = maps
    return found


def _type1(data: bytes) -> Program:
    try:
        program = Type1Program(data)
    except ValueError:
        program = Type1Program(_binary_eexec(data))
    encoding = {code: glyph for code, glyph in (program.builtin_encoding() or {}).items() if glyph != NOTDEF}
    return _Charstrings(program._charstrings, list(program._order), encoding)


def _binary_eexec(data: bytes) -> bytes:
    """Turns the encrypted part of a Type 1 program from hexadecimal digits into bytes (Adobe Type 1, 7.2)."""
    found = re.search(rb"eexec[ \r\n\t]+", data)
    digits = re.match(rb"[0-9A-Fa-f]+", re.sub(rb"\s", b"", data[found.end() :])) if found else None
    if found is None or digits is None:
        raise UnreadableError("no encrypted part")
    packed = re.sub(rb"0{256,}(cleartomark)?$", b"", digits[0])
    return data[: found.end()] + bytes.fromhex(packed[: len(packed) // 2 * 2].decode("ascii"))


def outline(program: Program, number: int | None, width: float) -> Outline:
    """Returns a glyph for a rebuilt font: its own outline, untouched, with the advance `width` of the document.

    The program is patched and not the document's /Widths: readers place text by /Widths, so nothing moves. A glyph
    that cannot be drawn, or None, becomes an empty one.
    """
    if number is None or not 0 <= number < len(program.names):
        return Outline(nothing, round(width))
    recording = DecomposingRecordingPen({})
    try:
        program.draw(number, recording)
    except Exception:
        # A broken outline draws nothing in readers either; fontTools raises many types for one.
        return Outline(nothing, round(width))
    return Outline(recording.replay, round(width), cubic=program.cubic)
