"""The words of Excel binary workbooks, BIFF2 to BIFF8 ([MS-XLS]): strings of visible cells, text of shapes.

The headers and footers of sheets are left out: they print only on sheets that have something else to print.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from tasks.premis.model import Trouble
from tasks.sealed.office import SourceText
from tasks.sealed.office.compound import Compound

_CONTINUE, _EOF, _SST, _LABEL_SST, BOUND_SHEET, _CODE_PAGE = 0x3C, 0x0A, 0xFC, 0xFD, 0x85, 0x42
_LABELS, _STRINGS, _FORMULAS = {0x04, 0x204, 0xD6}, {0x07, 0x207}, {0x06, 0x206, 0x406}
_ROWS, _COL_INFO, _OBJECT, _TXO = {0x08, 0x208}, 0x7D, 0x5D, 0x1B6
_NOTE_SHAPE = 0x19
_BOFS = {0x09, 0x209, 0x409, 0x809}
_HIDDEN_ROW, _HIDDEN_COLUMN = 0x20, 0x01


@dataclass(slots=True)
class _State:
    """What is known while the records of one substream pass by."""

    visible: bool
    rows: set[int] = field(default_factory=set)
    columns: set[int] = field(default_factory=set)
    cells: list[tuple[int, int, str]] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    shape: int = 0
    formula: tuple[int, int] = (0, 0)


Record = tuple[int, bytes, list[bytes]]
"""Its number, its data, and the data of the CONTINUE records behind it."""


def read(compound: Compound) -> SourceText:
    """The text of an OLE2 workbook. Raises Trouble `source-damaged` for a broken one."""
    stream = compound.find("Workbook", "Book")
    if stream is None:
        raise Trouble("source-damaged", what="there is no Workbook stream")
    return read_stream(compound.read(stream))


def read_stream(data: bytes) -> SourceText:
    """The text of the records of a workbook, or of a single sheet of BIFF2 to BIFF4, which have no container."""
    text = SourceText("spreadsheet")
    try:
        workbook = _Workbook(data)
        for at, visible in workbook.sheets or [(0, True)]:
            state = _State(visible)
            for record in _substream(data, at):
                workbook.cell(record, state)
            for row, column, words in state.cells:
                hidden = not visible or row in state.rows or column in state.columns
                (text.hidden if hidden else text.shown).append(words)
            (text.shown if visible else text.hidden).extend(state.shapes)
            text.notes += state.notes
    except (struct.error, IndexError, ValueError) as e:
        raise Trouble("source-damaged", what=f"the workbook's records do not parse ({e})") from e
    return text


def records(data: bytes, at: int = 0) -> Iterator[Record]:
    """The records from `at` on; CONTINUE records ride with the one that they continue."""
    waiting: Record | None = None
    while at + 4 <= len(data):
        number, size = struct.unpack_from("<HH", data, at)
        body = data[at + 4 : at + 4 + size]
        at += 4 + size
        if number == _CONTINUE and waiting:
            waiting[2].append(body)
            continue
        if waiting:
            yield waiting
        waiting = (number, body, [])
    if waiting:
        yield waiting


def _substream(data: bytes, at: int) -> Iterator[Record]:
    """One sheet's records, those of charts inside it included, up to its own EOF."""
    depth = 0
    for record in records(data, at):
        depth += record[0] in _BOFS
        depth -= record[0] == _EOF
        if depth <= 0:
            return
        yield record


