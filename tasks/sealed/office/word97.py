"""The text of Word binary documents: Word 97-2003 by its piece table ([MS-DOC] 2.4.1), older ones by their header.

Hidden and deleted letters are told apart by the character properties of each run ([MS-DOC] 2.9.32 Chpx); properties
that come from a style are not followed.
"""

from __future__ import annotations

import bisect
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tasks.premis.model import Trouble
from tasks.sealed.office import SourceText, Unreadable
from tasks.sealed.office.compound import Compound

_WORD_97 = 0x00C1
_COMPLEX, _TABLE_1 = 0x0004, 0x0200
_DELETED, _INSERTED, _VANISH = 0x0800, 0x0801, 0x083C
_ON = {1, 0x81}  # on, or the opposite of the style, whose letters are seldom hidden ([MS-DOC] 2.9.320 ToggleOperand)
_OPERAND_SIZES = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2, 7: 3}
_CODE, _RESULT, _END = "\x13", "\x14", "\x15"
_BREAKS = re.compile(r"[\x07\x0b-\x0e\r]+")
_CYRILLIC = re.compile(rb"[\xc0-\xff]{5}")
_CONTROLS = str.maketrans({c: None for c in range(32) if c not in (9, 10)} | {0x1E: "-", 0x1F: None})


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of the document: letters [`start`, `end`) lie at byte `at` of the WordDocument stream."""

    start: int
    end: int
    at: int
    wide: bool

    @property
    def width(self) -> int:
        return 2 if self.wide else 1


def read(compound: Compound) -> SourceText:
    """The text of an OLE2 Word document. Raises Trouble `source-damaged` for a broken one."""
    stream = compound.find("WordDocument")
    if stream is None:
        raise Trouble("source-damaged", what="there is no WordDocument stream")
    document = compound.read(stream)
    try:
        version, flags = struct.unpack_from("<H6xH", document, 2)
        if version < _WORD_97:
            return read_flat(document)
        table = compound.find("1Table" if flags & _TABLE_1 else "0Table")
        return _word97(document, compound.read(table) if table else b"")
    except (struct.error, IndexError, ValueError) as e:
        raise Trouble("source-damaged", what=f"the document's tables do not parse ({e})") from e


def tracked(compound: Compound) -> int:
    """How many runs of a Word 97-2003 document are tracked insertions or deletions; 0 for older ones."""
    stream = compound.find("WordDocument")
    document = compound.read(stream) if stream else b""
    version, flags = struct.unpack_from("<H6xH", document, 2)
    table = compound.find("1Table" if flags & _TABLE_1 else "0Table")
    if version < _WORD_97 or table is None:
        return 0
    pages = _pages(document, compound.read(table))
    return sum(_tracks(properties) for page in pages for _, _, properties in _properties(page))


def read_flat(document: bytes) -> SourceText:
    """The text of Word 1 to 95 for Windows, a stretch of bytes named by the header, unless it was saved in pieces."""
    flags, start, end = struct.unpack_from("<H12xII", document, 10)
    if flags & _COMPLEX:
        raise Unreadable("an old Word document that was saved in pieces")
    if not 0 < start <= end <= len(document):
        raise Trouble("source-damaged", what="the text lies outside the file")
    text = SourceText("document")
    text.shown = _paragraphs(_old_letters(document[start:end]))
    return text


def _old_letters(data: bytes) -> str:
    """Old documents name a charset in their font table only: long runs of high letters are Cyrillic, others Western."""
    if not _CYRILLIC.search(data):
        return data.decode("cp1252", "replace")
    parts = re.split(rb"([\xc0-\xff\xa8\xb8]{2,})", data)
    return "".join(part.decode("cp1251" if n % 2 else "cp1252", "replace") for n, part in enumerate(parts))


def read_dos(document: bytes) -> SourceText:
    """The text of Word for DOS and of Windows Write: from byte 128 to the end that the header names."""
    (end,) = struct.unpack_from("<I", document, 14)
    if not 128 <= end <= len(document):
        raise Trouble("source-damaged", what="the text lies outside the file")
    windows = struct.unpack_from("<H", document, 96)[0] != 0  # Write names its pages here; Word for DOS leaves zero
    text = SourceText("document")
    text.shown = _paragraphs(document[128:end].decode("cp1252" if windows else "cp437", "replace"))
    return text


def _word97(document: bytes, table: bytes) -> SourceText:
    (longs,) = struct.unpack_from("<H", document, 62)
    counts = struct.unpack_from("<8I", document, 64 + 12)  # ccpText, Ftn, Hdd, Mcr, Atn, Edn, Txbx, HdrTxbx
    pairs = 64 + longs * 4 + 2
    pieces = list(_pieces(table, *struct.unpack_from("<II", document, pairs + 33 * 8)))
    marks = _Marks(_pages(document, table))
    text, start = SourceText("document"), 0
    for number, count in enumerate(counts):
        _story(document, pieces, marks, start, start + count, text, comments=number == 4)
        start += count
    return text


def _story(
    document: bytes, pieces: list[_Piece], marks: _Marks, start: int, end: int, text: SourceText, *, comments: bool
) -> None:
    modes: dict[str, list[str]] = {"shown": [], "hidden": [], "deleted": []}
    for piece in pieces:
        first, last = max(start, piece.start), min(end, piece.end)
        if first >= last:
            continue
        low = piece.at + (first - piece.start) * piece.width
        high = low + (last - first) * piece.width
        for begin, stop, mode in marks.between(low, high, piece.width):
            letters = document[begin:stop].decode("utf-16-le" if piece.wide else "cp1252", "replace")
            for name, buffer in modes.items():  # marks of fields and paragraphs belong to every mode
                buffer.append(letters if name == mode else "".join(c for c in letters if c in "\x07\r\x13\x14\x15"))
    into = {"shown": text.notes} if comments else {m: getattr(text, m) for m in modes}
    for mode, lines in into.items():
        lines += _paragraphs("".join(modes[mode]))


def _pieces(table: bytes, at: int, size: int) -> Iterator[_Piece]:
    """The piece table ([MS-DOC] 2.8.35): Clx is any number of Prc, then one Pcdt."""
    end = at + size
    while at < end and table[at] == 1:
        at += 3 + struct.unpack_from("<H", table, at + 1)[0]
    if at >= end or table[at] != 2:
        raise ValueError("no piece table")
    (size,) = struct.unpack_from("<I", table, at + 1)
    count = (size - 4) // 12
    starts = struct.unpack_from(f"<{count + 1}I", table, at + 5)
    for n in range(count):
        (where,) = struct.unpack_from("<I", table, at + 5 + (count + 1) * 4 + n * 8 + 2)
        narrow = bool(where & 0x4000_0000)
        where &= 0x3FFF_FFFF
        yield _Piece(starts[n], starts[n + 1], where // 2 if narrow else where, not narrow)


class _Marks:
    """Which bytes of the WordDocument stream are hidden or deleted."""

    def __init__(self, pages: Iterable[bytes]) -> None:
        runs = ((start, end, _mode(properties)) for page in pages for start, end, properties in _properties(page))
        self._spans = sorted(run for run in runs if run[2] != "shown")
        self._starts = [s[0] for s in self._spans]

    def between(self, low: int, high: int, width: int) -> Iterator[tuple[int, int, str]]:
        """Cut [low, high) into stretches of one mode; a cut never splits a letter of `width` bytes."""
        at = low
        first = max(0, bisect.bisect_right(self._starts, low) - 1)
        for start, end, mode in self._spans[first:]:
            if start >= high:
                break
            start, end = max(start, at), min(end, high)
            start, end = start - (start - low) % width, end - (end - low) % width
            if start >= end:
                continue
            if at < start:
                yield at, start, "shown"
            yield start, end, mode
            at = end
        if at < high:
            yield at, high, "shown"


def _pages(document: bytes, table: bytes) -> Iterator[bytes]:
    """The pages of character properties ([MS-DOC] 2.8.6 PlcBteChpx)."""
    (longs,) = struct.unpack_from("<H", document, 62)
    at, size = struct.unpack_from("<II", document, 64 + longs * 4 + 2 + 12 * 8)
    count = max(0, (size - 4) // 8)
    for n in range(count):
        (page,) = struct.unpack_from("<I", table, at + (count + 1) * 4 + n * 4)
        where = (page & 0x3FFFFF) * 512
        yield document[where : where + 512]


def _properties(page: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The runs of one page with their properties: first byte, end, modifiers ([MS-DOC] 2.9.33 ChpxFkp)."""
    if len(page) < 512:
        return
    count = page[511]
    bounds = struct.unpack_from(f"<{count + 1}I", page)
    for n in range(count):
        at = page[(count + 1) * 4 + n] * 2
        if at and bounds[n] < bounds[n + 1]:
            yield bounds[n], bounds[n + 1], page[at + 1 : at + 1 + page[at]]


