"""The log: PREMIS events in Parquet, append-only; what happened is what is written here.

    <root>/events/open/day=2026-11-22/<aip>.<run>.<name>.<digest>.parquet    parts, as the tasks wrote them
    <root>/events/day/2026-11-22.parquet                                      the same events, sealed and sorted

Each part appears at once and whole (temporary name, fsync, rename, fsync of the folder) and is never touched again
until `compact` seals its day. A sealed day names the parts that it holds, so no reader ever sees an event twice, also
when a power cut came between the writing of the day and the removal of its parts. Days are UTC days.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
import re
import tempfile
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc

from tasks.premis import columns
from tasks.premis.columns import Brief
from tasks.premis.merge import merged, sorted_pieces
from tasks.premis.model import Ending, Event, EventType, Trouble
from tasks.premis.parts import (
    ROW_GROUP,
    LogError,
    SealedDay,
    Wanted,
    decode,
    encode,
    groups_of,
    make,
    publish,
    rows_of,
    seal,
)

__all__ = [
    "LogError",
    "append",
    "believed",
    "check_clock",
    "columns_of",
    "compact",
    "history",
    "ids_of",
    "in_order",
    "latest",
    "open_days",
    "read",
    "read_many",
    "read_part",
    "settled",
    "write_aip_events",
]

AHEAD = timedelta(days=1)
"""How far the log may be ahead of the clock: a zone set wrong is less, a clock that lost its battery is more."""
PATIENCE = 3
"""How many times in a row a piece of work may end as `waiting` before it counts as failed."""

Key = tuple[str, str, str]
"""What was asked of a file: (logical path, rule, asked)."""

_MANY = "many"
_STALE_S = 86_400.0  # a temporary file older than a day has no writer any more
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


# --- writing -------------------------------------------------------------------
def append(events: Sequence[Event], root: Path, *, name: str) -> Path:
    """Write the events as one immutable part below `root` and return its path; on return it is on the disk.

    `name` says what wrote it (`normalize-0007`). The part lies under the UTC day of its last event. The same events
    give the same part, so that a repeated call changes nothing. Raises ValueError for no events, for a name that is
    no plain word, and for an event that breaks the profile; nothing is written then.
    """
    if not events:
        raise ValueError("a part of the log needs an event")
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a name for a part: {name!r}")
    content = write_aip_events(events)
    day = max(event.time for event in events).astimezone(UTC).date()
    folder = root / "events" / "open" / f"day={day.isoformat()}"
    return publish(content, folder / _part_name(events, name))


def write_aip_events(events: Sequence[Event]) -> bytes:
    """The events as one Parquet file, for `metadata/events/vN.parquet` of an AIP; `read_part` reads it back."""
    return encode(columns.table(events))


def _part_name(events: Sequence[Event], name: str) -> str:
    digest = hashlib.sha256(b"".join(event.id.bytes for event in events)).hexdigest()[:16]
    return f"{_one(event.aip for event in events)}.{_one(event.run for event in events)}.{name}.{digest}.parquet"


def _one(ids: Iterable[uuid.UUID]) -> str:
    found = set(ids)
    return str(found.pop()) if len(found) == 1 else _MANY


# --- sealing a day -------------------------------------------------------------
def compact(root: Path, day: date) -> Path | None:
    """Seal the parts of a day that is over into one sorted file and remove them; returns it, None for a day without.

    Late parts of a sealed day join it at the next call. However many events it has, few are in memory at once; as many
    as it has lie on the disk meanwhile, beside the parts. Safe to kill at any point and to run twice at once. Raises
    ValueError for a day that is not over in UTC, LogError for a part that cannot be read (nothing is removed then).
    """
    if day >= datetime.now(UTC).date():
        raise ValueError(f"{day.isoformat()} is not over yet")
    target, folder = _sealed(root, day), _open(root, day)
    with _alone(root):
        parts = _parts(folder)
        with _opened(target) as sealed:
            known = sealed.parts if sealed else frozenset()
        fresh = [part for part in parts if part.name not in known]
        if fresh:
            held = [*([target] if sealed else []), *fresh]
            rows = itertools.chain.from_iterable(map(groups_of, held))
            # What lies there has no name: a kill leaves nothing of it.
            with tempfile.TemporaryFile(dir=target.parent) as beside:
                pieces = sorted_pieces(rows, ROW_GROUP, cast("BinaryIO", beside))
                schema, count = columns.shared([p.schema for p in pieces]), sum(p.count for p in pieces)
                names = known.union(part.name for part in fresh)
                seal(merged(pieces, schema, ROW_GROUP), schema, count, names, target)
        _remove(folder, parts)
        _sweep(target.parent)
    return target if target.exists() else None


def open_days(root: Path) -> list[date]:
    """The UTC days that still have parts of their own, oldest first: what `compact` may be called for."""
    folders = (root / "events" / "open").glob("day=????-??-??")
    return sorted(_dated(folder.name.removeprefix("day=") for folder in folders))


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Hold the right to seal; the kernel gives it back whatever happens."""
    folder = root / "events" / "day"
    make(folder)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove(folder: Path, parts: Iterable[Path]) -> None:
    for part in parts:
        part.unlink(missing_ok=True)
    _sweep(folder)
    try:
        folder.rmdir()
    except OSError:
        return  # not there, or a part came in meanwhile that is sealed next time


