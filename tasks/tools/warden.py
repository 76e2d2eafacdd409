"""On the fence there is no pid namespace whose end takes all with it: a warden between us and a hostile process does.

It adopts whatever the process leaves behind, and kills it all at once, also what forks faster than anybody can look:
kill(-1) is one act of the kernel. Whom it reaches is bounded twice: by a uid that nobody else has, or by a domain of
Landlock that the hostile process was born into and cannot leave. Which of the two holds is tried before anything is
let loose.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn

from tasks.tools import kernel, seal

_TICK_MS = 50


@dataclass(frozen=True, slots=True)
class End:
    """How the process ended: its wait status, the seconds of CPU it took, and whether the warden had to end it."""

    status: int
    cpu_s: float
    ended_by_us: bool


def guard(uid: int | None, leashes: Iterable[int], start: Callable[[], NoReturn], meanwhile: Callable[[], None]) -> End:
    """Run `start` in a fork until it ends or a leash is let go; returns when it and all that came of it is gone.

    A leash is a descriptor that becomes readable when its holder is gone. `uid`: what `start` will become, used by
    no other process; None: it stays what we are. `meanwhile` is called once it has begun. Raises PermissionError
    when its processes could not be told from others, before it is started.
    """
    kernel.adopt_orphans()
    kernel.no_new_privileges()
    if kernel.landlock_abi() >= kernel.SCOPING_ABI:
        _shut_in()
    elif uid is None:
        raise PermissionError("without a uid of its own or Landlock 6 a process cannot be held")
    pid = os.fork()
    if pid == 0:
        start()
    meanwhile()
    ended = os.pidfd_open(pid)
    poll = select.poll()
    for fd in (ended, *leashes):
        poll.register(fd, select.POLLIN)
    while not (ready := {fd for fd, _ in poll.poll(_TICK_MS)}):
        _bury_orphans(pid)
    ended_by_us = ended not in ready
    status, cpu_s = (None, 0.0) if ended_by_us else _waited(pid)
    while _any_left():
        _kill_all(uid)
        if status is None:
            status, cpu_s = _waited(pid)
        _bury()
    return End(status or 0, cpu_s, ended_by_us)


def _shut_in() -> None:
    # From here on kill(-1) reaches this domain and those inside it, as the same signal to our parent proves.
    outside = os.getppid()
    os.kill(outside, 0)
    ruleset = kernel.landlock_scope()
    kernel.landlock(ruleset)
    os.close(ruleset)
    try:
        os.kill(outside, 0)
    except PermissionError:
        return
    raise PermissionError("Landlock does not keep signals in")


def _waited(pid: int) -> tuple[int, float]:
    _, status, used = os.wait4(pid, 0)
    return status, used.ru_utime + used.ru_stime


def _bury_orphans(worker: int) -> None:
    # They would use up the job's number of processes.
    with contextlib.suppress(ChildProcessError):
        while (dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and dead.si_pid != worker:
            os.waitpid(dead.si_pid, 0)


def _any_left() -> bool:
    # Looks without burying: the worker's own end is asked for by its pid.
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        return True
    return False


def _bury() -> None:
    # All were killed; what was orphaned by that is ours in a moment, and dead.
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _kill_all(uid: int | None) -> None:
    if uid is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # never ourselves
        return
    pid = os.fork()
    if pid == 0:
        try:
            seal.leave_root(uid)
            if os.getresuid() == (uid, uid, uid) and uid:
                os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
