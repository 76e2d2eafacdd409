"""What a run will need of each file system, told before a file is touched; nothing but sizes is looked at for it."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from tasks.aip.progress import board
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
    """What one folder must be able to take; what is not `lasting` is dropped before the next AIPs come."""

    folder: Path
    bytes: int
    files: int
    lasting: bool = True


def taking(files: Sizes, home: Home) -> tuple[Need, ...]:
    """To take a delivery in and make its masters. Originals are written once: what is staged is moved, not copied."""
    originals = sum(size + BLOCK for _, size in files)
    store, *others = making(files, home)
    return (Need(store.folder, store.bytes + originals, store.files), *others)


def holding(files: Sizes, home: Home) -> tuple[Need, ...]:
    """To keep what an archive holds in the work folder until it is stored."""
    return (Need(home.work, sum(size + BLOCK for _, size in files), len(files), lasting=False),)


def making(files: Sizes, home: Home) -> tuple[Need, ...]:
    """To make the masters of files that the store holds."""
    at_work = max((min(size, COPIED_BYTES) + _made(name, size) for name, size in files), default=0)
    few = FEW * BLOCK if files else 0
    return (
        Need(home.store, sum(_made(name, size) for name, size in files) + few, INODES * len(files)),
        Need(home.work, CORES * at_work + few, FEW if files else 0, lasting=False),
        Need(home.log, LOG_BYTES * len(files) + few, FEW if files else 0),
    )


def _made(name: str, size: int) -> int:
    return int(size * MADE.get(PurePosixPath(name).suffix.lower(), 0.0))


Room = tuple[int, int]
"""Bytes and inodes."""
_Needs = Mapping[int, Sequence[Need]]
"""By file system."""
_LOOK_S = 1.0
"""So often who waits for room looks whether the run is to stop."""


class Budget:
    """What the file systems of a home had left when the run began, less what was promised since. Threads share it.

    What lasts is summed. What does not counts once: masters are made when all deliveries are taken, wave after wave, so
    the largest need of the work folder stands for all; of unpacked deliveries those count that are in hand at once.
    """

    def __init__(self, home: Home) -> None:
        self._reserve = home.settings().reserve_gb * GB
        self._freed = threading.Condition()
        self._left: dict[int, Room] = {}
        for folder in (home.store, home.work, home.log):
            self._left.setdefault(folder.stat().st_dev, _left(folder))
        self._turns: dict[int, list[Room]] = {device: [] for device in self._left}
        self._turn: dict[int, Room] = dict.fromkeys(self._left, (0, 0))  # the largest of them
        self._held: dict[int, Room] = dict.fromkeys(self._left, (0, 0))

    def take(self, needs: Iterable[Need]) -> None:
        """Promise room, on each file system for all of its folders together. Raises Trouble "space", nothing taken."""
        with self.holding(needs):
            pass

    @contextlib.contextmanager
    def holding(self, needs: Iterable[Need], meanwhile: Iterable[Need] = ()) -> Iterator[None]:
        """As `take`, with more room that is free again at the end of the block.

        What would fit if nobody held any waits for those who do; they hold nothing else that it could wait for.
        Raises Trouble "space", nothing taken, when it would not fit even then; PutDown when the run is to stop.
        """
        wanted, held = _by_device(needs), _by_device(meanwhile)
        with self._freed:
            while self._short(wanted, held, self._held) is not None:
                if (short := self._short(wanted, held, {})) is not None:
                    raise short
                self._freed.wait(_LOOK_S)
                board.go_on()
            for device, some in wanted.items():
                self._left[device] = _less(self._left[device], _sum(n for n in some if n.lasting))
                self._turns[device].append(turn := _sum(n for n in some if not n.lasting))
                self._turn[device] = _most(self._turn[device], turn)
            for device, some in held.items():
                self._held[device] = _plus(self._held[device], _sum(some))
        try:
            yield
        finally:
            with self._freed:
                for device, some in held.items():
                    self._held[device] = _less(self._held[device], _sum(some))
                self._freed.notify_all()

    def give_back(self, needs: Iterable[Need]) -> None:
        """What was promised for these needs is not wanted: nothing will last of them, and they have no turn."""
        with self._freed:
            for device, some in _by_device(needs).items():
                self._left[device] = _plus(self._left[device], _sum(n for n in some if n.lasting))
                self._turns[device].remove(_sum(n for n in some if not n.lasting))
                self._turn[device] = functools.reduce(_most, self._turns[device], (0, 0))
            self._freed.notify_all()

    def _short(self, wanted: _Needs, held: _Needs, others: Mapping[int, Room]) -> Trouble | None:
        """What is lacking, while `others` is what the other deliveries in hand hold."""
        for device in {**wanted, **held}:
            some, more = wanted.get(device, []), held.get(device, [])
            lasting = _sum(n for n in some if n.lasting)
            turn = _most(self._turn[device], _sum(n for n in some if not n.lasting))
            passing = _most(turn, _plus(others.get(device, (0, 0)), _sum(more)))
            need = _plus(lasting, passing)
            room, names = _less(self._left[device], need)
            if room < self._reserve or names < 0:
                return _told([*some, *more], self._left[device], need, self._reserve)
        return None


def _by_device(needs: Iterable[Need]) -> dict[int, list[Need]]:
    found: dict[int, list[Need]] = {}
    for need in needs:
        if need.bytes or need.files:
            found.setdefault(need.folder.stat().st_dev, []).append(need)
    return found


def _sum(needs: Iterable[Need]) -> Room:
    some = list(needs)
    return sum(n.bytes for n in some), sum(n.files for n in some)


def _most(one: Room, other: Room) -> Room:
    return max(one[0], other[0]), max(one[1], other[1])


def _plus(one: Room, other: Room) -> Room:
    return one[0] + other[0], one[1] + other[1]


def _less(one: Room, other: Room) -> Room:
    return one[0] - other[0], one[1] - other[1]


def _left(folder: Path) -> Room:
    """Bytes and inodes that we may use; a file system that counts no inodes has any number of them."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_favail if found.f_files else 1 << 62


def _told(some: Sequence[Need], left: Room, need: Room, reserve: int) -> Trouble:
    largest = max(some, key=lambda n: n.bytes)
    if left[0] - need[0] < reserve:
        told, free = words(need[0]), words(max(0, left[0]))
    else:
        told, free = f"{need[1]:,} inodes", f"{max(0, left[1]):,} inodes"
    return Trouble("space", folder=str(largest.folder), need=told, free=free, reserve=words(reserve))
