"""What a run will need of each file system, told before a file is touched; nothing but sizes is looked at for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from tasks.config.home import Home
from tasks.premis.model import Trouble
from tasks.tools.job import COPIED_BYTES
from tasks.tools.machine import CORES
from tasks.tools.words import size as words

MADE: Mapping[str, float] = MappingProxyType(
    {
        **dict.fromkeys((".jp2", ".jpf", ".j2k", ".jpx"), 55.0),
        **dict.fromkeys((".jpg", ".jpeg"), 21.0),
        **dict.fromkeys((".png", ".gif"), 15.0),
        **dict.fromkeys((".webp", ".heic", ".avif"), 9.0),
        **dict.fromkeys((".pdf", ".tif", ".tiff", ".bmp", ".psd"), 1.0),
        **dict.fromkeys((".doc", ".xls", ".ppt", ".rtf"), 0.7),
        **dict.fromkeys((".docx", ".xlsx", ".pptx", ".odt", ".ods", ".docm", ".xlsm", ".txt", ".htm", ".html"), 1.7),
        **dict.fromkeys((".odp", ".xlsb"), 5.0),
    }
)
"""Bytes of masters and transcripts for each byte of originals, by ending; what has none here is kept as it is.

Over all files of an ending, from a run with the default policy over 260 real files: `perenne run` in a fresh home, then
`bench/space.py HOME`. Endings of which that run had few or none take the figure of the nearest kind. One file may make
far more (a bilevel TIFF 84 times its size): that is what the reserve is for.
"""
LOG_BYTES = 2048
"""Of log for each original; 1,388 were measured, in the same run. A log of a few files is more blocks than events."""
INODES = 3
"""In the store for each original: itself, its products, their folders. 2.85 were measured."""
BLOCK = 4096
FEW = 64
"""Blocks and inodes that a run takes whatever it does: inventories, parts of the log, folders of jobs."""
GB = 1 << 30

Sizes = Sequence[tuple[str, int]]
"""Name and bytes of each file."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one folder must be able to take."""

    folder: Path
    bytes: int
    files: int


def taking(files: Sizes, home: Home) -> tuple[Need, ...]:
    """To take a delivery in and make its masters. Originals are written once: what is staged is moved, not copied."""
    originals = sum(size + BLOCK for _, size in files)
    store, *others = making(files, home)
    return (Need(store.folder, store.bytes + originals, store.files), *others)


def holding(files: Sizes, home: Home) -> tuple[Need, ...]:
    """To keep what an archive holds in the work folder until it is stored."""
    return (Need(home.work, sum(size + BLOCK for _, size in files), len(files)),)


def making(files: Sizes, home: Home) -> tuple[Need, ...]:
    """To make the masters of files that the store holds."""
    at_work = max((min(size, COPIED_BYTES) + _made(name, size) for name, size in files), default=0)
    few = FEW * BLOCK if files else 0
    return (
        Need(home.store, sum(_made(name, size) for name, size in files) + few, INODES * len(files)),
        Need(home.work, CORES * at_work + few, FEW if files else 0),
        Need(home.log, LOG_BYTES * len(files) + few, FEW if files else 0),
    )


def _made(name: str, size: int) -> int:
    return int(size * MADE.get(PurePosixPath(name).suffix.lower(), 0.0))


class Budget:
    """What the file systems of a home had left when the run began, less what was promised since. Threads share it."""

    def __init__(self, home: Home) -> None:
        self._reserve = home.settings().reserve_gb * GB
        self._lock = threading.Lock()
        self._left: dict[int, tuple[int, int]] = {}
        for folder in (home.store, home.work, home.log):
            self._left.setdefault(folder.stat().st_dev, _left(folder))

    def take(self, needs: Iterable[Need]) -> None:
        """Promise room, on each file system for all of its folders together. Raises Trouble "space", nothing taken."""
        wanted: dict[int, list[Need]] = {}
        for need in needs:
            if need.bytes or need.files:
                wanted.setdefault(need.folder.stat().st_dev, []).append(need)
        with self._lock:
            after = dict(self._left)
            for device, some in wanted.items():
                room, names = after[device]
                after[device] = room - sum(n.bytes for n in some), names - sum(n.files for n in some)
                if after[device][0] < self._reserve or after[device][1] < 0:
                    raise _short(some, room, names, self._reserve)
            self._left = after


def _left(folder: Path) -> tuple[int, int]:
    """Bytes and inodes that we may use; a file system that counts no inodes has any number of them."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_favail if found.f_files else 1 << 62


def _short(some: Sequence[Need], room: int, names: int, reserve: int) -> Trouble:
    largest = max(some, key=lambda n: n.bytes)
    need = sum(n.bytes for n in some)
    if room - need < reserve:
        told, free = words(need), words(max(0, room))
    else:
        told, free = f"{sum(n.files for n in some):,} inodes", f"{max(0, names):,} inodes"
    return Trouble("space", folder=str(largest.folder), need=told, free=free, reserve=words(reserve))
