"""What was done to the files of an AIP before, and so why a piece of work is to be done now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property

from tasks.policy import modules
from tasks.policy.apply import Work
from tasks.policy.rules import Policy, Rule
from tasks.premis import codes
from tasks.premis.model import Ending, Event, EventType, SourceFile

_OF_A_FILE = (EventType.INGESTION, EventType.IDENTIFICATION, EventType.EXTRACTION)


class Because(StrEnum):
    """Why a piece of work is in a plan."""

    NEW = "new file"
    REPLACED = "file changed"
    RULE_NEW = "rule new"
    RULE_CHANGED = "rule changed"
    """Its row (target, parameters, checks, limits), or the version of its action or of a check."""
    FACTS_CHANGED = "facts changed"
    """The format, or a fact that the rule asks for, the languages of the batch among them."""
    LOST = "product lost"
    WAITING = "waiting"
    HELD = "held files asked for"
    FAILED = "failed files asked for"
    ALL = "all files asked for"
    CODE = "code asked for"


class Past:
    """The endings and notes of one AIP, out of its events, oldest first. It refers to the events and copies none."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self._last = {
            (e.source.path, e.rule): e for e in events if e.ending is not None and e.rule and e.source is not None
        }

    def last(self, path: str, rule: Rule) -> Event | None:
        """How this rule ended on the file of that name last, whatever bytes that had and whatever was asked."""
        return self._last.get((path, rule.id))

    def endings(self, file: SourceFile, rule: Rule, ended: Event | None) -> Sequence[Event]:
        """How the rule ended on these bytes last; where it never did, how every other rule did.

        `ended` is the ending in force, if there is one: where a file waited too often, it is not what the log says.
        """
        own = ended or self.last(file.path, rule)
        found = [own] if own else self._of_path.get(file.path, [])
        return [e for e in found if _is_of(e, file)]

    def notes(self, path: str, sha256: str) -> frozenset[str]:
        """The codes of what was noted about these bytes before a rule was chosen."""
        return self._notes.get((path, sha256), frozenset())

    def why(self, work: Work, policy: Policy) -> Because:
        """Why work is to be done that is not settled; another format says more than whatever else changed."""
        last = self.last(work.source.path, work.rule)
        if last is None:
            others = self._of_path.get(work.source.path)
            if not others:
                return Because.NEW
            return Because.RULE_NEW if any(_is_of(e, work.source) for e in others) else Because.REPLACED
        if last.source is None or not _is_of(last, work.source):
            return Because.REPLACED
        if last.ending is Ending.WAITING:
            return Because.WAITING
        if last.asked == work.asked:
            return Because.LOST
        other_format = last.source.puid != (work.identification.puid or "")
        same_rule = last.policy == policy.name and self._same_versions(last, work.rule)
        return Because.FACTS_CHANGED if other_format or same_rule else Because.RULE_CHANGED

    def _same_versions(self, last: Event, rule: Rule) -> bool:
        """Whether the action and the checks that acted then are of the versions that would act now."""
        then = {agent.name: agent.version for agent in last.agents[:1]} | self._checks.get(last.asked, {})
        versions = modules.versions(rule.action, tuple(check.validator for check in rule.checks))
        now = {f"perenne/{what.partition(' ')[2]}": version for what, version in versions.items()}
        return all(then.get(name, version) == version for name, version in now.items())

    @cached_property
    def _of_path(self) -> Mapping[str, list[Event]]:
        found: dict[str, list[Event]] = defaultdict(list)
        for (path, _), event in self._last.items():
            found[path].append(event)
        return found

    @cached_property
    def _notes(self) -> Mapping[tuple[str, str], frozenset[str]]:
        """(path, sha256) → codes; of each kind of act the last one counts."""
        last: dict[tuple[str, str, EventType], Event] = {
            (e.source.path, e.source.sha256, e.type): e
            for e in self._events
            if e.type in _OF_A_FILE and e.ending is None and e.source is not None
        }
        found: dict[tuple[str, str], frozenset[str]] = {}
        for (path, sha256, _), event in last.items():
            if given := codes.given_by(event):
                found[path, sha256] = found.get((path, sha256), frozenset()) | given
        return found

    @cached_property
    def _checks(self) -> Mapping[str, dict[str, str]]:
        """Asked → the checks that answered to it, with their versions: a part of what is asked, so always the same."""
        return _versions(e for e in self._events if e.type is EventType.VALIDATION and e.asked)


def _versions(judged: Iterable[Event]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for event in judged:
        for agent in event.agents[:1]:
            found[event.asked][agent.name] = agent.version
    return found


def _is_of(event: Event, file: SourceFile) -> bool:
    return event.source is not None and event.source.sha256 == file.sha256
