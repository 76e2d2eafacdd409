"""What the pages of one AIP tell, gathered from its ledger once: files, formats, rules, tools, events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tasks.aip.ledger import ORIGINALS, Known, Ledger
from tasks.aip.plan import current
from tasks.policy.rules import Policy, Rule
from tasks.premis.model import Agent, Ending, Event, EventType, LinkedObject, Outcome
from tasks.report.summary import WORST, Row, Summary

MASTERS, TRANSCRIPTS = "masters/", "transcripts/"
MADE = (MASTERS, TRANSCRIPTS, "tables/", "appendices/", "extracted/")


@dataclass(frozen=True, slots=True)
class Work:
    """One rule on one file: how it ended, what it published, which checks agreed."""

    rule: str
    ending: Ending
    code: str
    outcome: Outcome
    products: tuple[LinkedObject, ...]
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class File:
    """One file of the AIP. `puid` and `format` are "" where nothing is known, `sha256` for one not in the store."""

    path: str  # without `originals/`
    size: int
    sha256: str
    puid: str
    format: str
    ending: Ending
    works: tuple[Work, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """The PUIDs of its masters, each once."""
        made = (o.puid for w in self.works for o in w.products if o.path.startswith(MASTERS))
        return tuple(dict.fromkeys(made))


@dataclass(frozen=True, slots=True)
class Format:
    """The files of one format: how many ended how, and what masters were made of them."""

    puid: str
    name: str
    ended: Mapping[Ending, int]
    targets: tuple[str, ...]

    @property
    def files(self) -> int:
        """How many files there are of it."""
        return sum(self.ended.values())


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of one file that needs a person: its row, its events (oldest first), digests by place."""

    row: Row
    file: File
    events: tuple[Event, ...]
    digests: tuple[tuple[str, str, str], ...]  # (role, place in the AIP or "", SHA-256)


@dataclass(frozen=True, slots=True)
class Account:
    """One AIP under one policy at one moment."""

    summary: Summary
    policy: Policy
    languages: str
    files: tuple[File, ...]
    formats: tuple[Format, ...]  # most files first
    rules: tuple[tuple[Rule, int], ...]  # those that answered, with so many files
    agents: tuple[Agent, ...]
    release: str  # of PRONOM; "" when nothing was identified
    bytes_in: int
    bytes_made: int
    transcripts: int
    delivery: str  # where the last delivery lay; "" where the log does not say it
    checked: Event | None  # the last fixity check
    stories: tuple[Story, ...]


def account(
    ledger: Ledger, known: Mapping[str, Known], policy: Policy, languages: str, summary: Summary, stories: int
) -> Account:
    """Everything that the pages of an AIP tell; at most so many stories of single files."""
    works = _works(ledger, known, policy, languages)
    files = tuple(_files(ledger, known, works, summary))
    checks = [e for e in ledger.events if e.type is EventType.FIXITY]
    arrivals = [e.detail["delivery"] for e in ledger.events if "delivery" in e.detail]
    used = Counter(w.rule for f in files for w in f.works)
    releases = [k.identification.release for k in known.values() if k.identification.release]
    return Account(
        summary=summary,
        policy=policy,
        languages=languages,
        files=files,
        formats=tuple(_formats(files)),
        rules=tuple((rule, used[rule.id]) for rule in policy.rules if used[rule.id]),
        agents=tuple(sorted({a for e in ledger.events for a in e.agents}, key=lambda a: (a.name.lower(), a.version))),
        release=max(releases, default=""),
        bytes_in=sum(f.size for f in files),
        bytes_made=sum(e.size for path, e in ledger.state.items() if path.startswith(MASTERS)),
        transcripts=sum(path.startswith(TRANSCRIPTS) for path in ledger.state),
        delivery=arrivals[-1] if arrivals else "",
        checked=checks[-1] if checks else None,
        stories=tuple(_stories(ledger, summary.attention, files, stories)),
    )


