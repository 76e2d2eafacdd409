"""The smaller sandbox, for machines where bubblewrap may not work: Landlock, seccomp and limits alone.

A job sees the names of other files and processes, but opens, changes and signals none; it makes no socket. Each has a
warden, which ends it with whatever it started. Sources: landlock(7), seccomp(2), kill(2), prctl(2).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tasks.tools import bubblewrap, folders, kernel, seal, seccomp, usage, warden
from tasks.tools.box import DEVICES as WRITTEN_DEVICES
from tasks.tools.footing import CAP_DAC_READ_SEARCH, CAP_SETPCAP, CAP_SYS_PTRACE, may, open_to_all
from tasks.tools.wire import Bound, Order

OF_PROC = tuple(
    f"/proc/{name}" for name in ("cpuinfo", "filesystems", "meminfo", "stat", "sys/kernel/osrelease", "version")
)
"""What a program may read of /proc besides what is its own."""
DEVICES = ("/dev/random", "/dev/urandom")
"""What it may read of the machine's devices, besides those that it may write."""
_PATIENCE_S = 10.0
_TEMPORARY = "tmp"
_CPU_MARGIN_S = 30


class Fence:
    """The seal of a zygote that runs beside us, with nothing around it."""

    def __init__(
        self, uid: int | None, *, plain: bool, jobs: str, sources: Sequence[str], extra: Sequence[str], alive: int
    ) -> None:
        """`jobs`, `sources`: the folders of the jobs and of large inputs. `alive`: open as long as any of us lives.

        The others: see Box.
        """
        self._alive = alive
        kernel.adopt_orphans()  # of a warden that something killed
        self._uid, self._plain = uid, plain
        self._jobs, self._sources = jobs, sources
        self._walks = walks(uid, jobs)
        self._readable = (*bubblewrap.readable(), *DEVICES, *OF_PROC, *extra)
        self._abi = kernel.landlock_abi()
        self._filter = seccomp.sealing(os.uname().machine, boxed=False, own_uid=uid is not None)

    @property
    def kept(self) -> tuple[int, ...]:
        """See Seal. Each worker makes a ruleset of its own."""
        return ()

    def layers(self) -> tuple[str, ...]:
        """See Seal. What only bubblewrap gives is named as missing."""
        counts = os.geteuid() != 0 or not self._plain or may(CAP_SYS_PTRACE)  # else it may not see another uid's files
        return (
            f"Landlock {self._abi}",
            "no network",
            "plain uid" if self._plain else "missing: plain uid",
            "no capabilities" if self._walks is None else "no capability but to walk through closed folders",
            "seccomp",
            "limits",
            "missing: bubblewrap",
            "missing: own processes, mounts and ipc",
            *(() if counts else ("missing: count of files that are deleted while open",)),
            *(() if self._abi >= kernel.TRUNCATING_ABI else ("missing: files of others kept from being cut off",)),
        )

    def start(self, order: Order, given: Sequence[int], work: Callable[[], NoReturn]) -> Fenced:
        """See Seal."""
        self._make_temporary(order)
        leash, ours = os.pipe2(os.O_CLOEXEC)
        heard, theirs = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            self._guard(given, leash, theirs, work)
        os.close(leash)
        os.close(theirs)
        return Fenced(pid, ours, heard)

    def enter(self, order: Order) -> None:
        """Go to the job's folder; its names may be longer from the root than a plain uid can walk."""
        seal.tell_the_kernel_to_end_jobs_first()
        os.chdir(f"{self._jobs}/{order.job}")
        if self._uid is not None:
            seal.give_away("out", self._uid)
            seal.give_away(_TEMPORARY, self._uid)

    def shut(self, order: Order) -> None:
        """See Seal."""
        ruleset = self._ruleset(order)
        kept = self._walks or (walks(self._uid, *map(self._path, order.bound)) if order.bound else None)
        seal.limit(order.limits, others=0 if self._uid is not None else threads_of(os.getuid()))
        _limit_cpu(order.limits.wall_s)
        leave(self._uid, kept)
        seal.finally_forbid(ruleset, self._filter, but=kept)

    def temporary(self, order: Order) -> str:
        """See Seal."""
        return f"{self._jobs}/{order.job}/{_TEMPORARY}"

    def written(self, order: Order) -> tuple[tuple[str, int], ...]:
        """See Seal."""
        return (
            (f"{self._jobs}/{order.job}/out", order.limits.output_bytes),
            (self.temporary(order), order.limits.memory_bytes // seal.TEMPORARY_SHARE),
        )

    def _make_temporary(self, order: Order) -> None:
        with contextlib.suppress(FileNotFoundError):
            folders.remove(Path(self.temporary(order)))  # of the call before
        Path(self.temporary(order)).mkdir(0o700)

    def _guard(self, given: Sequence[int], leash: int, told: int, work: Callable[[], NoReturn]) -> NoReturn:
        try:
            os.setsid()
            mine = (leash, told, self._alive)
            seal.close_all_but((*given, *mine))
            ended = warden.guard(self._uid, (leash,), work, lambda: seal.close_all_but(mine))
            os.write(told, json.dumps([ended.status, ended.cpu_s]).encode())
        except BaseException as problem:
            *_, stderr = given  # closed once the job has begun
            with contextlib.suppress(OSError):
                os.write(stderr, f"{type(problem).__name__}: {problem}\n".encode())
        finally:
            os._exit(0)

    def _ruleset(self, order: Order) -> int:
        look = (".", *own_of_proc())
        ruleset = kernel.landlock_ruleset(self._readable, ("out", _TEMPORARY, *WRITTEN_DEVICES), look=look)
        for bound in order.bound:
            fd = os.open(self._path(bound), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                status = os.fstat(fd)
                if (status.st_dev, status.st_ino) != (bound.device, bound.inode):
                    raise PermissionError(f"{bound.name} is not the file that was given")
                kernel.landlock_allow(ruleset, fd)
            finally:
                os.close(fd)
        return ruleset

    def _path(self, bound: Bound) -> str:
        return f"{self._sources[bound.source]}/{bound.path}"


@dataclass(frozen=True, slots=True)
class Fenced:
    """A job behind the fence: its warden, the leash it is held by, and what is heard of its end."""

    warden: int
    leash: int
    fd: int

    def processes(self) -> list[int]:
        """See Held."""
        return usage.below(self.warden)

    def end(self) -> tuple[int, float]:
        """See Held. A job whose warden was killed counts as killed."""
        os.close(self.leash)
        status, cpu_s = self._heard()
        os.kill(self.warden, signal.SIGKILL)
        os.waitpid(self.warden, 0)
        if status is None:
            _sweep()
        return (int(signal.SIGKILL) if status is None else status), cpu_s

    def _heard(self) -> tuple[int | None, float]:
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        said = os.read(self.fd, 1 << 10) if poll.poll(_PATIENCE_S * 1000) else b""
        os.close(self.fd)
        if not said:
            return None, 0.0
        status, cpu_s = json.loads(said)
        return int(status), float(cpu_s)


def own_of_proc() -> tuple[str, ...]:
    """What this process may read of itself in /proc: nothing of the machine's network and mounts."""
    names = ("cmdline", "fd", "limits", "maps", "stat", "statm", "status")
    return tuple(f"/proc/{os.getpid()}/{name}" for name in names)


def walks(uid: int | None, *paths: str) -> int | None:
    """The capability that a plain uid needs to reach our code and `paths`; None for none, or when there is none.

    Where the checkout, the work folder or the store is closed to others (as /root is), CAP_DAC_READ_SEARCH lets it
    through; what is read on the way and beyond, Landlock decides all the same.
    """
    needed = (*bubblewrap.code_paths(), *map(Path, paths))
    if uid is None or not may(CAP_DAC_READ_SEARCH, CAP_SETPCAP) or all(map(open_to_all, needed)):
        return None
    return CAP_DAC_READ_SEARCH


def leave(uid: int | None, kept: int | None) -> None:
    """Become a plain uid, if there is one, and make sure that this process ends with its warden.

    `kept`: a capability that is not to be lost by that.
    """
    if kept is not None:
        kernel.keep_capabilities()
    if may(CAP_SETPCAP):
        kernel.forbid_capabilities(kept)
    if uid is not None:
        seal.leave_root(uid)
    kernel.die_with_parent()


def threads_of(uid: int) -> int:
    """How many threads of a uid there are: the kernel's limit counts all of them, whosever they are."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == uid:  # noqa: PTH116
                    count += len(os.listdir(f"/proc/{name}/task"))
    return count


def _limit_cpu(wall_s: float) -> None:
    # The last resort for a process whose warden and zygote were both killed.
    most = (math.ceil(wall_s) + _CPU_MARGIN_S) * (os.cpu_count() or 1)
    seal.set_limit(resource.RLIMIT_CPU, most)


def _sweep() -> None:
    # What a killed warden left is ours now, and no kill(-1) of ours may be bounded to it: one after the other.
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        left = usage.below(os.getpid())
        if not left:
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.001)
