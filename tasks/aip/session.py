"""One run over some AIPs: the locks it holds, what it knows, and its way to the door, the stage and the log."""

from __future__ import annotations

import contextlib
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from tasks.aip import ledger as ledgers
from tasks.aip.busy import busy
from tasks.aip.chunks import Chunk, chunks
from tasks.aip.examine import Original, examine
from tasks.aip.ledger import ORIGINALS, Known, Ledger
from tasks.aip.pack import PRODUCTS, in_force, pack, unpacked
from tasks.aip.plan import Choice, Task, believed, current, plan, twinned
from tasks.aip.progress import board
from tasks.aip.space import Budget, making
from tasks.config.home import Home
from tasks.config.locks import aip_lock
from tasks.policy.apply import apply
from tasks.policy.rules import Policy
from tasks.premis import log
from tasks.premis.model import Ending, Event, SourceFile, Trouble
from tasks.premis.recorder import Recorder
from tasks.store import disk
from tasks.store.errors import StoreBroken
from tasks.store.ocfl import Store
from tasks.store.reader import Inventory
from tasks.store.stage import Stage
from tasks.tools.door import Door
from tasks.tools.machine import CORES

WAVE_AIPS = 256
"""The most AIPs in hand at once: each costs an open file, its lock."""
PORTION_FILES = 512
PORTION_LEAST = 32
PORTION_BYTES = 512 << 20
"""How much one task identifies: what lies in the work folder meanwhile is a copy."""


@dataclass
class Open:
    """One AIP in hand: what the store and the log said when the run began, and what the run found out since."""

    ledger: Ledger
    recorder: Recorder
    stage: Stage
    languages: str
    known: dict[str, Known] = field(default_factory=dict)
    recorded: list[Event] = field(default_factory=list)


@contextlib.contextmanager
def _damage(aip: uuid.UUID, apart: dict[uuid.UUID, Trouble]) -> Iterator[None]:
    """What is damaged in one AIP sets that one apart, and the others are worked on."""
    try:
        yield
    except StoreBroken as e:
        apart[aip] = Trouble("store-broken", what=str(e))


