"""How a forked child of a zygote becomes a sealed job: its own view of the files, its limits, no rights at all.

What all jobs of a zygote share is prepared once. The folders of a job are put below BOX, for which one Landlock rule
is enough: Landlock looks for rules at the folders above a mount, and BOX is above every job's.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.premis.model import Limits
from tasks.tools import bubblewrap, kernel
from tasks.tools.wire import Bound, Order

HOST = "/host"
JOBS, SOURCES = f"{HOST}/jobs", f"{HOST}/sources"
"""Where a zygote sees the jobs' root and the folders of large inputs (SOURCES/0, ...). A job sees neither."""

BOX = "/box"
JOB, TEMPORARY, PROC = f"{BOX}/job", f"{BOX}/tmp", f"{BOX}/proc"  # noqa: S108
"""A job's working folder; its folder for temporary files, which lies in memory and is the job's HOME too; and its
processes, to which /proc leads.

Temporary files are not in /tmp, because hiding that would hide the code of a checkout that lies below it.
"""

CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SETPCAP", "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE")
"""What a zygote keeps: to mount, to forbid capabilities, to measure a job's folders and its processes."""

CAPABILITIES_OF_ROOT = (*CAPABILITIES, "CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_KILL")
"""Started as root, it also gives the job another uid and its folder to that uid."""

_TEMPORARY_SHARE = 4  # a job's temporary files take at most this part of the memory that it may use
_OPEN_FILES = 256
_NOTHING = 4096
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
_TMP, _SHARED_MEMORY = "/tmp", "/dev/shm"  # noqa: S108
_PLAIN = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC


@dataclass(frozen=True, slots=True)
class Sealing:
    """What is the same for every job of one zygote.

    `uid`: taken by the worker; None where no other can be had. `plain`: the worker is not root, seen from outside.
    `ruleset`: a descriptor for Landlock of version `abi`; None where the kernel has none. `filter`: for seccomp; None
    where we have none.
    """

    uid: int | None
    plain: bool
    abi: int
    ruleset: int | None
    filter: bytes | None

    def layers(self) -> tuple[str, ...]:
        """The isolation in force, and what is missing, in words for the event."""
        return (
            "bubblewrap",
            "own processes, mounts and ipc",
            "no network",
            "plain uid" if self.plain else "missing: plain uid",
            "no capabilities",
            f"Landlock {self.abi}" if self.abi else "missing: Landlock",
            "seccomp" if self.filter else "missing: seccomp",
            "limits",
        )


def prepared(uid: int | None, *, plain: bool, extra: Sequence[str]) -> Sealing:
    """Make the sandbox ready for sealing jobs in it, as its pid 1. `extra`: more code that jobs read."""
    kernel.mount_private()
    kernel.remount(_TMP, kernel.MS_RDONLY)
    kernel.mount_empty(_SHARED_MEMORY, _NOTHING, 0o555, kernel.MS_RDONLY)
    code = [str(name) for path in bubblewrap.code_paths() for name in (path.absolute(), path.resolve())]
    system = [str(path) for path in bubblewrap.system_paths()]
    links = ("/bin", "/sbin", "/lib", "/lib64", "/dev")
    abi = kernel.landlock_abi()
    ruleset = kernel.landlock_ruleset((*system, *links, *code, *extra), (BOX, *_DEVICES)) if abi else None
    return Sealing(uid, plain, abi, ruleset, kernel.seccomp_filter(os.uname().machine))


def enter(sealing: Sealing, order: Order) -> None:
    """Give this process its own mounts, in which it sees its own job and no other, and go to the job's folder.

    Must be in the job's pid namespace already.
    """
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
        score.write("500")  # a machine short of memory ends a job first
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC)
    outside, out = f"{JOBS}/{order.job}", f"{JOB}/out"
    kernel.bind(outside, JOB)
    kernel.remount(JOB, kernel.MS_RDONLY | _PLAIN)
    kernel.bind(f"{outside}/out", out)
    kernel.remount(out, _PLAIN)
    if sealing.uid is not None:
        _give_away(out, sealing.uid)
    for bound in order.bound:
        _show(bound)
    kernel.mount_empty(HOST, _NOTHING, 0o555, kernel.MS_RDONLY)
    kernel.mount_empty(TEMPORARY, order.limits.memory_bytes // _TEMPORARY_SHARE, 0o1777, kernel.MS_NOEXEC)
    kernel.mount_proc(PROC)
    os.chdir(JOB)


def shut(sealing: Sealing, order: Order) -> None:
    """Set the limits, leave root, give up all rights, and forbid what is left. There is no way back."""
    _limit(order.limits)
    kernel.forbid_capabilities()
    if sealing.uid is not None:
        os.setgroups([])
        os.setresgid(sealing.uid, sealing.uid, sealing.uid)
        os.setresuid(sealing.uid, sealing.uid, sealing.uid)
    kernel.drop_capabilities()
    kernel.no_new_privileges()
    if sealing.ruleset is not None:
        kernel.landlock(sealing.ruleset)
        os.close(sealing.ruleset)
    if sealing.filter is not None:
        kernel.seccomp(sealing.filter)


def _show(bound: Bound) -> None:
    target = f"{JOB}/in/{bound.name}"
    kernel.bind(f"{SOURCES}/{bound.source}/{bound.path}", target)
    status = os.lstat(target)
    if (status.st_dev, status.st_ino) != (bound.device, bound.inode):
        raise PermissionError(f"{bound.name} is not the file that was given")


def _give_away(folder: str, uid: int) -> None:
    # No process of this job is alive, so nothing can move underneath; links are not followed.
    os.chown(folder, uid, uid)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(f"{parent}/{name}", uid, uid, follow_symlinks=False)


def _limit(limits: Limits) -> None:
    with open("/proc/self/statm", "rb") as statm:
        inherited = int(statm.read().split()[0]) * resource.getpagesize()
    for kind, value in (
        (resource.RLIMIT_AS, inherited + limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.output_bytes),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        ceiling = resource.getrlimit(kind)[1]
        allowed = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
        resource.setrlimit(kind, (allowed, allowed))
