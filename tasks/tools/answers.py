"""What came back from a job, weighed: its report becomes a Trouble, its answer is checked before anybody believes it.

An answer is the producer's word. Here it is made sure that it is JSON of bounded size and depth in clean UTF-8, that a
trouble is one that a job may have, and that no program is named which Perenne does not know. What an answer *says* is
for the caller to check.
"""

from __future__ import annotations

import json
import re
import signal as signals
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from tasks.premis.codes import CODES
from tasks.premis.model import Limits, Trouble
from tasks.tools import wire
from tasks.tools.programs import TOOLS
from tasks.tools.sandbox import FLOOD_BYTES, Outcome
from tasks.tools.words import seconds, size

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
"""A value as JSON knows it."""

_NOT_A_JOBS_WORD = {"fixity-broken", "store-busy", "disk-full", "source-changing"}
_SAYABLE = frozenset(
    name for name, row in CODES.items() if row.word in ("held", "failed", "waiting") and row.stored
) - frozenset(_NOT_A_JOBS_WORD)
_DETAILS, _DETAIL_CHARACTERS = 20, 1000
_HOLE = re.compile(r"[a-z][a-z0-9_]{0,40}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")  # also what turns the writing direction
_PROGRAMS = frozenset(row.name for row in TOOLS)


@dataclass(frozen=True, slots=True)
class Answer:
    """A job's answer: its value or its trouble, and the programs that it says it used (all of them known ones)."""

    value: Any = None
    trouble: Trouble | None = None
    programs: tuple[str, ...] = field(default=())


def weigh(outcome: Outcome, tool: str, limits: Limits) -> Answer:
    """What a call came to. `tool` names the code that was called, for the messages."""
    ended = _ended(outcome, tool, limits)
    if outcome.answer is None:
        return Answer(trouble=ended or Trouble("tool-crash", tool=tool, signal="vanished without an answer"))
    try:
        said = decoded(outcome.answer)
        programs = tuple(dict.fromkeys(name for name in said["programs"] if name in _PROGRAMS))
        if ended is not None:
            return Answer(trouble=ended, programs=programs)
        if "ok" in said:
            return Answer(value=said["ok"], programs=programs)
        return Answer(trouble=_trouble(said, tool, limits), programs=programs)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Answer(trouble=ended or Trouble("tool-crash", tool=tool, signal="an answer that is none"))


def _ended(outcome: Outcome, tool: str, limits: Limits) -> Trouble | None:
    report = outcome.report
    if report.cause:
        return _exceeded(report.cause, tool, limits)
    if report.signal == signals.SIGXFSZ:
        return _exceeded("output", tool, limits)
    if report.signal:
        return Trouble("tool-crash", tool=tool, signal=_signal(report.signal))
    if report.code:
        last = outcome.said.decode("utf-8", "replace").strip().splitlines()[-1:]
        return Trouble("tool-crash", tool=tool, signal=_clean(": ".join((f"exit {report.code}", *last))))
    return None


def _exceeded(what: str, tool: str, limits: Limits) -> Trouble:
    match what:
        case "timeout":
            return Trouble("tool-timeout", tool=tool, limit=seconds(limits.wall_s))
        case "memory":
            return Trouble("tool-memory", tool=tool, limit=size(limits.memory_bytes))
        case "processes":
            return Trouble("tool-processes", tool=tool, limit=str(limits.processes))
        case "flood":
            return Trouble("output-too-large", limit=size(FLOOD_BYTES))
        case "answer":
            return Trouble("output-too-large", limit=size(wire.ANSWER_BYTES))
        case "output":
            return Trouble("output-too-large", limit=size(limits.output_bytes))
    raise ValueError(what)


def _trouble(said: Mapping[str, Any], tool: str, limits: Limits) -> Trouble:
    if "trouble" in said:
        code, detail = said["trouble"]
        if code not in _SAYABLE:
            raise ValueError(f"not a trouble of a job: {code}")
        if len(detail) > _DETAILS or not all(map(_HOLE.fullmatch, detail)):
            raise ValueError("not the details of a trouble")
        return Trouble(code, **{name: _clean(str(text)) for name, text in detail.items()})
    if said["error"] == "exception":
        return Trouble("tool-crash", tool=tool, signal=_clean(str(said["text"])))
    return _exceeded(said["error"], tool, limits)


def decoded(data: bytes) -> dict[str, Any]:
    """A JSON object in clean UTF-8. Raises ValueError, TypeError or RecursionError for anything else."""
    said = json.loads(data.decode("utf-8"), parse_constant=_refuse)
    if b"\\ud" in data.lower():  # half a surrogate pair could be hidden in an escape, and no UTF-8 file could hold it
        json.dumps(said, ensure_ascii=False).encode("utf-8")
    if not isinstance(said, dict):
        raise TypeError("not an answer")
    return said


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"not JSON: {constant}")


def _clean(text: str) -> str:
    return _CONTROL.sub(" ", text)[:_DETAIL_CHARACTERS]


def _signal(number: int) -> str:
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"signal {number}"
