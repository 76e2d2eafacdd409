"""Find out what files are: PRONOM's answer, FIDO's beside it, and the facts that the rules ask for."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from types import ModuleType

import tasks.facts
from tasks.aip.ledger import Known, facts_detail, identification_detail
from tasks.config.home import PERENNE
from tasks.premis import codes
from tasks.premis.model import (
    Agent,
    Basis,
    Event,
    EventType,
    Fact,
    Identification,
    Limits,
    LinkedObject,
    Outcome,
    SourceFile,
    Trouble,
)
from tasks.premis.recorder import Recorder
from tasks.pronom import choose, fido, siegfried
from tasks.tools.door import Door
from tasks.tools.job import Job

LIMITS = Limits(wall_s=60, memory_bytes=2 << 30, output_bytes=64 << 20)
"""Of looking at one file; identification of a whole chunk by Siegfried has the same."""

Original = tuple[SourceFile, Path]

_LOG = logging.getLogger(__name__)


@cache
def families() -> Mapping[str, ModuleType]:
    """PUID → the facts module that reads it."""
    modules = [importlib.import_module(f"tasks.facts.{m.name}") for m in pkgutil.iter_modules(tasks.facts.__path__)]
    return {puid: module for module in modules for puid in module.PUIDS}


def examine(originals: Sequence[Original], door: Door, recorder: Recorder) -> tuple[dict[str, Known], list[Event]]:
    """What is known of each file, by path, and two events a file: format identification, metadata extraction."""
    answers = _siegfried(originals, door)
    known: dict[str, Known] = {}
    events: list[Event] = []
    for original in originals:
        file = original[0]
        known[file.path], made = _one(original, answers[file.path], door, recorder)
        events += made
    return known, events


Answer = tuple[Identification | Trouble, tuple[Agent, ...]]


def _siegfried(originals: Sequence[Original], door: Door) -> dict[str, Answer]:
    """Siegfried's answers for a chunk in one request; when it breaks, one by one, so that one file fails alone."""
    try:
        return dict(_ask(originals, door))
    except Trouble as trouble:
        if len(originals) == 1:
            return {originals[0][0].path: (trouble, ())}
    answers: dict[str, Answer] = {}
    for original in originals:
        answers |= _siegfried([original], door)
    return answers


def _ask(originals: Sequence[Original], door: Door) -> dict[str, Answer]:
    full = [(file, path) for file, path in originals if file.size]
    answers: dict[str, Answer] = {
        file.path: (Identification(None, basis=Basis.EMPTY), (PERENNE,)) for file, _ in originals if not file.size
    }
    if not full:
        return answers
    with door.job(LIMITS) as job:
        names = {job.give(path, f"{n:05d}{_suffix(file.path)}"): file.path for n, (file, path) in enumerate(full)}
        found = siegfried.identify(list(names), job)
        return answers | {names[name]: (answer, job.agents) for name, answer in found.items()}


def _suffix(path: str) -> str:
    suffix = PurePosixPath(path).suffix
    return suffix if suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= 12 else ""


def _one(original: Original, answered: Answer, door: Door, recorder: Recorder) -> tuple[Known, list[Event]]:
    file, path = original
    answer, engine = answered
    began = time.time()
    objects = (LinkedObject("source", file.path, file.sha256, file.size),)
    if isinstance(answer, Identification) and answer.basis is Basis.ERROR:
        answer = Trouble("tool-crash", tool="Siegfried", signal=answer.warning)
    if isinstance(answer, Trouble):
        unknown = Identification(None, basis=Basis.ERROR, warning=str(answer))
        events = [
            _identified(recorder, unknown, {}, began, (), objects),
            _extracted(recorder, {}, answer, began, (), objects),
        ]
        return Known(unknown, {}, answer), events
    if file.size == 0:
        empty = Trouble("source-empty")
        events = [
            _identified(recorder, answer, {}, began, (), objects),
            _extracted(recorder, {}, empty, began, (), objects),
        ]
        return Known(answer, {}, empty), events
    with door.job(LIMITS) as job:
        name = job.give(path, "source" + _suffix(file.path))
        choice = choose.choose(answer, fido.second_opinion(name, job))
        chosen = choice.identification
        events = [_identified(recorder, chosen, _beside(choice), began, (*engine, *job.agents), objects)]
        began = time.time()
        seen = len(job.agents)
        facts, trouble = _facts(chosen, name, job)
        events.append(_extracted(recorder, facts, trouble, began, job.agents[seen:], objects))
        return Known(chosen, facts, trouble), events


