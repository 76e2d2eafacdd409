"""The door of this process: opened at first use, closed when the process ends."""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path

from tasks.tools.door import Door

_LOCK = threading.Lock()
_DOORS: dict[tuple[Path, tuple[Path, ...]], Door] = {}


def shared(work: Path, sources: tuple[Path, ...] = ()) -> Door:
    """The door for these folders, the same for every thread; opening the first takes a second.

    Raises Trouble like Door.
    """
    key = (work.resolve(), tuple(path.resolve() for path in sources))
    with _LOCK:
        if not _DOORS:
            atexit.register(close)
        if key not in _DOORS:
            _DOORS[key] = Door(work, sources=sources)
        return _DOORS[key]


def begin(work: Path, sources: tuple[Path, ...] = (), ahead: Sequence[str] = ()) -> None:
    """Open the door in a thread of its own, for whoever asks for it later; what goes wrong is told to them.

    `ahead`: the resident programs that will be needed; they are started, too, and so is a zygote for each core.
    """

    def opened() -> None:
        with contextlib.suppress(Exception):  # asked for again, it is raised
            door = shared(work, sources)
            if ahead:
                door.ahead(ahead)

    threading.Thread(target=opened, name="door").start()


def close() -> None:
    """Close every door of this process; the next use opens a new one."""
    with _LOCK:
        while _DOORS:
            _DOORS.popitem()[1].close()
