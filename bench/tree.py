"""What a command costs with everything that it started: wall, CPU and memory of the whole tree of processes.

    python bench/tree.py TOLD COMMAND [ARGUMENT…]

runs the command and writes a JSON object to the file TOLD when its last process has ended. This process takes the
orphans of the tree (prctl(2), PR_SET_CHILD_SUBREAPER), so a server that outlives the command is waited for, and the
CPU of all that ever ran below is what the kernel adds up for its children, those in namespaces of their own included.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
SAMPLE_S = 0.5


@dataclass(frozen=True, slots=True)
class Cost:
    """What a tree of processes took.

    `code`: the command's exit code, negative for a signal. `wall_s`: until the command ended; `whole_s`: until the last
    process ended. `cpu_s`: of everything. `pss_mb`: the most memory of the tree at one moment, in MiB, each shared page
    counted once; `samples`: how often it was looked at. `watching_s`: the CPU that looking took, not in `cpu_s`.
    """

    code: int
    wall_s: float
    whole_s: float
    cpu_s: float
    pss_mb: float
    samples: int
    watching_s: float


class Lost(Exception):  # noqa: N818  what happened
    """The measuring process itself ended without an answer."""


def measured(argv: list[str], told: Path, *, env: Mapping[str, str], cwd: Path, out: Path, err: Path) -> Cost:
    """Run a command to the end of its last process; its words go to the files `out` and `err`. Raises Lost."""
    with out.open("wb") as stdout, err.open("wb") as stderr:
        keeper = [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(told), *argv]
        done = subprocess.run(keeper, env=dict(env), cwd=cwd, stdout=stdout, stderr=stderr, check=False)
    try:
        return Cost(**json.loads(told.read_text()))
    except (OSError, ValueError) as error:
        raise Lost(f"the measuring process ended with {done.returncode}") from error


def below(pid: int) -> list[int]:
    """All living processes that `pid` started or took over, and those that they started (proc(5), `children`).

    As in tasks/tools/usage.py: this process loads nothing of the project, so that it adds little to what it measures.
    """
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children", "rb") as children:
                    found += map(int, children.read().split())
    return found[1:]


def cpu_s(pid: int) -> float:
    """CPU seconds of a living process and of those of its children that it has waited for; 0 when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def pss_kb(pids: Iterable[int]) -> int:
    """Proportional memory of these processes in KiB; one that has ended meanwhile has none."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", "rb") as rollup:
            total += pss_of(rollup.read())
    return total


def pss_of(rollup: bytes) -> int:
    """The figure of `Pss:` in KiB in the text of a smaps_rollup; 0 where it has none."""
    for line in rollup.splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1])
    return 0


class _Sampler(threading.Thread):
    """Looks at the memory of all processes below this one until it is stopped."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most_kb = self.samples = 0
        self.over = threading.Event()

    def run(self) -> None:
        """Sample; the most counts."""
        while not self.over.wait(SAMPLE_S):
            self.most_kb = max(self.most_kb, pss_kb(below(os.getpid())))
            self.samples += 1


def main(told: str, *argv: str) -> int:
    """Run, wait for the last process, write what it cost. Returns the command's exit code, or 128 plus the signal."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    sampler = _Sampler()
    began = time.monotonic()
    command = os.posix_spawnp(argv[0], argv, os.environ)
    sampler.start()
    wall_s, code = 0.0, 0
    with contextlib.suppress(ChildProcessError):  # none is left
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == command:
                wall_s, code = time.monotonic() - began, os.waitstatus_to_exitcode(status)
    whole_s = time.monotonic() - began
    sampler.over.set()
    sampler.join()
    used, own = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
    cost = Cost(
        code=code,
        wall_s=wall_s,
        whole_s=whole_s,
        cpu_s=used.ru_utime + used.ru_stime,
        pss_mb=sampler.most_kb / 1024,
        samples=sampler.samples,
        watching_s=own.ru_utime + own.ru_stime,
    )
    Path(told).write_text(json.dumps(asdict(cost)))
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