def portioned(files: Sequence[SourceFile]) -> list[tuple[int, int]]:
    """Files to be identified in pieces, as (first, last + 1): bounded in number and in bytes.

    Fewer files come in smaller pieces, so that every core has some.
    """
    most = min(PORTION_FILES, max(PORTION_LEAST, -(-len(files) // (2 * CORES))))
    pieces: list[tuple[int, int]] = []
    first = size = 0
    for last, file in enumerate(files):
        if last > first and (last - first >= most or size + file.size > PORTION_BYTES):
            pieces.append((first, last))
            first, size = last, 0
        size += file.size
    return [*pieces, (first, len(files))] if files else []


class Session:
    """The state of one run in this process; every method that writes is safe to repeat after a kill."""

    def __init__(
        self,
        home: Home,
        store: Store,
        policy: Policy,
        run: uuid.UUID,
        door: Door,
        *,
        reason: str = "",
        budget: Budget | None = None,
    ) -> None:
        self.home, self.store, self.policy, self.run, self.door = home, store, policy, run, door
        self.reason, self.budget = reason, budget
        self.open: dict[uuid.UUID, Open] = {}
        self.chunks: list[Chunk] = []
        self._unidentified: list[tuple[uuid.UUID, Original]] = []
        self._apart: dict[uuid.UUID, Trouble] = {}

    @contextlib.contextmanager
    def holding(self, waiting: deque[uuid.UUID], choice: Choice) -> Iterator[Mapping[uuid.UUID, Trouble]]:
        """Lock and read AIPs from the front of `waiting`, which they leave, as many as one wave of work takes.

        So memory does not grow with the delivery: at the end all of it is let go, whoever still knows this session.
        Yields those that are left alone, and why: another run holds them ("store-busy"), or they are damaged
        ("store-broken"). What is found damaged later joins them. Raises Trouble "space" with a budget.
        """
        apart = self._apart = {}
        with contextlib.ExitStack() as stack:
            for known in (self.open, self.chunks, self._unidentified):
                stack.callback(known.clear)
            held = list(self._held(waiting, apart, stack))
            told = log.read_many(self.home.log, [inventory.aip for inventory in held])
            for inventory in held:
                with _damage(inventory.aip, apart):
                    self._take_up(ledgers.of(self.store, inventory, told.pop(inventory.aip)), choice)
            self._promise(file for _, (file, _) in self._unidentified)
            yield apart

    def _promise(self, files: Iterable[SourceFile]) -> None:
        """Have room for the masters of these files. Raises Trouble "space"."""
        if self.budget is not None:
            self.budget.take(making([(file.path, file.size) for file in files], self.home))

    def _held(
        self, waiting: deque[uuid.UUID], apart: dict[uuid.UUID, Trouble], stack: contextlib.ExitStack
    ) -> Iterator[Inventory]:
        files, most = 0, self.home.settings().aip_max_files
        for _ in range(WAVE_AIPS):
            if not waiting or (files and files >= most):
                return
            aip = waiting.popleft()
            if not stack.enter_context(aip_lock(self.home, aip, self.run)):
                apart[aip] = busy(self.home, aip)
                continue
            inventory = None
            with _damage(aip, apart):
                inventory = self.store.inventory(aip)
            if inventory is not None:
                files += len(inventory.state())
                yield inventory

    def _take_up(self, found: Ledger, choice: Choice) -> None:
        known = believed(found, choice)
        one = self.open[found.id] = Open(
            ledger=found,
            recorder=Recorder(self.run, found.id, self.policy.name, self.reason, after=found.last),
            stage=self.store.stage(found.id, self.run),
            languages=found.about.languages or self.home.settings().languages,
            known={
                file.path: known[file.path, file.sha256]
                for file, _ in found.originals
                if (file.path, file.sha256) in known
            },
        )
        self._unidentified += [(found.id, o) for o in found.originals if o[0].path not in one.known]

    def ahead_of_the_clock(self) -> list[uuid.UUID]:
        """The AIPs whose last event lies in the future: times are what orders the log."""
        now = datetime.now(UTC)
        return [aip for aip, one in self.open.items() if one.ledger.events and one.ledger.events[-1].time > now]

    @property
    def unidentified(self) -> list[tuple[uuid.UUID, Original]]:
        """The originals that were not identified when the run began, in a fixed order."""
        return self._unidentified

    def portions(self) -> list[tuple[int, int]]:
        """The unidentified in pieces for one task each, as (first, last + 1)."""
        return portioned([file for _, (file, _) in self._unidentified])

    def identify(self, wanted: Sequence[tuple[uuid.UUID, Original]], name: str) -> int:
        """Identify files and record what was found; returns how many: none when the run was asked to stop."""
        if board.stop.is_set():
            return 0
        asked = [(original, self.open[aip].recorder) for aip, original in wanted]
        events: list[Event] = []
        for (aip, original), (known, made) in zip(wanted, examine(asked, self.door), strict=True):
            self.open[aip].known[original[0].path] = known
            events += made
        self._record(events, name)
        found = (self.open[aip].known[file.path].identification for aip, (file, _) in wanted)
        board.count(len(wanted), kinds=[one.puid or "" for one in found])
        return len(wanted)

    def _record(self, events: Sequence[Event], name: str) -> None:
        if events:
            log.append(events, self.home.log, name=name)
        for event in events:
            self.open[event.aip].recorded.append(event)

    def cut(self, choice: Choice) -> list[str]:
        """Work out what is to do over all AIPs in hand and cut it into chunks; returns their names."""
        work = [
            task
            for one in self.open.values()
            for task in plan(one.ledger, one.known, self.policy, choice, one.languages)
        ]
        promised = {(aip, file.path) for aip, (file, _) in self._unidentified}
        self._promise(t.work.source for t in work if (t.aip, t.work.source.path) not in promised)
        self.chunks[:] = chunks(twinned(work), self.home.settings().chunk_files, CORES)
        return [name for name, _ in self.chunks]

    @property
    def planned(self) -> int:
        """How many pieces of work the chunks hold."""
        return sum(len(tasks) for _, tasks in self.chunks)

    def work(self, number: int) -> Counter[Ending]:
        """Do one chunk, file after file, and record it; products are durable in stage before the log says so."""
        name, tasks = self.chunks[number]
        events: list[Event] = []
        endings: Counter[Ending] = Counter()
        try:
            for task in tasks:
                if board.stop.is_set():
                    break
                board.at(f"{task.work.rule.action}  {task.work.source.path.removeprefix(ORIGINALS)}")
                made = self._one(task)
                events += made
                for ending in (e.ending for e in made if e.ending is not None):
                    endings[ending] += 1
                    board.count(1, ending)
        finally:  # also what was done before something stopped the run
            self._record(events, f"{name.split()[0].replace('_', '-')}-{number:04d}")
        return endings

    def _one(self, task: Task) -> tuple[Event, ...]:
        one = self.open[task.aip]

        def publish(file: Path, logical: str, sha256: str) -> None:
            one.stage.put(file, logical, sha256)

        def hold(file: BinaryIO, sha256: str) -> None:
            target = self.home.review / str(task.aip) / sha256
            disk.publish(file.fileno(), target)

        return apply(task.work, self.door, one.recorder, publish, hold)

    def package(self, aip: uuid.UUID) -> int | None:
        """Make the next version when there is something settled to tell of this AIP; returns the head's number.

        None when the AIP turns out to be damaged: it is set apart.
        """
        head = None
        with _damage(aip, self._apart):
            head = self._package(aip)
        return head  # noqa: RET504  damage does not come out of the block above

    def _package(self, aip: uuid.UUID) -> int:
        after = self.after(aip)
        fresh = unpacked(after)
        if not any(e.ending is not None and e.ending is not Ending.WAITING for e in fresh):
            return after.head
        force = in_force(after, self._answering(aip))
        there = {path: entry.sha256 for path, entry in after.state.items()}
        keep = [path for path, sha256 in force.items() if there.get(path) != sha256]
        gone = [path for path in there if path.startswith(PRODUCTS) and path not in force]
        return pack(self.store, after, self.run, fresh, keep=keep, remove=gone, message=self.reason or "Migration")

    def _answering(self, aip: uuid.UUID) -> frozenset[tuple[str, str]]:
        """(path, rule id) of every rule that answers for a file of the AIP today."""
        one = self.open[aip]
        return frozenset(current(one.ledger, one.known, self.policy, one.languages))

    def ended(self) -> Iterator[tuple[Open, Ledger]]:
        """Every AIP in hand with its ledger as it is now, but for those that were set apart."""
        for aip, one in self.open.items():
            after = None
            with _damage(aip, self._apart):
                after = self.after(aip)
            if after is not None and aip not in self._apart:
                yield one, after

    def after(self, aip: uuid.UUID) -> Ledger:
        """The ledger as it is now: what was read when the run began, and what was recorded since."""
        one, inventory = self.open[aip], self.store.inventory(aip)
        assert inventory is not None  # it is in hand, and nothing is ever removed
        events = log.in_order([*one.ledger.events, *one.recorded])
        return ledgers.of(self.store, inventory, events)
