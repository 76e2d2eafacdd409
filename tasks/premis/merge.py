"""The rows of any number of tables in the order of a sealed day, in memory that does not grow with their number.

A row group's worth at a time is sorted and put down on the disk; the sorted pieces are then merged block by block.
"""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tasks.premis import columns

BLOCK = 256
"""How many rows of each sorted piece are in memory while all are merged."""
_ID = pa.binary(16)
_KEYS = {"aip_id": _ID, "object_id": _ID, "event_datetime": pa.int64(), "seq": pa.int32(), "event_id": _ID}
"""What orders the rows: one file's history lies together. The event's own id leaves nothing to chance."""

_CODEC = "lz4_raw"

Key = tuple[Any, ...]


def merged(pieces: Sequence[Piece], schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    """The rows of sorted pieces in one order, `size` of them at a time; the schema has the columns of all pieces."""
    rest = pa.Table.from_batches([], schema)
    for some in _gathered(_let_go(pieces), size):
        rows = _sorted([rest, *some])
        full = rows.num_rows - rows.num_rows % size
        yield from (rows.slice(first, size) for first in range(0, full, size))
        rest = rows.slice(full)
    if rest.num_rows:
        yield rest


def sorted_pieces(tables: Iterable[pa.Table], size: int, file: BinaryIO, *, block: int = BLOCK) -> list[Piece]:
    """The rows in pieces of about `size`, each by AIP, object and time, and put down in the file."""
    return [_put(_sorted(some), file, block) for some in _gathered(tables, size)]


def _put(rows: pa.Table, file: BinaryIO, block: int) -> Piece:
    blocks = []
    for batch in rows.to_batches(max_chunksize=block):
        plain = batch.serialize()
        packed = pa.compress(plain, codec=_CODEC)
        blocks.append(_Block(file.tell(), packed.size, plain.size))
        file.write(packed)
    file.flush()
    return Piece(file, rows.schema, rows.num_rows, blocks)


def _gathered(tables: Iterable[pa.Table], size: int) -> Iterator[list[pa.Table]]:
    """The tables together, as many as have `size` rows; the last ones may have less."""
    some: list[pa.Table] = []
    count = 0
    for rows in tables:
        some.append(rows)
        count += rows.num_rows
        if count >= size:
            yield some
            some, count = [], 0
    if some:
        yield some


def _sorted(tables: Sequence[pa.Table]) -> pa.Table:
    rows = columns.together(tables)
    order = pc.sort_indices(_keys(rows), sort_keys=[(name, "ascending") for name in _KEYS])
    return rows.take(order).combine_chunks()


def _keys(rows: pa.Table) -> pa.Table:
    """The columns that order the rows, as plain bytes and numbers: those can be sorted, and are soon read."""
    return pa.table({name: rows.column(name).cast(kind) for name, kind in _KEYS.items()})


class _Block(NamedTuple):
    """Where some rows lie in the file, and how long they are there and in memory."""

    at: int
    size: int
    plain: int


class Piece:
    """A sorted piece on the disk, of which one block is in memory: from where it is let go, up to its last row."""

    def __init__(self, file: BinaryIO, schema: pa.Schema, count: int, blocks: Sequence[_Block]) -> None:
        self.schema, self.count = schema, count
        self._file, self._blocks = file, iter(blocks)
        self.over = False

    def read(self) -> None:
        """The next block; without one the piece is over."""
        block = next(self._blocks, None)
        if block is None:
            self.over = True
            return
        packed = os.pread(self._file.fileno(), block.size, block.at)
        plain = pa.decompress(packed, block.plain, codec=_CODEC)
        self._rows = pa.Table.from_batches([pa.ipc.read_record_batch(plain, self.schema)])
        self._at, self._keys = 0, _keys(self._rows)
        self.first, self.last = self._key(0), self._key(self._rows.num_rows - 1)

    def upto(self, bound: Key) -> pa.Table:
        """Let go of the rows in memory that do not come after the bound."""
        rows, count = self._rows, self._rows.num_rows
        end = bisect.bisect_right(range(count), bound, lo=self._at, key=self._key)
        found = rows.slice(self._at, end - self._at)
        if end == count:
            self.read()
        else:
            self._at, self.first = end, self._key(end)
        return found

    def _key(self, row: int) -> Key:
        """The key of a row as Python compares it; a row without an object comes after all that have one."""
        aip, about, *others = (key[row].as_py() for key in self._keys.columns)
        return (aip, about is None, about or b"", *others)


def _let_go(pieces: Sequence[Piece]) -> Iterator[pa.Table]:
    """All rows of sorted pieces, a table at a time: none of its rows belongs before one of an earlier table.

    Up to the least of the last rows in memory nothing is left to read.
    """
    for piece in pieces:
        piece.read()
    while pieces := [piece for piece in pieces if not piece.over]:
        bound = min(piece.last for piece in pieces)
        yield columns.together([piece.upto(bound) for piece in pieces if piece.first <= bound])
