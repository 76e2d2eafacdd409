"""The programs that Perenne may start, and how each says its version. No bytes of a producer are met here."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache

from tasks.tools import guard
from tasks.tools.bubblewrap import CODE, ENVIRONMENT

_PATIENCE_S = 30.0
_LEAST_S = 1.0  # for the guard to see that a program ended
_SAID_BYTES = 64 << 10  # the version stands in the first lines
_VERSION = re.compile(r"[\x21-\x7e]{1,60}")
UNTOLD = "version not told"
"""Stands for the version of a program that is there and does not say which it is."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One program: `name` is the PREMIS agent's name, `program` what is started, `package` Debian's name for it.

    `version` is a regular expression whose first group is the version in what `program *arguments` prints.
    """

    name: str
    program: str
    arguments: tuple[str, ...]
    version: str
    package: str
    patience_s: float = _PATIENCE_S


TOOLS: tuple[Tool, ...] = (
    Tool("bubblewrap", "bwrap", ("--version",), r"bubblewrap (\S+)", "bubblewrap"),
    Tool("tesseract", "tesseract", ("--version",), r"tesseract v?(\S+)", "tesseract-ocr"),
    Tool("LibreOffice", "soffice", ("--version",), r"LibreOffice (\S+)", "libreoffice-writer"),
    Tool("Java", "java", ("-version",), r'version "([^"]+)"', "openjdk-17-jre-headless"),
)


def tool(program: str) -> Tool | None:
    """The row of a program, by the name that is started or by its agent's name; None for a stranger."""
    return next((row for row in TOOLS if program in (row.program, row.name)), None)


def probe(row: Tool) -> str | None:
    """The version of a program on this machine; None when it is missing or does not say.

    Asked once for each file that the program's name leads to: one that was updated meanwhile is asked anew.
    """
    said = _told(row)
    return None if said is None else _version(row, said)


def fault(row: Tool) -> str:
    """Why a run may not count on a program: it is missing, fails or hangs when asked for its version, or tells none.

    Stricter than `probe`, whose version is for the record, whatever the exit code. "" when it can be counted on.
    """
    said = _told(row)
    if said is None:
        return f"{row.program} is missing"
    if said.code is None:
        return f"{row.program} {' '.join(row.arguments)} did not end within {row.patience_s:g} s"
    if said.code:
        return f"{row.program} {' '.join(row.arguments)} ended with exit code {said.code}"
    return "" if _version(row, said) else f"{row.program} does not tell its version"


def lines(row: Tool) -> list[str]:
    """What a program printed, by line; none when it is missing, failed or hung."""
    said = _told(row)
    return said.text.decode("utf-8", "replace").splitlines() if said is not None and said.code == 0 else []


@dataclass(frozen=True, slots=True)
class _Said:
    """The first part of what a program printed, and its exit code; None when it had to be ended."""

    text: bytes
    code: int | None


def _told(row: Tool) -> _Said | None:
    path = shutil.which(row.program, path=ENVIRONMENT["PATH"])
    if path is None:
        return None
    try:
        status = os.stat(path)  # noqa: PTH116  of what a link leads to
    except OSError:
        return None
    return _asked(row, path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


def used(row: Tool) -> str | None:
    """The version for the record of a program that was used: UNTOLD when it does not say; None when it is missing."""
    return probe(row) or (UNTOLD if shutil.which(row.program, path=ENVIRONMENT["PATH"]) else None)


@cache
def _asked(row: Tool, path: str, _: tuple[int, int, int, int]) -> _Said:
    return _said([path, *row.arguments], row.patience_s)


def _version(row: Tool, said: _Said) -> str | None:
    found = re.search(row.version, said.text.decode("utf-8", "replace"))
    return found.group(1) if found and _VERSION.fullmatch(found.group(1)) else None


def _said(argv: list[str], patience_s: float) -> _Said:
    """The first part of what a program prints until it ends, takes too long or says too much.

    A guard between us ends whatever it started, also what put itself into a session of its own.
    """
    said, code = bytearray(), None
    leash, held = os.pipe2(os.O_CLOEXEC)
    process = subprocess.Popen(
        [sys.executable, "-m", guard.__name__, "--parent", str(leash), "--", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**ENVIRONMENT, "HOME": "/nonexistent"},
        cwd=CODE.parent,
        pass_fds=(leash,),
        start_new_session=True,
    )
    os.close(leash)
    with process:
        assert process.stdout is not None
        out, end = process.stdout.fileno(), time.monotonic() + patience_s
        poll = select.poll()
        poll.register(out, select.POLLIN)
        while len(said) < _SAID_BYTES and poll.poll(max(0.0, end - time.monotonic()) * 1000):
            if not (data := os.read(out, _SAID_BYTES)):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = process.wait(max(_LEAST_S, end - time.monotonic()))
                break
            said += data
        os.close(held)  # the guard ends what still runs, and itself
    return _Said(bytes(said), code)
