"""How much of the holding was read lately, worked out from store and log, and which AIPs are to be read next."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tasks.aip.gone import gone
from tasks.config.home import Home
from tasks.premis import log
from tasks.premis.model import EventType, Outcome
from tasks.store.ocfl import Store
from tasks.store.reader import DECLARATION

BYTES = "bytes"
"""The detail of a fixity check that tells how much was read; it is on the one event that closes a check."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One AIP: its bytes, and when all of them were last read (None: never since it was stored).

    `gone` when the log says that it was stored and the store has it no more. `checked` is the time of the last check,
    also of one that could read nothing.
    """

    aip: uuid.UUID
    size: int
    read: datetime | None
    good: bool = True
    gone: bool = False
    checked: datetime | None = None
    stored: datetime | None = None
    """Of an AIP that was never read: since when it lies there, as far as its folder tells."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What share of the holding was read within `days`, and how old the oldest look is."""

    days: int
    aips: int
    aips_read: int
    bytes: int
    bytes_read: int
    never: int
    oldest: datetime | None
    bad: int
    gone: int = 0

    def as_json(self) -> dict[str, object]:
        """The figures with stable keys; `oldest` is null until every AIP was read once."""
        return {
            "days": self.days,
            "aips": self.aips,
            "aips_read": self.aips_read,
            "bytes": self.bytes,
            "bytes_read": self.bytes_read,
            "never_read": self.never,
            "oldest_read": self.oldest.isoformat() if self.oldest else None,
            "alarms": self.bad,
            "gone": self.gone,
        }


def holdings(home: Home, store: Store) -> list[Holding]:
    """Every AIP of the store, and every one that it has no more. Raises LogError.

    Bytes are those of the last check, else counted in the file system. A check that read nothing, because the AIP was
    gone or nobody could look into it, is an alarm and no reading: an AIP that came back is read first.
    """
    last = log.latest(home.log, EventType.FIXITY, closing=BYTES)
    found = []
    for aip in store.aips():
        event = last.get(aip)
        good = event is None or event.outcome is not Outcome.FAIL
        size = int(event.detail[BYTES]) if event else 0
        if event is None or (not good and not size):
            folder, checked = store.object_path(aip), event.time if event else None
            found.append(Holding(aip, _size(folder), None, good, checked=checked, stored=_stored(folder)))
        else:
            found.append(Holding(aip, size, event.time, good, checked=event.time))
    there = {one.aip for one in found}
    lost = ((aip, last.get(aip)) for aip in gone(home, store, there))
    return [*found, *(Holding(aip, 0, None, good=False, gone=True, checked=e.time if e else None) for aip, e in lost)]


def coverage(held: Sequence[Holding], *, days: int, now: datetime) -> Coverage:
    """The share that was read since `now` less `days`."""
    since = now - timedelta(days=days)
    recent = [one for one in held if one.read is not None and one.read >= since]
    reads = [one.read for one in held if one.read is not None]
    return Coverage(
        days=days,
        aips=len(held),
        aips_read=len(recent),
        bytes=sum(one.size for one in held),
        bytes_read=sum(one.size for one in recent),
        never=sum(one.read is None and not one.gone for one in held),
        oldest=min(reads) if reads and len(reads) == len(held) else None,
        bad=sum(not one.good for one in held),
        gone=sum(one.gone for one in held),
    )


def due(held: Sequence[Holding]) -> list[Holding]:
    """All of them in the order of need: never read, then longest not read."""
    return sorted(held, key=lambda one: (one.read is not None, one.read.timestamp() if one.read else 0.0, one.aip))


def share(held: Sequence[Holding], *, days: int, now: datetime) -> list[Holding]:
    """What a day has to read so that everything is read within `days`, at least one AIP.

    First what would be older than that before the next day's run, then a day's part of the whole, by need.
    The first catches up where days were missed or the store grew; the second spreads the work.
    """
    order = due(held)
    date = now - timedelta(days=days - 1)
    late = [one for one in order if (since := one.read or one.stored) is not None and since <= date]
    chosen = within(order, -(-sum(one.size for one in held) // max(1, days)))
    return list({one.aip: one for one in (*late, *chosen)}.values())


def within(held: Sequence[Holding], budget: int) -> Iterator[Holding]:
    """From the front until `budget` bytes are reached; the AIP that goes beyond is the last, for it is read whole."""
    spent = 0
    for one in held:
        yield one
        spent += one.size
        if spent >= budget:
            return


def _stored(folder: Path) -> datetime | None:
    """When its first version came: the declaration of an OCFL object is written once."""
    with contextlib.suppress(OSError):
        return datetime.fromtimestamp(os.lstat(folder / DECLARATION).st_mtime, UTC)
    return None


def _size(folder: Path) -> int:
    """What can be seen of it: a version may just be coming, and a folder may be closed to us."""
    size = 0
    for below, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                size += os.lstat(f"{below}/{name}").st_size
    return size
