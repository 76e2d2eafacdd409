"""FIDO as the second opinion. Its code meets the bytes in a job (`tasks.sealed.fido`); here its answer is checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.premis.model import Basis, Trouble
from tasks.pronom.puid import is_puid

if TYPE_CHECKING:
    from tasks.tools.job import Job

# FIDO can hang, or fill the memory, on files that are none of the worst: that is an answer, not the file's fate.
_NO_OPINION = frozenset({"tool-timeout", "tool-memory", "tool-crash", "tool-processes", "output-too-large"})
_MOST_TOLD = 16 << 20
_SILENT = "no answer"


@dataclass(frozen=True, slots=True)
class FidoAnswer:
    """What FIDO says of one file: every PUID that fits, in its order; none with basis NOTHING, EMPTY or ERROR.

    `release` is that of its PRONOM data; `trouble` says why there is no opinion when the basis is ERROR; `head` are
    the file's first bytes.
    """

    puids: tuple[str, ...]
    basis: Basis
    release: str = ""
    trouble: str = ""
    head: bytes = b""


def second_opinions(names: Sequence[str], job: Job, /) -> list[FidoAnswer]:
    """FIDO's answers for files of the job (`in/source.pdf`), in order; ERROR where it broke down or ran out of limits.

    One call for all of them, and one more after each file that ends a call. Raises Trouble only when FIDO cannot be
    asked at all.
    """
    answers: list[FidoAnswer] = []
    while len(answers) < len(names):
        answers += _some(names[len(answers) :], f"out/answers-{len(answers)}", job)
    return answers


def _some(names: Sequence[str], told: str, job: Job) -> list[FidoAnswer]:
    """One call: the answers up to the file that ended it, at least one."""
    try:
        job.call("tasks.sealed.fido:identify_many", list(names), told)
        why = _SILENT
    except Trouble as trouble:
        if trouble.code not in _NO_OPINION:
            raise
        why = str(trouble)
    answers = _told(told, job)[: len(names)]
    return answers if len(answers) == len(names) else [*answers, FidoAnswer((), Basis.ERROR, trouble=why)]


def _told(name: str, job: Job) -> list[FidoAnswer]:
    """The answers that were written down; a line that was not finished is none."""
    try:
        with job.open(name) as lines:
            said = lines.read(_MOST_TOLD).split(b"\n")[:-1]
    except Trouble:
        return []
    return [read_answer(_parsed(line)) for line in said]


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def read_answer(reply: object) -> FidoAnswer:
    """The answer in a reply of the sealed function; a foreign shape is ERROR."""
    try:
        return _checked(reply)
    except (TypeError, ValueError, KeyError):
        return FidoAnswer((), Basis.ERROR, trouble="an answer in a foreign shape")


def _checked(reply: object) -> FidoAnswer:
    if not isinstance(reply, Mapping):
        raise TypeError
    puids, basis, texts = reply["puids"], Basis(reply["basis"]), (reply["release"], reply["trouble"])
    if not isinstance(puids, list) or not all(map(is_puid, puids)) or not all(isinstance(text, str) for text in texts):
        raise TypeError
    return FidoAnswer(tuple(puids), basis, *texts, head=bytes.fromhex(reply["head"]))