def _sweep(folder: Path) -> None:
    """Remove what killed writers left."""
    for leftover in folder.glob(".*.tmp"):
        if time.time() - leftover.stat().st_mtime > _STALE_S:
            leftover.unlink(missing_ok=True)


# --- reading -------------------------------------------------------------------
def read(root: Path, *, aip: uuid.UUID | None = None) -> Iterator[Event]:
    """Every event of the log (or of one AIP) once, day by day; within a day in no promised order.

    Raises LogError when a file of the log is broken.
    """
    for rows in _tables(root, None if aip is None else frozenset((aip,))):
        yield from columns.events(rows)


def read_many(root: Path, aips: Collection[uuid.UUID], kind: EventType | None = None) -> dict[uuid.UUID, list[Event]]:
    """The events of each of the AIPs, oldest first, in one pass over the log; an AIP without events has an empty list.

    Those of one type only, if it is named. Raises LogError when a file of the log is broken.
    """
    found: dict[uuid.UUID, list[Event]] = {aip: [] for aip in aips}
    for rows in _tables(root, frozenset(aips), kind):
        for event in columns.events(rows):
            found[event.aip].append(event)
    return {aip: in_order(events) for aip, events in found.items()}


def latest(root: Path, kind: EventType, *, closing: str) -> dict[uuid.UUID, Brief]:
    """The last event of a type that has the detail `closing`, for each AIP that has one.

    An event that is not `believed` is passed over: it would win over all that is found until then. All of the log is
    asked, so no column is read that is not needed. Raises LogError.
    """
    now = datetime.now(UTC)
    found: dict[uuid.UUID, Brief] = {}
    for rows in _tables(root, None, kind, columns.BRIEF):
        for event in columns.briefs(rows):
            if closing not in event.detail or not believed(event, now):
                continue
            if event.aip not in found or _when(event) > _when(found[event.aip]):
                found[event.aip] = event
    return found


def columns_of(root: Path, names: Sequence[str], aips: Collection[uuid.UUID] | None = None) -> Iterator[pa.Table]:
    """These columns of every event (or of those of some AIPs) once, a table at a time; `aip_id` has to be one of them.

    For questions about all of a large log: nothing else of it is read. Raises LogError.
    """
    yield from _tables(root, None if aips is None else frozenset(aips), only=names)


def check_clock(root: Path) -> None:
    """Raises Trouble "clock-behind" when the log has an event more than a day ahead of the clock; LogError.

    Less is told by a run and lived with: no event is dated before the one it follows. Most times the names of the days
    answer; a day to come is read.
    """
    now = datetime.now(UTC)
    for day in reversed(_days(root)):
        if day <= now.date():
            return
        for rows in _day(root, day, None):
            last = pc.max(rows.column("event_datetime")).as_py()
            if last is not None and last - now > AHEAD:
                raise Trouble("clock-behind", now=f"{now:%Y-%m-%d %H:%M} UTC", last=f"{last:%Y-%m-%d %H:%M} UTC")


def read_part(part: Path | bytes) -> Iterator[Event]:
    """The events of one Parquet file of the log or of an AIP, in its order. Raises LogError when it is broken."""
    yield from columns.events(decode(part))


