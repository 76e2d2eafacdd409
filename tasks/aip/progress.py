"""How far a run is: counted by the threads that work, read by whoever shows it to people."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tasks.premis.model import Ending


class PutDown(Exception):  # noqa: N818  what happened
    """The run was asked to stop between two steps: what is in hand is put down, and the next run takes it up."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage at one moment; `seconds` counts the time in which it went on."""

    name: str
    files: int
    done: int
    endings: dict[Ending, int]
    seconds: float
    over: bool
    at: str = ""
    """The file in hand, or the last one: an action before it, where there is one."""
    kinds: int = 0
    """How many different kinds the files are of: formats."""

    @property
    def left_s(self) -> float | None:
        """Seconds left at the pace so far; None before 5 % is done or when it is over."""
        if self.over or not self.done or self.done * 20 < self.files:
            return None
        return self.seconds / self.done * (self.files - self.done)


@dataclass
class _Running:
    name: str
    files: int = 0
    done: int = 0
    endings: Counter[Ending] = field(default_factory=Counter)
    kinds: set[str] = field(default_factory=set)
    at: str = ""
    spent_s: float = 0.0
    since: float | None = None  # when it last went on; None while it rests and when it is over
    more: bool = False

    def rest(self) -> None:
        if self.since is not None:
            self.spent_s += time.monotonic() - self.since
            self.since = None

    def now(self) -> Stage:
        running_s = 0.0 if self.since is None else time.monotonic() - self.since
        over = self.since is None and not self.more
        seconds = self.spent_s + running_s
        return Stage(self.name, self.files, self.done, dict(self.endings), seconds, over, self.at, len(self.kinds))


class Board:
    """The stages of the run in this process, in order; `stop` asks it to end after the files in hand."""

    def __init__(self) -> None:
        self._stages: dict[str, _Running] = {}
        self._current: _Running | None = None
        self._lock = threading.Lock()
        self.stop = threading.Event()

    def go_on(self) -> None:
        """Asked between two steps of a long piece of work. Raises PutDown when the run was asked to stop."""
        if self.stop.is_set():
            raise PutDown

    def begin(self, name: str, files: int, *, more: bool = False) -> None:
        """A stage begins, or goes on with `files` of its own; with `more` to come it is not over after that."""
        with self._lock:
            self._rest()
            self._current = stage = self._stages.setdefault(name, _Running(name))
            stage.files += files
            stage.more = more
            stage.since = time.monotonic()

    def expect(self, files: int) -> None:
        """So many more files are known to belong to the present stage."""
        with self._lock:
            if self._current is not None:
                self._current.files += files

    def count(self, files: int = 1, ending: Ending | None = None, kinds: Iterable[str] = ()) -> None:
        """Some files of the present stage are through; of what kinds they are."""
        with self._lock:
            if self._current is not None:
                self._current.done += files
                self._current.kinds.update(kinds)
                if ending is not None:
                    self._current.endings[ending] += files

    def at(self, what: str) -> None:
        """What the present stage has in hand."""
        with self._lock:
            if self._current is not None:
                self._current.at = what

    def finish(self) -> None:
        """The present stage is over, or rests."""
        with self._lock:
            self._rest()

    def stages(self) -> tuple[Stage, ...]:
        """What to show now."""
        with self._lock:
            return tuple(stage.now() for stage in self._stages.values())

    def stage(self, name: str) -> Stage:
        """One of them. KeyError when it has not begun."""
        with self._lock:
            return self._stages[name].now()

    def _rest(self) -> None:
        if self._current is not None:
            self._current.rest()


board = Board()
"""The one of this process: a flow run has a process to itself."""
