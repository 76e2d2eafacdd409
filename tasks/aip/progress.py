"""How far a run is: counted by the threads that work, read by whoever shows it to people."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from tasks.premis.model import Ending


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage at one moment; `ended_s` is None while it runs."""

    name: str
    files: int
    done: int
    endings: dict[Ending, int]
    seconds: float
    over: bool

    @property
    def left_s(self) -> float | None:
        """Seconds left at the pace so far; None before 5 % is done or when it is over."""
        if self.over or not self.done or self.done * 20 < self.files:
            return None
        return self.seconds / self.done * (self.files - self.done)


@dataclass
class _Running:
    name: str
    files: int
    done: int = 0
    endings: Counter[Ending] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None


class Board:
    """The stages of the run in this process, in order; `stop` asks it to end after the files in hand."""

    def __init__(self) -> None:
        self._stages: list[_Running] = []
        self._lock = threading.Lock()
        self.stop = threading.Event()

    def begin(self, name: str, files: int) -> None:
        """A stage begins, and the one before it is over."""
        with self._lock:
            self._end()
            self._stages.append(_Running(name, files))

    def count(self, files: int = 1, ending: Ending | None = None) -> None:
        """Some files of the present stage are through."""
        with self._lock:
            if self._stages:
                self._stages[-1].done += files
                if ending is not None:
                    self._stages[-1].endings[ending] += files

    def finish(self) -> None:
        """The last stage is over."""
        with self._lock:
            self._end()

    def stages(self) -> tuple[Stage, ...]:
        """What to show now."""
        with self._lock:
            return tuple(
                Stage(
                    s.name,
                    s.files,
                    s.done,
                    dict(s.endings),
                    (s.ended or time.monotonic()) - s.began,
                    s.ended is not None,
                )
                for s in self._stages
            )

    def _end(self) -> None:
        if self._stages and self._stages[-1].ended is None:
            self._stages[-1].ended = time.monotonic()


board = Board()
"""The one of this process: a flow run has a process to itself."""
