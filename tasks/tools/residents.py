"""Programs that stay: LibreOffice, veraPDF and Siegfried, each in a sandbox of its own, asked again and again.

At most one of a kind for each core of the machine, whichever processes own them: places are locked files in
`work/slots/`. A program is started when first needed, works on one job at a time, is replaced after a number of
requests, and after anything abnormal. A second one is started when waiting for the first, while a core had nothing else
to do, has cost as much as a start.
"""

from __future__ import annotations

import contextlib
import re
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.premis.model import Agent, Trouble
from tasks.tools.floor import Floor, found
from tasks.tools.resident import kinds, slot
from tasks.tools.resident.kinds import TOOLS, Options
from tasks.tools.resident.process import Bounds, Resident
from tasks.tools.words import seconds

OUTPUT_BYTES = 1 << 30
PATIENCE_S = 900.0
"""How long a request waits for a place before it is put off."""
IDLE_S = 300.0
"""A program that had nothing to do for so long is ended; its memory is worth more than its start."""
START_S = 3.0
"""What a start costs, about: LibreOffice and veraPDF take two to four seconds of CPU before they are quick."""
TENURE_S = 20.0
"""While others wait, a process may keep its only program of a kind for so long."""

_TICK_S = 0.5
_TRY_S = 0.05
_REPLACED = ("tool-crash", "tool-memory")
_FILE = re.compile(r'(in|out)/[^/"\\\x00-\x1f\x7f]+')


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program answered, who it is, how many seconds it took, and the end of what it said on standard error.

    `cpu_s` is what its processes used meanwhile; its start is not counted.
    """

    reply: dict[str, Any]
    agents: tuple[Agent, ...]
    seconds: float
    cpu_s: float
    stderr_tail: str


class Residents:
    """All resident programs of this process. Threads may ask at the same time."""

    def __init__(
        self,
        work: Path,
        *,
        cores: int,
        options: Options | None = None,
        floor: Floor | None = None,
        start_s: float = START_S,
        jobs: Callable[[], int] = lambda: 0,
    ) -> None:
        """Nothing is started yet. `work`: the folder that all processes of this machine share. `floor`: see Door.

        `start_s`: so many seconds are waited, over all requests, before another program is started beside one of ours.
        Only those count in which fewer programs and `jobs` are at work than there are cores.
        """
        self._floor = floor or found()
        self._root = work.resolve() / "slots"
        self._root.mkdir(parents=True, exist_ok=True)
        self._cores = cores
        self._options = options or Options.of_environment()
        self._changed = threading.Condition()
        self._idle: dict[str, list[Resident]] = defaultdict(list)
        self._owned: dict[str, list[Resident]] = defaultdict(list)
        self._places: Counter[str] = Counter()
        self._start_s, self._jobs = start_s, jobs
        self._waited: defaultdict[str, float] = defaultdict(float)
        self._closed = threading.Event()
        self._tender: threading.Thread | None = None

    def ask(
        self,
        kind: str,
        folder: Path,
        request: Mapping[str, Any],
        *,
        wall_s: float,
        memory_bytes: int,
        output_bytes: int = OUTPUT_BYTES,
    ) -> Answer:
        """One request about the files of a job's `folder` that `request["files"]` names; its products land in `out/`.

        A crash or too much memory counts against the file only when a program that did nothing before shows it;
        otherwise the file gets a fresh one, and one more when something else killed that. Raises Trouble:
        "tool-missing", "tool-timeout", "tool-crash", "tool-memory", "tool-processes", "output-too-large"; KeyError for
        an unknown kind, ValueError for a name that is not one of the job's.
        """
        if kind not in TOOLS:
            raise KeyError(kind)
        names = _names(request)
        bounds = Bounds(wall_s, memory_bytes, output_bytes)
        spared = False
        while True:
            try:
                resident = self._borrowed(kind)
            except Trouble as trouble:
                if spared or trouble.code not in _REPLACED or self._closed.is_set():
                    raise
                spared = True  # something ended it while it started, before it had seen any file
                continue
            fresh = resident.served == 0
            try:
                answer = _answered(resident, folder, request, names, bounds)
            except Trouble as trouble:
                trouble.agents = resident.agents
                self._ended(kind, resident)
                spare = fresh and not spared and _killed(trouble)
                if (fresh and not spare) or trouble.code not in _REPLACED or self._closed.is_set():
                    raise
                spared |= spare
            except BaseException:
                self._ended(kind, resident)
                raise
            else:
                self._returned(kind, resident)
                return answer

    def ahead(self, kind: str) -> None:
        """Start the first program of a kind before it is asked for. Raises Trouble like `ask`."""
        if not self._places[kind]:
            self._returned(kind, self._borrowed(kind))

    def close(self) -> None:
        """End all programs, also those at work: their askers get Trouble("tool-crash")."""
        self._closed.set()
        with self._changed:
            owned = [(kind, resident) for kind in self._owned for resident in self._owned[kind]]
            idle = [(kind, resident) for kind in self._idle for resident in self._idle[kind]]
            self._idle.clear()
            self._changed.notify_all()
        for _, resident in owned:
            resident.abandon()
        for kind, resident in idle:
            self._ended(kind, resident)
        if self._tender is not None and self._tender is not threading.current_thread():
            self._tender.join()

    # --- lending ---------------------------------------------------------------------------------------------------

    def _borrowed(self, kind: str) -> Resident:
        end = time.monotonic() + PATIENCE_S
        with contextlib.ExitStack() as queue:
            while time.monotonic() < end:
                if resident := self._rested(kind):
                    return resident
                with self._changed:
                    if self._places[kind] and self._waited[kind] < self._start_s:
                        self._wait(kind)
                        continue
                    place = slot.take(self._root, kind, self._cores, self._floor)
                    self._places[kind] += place is not None
                    self._waited[kind] = 0.0
                    if place is None:
                        queue.close()
                        if not self._places[kind]:  # who has one waits for that, and lets others be
                            queue.enter_context(slot.waiting(self._root, kind))
                        self._changed.wait(_TRY_S)
                if place is not None:
                    return self._started(kind, place)
        raise Trouble("tool-timeout", tool=TOOLS[kind], limit=seconds(PATIENCE_S))

    def _wait(self, kind: str) -> None:
        """For a program of ours that is at work, a moment long; what that costs is added up over all who wait."""
        working = self._places.total() - sum(map(len, self._idle.values()))
        spare = working + self._jobs() < self._cores
        began = time.monotonic()
        self._changed.wait(_TRY_S)
        self._waited[kind] += time.monotonic() - began if spare else 0.0

    def _rested(self, kind: str) -> Resident | None:
        while True:
            with self._changed:
                if self._closed.is_set():
                    raise RuntimeError("the residents are closed")
                if not self._idle[kind]:
                    return None
                resident = self._idle[kind].pop()
            if resident.alive():
                return resident
            self._ended(kind, resident)  # it died, or spoke unasked, between two requests: no file's fault

    def _started(self, kind: str, place: slot.Slot) -> Resident:
        try:
            resident = Resident(kinds.program(kind, self._root, self._options), place, self._floor)
        except BaseException:
            self._given_up(kind, place)
            raise
        with self._changed:
            self._owned[kind].append(resident)
            if self._tender is None:
                self._tender = threading.Thread(target=self._tend, name="residents", daemon=True)
                self._tender.start()
        return resident

    def _returned(self, kind: str, resident: Resident) -> None:
        if resident.tired() or not resident.alive() or self._closed.is_set() or self._must_yield(kind, resident):
            self._ended(kind, resident)
            return
        with self._changed:
            self._idle[kind].append(resident)
            self._changed.notify()

    def _ended(self, kind: str, resident: Resident) -> None:
        resident.close()
        with self._changed:
            self._owned[kind].remove(resident)
        self._given_up(kind, resident.slot)

    def _given_up(self, kind: str, place: slot.Slot) -> None:
        place.close()
        with self._changed:
            self._places[kind] -= 1
            self._changed.notify()

    def _must_yield(self, kind: str, resident: Resident) -> bool:
        spare = self._places[kind] > 1 or time.monotonic() - resident.born > TENURE_S
        return spare and slot.others_wait(self._root, kind)

    def _tend(self) -> None:
        # Ends programs that nobody here has needed for a while, at once when another process waits for the place.
        while not self._closed.wait(_TICK_S):
            with contextlib.suppress(OSError):  # the next round tries again
                for kind in TOOLS:
                    for resident in self._superfluous(kind):
                        self._ended(kind, resident)

    def _superfluous(self, kind: str) -> list[Resident]:
        with self._changed:
            if not self._idle[kind]:
                return []
            patience_s = _TICK_S if slot.others_wait(self._root, kind) else IDLE_S
            now = time.monotonic()
            leaving = [resident for resident in self._idle[kind] if now - resident.rested > patience_s]
            for resident in leaving:
                self._idle[kind].remove(resident)
        return leaving


def _killed(trouble: Trouble) -> bool:
    """Whether something else ended the program, as the kernel does when memory is short."""
    return trouble.code in _REPLACED and trouble.detail.get("signal") == signal.SIGKILL.name


def _names(request: Mapping[str, Any]) -> tuple[str, ...]:
    names = tuple(map(str, request["files"]))
    for name in names:
        if not _FILE.fullmatch(name) or name.partition("/")[2] in (".", ".."):
            raise ValueError(f"not a file of a job: {name!r}")
    return names


def _answered(
    resident: Resident, folder: Path, request: Mapping[str, Any], names: tuple[str, ...], bounds: Bounds
) -> Answer:
    start = time.monotonic()
    place = resident.slot
    try:
        place.empty()
    except OSError as problem:
        raise Trouble("tool-crash", tool=resident.program.tool, signal=f"its folder: {problem}") from None
    place.fill(folder, names)
    reply = resident.ask(request, bounds)
    if "error" not in reply:  # what a failure leaves is no product
        place.collect(folder, frozenset(names), bounds.output_bytes)
    took = time.monotonic() - start
    return Answer(reply, resident.agents, took, resident.cpu_s, resident.tail.decode("utf-8", "replace"))
