"""FIDO through its Python interface, inside a job only: PRONOM identification as a second opinion.

Its traps (opf-fido 1.6.1): the constructor's default signature file does not exist, so the names come from
`fido.versions`; only PRONOM's own file is loaded, for FIDO's extension of it answers with identifiers that are not
PRONOM's; signatures are compiled on first use into a cache of `re` that newer PRONOM releases overflow; some
signatures need minutes on some files; an unreadable file gets no answer at all; a file stays open.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

from fido.fido import Fido
from fido.versions import get_local_versions

LIBRARIES = ("opf-fido", "olefile")

LIMIT_S = 10.0
"""An opinion that takes longer is not worth it; FIDO's median is 5 ms."""
HEAD_BYTES = 128
_CACHED_PATTERNS = 1 << 14


class _TooLong(BaseException):
    """Not an Exception, because FIDO catches these while it matches."""


@cache
def _engine() -> Any:
    versions = get_local_versions()
    engine = Fido(quiet=True, format_files=[versions.pronom_signature])
    engine.containersignature_file = versions.pronom_container_signature
    # Fido has just made the cache as large as its own need of some years ago.
    re._MAXCACHE = _CACHED_PATTERNS  # type: ignore[attr-defined]
    for element in engine.formats:
        for signature in engine.get_signatures(element):
            for pattern in engine.get_patterns(signature):
                re.compile(engine.get_regex(pattern))
    return engine


def warm() -> None:
    """Load and compile PRONOM's signatures, 0.3 s, so that every later fork of this process has them."""
    _engine()


@cache
def release() -> str:
    """The PRONOM release that this FIDO carries."""
    versions = get_local_versions()
    date = re.sub(r"\D", "", versions.pronom_container_signature)
    return f"V{versions.pronom_version} (container signatures {date})"


def identify_many(names: Sequence[str], told: str) -> None:
    """`identify` for each file in turn; each answer is a line of JSON in the new file `told` before the next is asked.

    So whoever ends this process can read what it had answered by then, and which file it was at.
    """
    with Path(told).open("x", encoding="ascii") as lines:
        for name in names:
            lines.write(json.dumps(identify(name)) + "\n")
            lines.flush()


def identify(name: str) -> dict[str, Any]:
    """FIDO's answer for one file: `puids`, `basis` (as the model's Basis), `release`, `trouble` for basis `error`, and
    `head`, the first bytes in hexadecimal.

    Never raises for what the file holds. To be called in a process's main thread.
    """
    with warnings.catch_warnings():
        # The file that FIDO leaves open.
        warnings.simplefilter("ignore", ResourceWarning)
        return _identify(name)


def _identify(name: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"puids": [], "basis": "error", "release": release(), "trouble": "", "head": ""}
    try:
        status = os.lstat(name)
        if not stat.S_ISREG(status.st_mode):
            return {**answer, "trouble": "not a regular file"}
        if status.st_size == 0:
            return {**answer, "basis": "empty"}
        with Path(name).open("rb") as file:
            answer["head"] = file.read(HEAD_BYTES).hex()
        with _limit(LIMIT_S):
            puids, basis = _ask(name)
    except _TooLong:
        return {**answer, "trouble": f"no answer within {LIMIT_S:.0f} s"}
    except Exception as error:
        return {**answer, "trouble": f"{type(error).__name__}: {error}"[:500]}
    return {**answer, "puids": puids, "basis": basis}


def _ask(name: str) -> tuple[list[str], str]:
    answers: list[tuple[list[str], str]] = []

    def take(_name: str, matches: list[tuple[Any, str]], _seconds: float, kind: str) -> None:
        puids = [element.findtext("puid") for element, _ in matches]
        answers.append((list(dict.fromkeys(puids)), kind if puids else "nothing"))

    engine = _engine()
    engine.handle_matches = take
    engine.identify_file(name)
    if not answers:
        raise OSError("FIDO could not read the file")
    return answers[-1]


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
