"""The report of one AIP as JSON: the same as its page, with stable, documented keys. Times are UTC, sizes bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tasks.config.home import PERENNE
from tasks.policy.rules import Policy
from tasks.premis.model import Ending
from tasks.report import phrases
from tasks.report.account import Account, File, Format
from tasks.report.places import file_page
from tasks.report.ran import worst
from tasks.report.summary import Row, Summary
from tasks.words import language

FILES, ROWS = 1000, 1000
"""Of one AIP at most so many files and rows of each kind; the rest are counted. The log has them all."""


def aip_json(one: Account, *, when: datetime, pictured: bool) -> dict[str, Any]:
    """Everything that the page tells. `stamp` says what it was made from, so that it is not made again."""
    summary = one.summary
    pages = {s.row.file for s in one.stories}
    return {
        "aip": str(summary.aip),
        "batch": summary.batch,
        "version": summary.version,
        "written": when.astimezone(UTC).isoformat(timespec="seconds"),
        "lang": language(),
        "stamp": stamp(summary, one.policy, pictured=pictured),
        "alarm": summary.alarm,
        "worst": worst([summary]).value,
        "verdict": phrases.verdict([summary]),
        "safety": phrases.safety(summary),
        "supplement": summary.supplement.as_json() if summary.supplement else None,
        "files": summary.files,
        "ended": {e.value: summary.ended.get(e, 0) for e in Ending} | {"notes": summary.noted},
        "masters": summary.masters,
        "transcripts": one.transcripts,
        "events": summary.events,
        "bytes": {"originals": one.bytes_in, "masters": one.bytes_made},
        "settled_since": summary.settled_since,
        "policy": {"id": one.policy.id, "digest": one.policy.digest},
        "rules": [{"id": r.id, "action": r.action, "files": n, "because": r.because} for r, n in one.rules],
        "pronom": one.release,
        "languages": one.languages,
        "agents": [{"name": a.name, "version": a.version, "kind": a.kind.value} for a in one.agents],
        "checked": _checked(one),
        "formats": [_format(f) for f in one.formats],
        "attention": [_row(r, one, pages) for r in summary.attention[:ROWS]],
        "attention_left_out": summary.more + max(0, len(summary.attention) - ROWS),
        "waiting": [r.as_json() for r in summary.waiting[:ROWS]],
        "notes": [r.as_json() for r in summary.notes[:ROWS]],
        "list": [_file(f) for f in one.files[:FILES]],
        "list_left_out": max(0, len(one.files) - FILES),
    }


def stamp(summary: Summary, policy: Policy, *, pictured: bool) -> dict[str, Any]:
    """What the report depends on: the same stamp means the same report."""
    return {
        "events": summary.events,
        "version": summary.version,
        "files": summary.files,
        "alarm": summary.alarm,
        "needing": summary.needing,
        "waiting": summary.ended.get(Ending.WAITING, 0),
        "noted": summary.noted,
        "policy": policy.digest,
        "lang": language(),
        "made_by": f"{PERENNE.name} {PERENNE.version}",
        "pictured": pictured,
    }


def _checked(one: Account) -> dict[str, str] | None:
    if one.checked is None:
        return None
    return {"time": one.checked.time.isoformat(), "outcome": one.checked.outcome.value}


def _row(row: Row, one: Account, pages: set[str]) -> dict[str, Any]:
    return row.as_json() | {"page": file_page(one.summary.aip, row.file) if row.file in pages else ""}


def _format(one: Format) -> dict[str, Any]:
    return {
        "puid": one.puid,
        "name": one.name,
        "files": one.files,
        "ended": {e.value: one.ended.get(e, 0) for e in Ending},
        "masters": list(one.targets),
    }


def _file(one: File) -> dict[str, Any]:
    return {
        "file": one.path,
        "size": one.size,
        "sha256": one.sha256,
        "puid": one.puid,
        "format": one.format,
        "ended": one.ending.value,
        "rules": [
            {
                "rule": w.rule,
                "ended": w.ending.value,
                "code": w.code,
                "products": [{"path": o.path, "sha256": o.sha256, "size": o.size, "puid": o.puid} for o in w.products],
                "checks": list(w.checks),
            }
            for w in one.works
        ],
    }
