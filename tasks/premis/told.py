"""Which AIPs the log tells of, and what they are called: asked of all of the log, so only a few columns are read."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tasks.premis import log
from tasks.premis.model import EventType, Outcome


@dataclass(frozen=True, slots=True)
class Told:
    """The AIPs of which a file was taken in, and those of which a file was identified, which only a stored one is."""

    taken: frozenset[uuid.UUID]
    identified: frozenset[uuid.UUID]


def told(root: Path) -> Told:
    """What the log says of every AIP. A delivery that was refused made none. Raises LogError."""
    taken: set[bytes] = set()
    identified: set[bytes] = set()
    for rows in log.columns_of(root, ["event_type", "outcome", "aip_id"]):
        kinds = rows.column("event_type")
        good = pc.not_equal(rows.column("outcome"), Outcome.FAIL.value)
        taken.update(_aips(rows.filter(pc.and_(pc.equal(kinds, EventType.INGESTION.value), good))))
        identified.update(_aips(rows.filter(pc.equal(kinds, EventType.IDENTIFICATION.value))))
    return Told(frozenset(uuid.UUID(bytes=a) for a in taken), frozenset(uuid.UUID(bytes=a) for a in identified))


def batches(root: Path, aips: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """AIP → the batch that it came from, for those of the AIPs of which the log tells it. Raises LogError."""
    found: dict[uuid.UUID, str] = {}
    for rows in log.columns_of(root, ["event_type", "outcome_detail", "aip_id"], aips) if aips else ():
        arrivals = rows.filter(pc.equal(rows.column("event_type"), EventType.INGESTION.value))
        places = pa.table({"aip": _ids(arrivals), "at": pa.array(range(arrivals.num_rows), pa.int64())})
        firsts = places.group_by("aip").aggregate([("at", "min")])
        told_by = arrivals.column("outcome_detail").take(firsts.column("at_min")).to_pylist()
        for aip, detail in zip(firsts.column("aip").to_pylist(), told_by, strict=True):
            if batch := json.loads(detail or "{}").get("batch"):
                found.setdefault(uuid.UUID(bytes=aip), batch)
    return found


def _ids(rows: pa.Table) -> pa.ChunkedArray:
    return rows.column("aip_id").cast(pa.binary(16))


def _aips(rows: pa.Table) -> list[bytes]:
    found: list[bytes] = pc.unique(_ids(rows)).to_pylist()
    return found
