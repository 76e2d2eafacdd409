"""What both sandboxes have in common: how a zygote starts, seals, measures and ends a job."""

from __future__ import annotations

import itertools
import os
import resource
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn, Protocol

from tasks.premis.model import Limits
from tasks.tools import kernel
from tasks.tools.wire import Order

TEMPORARY_SHARE = 4
"""A job's temporary files take at most this part of the memory that it may use."""
_OPEN_FILES = 256
_MOST_DESCRIPTORS = 1 << 20


class Held(Protocol):
    """One job at work."""

    @property
    def fd(self) -> int:
        """Readable as soon as the job's worker has ended."""

    def processes(self) -> list[int]:
        """All processes of the job, however they were started."""

    def end(self) -> tuple[int, float]:
        """End every process of the job; returns the worker's wait status and the seconds of CPU it took."""


class Seal(Protocol):
    """One of the two sandboxes, seen from the zygote and from the worker that it seals."""

    @property
    def kept(self) -> tuple[int, ...]:
        """The descriptors that a worker needs for being sealed."""

    def layers(self) -> tuple[str, ...]:
        """The isolation in force, and what is missing, in words for people."""

    def start(self, order: Order, given: Sequence[int], work: Callable[[], NoReturn]) -> Held:
        """Fork a worker for `order`, with the descriptors `given`, and let it `work`."""

    def enter(self, order: Order) -> None:
        """In the worker: go to the job's folder, and let go of what no job may see."""

    def shut(self, order: Order) -> None:
        """In the worker: set the limits, leave root, give up all rights, and forbid what is left. No way back."""

    def temporary(self, order: Order) -> str:
        """The job's folder for temporary files, which is its HOME too."""

    def written(self, order: Order) -> Iterable[tuple[str, int]]:
        """Where a job writes on disk, seen from the zygote, and how many bytes it may take there."""


def tell_the_kernel_to_end_jobs_first() -> None:
    """A machine short of memory ends this process before any other of ours."""
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("500")


def give_away(folder: str, uid: int) -> None:
    """Make a folder and all in it another uid's. No process may be writing in it; links are not followed."""
    os.chown(folder, uid, uid)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(f"{parent}/{name}", uid, uid, follow_symlinks=False)


def leave_root(uid: int) -> None:
    """Become another user for ever."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def limit(limits: Limits, *, others: int = 0) -> None:
    """Set the kernel's limits of a job. `others`: processes of the same uid that are not the job's."""
    with open("/proc/self/statm", "rb") as statm:
        inherited = int(statm.read().split()[0]) * resource.getpagesize()
    for kind, value in (
        (resource.RLIMIT_AS, inherited + limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.output_bytes),
        (resource.RLIMIT_NPROC, others + limits.processes),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        set_limit(kind, value)


def set_limit(kind: int, value: int) -> None:
    """Set one of the kernel's limits for good, or what it is already where that is less."""
    ceiling = resource.getrlimit(kind)[1]
    allowed = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
    resource.setrlimit(kind, (allowed, allowed))


def finally_forbid(ruleset: int | None, program: bytes | None, *, but: int | None = None) -> None:
    """Landlock and seccomp, as far as they are there, on this process and all its children.

    `but`: the one capability that is kept.
    """
    kernel.drop_capabilities(but)
    kernel.no_new_privileges()
    if ruleset is not None:
        kernel.landlock(ruleset)
        os.close(ruleset)
    if program is not None:
        kernel.seccomp(program)


def close_all_but(kept: Iterable[int]) -> None:
    """Close every descriptor above standard error besides these, whatever library opened it."""
    for low, high in itertools.pairwise((2, *sorted(kept), _MOST_DESCRIPTORS)):
        os.closerange(low + 1, high)