def _modifiers(properties: bytes) -> Iterator[tuple[int, int]]:
    """The single property modifiers ([MS-DOC] 2.6) with the first byte of their operands."""
    at = 0
    while at + 3 <= len(properties):
        (code,) = struct.unpack_from("<H", properties, at)
        size = _OPERAND_SIZES.get(code >> 13)
        at += 2
        yield code, properties[at]
        at += 1 + properties[at] if size is None else size


def _mode(properties: bytes) -> str:
    on = {code for code, operand in _modifiers(properties) if operand in _ON}
    return "deleted" if _DELETED in on else "hidden" if _VANISH in on else "shown"


def _tracks(properties: bytes) -> bool:
    return any(code in (_DELETED, _INSERTED) and operand in _ON for code, operand in _modifiers(properties))


def _paragraphs(letters: str) -> list[str]:
    """The paragraphs without field codes: of a field only what lies between its separator and its end is shown."""
    out: list[str] = []
    codes = 0
    stack: list[bool] = []  # one entry a field that is open: whether its code is still being read
    for part in re.split(r"([\x13\x14\x15])", letters):
        if part == _CODE:
            stack.append(True)
            codes += 1
        elif part == _RESULT and stack and stack[-1]:
            stack[-1] = False
            codes -= 1
        elif part == _END and stack:
            codes -= stack.pop()
        elif codes == 0 and part not in (_RESULT, _END):
            out.append(part)
    lines = (line.translate(_CONTROLS).strip() for line in _BREAKS.split("".join(out)))
    return [line for line in lines if line]
