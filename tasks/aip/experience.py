"""What a home has measured itself refines what its work is expected to cost: machines differ, and so do collections."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.aip import estimate
from tasks.aip.estimate import Cost, Costs
from tasks.aip.ledger import facts_from
from tasks.policy.apply import CPU
from tasks.premis import log
from tasks.premis.model import Ending, EventType, Facts

LATEST = 500
"""So many jobs of each rule count, the latest: programs and machines change."""
ENOUGH = 20
"""Fewer say nothing yet."""
FURTHEST = 4.0
"""No factor is larger than this, or smaller than its inverse."""
_PRIOR = 10.0  # jobs that went as expected
_FAR = 20.0  # a job counts for at most so many times what was expected of it: one that hangs is not the rule


@dataclass(frozen=True, slots=True)
class _Job:
    """One job of the log: the file it was about, the action, what it took and made."""

    file: bytes
    action: str
    size: int
    cpu_s: float
    bytes: int


def costs(root: Path, default: Costs | None = None) -> Costs:
    """The expected costs, for each rule corrected by what the log below `root` has of it. Raises LogError.

    All of the log is gone through, some columns of it; what is kept of it does not grow with it.
    """
    table = default or estimate.default()
    found = _latest(root)
    facts = _facts(root, {job.file for jobs in found.values() for job in jobs})
    return replace(table, factors={r: _factor(jobs, facts, table) for r, jobs in found.items() if len(jobs) >= ENOUGH})


def _latest(root: Path) -> Mapping[str, Collection[_Job]]:
    found: dict[str, deque[_Job]] = defaultdict(lambda: deque(maxlen=LATEST))
    names = ["aip_id", "rule", "ending", "agents", "objects", "object_id", "measures"]
    for rows in log.columns_of(root, names):
        ended = pc.and_(pc.is_valid(rows.column("ending")), pc.is_valid(rows.column("rule")))
        for row in rows.filter(ended).to_pylist():
            job = _job(row)
            if job is not None:
                found[row["rule"]].append(job)
    return found


def _job(row: Mapping[str, Any]) -> _Job | None:
    """The job of an ending; None where it had none, or ended for a passing reason."""
    spent = next((m["value"] for m in row["measures"] or () if m["name"] == CPU), None)
    if spent is None or row["ending"] == Ending.WAITING.value or not row["agents"]:
        return None
    made = sum(o["size"] or 0 for o in row["objects"] if o["role"] == "outcome")
    size = next((o["size"] or 0 for o in row["objects"] if o["role"] == "source"), 0)
    action = row["agents"][0]["name"].removeprefix("perenne/")
    return _Job(_key(row["object_id"]), action, size, float(spent), made)


def _facts(root: Path, wanted: set[bytes]) -> dict[bytes, Facts]:
    found: dict[bytes, Facts] = {}
    if not wanted:
        return found
    for rows in log.columns_of(root, ["aip_id", "event_type", "object_id", "outcome_detail"]):
        extracted = rows.filter(pc.equal(rows.column("event_type"), EventType.EXTRACTION.value))
        ids = extracted.column("object_id").cast(pa.binary(16)).to_pylist()
        for at, key in enumerate(ids):
            if key in wanted:
                found[key] = facts_from(json.loads(extracted.column("outcome_detail")[at].as_py() or "{}"))
    return found


def _key(found: Any) -> bytes:
    return bytes(found.bytes) if hasattr(found, "bytes") else bytes(found)


def _factor(jobs: Collection[_Job], facts: Mapping[bytes, Facts], table: Costs) -> Cost:
    """Measured against expected, over all jobs together: sums are what a plan tells."""
    expected, measured = Cost(), Cost()
    for job in jobs:
        one = table.of(job.action, job.size, facts.get(job.file, {}))
        expected += one
        measured += Cost(min(job.cpu_s, _FAR * one.cpu_s), min(job.bytes, _FAR * one.bytes))
    prior = Cost(_PRIOR * expected.cpu_s / len(jobs), _PRIOR * expected.bytes / len(jobs))
    return Cost(
        _bounded(measured.cpu_s + prior.cpu_s, expected.cpu_s + prior.cpu_s),
        _bounded(measured.bytes + prior.bytes, expected.bytes + prior.bytes),
    )


def _bounded(measured: float, expected: float) -> float:
    return min(FURTHEST, max(1 / FURTHEST, measured / expected)) if expected else 1.0
