"""Start services of our own (Prefect's server and worker) under a guard. Nothing here meets a producer's bytes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.tools import usage

Service = subprocess.Popen[bytes]
"""A started service, or rather its guard."""


def shared(command: Sequence[str], *, users: Path, env: Mapping[str, str], log: Path, cwd: Path) -> Service:
    """Start a service that lives while somebody holds a shared lock on `users`; returns its guard."""
    return _start(["--users", str(users)], command, env, log, cwd, pass_fds=())


def bound(command: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path) -> Service:
    """Start a service that ends with this process, however this process ends; returns its guard."""
    me = os.pidfd_open(os.getpid())
    try:
        return _start(["--parent", str(me)], command, env, log, cwd, pass_fds=(me,))
    finally:
        os.close(me)


def serves(guard: int, users: Path, port: int) -> bool:
    """Whether this process guards a service for the users of that file, and the service listens at 127.0.0.1:`port`.

    What merely answers at the port may be somebody else's.
    """
    try:
        argv = [os.fsdecode(a) for a in Path(f"/proc/{guard}/cmdline").read_bytes().split(b"\0")]
        ours = "tasks.tools.guard" in argv and Path(argv[argv.index("--users") + 1]).samefile(users)
        return ours and not _listening(port).isdisjoint(_sockets(guard))
    except (OSError, ValueError, IndexError):
        return False


def _listening(port: int) -> set[str]:
    """The sockets of this machine that listen at a port of 127.0.0.1 (proc(5), /proc/net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {f"socket:[{row[9]}]" for row in rows if row[1] == f"0100007F:{port:04X}" and row[3] == "0A"}


def _sockets(pid: int) -> set[str]:
    """What a process and all below it have open."""
    found: set[str] = set()
    for one in (pid, *usage.below(pid)):
        with contextlib.suppress(OSError):  # it may end while it is looked at
            for descriptor in Path(f"/proc/{one}/fd").iterdir():
                with contextlib.suppress(OSError):
                    found.add(str(descriptor.readlink()))
    return found


def once(command: Sequence[str], *, env: Mapping[str, str], cwd: Path, limit_s: float = 120) -> tuple[int, str]:
    """Run one of our own commands to its end; returns its exit code and what it printed."""
    done = subprocess.run(command, env=dict(env), cwd=cwd, capture_output=True, text=True, timeout=limit_s, check=False)
    return done.returncode, done.stdout + done.stderr


def _start(
    reason: Sequence[str],
    command: Sequence[str],
    env: Mapping[str, str],
    log: Path,
    cwd: Path,
    *,
    pass_fds: Sequence[int],
) -> Service:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "tasks.tools.guard", *reason, "--", *command],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=pass_fds,
            start_new_session=True,
        )
