"""One rule on one file: the action works in a job, validators weigh its products, and only then is anything handed on.

The heart of DESIGN §5. A bad file is a result: every Trouble raised on the way is caught here, once, and becomes the
event that says how the file ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tasks.actions import Migration
from tasks.policy import endings, modules
from tasks.policy.endings import Ended
from tasks.policy.rules import Check, Rule
from tasks.premis import codes
from tasks.premis.model import (
    Agent,
    Ending,
    Event,
    EventType,
    Facts,
    Identification,
    LinkedObject,
    Measure,
    Outcome,
    Product,
    Role,
    Source,
    SourceFile,
    Trouble,
    Verdict,
)
from tasks.premis.recorder import Recorder
from tasks.tools.door import Door
from tasks.tools.job import Job

FOLDERS = {
    Role.MASTER: "masters",
    Role.TRANSCRIPT: "transcripts",
    Role.TABLE: "tables",
    Role.APPENDIX: "appendices",
    Role.CHILD: "extracted",
}
"""Where a product of each role stands in the AIP (DESIGN §7)."""
ORIGINALS = "originals/"
CPU = "cpu"
"""The measure of an ending that says how many seconds of CPU its job took, all programs and checks together."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work: a rule, the file it answers for, and what was known when it was chosen."""

    source: SourceFile
    content: Path  # where the store keeps the bytes
    identification: Identification
    facts: Facts
    rule: Rule
    asked: str
    again: bool = False  # the AIP had an ending of this rule before: a migration, no longer a normalization
    trouble: Trouble | None = None  # found before a rule was chosen; the work is only to say so
    replaces: str = ""  # SHA-256 of the masters that this rule made of the file before
    twins: tuple[SourceFile, ...] = ()  # the same bytes under other names in the same AIP: converted once


Publish = Callable[[Path, str, str], None]
"""Takes (file, logical path, sha256) of a checked product and makes it durable before it returns."""
Hold = Callable[[BinaryIO, str], None]
"""Takes (open file, sha256) of a valid product that waits for a person."""


def apply(work: Work, door: Door, recorder: Recorder, publish: Publish, hold: Hold) -> tuple[Event, ...]:
    """Do one piece of work and return its events; exactly one of them, and one for each twin, carries an ending.

    When this returns with `done`, every product has passed every check and has been published durably.
    """
    began = time.time()
    if work.trouble is not None:
        one = _last(work, recorder, began, endings.from_trouble(work.trouble), (), ())
        return (one, *(e for twin in work.twins for e in _for_twin(twin, [one], work, {}, recorder)))
    if _only_kept(work):
        one = _last(work, recorder, began, _kept(work), (), ())
        return (one, *(e for twin in work.twins for e in _for_twin(twin, [one], work, {}, recorder)))
    with door.job(work.rule.limits) as job:
        attempt = _Attempt(work, job, recorder)
        try:
            ended, products = attempt.run(publish, hold)
        except Trouble as trouble:
            told = job.room(trouble)
            if codes.stops(told.code):
                raise told from trouble
            ended, products = endings.from_trouble(told), ()
        spent = Measure(CPU, f"{job.cpu_s:.3f}", "s")
        ended = replace(ended, measures=(*ended.measures, spent))
        events = [*attempt.events, _last(work, recorder, began, ended, attempt.agents or job.agents, products)]
        for twin in work.twins:
            places = attempt.published_for(twin, publish) if products else {}
            events += _for_twin(twin, events[: len(attempt.events) + 1], work, places, recorder)
        return tuple(events)


def _only_kept(work: Work) -> bool:
    """Whether the original is kept and nothing looks into it: then no job is needed, and no copy of its bytes."""
    return work.rule.action == "keep" and work.source.size > 0 and not any(_checks(work.rule, kept=True))


def _kept(work: Work) -> Ended:
    """How a file that is only kept ends: its bytes are read once more, since they are what is called the master."""
    with work.content.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != work.source.sha256:
        return endings.from_trouble(Trouble("fixity-broken", path=work.source.path))
    master = Product(Role.MASTER, work.source.path, work.identification.puid or "", work.source.size, found)
    return endings.good(True, work.rule, work.identification, Migration((master,)), ())


