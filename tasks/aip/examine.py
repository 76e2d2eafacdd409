"""Find out what files are: PRONOM's answer, FIDO's beside it, and the facts that the rules ask for."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from tasks.pronom import choose, fido, heads, siegfried
from tasks.pronom.fido import FidoAnswer
from tasks.tools.door import Door
from tasks.tools.job import Job

LIMITS = Limits(wall_s=60, memory_bytes=2 << 30, output_bytes=64 << 20)
"""Of looking at one file."""
_MORE_S = 0.1
_BYTES_A_S = 200e6

Original = tuple[SourceFile, Path]

_LOG = logging.getLogger(__name__)


@cache
def families() -> Mapping[str, ModuleType]:
    """PUID → the facts module that reads it."""
    modules = [importlib.import_module(f"tasks.facts.{m.name}") for m in pkgutil.iter_modules(tasks.facts.__path__)]
    return {puid: module for module in modules for puid in module.PUIDS}


def examine(wanted: Sequence[tuple[Original, Recorder]], door: Door) -> list[tuple[Known, list[Event]]]:
    """What is known of each file, in order, and its two events: format identification, metadata extraction.

    The engines are asked once for all of them, whichever AIP they belong to.
    """
    began = time.time()
    answers = _answers([original for original, _ in wanted], door)
    share_s = (time.time() - began) / max(1, len(wanted))
    return [
        _one(original, answer, share_s, door, recorder)
        for (original, recorder), answer in zip(wanted, answers, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What both engines said of one file, and who acted. `fido` is None where the bytes were not shown to it."""

    siegfried: Identification | Trouble
    agents: tuple[Agent, ...]
    fido: FidoAnswer | None = None


def _answers(originals: Sequence[Original], door: Door) -> list[_Answer]:
    """Both engines' answers for a chunk in one job; when Siegfried breaks, by halves, so that one file fails alone."""
    full = [original for original in originals if original[0].size]
    asked = iter(_halved(full, door) if full else ())
    nothing = _Answer(Identification(None, basis=Basis.EMPTY), (PERENNE,))
    return [next(asked) if file.size else nothing for file, _ in originals]


def _halved(full: Sequence[Original], door: Door) -> list[_Answer]:
    try:
        return _asked(full, door)
    except Trouble as trouble:
        if codes.stops(trouble.code):
            raise
        if len(full) == 1:
            return [_Answer(trouble, ())]
    middle = len(full) // 2
    return _halved(full[:middle], door) + _halved(full[middle:], door)


def _asked(full: Sequence[Original], door: Door) -> list[_Answer]:
    with door.job(_limits(full)) as job:
        names = [job.give_excerpt(path, f"{n:05d}{_suffix(file.path)}") for n, (file, path) in enumerate(full)]
        found = siegfried.identify(names, job)
        opinions = fido.second_opinions(names, job)
        return [_Answer(found[name], job.agents, opinion) for name, opinion in zip(names, opinions, strict=True)]


def _limits(full: Sequence[Original]) -> Limits:
    """As for one file, with time for each more and for the reading of great ones."""
    size = sum(file.size for file, _ in full)
    return replace(LIMITS, wall_s=LIMITS.wall_s + len(full) * _MORE_S + size / _BYTES_A_S)


def _suffix(path: str) -> str:
    suffix = PurePosixPath(path).suffix
    return suffix if suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= 12 else ""


def _one(
    original: Original, said: _Answer, share_s: float, door: Door, recorder: Recorder
) -> tuple[Known, list[Event]]:
    file = original[0]
    answer, began = said.siegfried, time.time() - share_s
    objects = (LinkedObject("source", file.path, file.sha256, file.size),)
    if isinstance(answer, Identification) and answer.basis is Basis.ERROR:
        answer = siegfried.trouble(answer.warning)
    if isinstance(answer, Trouble):
        unknown = Identification(None, basis=Basis.ERROR, warning=str(answer))
        return Known(unknown, {}, answer), [
            _identified(recorder, unknown, {}, began, (), objects),
            _extracted(recorder, {}, answer, time.time(), (), objects),
        ]
    if said.fido is None:
        empty = Trouble("source-empty")
        return Known(answer, {}, empty), [
            _identified(recorder, answer, {}, began, said.agents, objects),
            _extracted(recorder, {}, empty, time.time(), (), objects),
        ]
    choice = choose.choose(answer, said.fido)
    chosen = choice.identification
    identified = _identified(recorder, chosen, _beside(choice), began, said.agents, objects)
    began = time.time()
    facts, trouble, agents = _looked_into(original, chosen, door)
    return Known(chosen, facts, trouble), [identified, _extracted(recorder, facts, trouble, began, agents, objects)]


def _looked_into(
    original: Original, chosen: Identification, door: Door
) -> tuple[dict[str, Fact], Trouble | None, tuple[Agent, ...]]:
    """The facts, in a job of their own; nothing is opened for a format that no rule looks into."""
    if chosen.puid not in families():
        return {}, None, ()
    file, path = original
    with door.job(LIMITS) as job:
        facts, trouble = _facts(chosen, job.give(path, "source" + _suffix(file.path)), job)
        return facts, trouble, job.agents


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
        if codes.stops(trouble.code):
            raise
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
    if answer.basis is Basis.EXTENSION or answer.others or answer.warning == heads.WARNING:
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
