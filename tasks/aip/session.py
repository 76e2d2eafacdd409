"""One run over some AIPs: the locks it holds, what it knows, and its way to the door, the stage and the log."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from tasks.aip import ledger as ledgers
from tasks.aip.examine import Original, examine
from tasks.aip.ledger import Known, Ledger
from tasks.aip.pack import PRODUCTS, in_force, pack, unpacked
from tasks.aip.plan import Choice, Scope, Task, chunks, current, plan, twinned
from tasks.aip.progress import board
from tasks.config.home import Home
from tasks.config.locks import aip_lock
from tasks.policy.apply import apply
from tasks.policy.rules import Policy
from tasks.premis import log
from tasks.premis.model import Ending, Event
from tasks.premis.recorder import Recorder
from tasks.store.ocfl import Store
from tasks.store.stage import Stage
from tasks.tools.door import Door


@dataclass
class Open:
    """One AIP in hand: what the store and the log said when the run began, and what the run found out since."""

    ledger: Ledger
    recorder: Recorder
    stage: Stage
    languages: str
    known: dict[str, Known] = field(default_factory=dict)


def _still_known(known: Known, choice: Choice) -> bool:
    """Whether what was found out before is believed: not when all is asked anew, nor a trouble that is tried again."""
    return choice.scope is not Scope.ALL and (known.trouble is None or choice.scope is Scope.CHANGED)


class Session:
    """The state of one run in this process; every method that writes is safe to repeat after a kill."""

    def __init__(
        self, home: Home, store: Store, policy: Policy, run: uuid.UUID, door: Door, *, reason: str = ""
    ) -> None:
        self.home, self.store, self.policy, self.run, self.door = home, store, policy, run, door
        self.reason = reason
        self.open: dict[uuid.UUID, Open] = {}
        self.chunks: list[tuple[str, list[Task]]] = []
        self._unidentified: list[tuple[uuid.UUID, Original]] = []

    @contextlib.contextmanager
    def holding(self, aips: Sequence[uuid.UUID], choice: Choice) -> Iterator[list[uuid.UUID]]:
        """Lock and read the AIPs; yields those that another run holds and that are left for the next run."""
        busy = []
        with contextlib.ExitStack() as stack:
            for aip in dict.fromkeys(aips):
                if stack.enter_context(aip_lock(self.home, aip, self.run)):
                    self._read(aip, choice)
                else:
                    busy.append(aip)
            yield busy

    def _read(self, aip: uuid.UUID, choice: Choice) -> None:
        found = ledgers.read(self.store, self.home.log, aip)
        if found is None:
            return
        # Who takes failed files up again wants to know anew what stood in the way; a tool may have been mended.
        known = {k: v for k, v in found.known().items() if _still_known(v, choice)}
        one = self.open[aip] = Open(
            ledger=found,
            recorder=Recorder(self.run, aip, self.policy.name, self.reason),
            stage=self.store.stage(aip, self.run),
            languages=found.about.languages or self.home.settings().languages,
            known={
                file.path: known[file.path, file.sha256]
                for file, _ in found.originals
                if (file.path, file.sha256) in known
            },
        )
        self._unidentified += [(aip, original) for original in found.originals if original[0].path not in one.known]

    def ahead_of_the_clock(self) -> list[uuid.UUID]:
        """The AIPs whose last event lies in the future: times are what orders the log."""
        now = datetime.now(UTC)
        return [aip for aip, one in self.open.items() if one.ledger.events and one.ledger.events[-1].time > now]

    @property
    def unidentified(self) -> list[tuple[uuid.UUID, Original]]:
        """The originals that were not identified when the run began, in a fixed order."""
        return self._unidentified

    def identify(self, wanted: Sequence[tuple[uuid.UUID, Original]], name: str) -> int:
        """Identify files and record what was found; returns how many."""
        events: list[Event] = []
        for aip in dict.fromkeys(a for a, _ in wanted):
            one = self.open[aip]
            known, made = examine([o for a, o in wanted if a == aip], self.door, one.recorder)
            one.known |= known
            events += made
            board.count(len(made) // 2)
        if events:
            log.append(events, self.home.log, name=name)
        return len(wanted)

    def cut(self, choice: Choice) -> list[str]:
        """Work out what is to do over all AIPs in hand and cut it into chunks; returns their names."""
        work = [
            task
            for one in self.open.values()
            for task in plan(one.ledger, one.known, self.policy, choice, one.languages)
        ]
        self.chunks = list(chunks(twinned(work), self.home.settings().chunk_files))
        board.begin("normalize", len(work))
        return [name for name, _ in self.chunks]

    def work(self, number: int) -> Counter[Ending]:
        """Do one chunk, file after file, and record it; products are durable in stage before the log says so."""
        name, tasks = self.chunks[number]
        events: list[Event] = []
        endings: Counter[Ending] = Counter()
        for task in tasks:
            if board.stop.is_set():
                break
            made = self._one(task)
            events += made
            for ending in (e.ending for e in made if e.ending is not None):
                endings[ending] += 1
                board.count(1, ending)
        if events:
            log.append(events, self.home.log, name=f"{name.split()[0].replace('_', '-')}-{number:04d}")
        return endings

    def _one(self, task: Task) -> tuple[Event, ...]:
        one = self.open[task.aip]

        def publish(file: Path, logical: str, sha256: str) -> None:
            one.stage.put(file, logical, sha256)

        def hold(file: BinaryIO, sha256: str) -> None:
            target = self.home.review / str(task.aip) / sha256
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as copy:
                shutil.copyfileobj(file, copy)

        return apply(task.work, self.door, one.recorder, publish, hold)

    def package(self, aip: uuid.UUID) -> int:
        """Make the next version when there is something settled to tell of this AIP; returns the head's number."""
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

    def after(self, aip: uuid.UUID) -> Ledger:
        """The ledger as it is now."""
        found = ledgers.read(self.store, self.home.log, aip)
        assert found is not None  # it is in hand, and nothing is ever removed
        return found
