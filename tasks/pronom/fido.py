"""FIDO as the second opinion. Its code meets the bytes in a job (`tasks.sealed.fido`); here its answer is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.premis.model import Basis, Trouble
from tasks.pronom.puid import is_puid

if TYPE_CHECKING:
    from tasks.tools.job import Job

# FIDO can hang, or fill the memory, on files that are none of the worst: that is an answer, not the file's fate.
_NO_OPINION = frozenset({"tool-timeout", "tool-memory", "tool-crash", "tool-processes", "output-too-large"})


@dataclass(frozen=True, slots=True)
class FidoAnswer:
    """What FIDO says of one file: every PUID that fits, in its order; none with basis NOTHING, EMPTY or ERROR.

    `release` is that of its PRONOM data; `trouble` says why there is no opinion when the basis is ERROR.
    """

    puids: tuple[str, ...]
    basis: Basis
    release: str = ""
    trouble: str = ""


def second_opinion(name: str, job: Job, /) -> FidoAnswer:
    """FIDO's answer for a file of the job (`in/source.pdf`); ERROR when it broke down or ran out of its limits.

    Raises Trouble only when FIDO cannot be asked at all.
    """
    try:
        reply = job.call("tasks.sealed.fido:identify", name)
    except Trouble as trouble:
        if trouble.code not in _NO_OPINION:
            raise
        return FidoAnswer((), Basis.ERROR, trouble=str(trouble))
    return read_answer(reply)


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
    return FidoAnswer(tuple(puids), basis, *texts)