def _beside(choice: choose.Choice) -> dict[str, str]:
    """FIDO's answer beside the one that counts, as the event's detail."""
    said = {
        "fido": " ".join(choice.fido.puids),
        "fido_basis": choice.fido.basis.value,
        "fido_release": choice.fido.release,
        "fido_trouble": choice.fido.trouble,
        "fido_agrees": "yes" if choice.agreement else "no",
    }
    return {key: value for key, value in said.items() if value}


def _facts(answer: Identification, name: str, job: Job) -> tuple[dict[str, Fact], Trouble | None]:
    """The facts that the family of the format finds; none for a format that no rule looks into."""
    module = families().get(answer.puid or "")
    if module is None:
        return {}, None
    try:
        return _listed(module.facts(name, job)), None
    except Trouble as trouble:
        return {}, trouble
    except (OSError, MemoryError):
        raise  # the machine's trouble stops the run
    except Exception as error:
        # A fault of our own on one file is a result, as everywhere; the other files go on.
        _LOG.exception("facts of %s", name)
        return {}, Trouble("unexpected", what=f"{type(error).__name__}: {error}"[:200])


def _listed(found: Mapping[str, Fact]) -> dict[str, Fact]:
    """Only facts of the closed list, of their type: the answer comes from a job that read hostile bytes."""
    if wrong := [n for n, v in found.items() if n not in tasks.facts.NAMES or type(v) is not tasks.facts.NAMES[n]]:
        raise Trouble("tool-crash", tool="facts", signal=f"unlisted facts: {', '.join(map(str, wrong))}")
    return dict(found)


def _identified(
    recorder: Recorder,
    answer: Identification,
    extra: Mapping[str, str],
    began: float,
    agents: Sequence[Agent],
    objects: tuple[LinkedObject, ...],
) -> Event:
    code, detail = _doubt(answer)
    outcome = Outcome.FAIL if answer.basis is Basis.ERROR else Outcome.WARNING if code else Outcome.SUCCESS
    return recorder.event(
        EventType.IDENTIFICATION,
        outcome,
        began=began,
        code=code,
        detail=identification_detail(answer, {**extra, **detail}),
        agents=agents or (PERENNE,),
        objects=objects,
    )


def _doubt(answer: Identification) -> tuple[str, dict[str, str]]:
    """The note that an identification deserves, if any."""
    if answer.basis is Basis.NOTHING:
        return "format-unknown", {}
    if answer.basis is Basis.EXTENSION or answer.others:
        puids = [answer.puid or "", *answer.others]
        return "format-doubtful", {"puids": ", ".join(dict.fromkeys(p for p in puids if p))}
    return "", {}


def _extracted(
    recorder: Recorder,
    facts: Mapping[str, Fact],
    trouble: Trouble | None,
    began: float,
    agents: Sequence[Agent],
    objects: tuple[LinkedObject, ...],
) -> Event:
    detail = facts_detail(facts) if trouble is None else dict(trouble.detail)
    return recorder.event(
        EventType.EXTRACTION,
        Outcome.SUCCESS if trouble is None else codes.code(trouble.code).premis,
        began=began,
        code="" if trouble is None else trouble.code,
        detail=detail,
        agents=agents or (PERENNE,),
        objects=objects,
    )
