"""How one AIP stands, in the words that people see everywhere."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tasks.aip.find import batch_of
from tasks.aip.ledger import ORIGINALS, Known, Ledger
from tasks.aip.plan import current
from tasks.policy.rules import Policy
from tasks.premis import codes
from tasks.premis.model import Ending, Event, EventType, Outcome
from tasks.report.supplement import Supplement, last_supplement
from tasks.words import text

SHAPES = {Ending.DONE: "✓", Ending.KEPT: "=", Ending.HELD: "◆", Ending.FAILED: "✕", Ending.WAITING: "…"}
ASCII = {Ending.DONE: "+", Ending.KEPT: "=", Ending.HELD: "?", Ending.FAILED: "x", Ending.WAITING: "."}
WORST = (Ending.FAILED, Ending.HELD, Ending.WAITING, Ending.DONE, Ending.KEPT)
"""A file with several rules counts once, by the worst of its endings."""


@dataclass(frozen=True, slots=True)
class Row:
    """One file that needs a person, or has a note: what was seen and what to do."""

    file: str
    ending: Ending
    code: str  # "" for one that nothing was said of yet
    detail: Mapping[str, str] = field(hash=False)
    stored: bool
    new: bool
    rule: str
    time: str

    @property
    def seen(self) -> str:
        """What was seen and what it means, in the language in force."""
        return codes.message(self.code, self.detail) if self.code else text("not-worked-on")

    @property
    def do(self) -> str:
        """What to do; empty when there is nothing to do."""
        return codes.advice(self.code, self.detail) if self.code else text("run-again")

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
    alarm: bool  # the store no longer holds what was stored
    new: int  # files whose trouble came in the run that was asked about
    unsafe: int  # files whose bytes are not in the store
    noted: int  # files with a note
    masters: int
    events: int
    settled_since: str
    worked: bool  # the run that was asked about did something here
    waiting: tuple[Row, ...] = ()  # the next run takes it up
    supplement: Supplement | None = None  # the last delivery, when the batch had been received before
    more: int = 0  # rows of `attention` that `bounded` left out

    @property
    def good(self) -> int:
        """Files in good order: done or kept, with or without a note."""
        return self.ended.get(Ending.DONE, 0) + self.ended.get(Ending.KEPT, 0)

    @property
    def needing(self) -> int:
        """Files that need a person: held or failed; and one more when the store itself does."""
        return self.ended.get(Ending.HELD, 0) + self.ended.get(Ending.FAILED, 0) + self.alarm

    def bounded(self, rows: int) -> Summary:
        """The same, with every count as it is, and of each kind of row the first `rows`: a run keeps it in memory."""
        return replace(
            self,
            attention=self.attention[:rows],
            notes=self.notes[:rows],
            waiting=self.waiting[:rows],
            more=self.more + max(0, len(self.attention) - rows),
        )

    def as_json(self) -> dict[str, Any]:
        """The summary with stable, documented keys (DESIGN §9)."""
        return {
            "batch": self.batch,
            "aips": [{"id": str(self.aip), "version": self.version}],
            "files": self.files,
            "ended": {e.value: self.ended.get(e, 0) for e in Ending} | {"notes": self.noted},
            "masters": self.masters,
            "events": self.events,
            "attention": [r.as_json() for r in self.attention],
            "attention_left_out": self.more,
            "waiting": [r.as_json() for r in self.waiting],
            "supplements": [self.supplement.as_json()] if self.supplement else [],
        }


def by_batch(summaries: Iterable[Summary]) -> list[dict[str, Any]]:
    """The summaries as JSON, those of one batch's parts put together."""
    found: dict[str, dict[str, Any]] = {}
    for one in summaries:
        name = batch_of(one.batch)
        told = one.as_json() | {"batch": name}
        found[name] = _together(found[name], told) if name in found else told
    return list(found.values())