def ids_of(part: bytes) -> list[uuid.UUID]:
    """The ids of the events of one Parquet file, in its order: nothing else of it is read. Raises LogError."""
    ids = decode(part, only=["event_id"]).column("event_id").cast(pa.binary(16))
    return [uuid.UUID(bytes=one) for one in ids.to_pylist()]


def history(root: Path, aip: uuid.UUID, path: str) -> list[Event]:
    """Everything that happened to one file of an AIP, oldest first: the file as source or as product of an act."""
    found = (columns.events(columns.of_path(rows, path)) for rows in _tables(root, frozenset((aip,))))
    return sorted(itertools.chain.from_iterable(found), key=_when)


def settled(events: Iterable[Event]) -> Mapping[Key, Event]:
    """How each piece of work of one AIP stands: its last ending, for those that need not be done again.

    Work whose last ending is `waiting` is left out, unless it waited three times in a row for the same source: then
    its event is handed back as failed. The caller compares the source's digest, and asks the store for the masters.
    """
    last: dict[Key, Event] = {}
    waits: dict[Key, tuple[str, int]] = {}
    for event in in_order(events):
        if event.ending is None or event.source is None:
            continue
        key = (event.source.path, event.rule, event.asked)
        if event.ending is not Ending.WAITING:
            waits.pop(key, None)
            last[key] = event
            continue
        sha256, count = waits.get(key, (event.source.sha256, 0))
        count = count + 1 if sha256 == event.source.sha256 else 1
        waits[key] = (event.source.sha256, count)
        last.pop(key, None)
        if count >= PATIENCE:
            last[key] = replace(event, ending=Ending.FAILED)
    return last


def in_order(events: Iterable[Event]) -> list[Event]:
    """Events oldest first; those that are not `believed` come before all others, so that they win over none."""
    now = datetime.now(UTC)
    return sorted(events, key=lambda event: (believed(event, now), *_when(event)))


def believed(event: Event | Brief, now: datetime) -> bool:
    """Whether its date can be true: where it is more than a day ahead of the clock, a clock that was wrong gave it."""
    return event.time - now <= AHEAD


def _when(event: Event | Brief) -> tuple[datetime, int]:
    return (event.time, event.seq)


def _tables(
    root: Path, aips: Wanted, kind: EventType | None = None, only: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    for day in _days(root):
        yield from _day(root, day, aips, kind, only)


def _days(root: Path) -> list[date]:
    """Every day that has events, oldest first."""
    sealed = _dated(path.stem for path in (root / "events" / "day").glob("????-??-??.parquet"))
    return sorted({*sealed, *open_days(root)})


def _dated(names: Iterable[str]) -> Iterator[date]:
    """The days that are named; what somebody else put there is no day, and ends nobody's run."""
    for name in names:
        with suppress(ValueError):
            yield date.fromisoformat(name)


def _day(
    root: Path, day: date, aips: Wanted, kind: EventType | None = None, only: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """The rows of a day, each once. It may be sealed while we look: then look again, before anything is handed out."""
    path, folder = _sealed(root, day), _open(root, day)
    owners = None if aips is None else frozenset(map(str, aips)) | {_MANY}
    while True:
        with _opened(path) as sealed:
            known = sealed.parts if sealed else frozenset()
            wanted = [part for part in _parts(folder, owners) if part.name not in known]
            try:
                loose = [rows for part in wanted for rows in rows_of(part, aips, kind, only)]
            except FileNotFoundError:
                continue
            if not (sealed.still(path) if sealed else not path.exists()):
                continue
            if sealed:
                yield from sealed.groups(aips, kind, only)
            yield from loose
            return


@contextmanager
def _opened(path: Path) -> Iterator[SealedDay | None]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        yield SealedDay(file)


def _parts(folder: Path, owners: frozenset[str] | None = None) -> list[Path]:
    """The parts in a folder by name, or only those that may hold events of the owners.

    A thousand batches of one night leave thousands of names, each read for each batch: names, not paths, are looked at.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return [
        folder / name
        for name in sorted(names)
        if name.endswith(".parquet")
        and not name.startswith(".")
        and (owners is None or name.split(".", 1)[0] in owners)
    ]


def _sealed(root: Path, day: date) -> Path:
    return root / "events" / "day" / f"{day.isoformat()}.parquet"


def _open(root: Path, day: date) -> Path:
    return root / "events" / "open" / f"day={day.isoformat()}"
