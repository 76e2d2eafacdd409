"""Policy × what is known − what is settled → the work of this run."""

from __future__ import annotations

import fnmatch
import unicodedata
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from tasks.aip.ledger import ORIGINALS, Known, Ledger
from tasks.policy import modules
from tasks.policy.apply import Work
from tasks.policy.rules import Policy, Rule, asked
from tasks.premis.model import Ending, Event, Fact, LinkedObject, SourceFile


class Scope(StrEnum):
    """Which files to take up again besides those that are new or whose rule changed."""

    CHANGED = "changed"
    HELD = "held"
    FAILED = "failed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person asked for: a scope, and rules and paths to keep to (empty: all)."""

    scope: Scope = Scope.CHANGED
    rules: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def takes(self, rule: Rule, path: str, ended: Event | None) -> bool:
        """Whether this work is wanted, given how it ended before (None: it is not settled)."""
        if self.rules and rule.id not in self.rules:
            return False
        if self.paths and not any(_matches(pattern, path) for pattern in self.paths):
            return False
        if self.scope is Scope.ALL or ended is None:
            return True
        wanted = {Scope.HELD: Ending.HELD, Scope.FAILED: Ending.FAILED}.get(self.scope)
        return wanted is not None and ended.ending is wanted


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work with the AIP it belongs to."""

    aip: uuid.UUID
    work: Work


def plan(ledger: Ledger, known: Mapping[str, Known], policy: Policy, choice: Choice, languages: str) -> list[Task]:
    """The work of one AIP, by path and rule. `known` is by path; files that are not known yet are left out."""
    settled = ledger.settled()
    before = {(e.source.path, e.rule): e for e in ledger.events if e.ending is not None and e.source is not None}
    tasks = []
    for (file, content), one in _with(ledger.originals, known):
        facts = _facts(one, languages)
        for rule in policy.rules_for(one.identification.puid, facts):
            question = ask(rule, one, facts)
            ended = settled.get((file.path, rule.id, question))
            if ended is not None and ended.source is not None and ended.source.sha256 != file.sha256:
                ended = None
            if choice.takes(rule, file.path, ended):
                again = (file.path, rule.id) in before
                old = " ".join(o.sha256 for o in before[file.path, rule.id].objects if _is_master(o)) if again else ""
                work = Work(file, content, one.identification, facts, rule, question, again, one.trouble, old)
                tasks.append(Task(ledger.id, work))
    return tasks


def _is_master(linked: LinkedObject) -> bool:
    return linked.role == "outcome" and linked.path.startswith("masters/")


def current(
    ledger: Ledger, known: Mapping[str, Known], policy: Policy, languages: str
) -> dict[tuple[str, str], Event | None]:
    """(path, rule) → the ending in force under this policy; None where the work is not settled."""
    settled = ledger.settled()
    found: dict[tuple[str, str], Event | None] = {}
    for (file, _), one in _with(ledger.originals, known):
        facts = _facts(one, languages)
        for rule in policy.rules_for(one.identification.puid, facts):
            ended = settled.get((file.path, rule.id, ask(rule, one, facts)))
            same = ended is not None and ended.source is not None and ended.source.sha256 == file.sha256
            found[file.path, rule.id] = ended if same else None
    return found


def ask(rule: Rule, known: Known, facts: Mapping[str, Fact]) -> str:
    """The settled-work key of one rule on one file."""
    checks = tuple(check.validator for check in rule.checks)
    versions = modules.versions(rule.action, checks)
    return asked(
        rule, known.identification.puid, facts, uses=modules.facts_of(modules.action(rule.action)), versions=versions
    )


def twinned(tasks: Iterable[Task]) -> list[Task]:
    """The same work with equal bytes under equal questions in one AIP put together: it is done once."""
    groups: dict[tuple[object, ...], list[Task]] = {}
    for task in tasks:
        work = task.work
        groups.setdefault((task.aip, work.source.sha256, work.rule.id, work.asked, work.again), []).append(task)
    return [
        Task(first.aip, replace(first.work, twins=tuple(t.work.source for t in rest)))
        for first, *rest in groups.values()
    ]


def chunks(tasks: Iterable[Task], size: int) -> Iterator[tuple[str, list[Task]]]:
    """The work grouped by action, across AIPs, in pieces of about equal expected cost; (name, tasks) each.

    A big file counts for more, so that one core does not sit over ten of them while the other is idle.
    """
    by_action: dict[str, list[Task]] = {}
    for task in tasks:
        by_action.setdefault(task.work.rule.action, []).append(task)
    for action, group in sorted(by_action.items()):
        piece: list[Task] = []
        weight = 0.0
        for task in group:
            piece.append(task)
            weight += _cost(task.work)
            if weight >= size:
                yield _named(action, piece)
                piece, weight = [], 0.0
        if piece:
            yield _named(action, piece)


HEAVY = {"scan_to_pdfa": 8.0, "image_to_pdfa": 8.0, "keep": 0.05}
"""Expected cost against a plain conversion: a guess that only balances chunks. docs/throughput.md has 1.7 s for a
picture with OCR and 0.3 s for an office document."""
BYTES_PER_COST = 4 << 20


def _cost(work: Work) -> float:
    pages = max(1, int(work.facts.get("pages", 1)), int(work.facts.get("frames", 1)))
    heavy = HEAVY.get(work.rule.action, 1.0)
    return heavy * (1 + (pages - 1) / 10 if heavy <= 1 else pages) + work.source.size / BYTES_PER_COST


def _named(action: str, piece: list[Task]) -> tuple[str, list[Task]]:
    count = sum(1 + len(task.work.twins) for task in piece)
    return f"{action} {count} file{'s' if count != 1 else ''}", piece


def _with(
    originals: Iterable[tuple[SourceFile, Path]], known: Mapping[str, Known]
) -> Iterator[tuple[tuple[SourceFile, Path], Known]]:
    return ((original, known[original[0].path]) for original in originals if original[0].path in known)


def _facts(known: Known, languages: str) -> dict[str, Fact]:
    return {**known.facts, "languages": languages} if languages else dict(known.facts)


def _matches(pattern: str, path: str) -> bool:
    """A file, a folder or a glob, compared after NFC: what a person types need not be what a producer wrote."""
    name = unicodedata.normalize("NFC", path.removeprefix(ORIGINALS))
    wanted = unicodedata.normalize("NFC", pattern.removeprefix(ORIGINALS))
    return name == wanted or name.startswith(wanted.rstrip("/") + "/") or fnmatch.fnmatchcase(name, wanted)
