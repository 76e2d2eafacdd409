"""What a command costs in CPU, with everything that it starts: its children, its jobs, its resident programs.

This process adopts whatever loses its parent below it, and the kernel says what each used. Prefect's server, which
outlives the command for some seconds, is counted apart. When a sandbox ends as a whole, the kernel forgets what those
in it had used; so each is looked at four times a second, and what it had used last is added.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.tools import kernel, usage

ROOT = Path(__file__).resolve().parents[1]
LOOK_S = 0.25
PERENNE = (sys.executable, "-c", "from flows.command import main; main()")


class Sandboxes:
    """What the sandboxes below this process used that their first process does not answer for when they end."""

    def __init__(self) -> None:
        self._root: dict[int, bool] = {}
        self._most: dict[int, tuple[float, float]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Sandboxes:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def forgotten_s(self) -> float:
        """Seconds of CPU of all that ended with its sandbox."""
        return sum(whole - own for whole, own in self._most.values())

    def _look(self) -> None:
        while not self._over.wait(LOOK_S):
            for pid in usage.below(os.getpid()):
                if pid not in self._root:
                    self._root[pid] = _is_first(pid)
                if self._root[pid]:
                    whole, own = usage.cpu_s([pid, *usage.below(pid)]), usage.cpu_s([pid])
                    self._most[pid] = max((whole, own), self._most.get(pid, (0.0, 0.0)))


def _is_first(pid: int) -> bool:
    """Whether a process is the first of a pid namespace directly below ours."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    found = re.search(r"^NSpid:(.*)$", status, re.MULTILINE)
    return found is not None and found[1].split()[1:] == ["1"]


@dataclass(frozen=True, slots=True)
class Spent:
    """How a command ended, and what it took; `server_s` are CPU seconds of Prefect's server, the rest is in `cpu_s`."""

    code: int
    out: str
    error: str
    wall_s: float
    cpu_s: float
    server_s: float


def run(command: Sequence[str], home: Path) -> Spent:
    """Run a command on a home and wait until all that it started has ended. The caller may have no other children."""
    kernel.adopt_orphans()
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error, Sandboxes() as sandboxes:
        env = {**os.environ, "PERENNE_HOME": str(home)}
        child = subprocess.Popen(command, env=env, cwd=ROOT, stdout=out, stderr=error)
        used: dict[int, float] = {}
        code, wall = 0, 0.0
        while True:
            try:
                pid, status, usage = os.wait4(-1, 0)
            except ChildProcessError:
                break
            used[pid] = used.get(pid, 0.0) + usage.ru_utime + usage.ru_stime
            if pid == child.pid:
                code = child.returncode = os.waitstatus_to_exitcode(status)
                wall = time.monotonic() - began
        server = used.pop(_server(home), 0.0)
        said = []
        for file in (out, error):
            file.seek(0)
            said.append(file.read().decode("utf-8", "replace"))
    return Spent(code, *said, wall, sum(used.values()) + sandboxes.forgotten_s, server)


def _server(home: Path) -> int:
    try:
        return int(json.loads((home / "prefect" / "server.json").read_text())["guard"])
    except (OSError, ValueError, KeyError):
        return -1


def take(batch: Path, home: Path) -> Spent:
    """`perenne run` on one delivery. Raises SystemExit when it could not go on."""
    found = run([*PERENNE, "run", "--json", str(batch)], home)
    if found.code not in (0, 1):
        raise SystemExit(found.error[-2000:])
    return found
