"""Start services of our own (Prefect's server and worker) under a guard. Nothing here meets a producer's bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

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