def _together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Lists one after the other, numbers added up, also those of an inner table."""
    return {
        key: _together(value, other[key])
        if isinstance(value, dict)
        else value
        if isinstance(value, str)
        else value + other[key]
        for key, value in one.items()
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
    noted += _noted_on_arrival(ledger, {path: _worst(events) for path, events in by_file.items()})
    alarm = _alarm(ledger)
    attention = tuple(row(e, run) for e in (*alarm, *bad))
    notes = tuple(row(e, run) for e in sorted(noted, key=codes.worst_first))
    said = {e.source.path: e for e in ledger.events if e.source and e.ending is Ending.WAITING}
    waiting = tuple(
        _pending(path, said.get(path), run) for path, events in by_file.items() if _worst(events) is Ending.WAITING
    )
    return Summary(
        batch=ledger.about.label or str(ledger.id),
        aip=ledger.id,
        version=ledger.head,
        files=len(by_file),
        ended=Counter(_worst(events) for events in by_file.values()),
        attention=attention,
        waiting=waiting,
        notes=notes,
        alarm=bool(alarm),
        new=len({r.file for r in attention if r.new}),
        unsafe=len({r.file for r in (*attention, *waiting) if not r.stored}),
        noted=len({r.file for r in notes}),
        masters=sum(path.startswith("masters/") for path in ledger.state),
        events=len(ledger.events),
        settled_since=max((e.time.isoformat() for e in settled), default=""),
        worked=any(e.run == run for e in ledger.events),
        supplement=last_supplement(ledger.events, ledger.state, run),
    )


def _worst(events: Iterable[Event | None]) -> Ending:
    """A file counts once, by the worst of its endings; work that is not settled waits for the next run."""
    endings = {Ending.WAITING if e is None else e.ending for e in events} or {Ending.WAITING}
    return next(ending for ending in WORST if ending in endings)


def _alarm(ledger: Ledger) -> list[Event]:
    """What the last fixity check found wrong, when the store no longer holds what was stored."""
    checks = [e for e in ledger.events if e.type is EventType.FIXITY]
    if not checks or checks[-1].outcome is not Outcome.FAIL:
        return []
    found = [e for e in checks if e.run == checks[-1].run and e.code and e.outcome is Outcome.FAIL]
    return [replace(e, ending=Ending.FAILED) for e in found]


def _noted_on_arrival(ledger: Ledger, ended: Mapping[str, Ending]) -> list[Event]:
    """What was worth knowing when the originals that stand today came in: their names, mostly."""
    now = {file.path: file.sha256 for file, _ in ledger.originals}
    return [
        replace(e, ending=ended[e.source.path])
        for e in ledger.events
        if e.type is EventType.INGESTION
        and e.outcome is Outcome.WARNING
        and e.source is not None
        and now.get(e.source.path) == e.source.sha256
    ]


def _not_stored(ledger: Ledger) -> dict[str, Event]:
    """What the inbox refused last: what is not in the store, or is there as it was before."""
    stored = {file.path for file, _ in ledger.originals}
    taken = {
        e.source.path: (e.time, e.seq)
        for e in ledger.events
        if e.type is EventType.INGESTION and e.source is not None and e.source.sha256
    }
    last = {
        e.source.path: e
        for e in ledger.events
        if e.ending is not None and e.source is not None and not e.rule and not e.source.sha256
    }
    return {p: e for p, e in last.items() if p not in stored or (p in taken and (e.time, e.seq) > taken[p])}


def row(event: Event, run: uuid.UUID | None) -> Row:
    """An event as people see it; new when it came in that run."""
    path = event.source.path if event.source else event.detail.get("path", "")
    return Row(
        file=path.removeprefix(ORIGINALS),
        ending=event.ending or Ending.WAITING,
        code=event.code,
        detail=event.detail,
        stored=codes.code(event.code).stored,
        new=event.run == run,
        rule=event.rule,
        time=event.time.isoformat(),
    )


def _pending(path: str, said: Event | None, run: uuid.UUID | None) -> Row:
    """A file that the next run takes up: the last thing that was said of it."""
    if said is not None:
        return row(said, run)
    return Row(
        path.removeprefix(ORIGINALS), Ending.WAITING, code="", detail={}, stored=True, new=False, rule="", time=""
    )