def _for_twin(
    twin: SourceFile, events: Sequence[Event], work: Work, places: Mapping[str, str], recorder: Recorder
) -> Iterator[Event]:
    """The same acts, told of the twin: what was done to these bytes was done to it too.

    `places`: logical path of a product under the first's name → under the twin's.
    """
    for event in events:
        yield recorder.event(
            event.type,
            event.outcome,
            began=event.time.timestamp(),
            code=event.code,
            detail={**event.detail, "same_bytes_as": work.source.path},
            asked=event.asked,
            rule=event.rule,
            ending=event.ending,
            agents=event.agents,
            objects=[
                replace(o, path=twin.path if o.path == work.source.path else places.get(o.path, o.path))
                for o in event.objects
            ],
            measures=[m for m in event.measures if m.name != CPU],  # it was spent once
        )


@contextlib.contextmanager
def _own_faults(rule: Rule, source: SourceFile) -> Iterator[None]:
    """A fault of our own code on one file is a result too. OSError passes: the machine's trouble stops the run."""
    try:
        yield
    except (Trouble, OSError):
        raise
    except Exception as error:
        _LOG.exception("%s on %s", rule.id, source.path)
        raise Trouble("unexpected", what=f"{type(error).__name__}: {error}"[:200]) from error


class _Attempt:
    """The steps of one application, with the events of the checks gathered on the way."""

    def __init__(self, work: Work, job: Job, recorder: Recorder) -> None:
        self.work, self.job, self.recorder = work, job, recorder
        self.events: list[Event] = []
        self.agents: tuple[Agent, ...] = ()
        self.made: tuple[Product, ...] = ()

    def run(self, publish: Publish, hold: Hold) -> tuple[Ended, tuple[LinkedObject, ...]]:
        rule = self.work.rule
        source = self._source()
        with _own_faults(rule, self.work.source):
            migration = modules.action(rule.action).migrate(source, self.job, **rule.parameters)
        self.agents = self.job.agents
        products = tuple(self._measured(p) for p in _checked_shape(migration))
        kept = any(p.role is Role.MASTER and p.sha256 == self.work.source.sha256 for p in products)
        self.made = tuple(p for p in products if p.sha256 != self.work.source.sha256)
        masters = [p for p in products if p.role is Role.MASTER]
        verdicts = [self._judge(check, source, p) for p in masters for check in _checks(rule, kept)]
        self._unchanged(source, products)
        worst = endings.worst([v for v in verdicts if v.outcome is Outcome.FAIL])
        if worst is not None:
            return self._refused(worst, products, hold), ()
        with _own_faults(rule, self.work.source):
            ended = endings.good(kept, rule, self.work.identification, migration, verdicts)
        return ended, tuple(self._published(p, logical, publish) for p, logical in self._places(self.work.source))

    def published_for(self, twin: SourceFile, publish: Publish) -> dict[str, str]:
        """Publish the products under the twin's name too; returns logical path of the first → that of the twin's."""
        places = {}
        for (product, first), (_, logical) in zip(self._places(self.work.source), self._places(twin), strict=True):
            publish(self.job.folder / product.path, logical, product.sha256)
            places[first] = logical
        return places

    def _places(self, source: SourceFile) -> list[tuple[Product, str]]:
        """What was made, with its logical path in the AIP."""
        return [(p, _logical(source, self.work.rule, p, n)) for p, n in _numbered(self.made)]

    def _source(self) -> Source:
        file = self.work.source
        name = self.job.give(self.work.content, "source" + _suffix(file.path))
        if self.job.digest(name)[1] != file.sha256:
            raise Trouble("fixity-broken", path=file.path)
        return Source(file, name, self.work.identification, self.work.facts)

    def _measured(self, product: Product) -> Product:
        size, sha256 = self.job.digest(product.path)
        if size == 0 and product.role is Role.MASTER:
            raise Trouble("product-missing", tool=self.work.rule.action)
        return replace(product, size=size, sha256=sha256)

    def _judge(self, check: Check, source: Source, product: Product) -> Verdict:
        began = time.time()
        try:
            with self.job.acting() as acted, _own_faults(self.work.rule, self.work.source):
                validate = modules.validator(check.validator).validate
                verdict = validate(source, product, self.job, **check.parameters)
        except Trouble as trouble:
            if codes.code(trouble.code).transient or codes.stops(trouble.code):
                raise
            verdict = Verdict(Outcome.FAIL, trouble.code, trouble.detail)
        version = modules.validator(check.validator).VERSION
        agents = (Agent(f"perenne/{check.validator}", version), *acted)
        self.events.append(
            self.recorder.event(
                EventType.VALIDATION,
                verdict.outcome,
                began=began,
                code=verdict.code,
                detail={"check": check.validator, **verdict.detail},
                asked=self.work.asked,
                rule=self.work.rule.id,
                agents=agents,
                objects=(_linked(self.work), self._outcome(product)),
                measures=verdict.measures,
            )
        )
        return verdict

    def _outcome(self, product: Product) -> LinkedObject:
        place = next((logical for p, logical in self._places(self.work.source) if p is product), self.work.source.path)
        return LinkedObject("outcome", place, product.sha256, product.size, product.puid)

    def _unchanged(self, source: Source, products: tuple[Product, ...]) -> None:
        """The bytes that were judged are the bytes that were made: no job may swap them in between."""
        if self.job.digest(source.name)[1] != source.file.sha256:
            raise Trouble("tool-crash", tool=self.work.rule.action, signal="the source's copy was changed")
        for product in products:
            if self.job.digest(product.path)[1] != product.sha256:
                raise Trouble("tool-crash", tool=self.work.rule.action, signal="a product changed while it was checked")

    def _refused(self, verdict: Verdict, products: tuple[Product, ...], hold: Hold) -> Ended:
        ended = endings.from_verdict(verdict)
        if ended.ending is Ending.HELD:
            for product in products:
                with self.job.open(product.path) as made:
                    hold(made, product.sha256)
        return ended

    def _published(self, product: Product, logical: str, publish: Publish) -> LinkedObject:
        publish(self.job.folder / product.path, logical, product.sha256)
        made = LinkedObject("outcome", logical, product.sha256, product.size, product.puid)
        if product.role is Role.TRANSCRIPT:
            self.events.append(
                self.recorder.event(
                    EventType.CREATION,
                    Outcome.SUCCESS,
                    began=time.time(),
                    detail={"what": "transcript"},
                    asked=self.work.asked,
                    rule=self.work.rule.id,
                    agents=self.agents,
                    objects=(_linked(self.work), made),
                )
            )
        return made


