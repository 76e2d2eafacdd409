"""Policy × what is known − what is settled → the work of this run."""

from __future__ import annotations

import fnmatch
import unicodedata
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from tasks.aip.ledger import ORIGINALS, Known, Ledger
from tasks.aip.past import Because, Past
from tasks.policy import modules
from tasks.policy.apply import Work
from tasks.policy.rules import Policy, Rule, asked
from tasks.premis import codes
from tasks.premis.model import Ending, Event, Fact, LinkedObject, SourceFile


class Scope(StrEnum):
    """Which files to take up again besides those that are new or whose rule changed."""

    CHANGED = "changed"
    HELD = "held"
    FAILED = "failed"
    ALL = "all"


_ENDINGS = {Scope.HELD: Ending.HELD, Scope.FAILED: Ending.FAILED}


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person asked for: a scope, and codes, rules and paths to keep to (empty: all).

    With `codes`, exactly that work is chosen which ended with one of them last, or whose file has a note of them,
    settled or not; nothing else is, be it new or changed. The scopes `held` and `failed` then keep to what ended so.
    """

    scope: Scope = Scope.CHANGED
    rules: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()

    def takes(self, rule: Rule, file: SourceFile, ended: Event | None, past: Past) -> bool:
        """Whether this work is wanted, given how it ended before (None: it is not settled)."""
        if self.rules and rule.id not in self.rules:
            return False
        if self.paths and not any(_matches(pattern, file.path) for pattern in self.paths):
            return False
        if self.codes:
            return self._coded(past.endings(file, rule, ended), past.notes(file.path, file.sha256))
        if self.scope is Scope.ALL or ended is None:
            return True
        return ended.ending is _ENDINGS.get(self.scope)

    def meets(self, path: str) -> frozenset[str]:
        """Which of the paths asked for a file answers to."""
        return frozenset(pattern for pattern in self.paths if _matches(pattern, path))

    def _coded(self, endings: Sequence[Event], notes: frozenset[str]) -> bool:
        wanted = _ENDINGS.get(self.scope)
        fit = [e for e in endings if wanted is None or e.ending is wanted]
        has = [codes.given_by(e) for e in fit]
        if fit or wanted is None:
            has.append(notes)
        return not frozenset(self.codes).isdisjoint(frozenset[str]().union(*has))


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work with the AIP it belongs to, and why it is to be done."""

    aip: uuid.UUID
    work: Work
    because: Because = Because.NEW


def believed(ledger: Ledger, choice: Choice) -> dict[tuple[str, str], Known]:
    """(path, sha256) → what was found out before and need not be found out again.

    That is nothing when all is asked anew. Who takes up held or failed files, or those with a code, wants to know anew
    what stood in their way, or was doubted: a tool may have been mended.
    """
    if choice.scope is Scope.ALL:
        return {}
    if choice.codes:
        past, wanted = Past(ledger.events), frozenset(choice.codes)
        return {key: one for key, one in ledger.known().items() if wanted.isdisjoint(past.notes(*key))}
    changed = choice.scope is Scope.CHANGED
    return {key: one for key, one in ledger.known().items() if changed or one.trouble is None}


def plan(ledger: Ledger, known: Mapping[str, Known], policy: Policy, choice: Choice, languages: str) -> list[Task]:
    """The work of one AIP, by path and rule. `known` is by path; files that are not known yet are left out."""
    settled, past = ledger.settled(), Past(ledger.events)
    tasks = []
    for (file, content), one in _with(ledger.originals, known):
        facts = _facts(one, languages)
        for rule in policy.rules_for(one.identification.puid, facts):
            question = ask(rule, one, facts)
            ended = settled.get((file.path, rule.id, question))
            if ended is not None and ended.source is not None and ended.source.sha256 != file.sha256:
                ended = None
            if choice.takes(rule, file, ended, past):
                last = past.last(file.path, rule)
                old = " ".join(o.sha256 for o in last.objects if _is_master(o)) if last else ""
                work = Work(
                    file, content, one.identification, facts, rule, question, last is not None, one.trouble, old
                )
                tasks.append(Task(ledger.id, work, _because(work, ended, past, policy, choice)))
    return tasks


def _because(work: Work, ended: Event | None, past: Past, policy: Policy, choice: Choice) -> Because:
    if choice.codes:
        return Because.CODE
    if ended is not None:
        return {Scope.HELD: Because.HELD, Scope.FAILED: Because.FAILED}.get(choice.scope, Because.ALL)
    return past.why(work, policy)


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
        replace(first, work=replace(first.work, twins=tuple(t.work.source for t in rest)))
        for first, *rest in groups.values()
    ]


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