def _works(ledger: Ledger, known: Mapping[str, Known], policy: Policy, languages: str) -> dict[str, list[Work]]:
    """Path → its works under the policy; one that is not settled waits."""
    agreed: dict[tuple[object, ...], list[str]] = {}
    for told in ledger.events:
        if told.type is EventType.VALIDATION and told.rule and told.outcome is not Outcome.FAIL and told.source:
            agreed.setdefault(_work(told), []).append(told.detail.get("check", ""))
    found: dict[str, list[Work]] = {}
    for (path, rule), event in current(ledger, known, policy, languages).items():
        one = Work(rule, Ending.WAITING, "", Outcome.FAIL, (), ())
        if event is not None and event.ending is not None:
            made = tuple(o for o in event.objects if o.role == "outcome" and o.path.startswith(MADE))
            checks = tuple(dict.fromkeys(filter(None, agreed.get(_work(event), ()))))
            one = Work(rule, event.ending, event.code, event.outcome, made, checks)
        found.setdefault(path, []).append(one)
    return found


def _work(event: Event) -> tuple[object, ...]:
    assert event.source is not None
    return event.run, event.rule, event.asked, event.source.path


def _files(
    ledger: Ledger, known: Mapping[str, Known], works: Mapping[str, Sequence[Work]], summary: Summary
) -> Iterable[File]:
    """Every original, and what was delivered but is not in the store; by path."""
    said = {row.file: row for row in (*reversed(summary.waiting), *reversed(summary.attention))}
    stored = set()
    for source, _ in ledger.originals:
        path = source.path.removeprefix(ORIGINALS)
        stored.add(path)
        one = known[source.path].identification if source.path in known else None
        done = tuple(works.get(source.path, ()))
        endings = {w.ending for w in done} or {Ending.WAITING}
        if (row := said.get(path)) is not None and not row.stored:
            endings.add(row.ending)
        name = _name(one.name, one.version) if one else ""
        puid = one.puid or "" if one else ""
        yield File(path, source.size, source.sha256, puid, name, next(e for e in WORST if e in endings), done)
    for path, row in sorted(said.items()):
        if path not in stored and not row.code.startswith(("fixity-", "inventory-", "version-")):
            yield File(path, 0, "", "", "", row.ending, ())


def _name(name: str, version: str) -> str:
    """A format as people say it; PRONOM often has the version in the name already."""
    return name if not version or version in name else f"{name} {version}".strip()


def _formats(files: Iterable[File]) -> list[Format]:
    """By PUID; those without one by whatever name there is. Of several names the first stands."""
    of: dict[str, list[File]] = {}
    for file in files:
        of.setdefault(file.puid or file.format, []).append(file)
    found = [
        Format(
            some[0].puid,
            some[0].format,
            Counter(file.ending for file in some),
            tuple(dict.fromkeys(puid for file in some for puid in file.targets)),
        )
        for some in of.values()
    ]
    return sorted(found, key=lambda f: (-f.files, f.puid))


def _stories(ledger: Ledger, rows: Iterable[Row], files: Sequence[File], most: int) -> Iterable[Story]:
    """The files that need a person, each once, in the order of their rows."""
    first: dict[str, Row] = {}
    of = {file.path: file for file in files}
    for row in rows:
        if row.file in of and len(first) < most:
            first.setdefault(row.file, row)
    events = _events(ledger, first.keys())
    for path, row in first.items():
        told = tuple(events[path])
        yield Story(row, of[path], told, tuple(_digests(ledger, row, of[path], told)))


def _events(ledger: Ledger, paths: Collection[str]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {path: [] for path in paths}
    for event in ledger.events:
        about = {o.path.removeprefix(ORIGINALS) for o in event.objects if o.role == "source"}
        for path in about & found.keys():
            found[path].append(event)
    return found


def _digests(ledger: Ledger, row: Row, file: File, events: Sequence[Event]) -> Iterable[tuple[str, str, str]]:
    """The original, what was published of it, and products that wait: those that the checks of the row looked at."""
    if file.sha256:
        yield "original", ORIGINALS + file.path, file.sha256
    published = {}
    for work in file.works:
        for made in work.products:
            if made.path in ledger.state:
                published[made.path] = ledger.state[made.path].sha256
    for path, sha256 in published.items():
        yield ("master" if path.startswith(MASTERS) else "transcript"), path, sha256
    held = {_work(e) for e in events if e.source and e.ending is Ending.HELD and e.time.isoformat() == row.time}
    waiting = {
        o.sha256
        for e in events
        if e.type is EventType.VALIDATION and e.source and _work(e) in held
        for o in e.objects
        if o.role == "outcome"
    }
    for sha256 in sorted(waiting - set(published.values())):
        yield "product", "", sha256
