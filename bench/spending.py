"""What a command costs in CPU, with everything that it starts: its children, its jobs, its resident programs.

This process adopts whatever loses its parent below it, so that nothing ends uncounted, and the kernel says what each
used. Prefect's server, which outlives the command for some seconds, is counted apart.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.tools import kernel

ROOT = Path(__file__).resolve().parents[1]
PERENNE = (sys.executable, "-c", "from flows.command import main; main()")


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
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
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
    return Spent(code, *said, wall, sum(used.values()), server)


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
