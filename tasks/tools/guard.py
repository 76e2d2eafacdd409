"""A small parent for a service: when its reason to live is gone, the service and all that it started are gone.

`python -m tasks.tools.guard --parent FD -- COMMAND …` lives as long as the process behind the pidfd FD;
`python -m tasks.tools.guard --users FILE -- COMMAND …` lives as long as somebody holds a shared lock on FILE, so that
several commands share one server and the last one ends it. Both hold after `kill -9`: the kernel frees them.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
POLL_S = 0.2
QUIET_SHARE = 0.1
"""Of a core; a server that uses less has written down what it was told (Prefect's clients never wait for that)."""
QUIET_LIMIT_S = 90.0
STOP_S = 10.0


def main(arguments: list[str]) -> int:
    """Run the command behind `--`; returns its exit code, or 0 after an orderly end."""
    kind, value, dashes, *command = arguments
    if kind not in ("--parent", "--users") or dashes != "--" or not command:
        raise SystemExit(__doc__)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wanted = _parent_lives(int(value)) if kind == "--parent" else _users(Path(value))
    child = _start(command)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    signal.signal(signal.SIGINT, lambda number, _: stopping.append(number))
    ends = select.poll()
    ends.register(os.pidfd_open(child), select.POLLIN)
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            _sweep()
            return os.waitstatus_to_exitcode(status)
        if stopping or not wanted(child):
            _stop(child, patient=bool(stopping) or kind == "--users")
            return 0
        ends.poll(POLL_S * 1000)  # at once when the child ends
        _reap(except_pid=child)


def _start(command: list[str]) -> int:
    """Fork and exec in a session of its own; should the guard itself be killed, the child dies with it."""
    pid = os.fork()
    if pid:
        return pid
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.execvp(command[0], command)
    finally:
        os._exit(127)


def _parent_lives(pidfd: int) -> Callable[[int], bool]:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return lambda _child: not poll.poll(0)


def _users(lock: Path) -> Callable[[int], bool]:
    """Wanted while a shared lock is held, and a little longer while the server still writes."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    idle_since: list[float] = []

    def wanted(child: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            idle_since.clear()
            return True
        idle_since.append(time.monotonic())
        if _quiet(child) or time.monotonic() - idle_since[0] > QUIET_LIMIT_S:
            return False  # the lock stays ours until we are gone: a new user waits for a clean start
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return True

    return wanted


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _quiet(pid: int) -> bool:
    before = _cpu_s(pid)
    time.sleep(1.0)
    return _cpu_s(pid) - before < QUIET_SHARE


def _descendants() -> list[int]:
    """Every living process below this one; as subreaper the guard also has those whose parent ended."""
    found, waiting = [], [os.getpid()]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                children = [int(c) for c in (task / "children").read_text().split()]
                found += children
                waiting += children
    return found


def _stop(child: int, *, patient: bool) -> None:
    if patient:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)
        end = time.monotonic() + STOP_S
        while time.monotonic() < end and os.waitpid(child, os.WNOHANG)[0] == 0:
            time.sleep(0.05)
    _sweep()


def _sweep() -> None:
    while pids := _descendants():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _reap()
        time.sleep(0.01)


def _reap(except_pid: int = 0) -> None:
    """Collect ended orphans, but leave the child itself for the main loop to read its status."""
    for pid in _descendants():
        if pid != except_pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
