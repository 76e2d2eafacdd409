"""Inside a job: start another program, under the job's own limits.

The job is already sealed, so nothing is sealed again; what is added is a time limit of the program's own, a bound on
what is kept of its output, and the record that it was used.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from tasks.premis.model import Trouble
from tasks.tools import programs
from tasks.tools.bubblewrap import ENVIRONMENT
from tasks.tools.words import seconds, size

KEPT_BYTES = 1 << 20
"""Of standard output and of standard error, the last so many bytes are kept."""

_LAST_WORDS = 200
_noted: dict[str, None] = {}


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended: its exit code (negative: the signal that ended it), and the last MiB that it said."""

    code: int
    stdout: bytes
    stderr: bytes


def run(
    argv: Sequence[str],
    *,
    timeout_s: float | None = None,
    stdin: bytes | None = None,
    check: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Completed:
    """Run a program of `tasks.tools.programs` to its end, in a process group of its own and without a shell.

    `environment` is added to the fixed one (C.UTF-8, UTC, one OpenMP thread, HOME and TMPDIR in the job).
    Raises Trouble: "tool-missing"; "tool-timeout" after `timeout_s`; with `check`, "tool-crash" or
    "output-too-large" when it does not end with 0. Raises LookupError for a program that has no row there.
    """
    name = note(argv[0])
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin or b"")
        given.seek(0)
        try:
            process = subprocess.Popen(
                list(argv), stdin=given, stdout=out, stderr=err, env=_environment(environment), process_group=0
            )
        except FileNotFoundError:
            raise Trouble("tool-missing", tool=name) from None
        try:
            in_time = _ended(process, timeout_s)
        finally:
            _end(process)
        completed = Completed(process.returncode, _last(out), _last(err))
        full = completed.code != 0 and _full(out, err)
    if not in_time:
        raise Trouble("tool-timeout", tool=name, limit=seconds(timeout_s or 0))
    if check and full:
        raise _too_large()
    if check and completed.code != 0:
        raise _trouble(name, completed)
    return completed


def note(program: str) -> str:
    """Record that a program is used, also one that a library starts (OCRmyPDF: tesseract). Returns its agent's name.

    Its version is not asked here: the parent knows it, and what a job says of versions would be hearsay.
    """
    row = programs.tool(os.path.basename(program))  # noqa: PTH119
    if row is None:
        raise LookupError(f"{program} has no row in tasks.tools.programs")
    _noted[row.name] = None
    return row.name


def noted() -> list[str]:
    """The programs recorded so far in this job, in order of first use."""
    return list(_noted)


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    own = {name: os.environ[name] for name in ("HOME", "TMPDIR") if name in os.environ}
    return {**ENVIRONMENT, **own, **(more or {})}


def _ended(process: subprocess.Popen[bytes], timeout_s: float | None) -> bool:
    # Popen.wait() with a timeout looks every 50 ms; a descriptor of the process answers at once.
    fd = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))
    finally:
        os.close(fd)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # also what it left in its group
    process.wait()


def _last(file: IO[bytes]) -> bytes:
    file.seek(max(0, file.seek(0, os.SEEK_END) - KEPT_BYTES))
    return file.read()


def _full(*said: IO[bytes]) -> bool:
    """Whether a file of the program has reached the limit: one that ignores the signal ends with words of its own."""
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    sizes = [os.fstat(file.fileno()).st_size for file in said]
    with contextlib.suppress(OSError):
        sizes += [entry.stat(follow_symlinks=False).st_size for entry in os.scandir("out")]
    return 0 <= most <= max(sizes)


def _too_large() -> Trouble:
    return Trouble("output-too-large", limit=size(resource.getrlimit(resource.RLIMIT_FSIZE)[0]))


def _trouble(name: str, completed: Completed) -> Trouble:
    if completed.code == -signal.SIGXFSZ:
        return _too_large()
    if completed.code < 0:
        return Trouble("tool-crash", tool=name, signal=signal.Signals(-completed.code).name)
    said = (completed.stderr or completed.stdout).decode("utf-8", "replace").strip().splitlines()
    last = f": {said[-1][:_LAST_WORDS]}" if said else ""
    return Trouble("tool-crash", tool=name, signal=f"exit {completed.code}{last}")