class _Workbook:
    """The globals of a workbook: version, code page, shared strings, where the sheets begin and whether they show."""

    def __init__(self, data: bytes) -> None:
        number, body, _ = next(records(data), (0, b"", []))
        if number not in _BOFS:
            raise ValueError("the stream does not begin with BOF")
        self.biff8 = number == 0x809 and struct.unpack_from("<H", body)[0] >= 0x0600
        self.biff2 = number == 0x09
        self.code_page = "cp1252"
        self.strings: list[str] = []
        self.sheets: list[tuple[int, bool]] = []
        for code, body, more in _substream(data, 0):
            if code == _CODE_PAGE:
                self.code_page = _codec(struct.unpack_from("<H", body)[0])
            elif code == BOUND_SHEET:
                at, state = struct.unpack_from("<IB", body)
                self.sheets.append((at, state & 3 == 0))
            elif code == _SST:
                self.strings = list(_shared_strings([body, *more]))

    def cell(self, record: Record, state: _State) -> None:
        """Take what one record says into `state`."""
        code, body, more = record
        if code == _LABEL_SST:
            row, column, _, number = struct.unpack_from("<HHHI", body)
            if number < len(self.strings):
                state.cells.append((row, column, self.strings[number]))
        elif code in _LABELS:
            row, column = struct.unpack_from("<HH", body)
            state.cells.append((row, column, self._string(body[7 if code == 4 else 6 :], short=code == 4)))
        elif code in _FORMULAS:
            state.formula = struct.unpack_from("<HH", body)
        elif code in _STRINGS:
            state.cells.append((*state.formula, self._string(body, short=code == 7, more=more)))
        elif code in _ROWS and len(body) >= 13 and not self.biff2:
            if body[12] & _HIDDEN_ROW:
                state.rows.add(struct.unpack_from("<H", body)[0])
        elif code == _COL_INFO:
            first, last = struct.unpack_from("<HH", body)
            if body[8] & _HIDDEN_COLUMN:
                state.columns.update(range(first, min(last, 255) + 1))
        elif code == _OBJECT and len(body) >= 6:
            state.shape = struct.unpack_from("<H", body, 4)[0]
        elif code == _TXO and more and self.biff8 and len(body) >= 12:
            words = _Strings(more).letters(struct.unpack_from("<H", body, 10)[0])
            (state.notes if state.shape == _NOTE_SHAPE else state.shapes).append(words)

    def _string(self, data: bytes, *, short: bool, more: list[bytes] | None = None) -> str:
        if self.biff8:
            (size,) = struct.unpack_from("<H", data)
            return _Strings([data[2:], *(more or [])]).letters(size)
        size = data[0] if short else struct.unpack_from("<H", data)[0]
        begin = 1 if short else 2
        return data[begin : begin + size].decode(self.code_page, "replace")


def _codec(code_page: int) -> str:
    name = {1200: "utf-16-le", 10000: "mac_roman", 32768: "mac_roman", 32769: "cp1252"}.get(code_page, f"cp{code_page}")
    try:
        "".encode(name)
    except LookupError:
        return "cp1252"
    return name


class _Strings:
    """Reads BIFF8 strings that may run over CONTINUE records, each of which repeats the flag of the letters' width."""

    def __init__(self, blocks: list[bytes]) -> None:
        self._blocks = blocks
        self._block = 0
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes, over block borders; shorter at the end."""
        out = b""
        while size and self._block < len(self._blocks):
            part = self._blocks[self._block][self._at : self._at + size]
            out += part
            size -= len(part)
            self._at += len(part)
            if self._at >= len(self._blocks[self._block]):
                self._block, self._at = self._block + 1, 0
        return out

    def letters(self, size: int, flags: int | None = None) -> str:
        """`size` letters behind a flag byte (read here unless given)."""
        wide = bool((self.take(1)[0] if flags is None else flags) & 1)
        out: list[str] = []
        while size > 0 and self._block < len(self._blocks):
            width = 2 if wide else 1
            room = (len(self._blocks[self._block]) - self._at) // width
            count = min(size, room)
            out.append(self.take(count * width).decode("utf-16-le" if wide else "latin-1", "replace"))
            size -= count
            if size > 0:
                if room == count and self._at and self._block < len(self._blocks):
                    self._block, self._at = self._block + 1, 0  # an odd byte left over at the border
                if self._block >= len(self._blocks):
                    break
                wide = bool(self.take(1)[0] & 1)
        return "".join(out)


def _shared_strings(blocks: list[bytes]) -> Iterator[str]:
    reader = _Strings(blocks)
    (count,) = struct.unpack("<4xI", reader.take(8))
    for _ in range(count):
        head = reader.take(3)
        if len(head) < 3:
            return
        size, flags = struct.unpack("<HB", head)
        runs = struct.unpack("<H", reader.take(2))[0] if flags & 8 else 0
        extra = struct.unpack("<I", reader.take(4))[0] if flags & 4 else 0
        yield reader.letters(size, flags)
        reader.take(runs * 4 + extra)