def _last(
    work: Work,
    recorder: Recorder,
    began: float,
    ended: Ended,
    agents: tuple[Agent, ...],
    made: tuple[LinkedObject, ...],
) -> Event:
    """The event that says how the work ended."""
    kind = EventType.MIGRATION if work.again else EventType.NORMALIZATION
    if ended.ending is Ending.KEPT:
        kind = EventType.POLICY
    return recorder.event(
        kind,
        ended.outcome,
        began=began,
        code=ended.code,
        detail={**ended.detail, **recorder.reasoned, **({"replaces": work.replaces} if work.replaces and made else {})},
        asked=work.asked,
        rule=work.rule.id,
        ending=ended.ending,
        agents=(Agent(f"perenne/{work.rule.action}", modules.action(work.rule.action).VERSION), *agents),
        objects=(_linked(work), *made),
        measures=ended.measures,
    )


def _linked(work: Work) -> LinkedObject:
    return LinkedObject(
        "source", work.source.path, work.source.sha256, work.source.size, work.identification.puid or ""
    )


def _suffix(path: str) -> str:
    """The extension of a name as far as programs may need it: short, plain letters; else none."""
    suffix = PurePosixPath(path).suffix.lower()
    return suffix if suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= 8 else ""


def _checked_shape(migration: Migration) -> tuple[Product, ...]:
    if not any(p.role is Role.MASTER for p in migration.products):
        raise Trouble("product-missing", tool="the action")
    return migration.products


def _checks(rule: Rule, kept: bool) -> Iterator[Check]:
    """All checks of the rule; of a kept original only those that do not compare it with itself."""
    return (c for c in rule.checks if not kept or not modules.compares(modules.validator(c.validator)))


def _numbered(products: tuple[Product, ...]) -> Iterator[tuple[Product, int]]:
    """Products with their number within their role, from 1."""
    counts: dict[Role, int] = {}
    for product in products:
        counts[product.role] = counts.get(product.role, 0) + 1
        yield product, counts[product.role]


def _logical(source: SourceFile, rule: Rule, product: Product, number: int) -> str:
    """`masters/<source path>/<rule id>[-n].<ext>`."""
    tail = f"-{number}" if number > 1 else ""
    name = f"{rule.id}{tail}{PurePosixPath(product.path).suffix}"
    return f"{FOLDERS[product.role]}/{source.path.removeprefix(ORIGINALS)}/{name}"
