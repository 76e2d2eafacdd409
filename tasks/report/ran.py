"""One run as its report tells it: what it was asked for, how it ended, every batch, what needs a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tasks.aip.progress import Stage
from tasks.premis import codes
from tasks.premis.model import Ending
from tasks.report import phrases
from tasks.report.places import aip_page
from tasks.report.summary import Row, Summary
from tasks.sip.refusal import Refused
from tasks.words import language, text

BATCHES, ROWS = 1000, 220
"""Of a run at most so many batches and rows stand in its report; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that is over. `code` is what stopped it, "" for one that went through or was put down."""

    run: UUID
    kind: str  # night, batch, reprocess
    state: str  # Done, Nothing to do, Needs a person, Stopped, or as Prefect names it
    code: str
    message: str
    reason: str
    policy: str
    started: datetime
    seconds: float
    stages: tuple[Stage, ...]
    summaries: tuple[Summary, ...]
    refused: tuple[Refused, ...]

    @property
    def stopped(self) -> bool:
        """Whether it could not go on."""
        return self.state == "Stopped"

    @property
    def verdict(self) -> str:
        """One sentence over all of it."""
        if self.stopped:
            return self.message
        refused = sum(not passing(r) for r in self.refused)
        if not self.summaries:
            return phrases.needs((), refused) if refused else self.message or phrases.verdict(())
        told = text("deliveries-refused", n=refused) if refused else ""
        return f"{phrases.verdict(self.summaries)} {told}".strip()

    @property
    def ended(self) -> Counter[Ending]:
        """How many files ended how."""
        return sum((Counter(s.ended) for s in self.summaries), Counter())

    def batches(self) -> list[Summary]:
        """The batches, those first that need a person most."""
        return sorted(self.summaries, key=lambda s: (not s.alarm, -s.needing, -s.files, s.batch))

    def rows(self) -> list[tuple[Summary, Row]]:
        """What needs a person, batch by batch, as far as it is at hand; at most ROWS."""
        found: list[tuple[Summary, Row]] = []
        for summary in self.batches():
            found += [(summary, row) for row in summary.attention[: ROWS - len(found)]]
        return found

    def left(self) -> int:
        """How many rows `rows` leaves out."""
        return sum(len(s.attention) + s.more for s in self.summaries) - len(self.rows())

    def as_json(self) -> dict[str, Any]:
        """With stable, documented keys; times in UTC."""
        shown = self.batches()[:BATCHES]
        return {
            "run": str(self.run),
            "kind": self.kind,
            "state": self.state,
            "code": self.code,
            "message": self.message,
            "verdict": self.verdict,
            "lang": language(),
            "reason": self.reason,
            "policy": self.policy,
            "started": self.started.astimezone(UTC).isoformat(timespec="seconds"),
            "ended": (self.started.astimezone(UTC) + timedelta(seconds=self.seconds)).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "stages": [{"name": s.name, "files": s.files, "seconds": round(s.seconds, 2)} for s in self.stages],
            "files": sum(s.files for s in self.summaries),
            "endings": {e.value: self.ended[e] for e in Ending},
            "needing": sum(s.needing for s in self.summaries),
            "new": sum(s.new for s in self.summaries),
            "batches": [_batch(s) for s in shown],
            "batches_left_out": len(self.summaries) - len(shown),
            "refused": [r.as_json() for r in self.refused[:BATCHES]],
            "attention": [row.as_json() | {"batch": s.batch, "aip": str(s.aip)} for s, row in self.rows()],
            "attention_left_out": self.left(),
        }


def _batch(one: Summary) -> dict[str, Any]:
    return {
        "batch": one.batch,
        "aip": str(one.aip),
        "version": one.version,
        "files": one.files,
        "ended": {e.value: one.ended.get(e, 0) for e in Ending},
        "needing": one.needing,
        "new": one.new,
        "alarm": one.alarm,
        "report": aip_page(one.aip),
    }


def passing(refused: Refused) -> bool:
    """Whether the next run takes the delivery up by itself."""
    return refused.code in codes.CODES and codes.code(refused.code).transient


def worst(summaries: Sequence[Summary]) -> Ending:
    """The one shape that stands for all of them."""
    if any(s.alarm or s.ended.get(Ending.FAILED, 0) for s in summaries):
        return Ending.FAILED
    for ending in (Ending.HELD, Ending.WAITING, Ending.DONE):
        if any(s.ended.get(ending, 0) for s in summaries):
            return ending
    return Ending.KEPT
