"""The log's files: one Parquet file written at once and whole, and read back.

What lies where, and who may see it when, is `log`'s matter.
"""

from __future__ import annotations

import bisect
import contextlib
import functools
import json
import os
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.premis import columns
from tasks.premis.model import EventType

_HELD = b"perenne.parts"
ROW_GROUP = 20_480
"""How many rows lie together in a file."""


class LogError(Exception):
    """A file of the log cannot be read; says which one."""


# --- writing -------------------------------------------------------------------
def encode(rows: pa.Table) -> bytes:
    """The rows as one Parquet file."""
    sink = pa.BufferOutputStream()
    with _writer(sink, rows.schema) as writer:
        writer.write_table(rows, row_group_size=ROW_GROUP)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def publish(content: bytes, target: Path) -> Path:
    """Let `target` appear at once, whole and durable, its folders made as needed; a kill leaves nothing or all."""
    with _appearing(target) as file:
        file.write(content)
    return target


def seal(groups: Iterable[pa.Table], schema: pa.Schema, count: int, parts: Collection[str], target: Path) -> Path:
    """Let a sealed day appear as `publish` does: its row groups, `count` rows in all, and the names it stands for.

    It has a bloom filter. Each row group is written as it comes.
    """
    blooms = {"object_id": {"ndv": max(1, min(count, ROW_GROUP)), "fpp": 0.01}}
    with _appearing(target) as file, _writer(file, schema, bloom_filter_options=blooms) as writer:
        for rows in groups:
            writer.write_table(rows, row_group_size=ROW_GROUP)
        writer.add_key_value_metadata({_HELD: json.dumps(sorted(parts)).encode()})
    return target


def _writer(sink: object, schema: pa.Schema, **more: object) -> pq.ParquetWriter:
    # An event's id occurs once: a dictionary of it would hold everything twice.
    dictionary = [column.name for column in schema if column.name != "event_id"]
    return pq.ParquetWriter(sink, schema, compression="zstd", use_dictionary=dictionary, **more)


@contextlib.contextmanager
def _appearing(target: Path) -> Iterator[BinaryIO]:
    temporary, handle = _temporary(target)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _fsync(target.parent)
    _fsync(target.parent.parent)  # who made the folder may have been killed before its name was safe


def make(folder: Path) -> None:
    """Make a folder and what is missing above it, so that the names survive a power cut."""
    if folder.is_dir():
        _once(folder.parent)
        return
    make(folder.parent)
    folder.mkdir(exist_ok=True)
    _fsync(folder.parent)


@functools.cache
def _once(folder: Path) -> None:
    """Flush what is there when this process first meets it, and all above: who made it may not have come so far."""
    for each in (folder, *folder.parents):
        with contextlib.suppress(PermissionError):  # a folder above the home that is not ours
            _fsync(each)


def _temporary(target: Path) -> tuple[Path, int]:
    while True:
        make(target.parent)
        path = target.parent / f".{target.name}.{uuid.uuid4().hex}.tmp"
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileNotFoundError:
            continue  # the day was just sealed and its empty folder removed


def _fsync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- reading -------------------------------------------------------------------
Wanted = frozenset[uuid.UUID] | None
"""Which AIPs are asked for; None: all."""


def decode(part: Path | bytes, only: Sequence[str] | None = None) -> pa.Table:
    """All rows of one file; `only` names the columns that are read. Raises LogError when it is broken."""
    try:
        return pq.ParquetFile(pa.BufferReader(part) if isinstance(part, bytes) else part).read(columns=only)
    except (pa.ArrowException, OSError) as error:
        raise LogError(f"{'these bytes' if isinstance(part, bytes) else part}: {error}") from error


def rows_of(
    part: Path, aips: Wanted, kind: EventType | None = None, only: Sequence[str] | None = None
) -> list[pa.Table]:
    """What `SealedDay.groups` gives, of a part. Raises FileNotFoundError, or LogError when the file is broken."""
    try:
        with pq.ParquetFile(part) as file:
            return list(_groups(file, aips, kind, only))
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise LogError(f"{part}: {error}") from error


def groups_of(part: Path) -> Iterator[pa.Table]:
    """All rows of one file, a row group at a time. Raises LogError when the file is broken."""
    try:
        with pq.ParquetFile(part) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(number, use_threads=False)  # each thread keeps memory of its own
    except (pa.ArrowException, OSError) as error:
        raise LogError(f"{part}: {error}") from error


class SealedDay:
    """An open sealed day; what was opened stays readable when a newer one takes its name."""

    def __init__(self, file: BinaryIO) -> None:
        self._inode, self._name = os.fstat(file.fileno()).st_ino, file.name
        try:
            self._parquet = pq.ParquetFile(file)
        except (pa.ArrowException, OSError) as error:
            raise LogError(f"{file.name}: {error}") from error

    @property
    def parts(self) -> frozenset[str]:
        """The names of the parts that the day holds."""
        return frozenset(json.loads((self._parquet.metadata.metadata or {}).get(_HELD, b"[]")))

    def still(self, path: Path) -> bool:
        """Is this the file that has the name now? The number of an open file is not given to another."""
        return path.stat().st_ino == self._inode

    def groups(
        self, aips: Wanted, kind: EventType | None = None, only: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """The rows of the AIPs (or all), or those of one type among them, a row group at a time.

        `only` names the columns that are read of all rows. Raises LogError when a row group is broken.
        """
        try:
            yield from _groups(self._parquet, aips, kind, only)
        except (pa.ArrowException, OSError) as error:
            raise LogError(f"{self._name}: {error}") from error


def _groups(
    file: pq.ParquetFile, aips: Wanted, kind: EventType | None, only: Sequence[str] | None
) -> Iterator[pa.Table]:
    """Of a row group that has none of the rows, only the column that tells so is read, if that.

    The statistics of a day with few AIPs span nearly all ids, so that they alone say little.
    """
    for number in range(file.num_row_groups):
        if not _may_hold(file.metadata.row_group(number), aips):
            continue
        mask = None
        if aips is not None:
            mask = columns.is_of(file.read_row_group(number, columns=["aip_id"], use_threads=False), aips)
        if kind is not None and (mask is None or pc.any(mask).as_py()):
            kinds = file.read_row_group(number, columns=["event_type"], use_threads=False).column(0)
            found = pc.equal(kinds, kind.value)
            mask = found if mask is None else pc.and_(mask, found)
        if mask is None:
            yield file.read_row_group(number, columns=only)
        elif pc.any(mask).as_py():
            yield file.read_row_group(number, columns=only).filter(mask)


def _may_hold(group: pq.RowGroupMetaData, aips: Wanted) -> bool:
    """Whether one of the AIPs lies between the least and the most of a row group, as far as it tells these."""
    if aips is None:
        return True
    leaves = (group.column(number) for number in range(group.num_columns))
    found = next(leaf for leaf in leaves if leaf.path_in_schema == "aip_id").statistics
    if found is None or not found.has_min_max:
        return True
    wanted = sorted(aip.bytes for aip in aips)
    at = bisect.bisect_left(wanted, found.min)
    return at < len(wanted) and wanted[at] <= found.max
