"""The whole sandbox: a zygote that is pid 1 in bubblewrap, and jobs that see a box of their own.

What all jobs of a zygote share is prepared once. The folders of a job are put below BOX, for which one Landlock rule
is enough: Landlock looks for rules at the folders above a mount, and BOX is above every job's.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from tasks.tools import bubblewrap, kernel, seal, seccomp, usage
from tasks.tools.wire import Bound, Order

HOST = "/host"
JOBS, SOURCES = f"{HOST}/jobs", f"{HOST}/sources"
"""Where a zygote sees the jobs' root and the folders of large inputs (SOURCES/0, ...). A job sees neither."""

BOX = "/box"
JOB, TEMPORARY, PROC = f"{BOX}/job", f"{BOX}/tmp", f"{BOX}/proc"  # noqa: S108
"""A job's working folder; its folder for temporary files, which lies in memory; and its processes, to which /proc
leads.

Temporary files are not in /tmp, because hiding that would hide the code of a checkout that lies below it.
"""

CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SETPCAP", "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE")
"""What a zygote keeps: to mount, to forbid capabilities, to measure a job's folders and its processes."""

CAPABILITIES_OF_ROOT = (*CAPABILITIES, "CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_KILL")
"""Started as root, it also gives the job another uid and its folder to that uid."""

DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
"""What a job may write besides its own folders."""

_NOTHING = 4096
_TMP, _SHARED_MEMORY = "/tmp", "/dev/shm"  # noqa: S108
_PLAIN = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
_KEEPER = ("/bin/sleep", "infinity")


class Box:
    """The seal of a zygote in bubblewrap."""

    def __init__(self, uid: int | None, *, plain: bool, extra: Sequence[str]) -> None:
        """Make the sandbox ready for sealing jobs in it, as its pid 1.

        `uid`: taken by the workers; None where no other can be had. `plain`: a worker is not root, seen from outside.
        `extra`: more code that jobs read.
        """
        kernel.mount_private()
        kernel.remount(_TMP, kernel.MS_RDONLY)
        kernel.mount_empty(_SHARED_MEMORY, _NOTHING, 0o555, kernel.MS_RDONLY)
        self._uid, self._plain = uid, plain
        self._abi = kernel.landlock_abi()
        readable = (*bubblewrap.readable(), "/dev", *extra)
        self._ruleset = kernel.landlock_ruleset(readable, (BOX, *DEVICES)) if self._abi else None
        self._filter = seccomp.sealing(os.uname().machine)
        self._own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY)

    @property
    def kept(self) -> tuple[int, ...]:
        """See Seal."""
        return () if self._ruleset is None else (self._ruleset,)

    def layers(self) -> tuple[str, ...]:
        """See Seal."""
        return (
            "bubblewrap",
            "own processes, mounts and ipc",
            "no network",
            "plain uid" if self._plain else "missing: plain uid",
            "no capabilities",
            f"Landlock {self._abi}" if self._abi else "missing: Landlock",
            "seccomp" if self._filter else "missing: seccomp",
            "limits",
        )

    def start(self, order: Order, given: Sequence[int], work: Callable[[], NoReturn]) -> Inmate:  # noqa: ARG002
        """See Seal."""
        keeper = self._new_pids()
        pid = os.fork()  # after the keeper, so that it is born into the same namespace
        if pid == 0:
            work()
        return Inmate(pid, keeper, os.pidfd_open(pid))

    def enter(self, order: Order) -> None:
        """Give this process its own mounts, in which it sees its own job and no other."""
        seal.tell_the_kernel_to_end_jobs_first()
        kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC)
        outside, out = f"{JOBS}/{order.job}", f"{JOB}/out"
        kernel.bind(outside, JOB)
        kernel.remount(JOB, kernel.MS_RDONLY | _PLAIN)
        kernel.bind(f"{outside}/out", out)
        kernel.remount(out, _PLAIN)
        if self._uid is not None:
            seal.give_away(out, self._uid)
        for bound in order.bound:
            _show(bound)
        kernel.mount_empty(HOST, _NOTHING, 0o555, kernel.MS_RDONLY)
        kernel.mount_empty(TEMPORARY, order.limits.memory_bytes // seal.TEMPORARY_SHARE, 0o1777, kernel.MS_NOEXEC)
        kernel.mount_proc(PROC)
        os.chdir(JOB)

    def shut(self, order: Order) -> None:
        """See Seal."""
        seal.limit(order.limits)
        kernel.forbid_capabilities()
        if self._uid is not None:
            seal.leave_root(self._uid)
        seal.finally_forbid(self._ruleset, self._filter)

    def temporary(self, order: Order) -> str:  # noqa: ARG002
        """See Seal."""
        return TEMPORARY

    def written(self, order: Order) -> tuple[tuple[str, int], ...]:
        """See Seal. Temporary files lie in memory, and are counted there."""
        return ((f"{JOBS}/{order.job}/out", order.limits.output_bytes),)

    def _new_pids(self) -> int:
        """Make a pid namespace for the next children; returns its pid 1, which does nothing but bury orphans.

        It is a program of its own: forking us once more would cost the milliseconds that a small program does not,
        and the worker must not be pid 1, from which the kernel keeps the signals that tell of a crash.
        """
        kernel.setns(self._own_pids, kernel.CLONE_NEWPID)  # only from our own can another one be made
        kernel.unshare(kernel.CLONE_NEWPID)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # inherited: the kernel then buries its children by itself
        try:
            return os.posix_spawn(_KEEPER[0], _KEEPER, {})
        finally:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)


@dataclass(frozen=True, slots=True)
class Inmate:
    """A job in its box: its worker, and the pid 1 of its namespace."""

    pid: int
    keeper: int
    fd: int

    def processes(self) -> list[int]:
        """See Held. The sandbox holds one job at a time."""
        return usage.processes(but=frozenset((os.getpid(), self.keeper)))

    def end(self) -> tuple[int, float]:
        """See Held."""
        os.close(self.fd)
        os.kill(self.keeper, signal.SIGKILL)  # and the kernel kills all others of its namespace
        _, status, used = os.wait4(self.pid, 0)
        os.waitpid(self.keeper, 0)  # returns when every process of the job is gone
        return status, used.ru_utime + used.ru_stime


def _show(bound: Bound) -> None:
    target = f"{JOB}/in/{bound.name}"
    kernel.bind(f"{SOURCES}/{bound.source}/{bound.path}", target)
    status = os.lstat(target)
    if (status.st_dev, status.st_ino) != (bound.device, bound.inode):
        raise PermissionError(f"{bound.name} is not the file that was given")
