"""What the processes of one job use at this moment, seen from their zygote.

Only what the kernel counts is believed: a job may lie about everything else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from collections.abc import Iterable, Iterator

_RESIDENT = (b"RssAnon:", b"RssShmem:")
_EXACT = (b"Pss_Anon:", b"Pss_Shmem:")
_SECTOR = 512
_LIBC = ctypes.CDLL(None)
_KCMP, _KCMP_FILES = {"x86_64": 312, "aarch64": 272}.get(os.uname().machine, -1), 2


def processes(but: frozenset[int]) -> list[int]:
    """All processes of this pid namespace besides those named."""
    return [pid for name in os.listdir("/proc") if name.isdigit() and (pid := int(name)) not in but]


def below(pid: int) -> list[int]:
    """All processes that `pid` started, and those they started, as long as none of them was orphaned past `pid`."""
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children", "rb") as children:
                    found += map(int, children.read().split())
    return found[1:]


def memory(pids: Iterable[int], enough: int) -> int:
    """Bytes of memory in use that no file backs.

    The quick count takes pages that the job shares with its zygote once for each process, so when it passes
    `enough` they are counted exactly, each shared page by its share.
    """
    pids = list(pids)
    quick = sum(_resident(pid) for pid in pids)
    return quick if quick <= enough else sum(_proportional(pid) for pid in pids)


def disk(folder: str, pids: Iterable[int], enough: int, names: int) -> int:
    """Bytes on disk below `folder` and in files of its device that were deleted but are still open.

    Stops as soon as `enough` is passed. More than `names` files and folders, or a folder that cannot be looked
    into, count as more than enough: what cannot be measured is not allowed.
    """
    used = count = 0
    for size in _tree(folder):
        used, count = used + size, count + 1
        if used > enough or count > names or size < 0:
            return enough + 1
    device = os.lstat(folder).st_dev
    deleted = {inode: size for pid in pids for inode, size in _deleted(pid, device)}
    return used + sum(deleted.values())


def _resident(pid: int) -> int:
    # Anonymous and shared memory. A process whose first thread has ended shows them in any other thread alone.
    for folder in (f"/proc/{pid}", *_threads(pid)):
        with contextlib.suppress(OSError), open(f"{folder}/status", "rb") as status:
            found = [int(line.split()[1]) << 10 for line in status if line.startswith(_RESIDENT)]
            if found:
                return sum(found)
    return 0


def _threads(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/task"):
            yield f"/proc/{pid}/task/{name}"


def _tables(pid: int) -> Iterator[str]:
    # A thread for each table of open files: nearly always all threads share that of the first (kcmp(2)). Where the
    # kernel does not say, each thread is looked at.
    first = 0
    for folder in _threads(pid):
        thread = int(folder.rpartition("/")[2])
        if first and _LIBC.syscall(_KCMP, first, thread, _KCMP_FILES, 0, 0) == 0:
            continue
        first = first or thread
        yield folder


def _proportional(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as rollup:
            found = [int(line.split()[1]) << 10 for line in rollup if line.startswith(_EXACT)]
    except OSError:
        found = []
    # None: it ended (then this is 0), made itself unreadable or has lost its first thread (then it counts in full).
    return sum(found) if found else _resident(pid)


def _tree(top: str) -> Iterator[int]:
    # Bytes of everything below a folder; a negative number for what cannot be looked at.
    waiting = [top]
    try:
        while waiting:
            for entry in _listed(waiting.pop()):
                with contextlib.suppress(FileNotFoundError):  # removed meanwhile: the job may be running
                    status = entry.stat(follow_symlinks=False)
                    yield status.st_blocks * _SECTOR
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(entry.path)
    except OSError:
        yield -1


def _listed(folder: str) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except FileNotFoundError:
        return []


def _deleted(pid: int, device: int) -> Iterator[tuple[int, int]]:
    # (inode, bytes) of the open files of a process, or of one of its threads, that no folder names any more.
    for folder in _tables(pid):
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"{folder}/fd"):
                with contextlib.suppress(OSError):
                    status = os.stat(f"{folder}/fd/{fd}")  # noqa: PTH116  in every tick: no Path objects
                    if stat.S_ISREG(status.st_mode) and status.st_nlink == 0 and status.st_dev == device:
                        yield status.st_ino, status.st_blocks * _SECTOR


def maps_deleted(pids: Iterable[int], folder: str) -> bool:
    """Whether a process maps a file of the folder's device that nobody names any more: its size cannot be known.

    Files that some mapping executes are programs and libraries, replaced while they run. What we map ourselves, the
    job has from us: a cache of fonts that was made anew meanwhile.
    """
    device = os.lstat(folder).st_dev
    wanted = b"%02x:%02x" % (os.major(device), os.minor(device))
    found = set[bytes]().union(*(_deleted_data(_maps(pid), wanted) for pid in pids))
    return bool(found and found - _deleted_data(_maps(os.getpid()), wanted))


def _maps(pid: int) -> bytes:
    # All threads of a process share its memory; the first may have ended and show none.
    for folder in _threads(pid):
        with contextlib.suppress(OSError), open(f"{folder}/maps", "rb") as maps:
            if data := maps.read():
                return data
    return b""


def _deleted_data(maps: bytes, device: bytes) -> set[bytes]:
    # The inodes.
    if b" (deleted)\n" not in maps:  # nearly always, and some hundred lines in every tick are many
        return set()
    data, programs = set[bytes](), set[bytes]()
    for line in maps.splitlines():
        _, rights, _, place, inode, *path = line.split(None, 5)
        if place == device and path and path[0].endswith(b"(deleted)"):
            (programs if b"x" in rights else data).add(inode)
    return data - programs


def cpu_s(pids: Iterable[int]) -> float:
    """Seconds of CPU that these processes used so far, and all those that ended below them; in steps of a tick."""
    return sum(map(_ticks, pids)) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb") as stat_:
        fields = stat_.read().rpartition(b")")[2].split()
        return sum(map(int, fields[11:15]))  # utime, stime, cutime, cstime
    return 0


def threads(pids: Iterable[int]) -> int:
    """How many threads these processes have."""
    return sum(1 for pid in pids for _ in _threads(pid))
