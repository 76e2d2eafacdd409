"""How one AIP stands, in the words that people see everywhere."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tasks.aip.ledger import ORIGINALS, Known, Ledger
from tasks.aip.plan import current
from tasks.policy.rules import Policy
from tasks.premis import codes
from tasks.premis.model import Ending, Event, EventType, Outcome

SHAPES = {Ending.DONE: "✓", Ending.KEPT: "=", Ending.HELD: "◆", Ending.FAILED: "✕", Ending.WAITING: "…"}
ASCII = {Ending.DONE: "+", Ending.KEPT: "=", Ending.HELD: "?", Ending.FAILED: "x", Ending.WAITING: "."}
MEANINGS = {
    Ending.DONE: "a master is published: valid, and compared with its source",
    Ending.KEPT: "the original is the master",
    Ending.HELD: "waits for your decision; not published yet",
    Ending.FAILED: "no master could be made",
    Ending.WAITING: "passing trouble; the next run takes it up",
}
WORST = (Ending.FAILED, Ending.HELD, Ending.WAITING, Ending.DONE, Ending.KEPT)
"""A file with several rules counts once, by the worst of its endings."""


@dataclass(frozen=True, slots=True)
class Row:
    """One file that needs a person, or has a note: what was seen and what to do."""

    file: str
    ending: Ending
    code: str
    seen: str
    do: str
    stored: bool
    new: bool
    rule: str
    time: str

    def as_json(self) -> dict[str, Any]:
        """The row with stable, documented keys."""
        return {
            "file": self.file,
            "ended": self.ending.value,
            "code": self.code,
            "seen": self.seen,
            "do": self.do,
            "rule": self.rule,
            "time": self.time,
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """One AIP: its files by ending, what needs a person (worst first), what is worth knowing."""

    batch: str
    aip: uuid.UUID
    version: int
    files: int
    ended: Mapping[Ending, int]
    attention: tuple[Row, ...]  # needs a person, worst first
    notes: tuple[Row, ...]
    masters: int
    events: int
    settled_since: str
    worked: bool  # the run that was asked about did something here
    waiting: tuple[Row, ...] = ()  # the next run takes it up

    @property
    def good(self) -> int:
        """Files in good order: done or kept, with or without a note."""
        return self.ended.get(Ending.DONE, 0) + self.ended.get(Ending.KEPT, 0)

    @property
    def needing(self) -> int:
        """Files that need a person: held or failed; and one more when the store itself does."""
        alarm = any(r.code == "fixity-broken" and not r.rule for r in self.attention)
        return self.ended.get(Ending.HELD, 0) + self.ended.get(Ending.FAILED, 0) + alarm

    @property
    def new(self) -> int:
        """Files whose trouble came in the run that was asked about."""
        return len({r.file for r in self.attention if r.new})

    @property
    def unsafe(self) -> int:
        """Files whose bytes are not in the store."""
        return len({r.file for r in (*self.attention, *self.waiting) if not r.stored})

    def as_json(self) -> dict[str, Any]:
        """The summary with stable, documented keys (DESIGN §9)."""
        return {
            "batch": self.batch,
            "aips": [{"id": str(self.aip), "version": self.version}],
            "files": self.files,
            "ended": {e.value: self.ended.get(e, 0) for e in Ending} | {"notes": len({r.file for r in self.notes})},
            "masters": self.masters,
            "events": self.events,
            "attention": [r.as_json() for r in self.attention],
            "waiting": [r.as_json() for r in self.waiting],
        }


def summarize(
    ledger: Ledger, known: Mapping[str, Known], policy: Policy, languages: str, run: uuid.UUID | None
) -> Summary:
    """The summary of one AIP under a policy; `run` says which troubles count as new."""
    by_file: dict[str, list[Event | None]] = {file.path: [] for file, _ in ledger.originals}
    for (path, _), event in current(ledger, known, policy, languages).items():
        by_file[path].append(event)
    by_file |= {path: [event] for path, event in _not_stored(ledger).items()}
    settled = [event for events in by_file.values() for event in events if event is not None]
    bad = sorted((e for e in settled if e.ending in (Ending.HELD, Ending.FAILED)), key=codes.worst_first)
    noted = [e for e in settled if e.outcome is Outcome.WARNING and e.ending in (Ending.DONE, Ending.KEPT)]
    waiting = [path for path, events in by_file.items() if _worst(events) is Ending.WAITING]
    return Summary(
        batch=ledger.about.batch or str(ledger.id),
        aip=ledger.id,
        version=ledger.head,
        files=len(by_file),
        ended=Counter(_worst(events) for events in by_file.values()),
        attention=tuple(_row(e, run) for e in (*_alarm(ledger), *bad)),
        waiting=tuple(_pending(ledger, path, run) for path in waiting),
        notes=tuple(_row(e, run) for e in sorted(noted, key=codes.worst_first)),
        masters=sum(path.startswith("masters/") for path in ledger.state),
        events=len(ledger.events),
        settled_since=max((e.time.isoformat() for e in settled), default=""),
        worked=any(e.run == run for e in ledger.events),
    )


def _worst(events: Iterable[Event | None]) -> Ending:
    """A file counts once, by the worst of its endings; work that is not settled waits for the next run."""
    endings = {Ending.WAITING if e is None else e.ending for e in events} or {Ending.WAITING}
    return next(ending for ending in WORST if ending in endings)


def _alarm(ledger: Ledger) -> list[Event]:
    """The last fixity check, when it found that the store no longer holds what was stored."""
    checks = [e for e in ledger.events if e.type is EventType.FIXITY]
    return [replace(checks[-1], ending=Ending.FAILED)] if checks and checks[-1].outcome is Outcome.FAIL else []


def _not_stored(ledger: Ledger) -> dict[str, Event]:
    """What the inbox refused, unless it is in the store by now."""
    stored = {file.path for file, _ in ledger.originals}
    last = {
        e.source.path: e
        for e in ledger.events
        if e.ending is not None and e.source is not None and not e.rule and not e.source.sha256
    }
    return {path: event for path, event in last.items() if path not in stored}


def _row(event: Event, run: uuid.UUID | None) -> Row:
    path = event.source.path if event.source else ""
    return Row(
        file=path.removeprefix(ORIGINALS),
        ending=event.ending or Ending.WAITING,
        code=event.code,
        seen=codes.message(event.code, event.detail),
        do=codes.advice(event.code, event.detail),
        stored=codes.code(event.code).stored,
        new=event.run == run,
        rule=event.rule,
        time=event.time.isoformat(),
    )


def _pending(ledger: Ledger, path: str, run: uuid.UUID | None) -> Row:
    """A file that the next run takes up: the last thing that was said of it."""
    said = [e for e in ledger.events if e.source and e.source.path == path and e.ending is Ending.WAITING]
    if said:
        return _row(said[-1], run)
    return Row(
        path.removeprefix(ORIGINALS),
        Ending.WAITING,
        "",
        "Not worked on yet.",
        "Run the batch again.",
        True,
        False,
        "",
        "",
    )
