"""The fuzz campaign: mutated files through the whole pipeline, and what is asked of every one of them.

    python -m tests.fuzz FOLDER… --count 3000 --seed 1 [--hours H] [--workers 2] [--out FOLDER]
    python -m tests.fuzz FOLDER… --seed 1 --replay 1234

Files of the folders are changed by a seed (`tests/mutations.py`) and delivered in batches under the default policy.
Asked: every file ends, with a code of the table; no fault of our own code (`unexpected`, an exception of sealed
code, an answer of another shape, a logged error); no call exceeds its limits by more than 2 s, or 20 % of memory or
output; no process is left; the memory of this process, which stands for the flow's, stays flat; delivered and stored
bytes are the same. A file that breaks one of these is kept in `--out` with how it was made. Ends with 1 when
anything was found.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tasks.policy.load import DEFAULT
from tasks.premis import codes, log
from tasks.premis.model import Ending, Event, Trouble
from tasks.store.names import logical_path
from tasks.tools import usage
from tasks.tools.answers import Json
from tasks.tools.door import Door
from tasks.tools.job import Job
from tasks.tools.residents import Answer
from tasks.tools.sandbox import Outcome
from tasks.tools.wire import Order
from tests.mutations import Mutated, mutated
from tests.tasks.aip.pipeline import Pipeline

BATCH = 100
WALL_S, SHARE = 2.0, 1.2
"""How far a call may pass its limits: seconds, and times the memory or the output."""
GROWTH_SHARE, GROWTH_BYTES = 1.15, 32 << 20
"""What the flow's memory may grow to after the first quarter of the batches: the larger of the two.

The quarter fills what is bounded: caches of some thousand entries, and what the allocator of Parquet keeps.
"""
TICK_S = 0.05
LIMITS = ("tool-timeout", "tool-memory", "tool-processes", "output-too-large")
MOST_SOURCE_BYTES = 8 << 20
OWN_FAULT = re.compile(r"^[A-Z]\w*(Error|Exception|Exit|Interrupt|Warning|Group)\b")
"""How an exception of sealed code looks in the detail of `tool-crash`."""
AGREEMENT = re.compile(r"another (shape|type)|unlisted facts|contradicts itself|strange|answer (that|without)")
"""And an answer that breaks what was agreed."""


# --- the door that measures ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Call:
    """One call of sealed code or one request, against its limits."""

    what: str
    seconds: float
    wall_s: float
    memory: float  # share of the limit at the highest sample
    output: float
    ended: str

    @property
    def late_s(self) -> float:
        return self.seconds - self.wall_s

    @property
    def excess(self) -> str:
        """What was exceeded by more than is allowed, or ""."""
        found = [f"{self.late_s:.1f} s too late"] if self.late_s > WALL_S else []
        found += [f"{self.memory:.2f} times its memory"] if self.memory > SHARE else []
        found += [f"{self.output:.2f} times its output"] if self.output > SHARE else []
        return f"{self.what}: {', '.join(found)}" if found else ""


class Measured(Door):
    """A door for one job at a time that samples what each job uses, and keeps what was remarkable."""

    def __init__(self, work: Path) -> None:
        self.calls = 0
        self.remarkable: list[Call] = []
        self.worst: dict[str, Call] = {}
        super().__init__(work, cores=1)

    def run(self, order: Order, request: bytes) -> Outcome:
        what = str(json.loads(request)["function"])
        limits = order.limits
        before = frozenset(usage.below(os.getpid()))
        out = str(self._owned.path / order.job / "out")
        with self._sampled(before, out, limits.memory_bytes, limits.output_bytes) as peak:
            outcome = super().run(order, request)
        report = outcome.report
        ended = report.cause or (f"signal {report.signal}" if report.signal else "")
        self._keep(Call(what, report.seconds, limits.wall_s, peak.memory, peak.output, ended))
        return outcome

    def ask(self, resident: str, job: Job, request: Mapping[str, Json]) -> Answer:
        limits = job.limits
        started, ended, tries = time.monotonic(), "", 1
        out = str(self._work / "slots" / f"{resident}-0" / "out")
        others = frozenset(
            pid for kind, owned in (self._residents._owned.items() if self._residents else ()) if kind != resident
            for one in owned for pid in one._pids()
        ) | frozenset(pid for s in self._slots if s.sandbox for pid in usage.below(s.sandbox._process.pid))  # fmt: skip
        held = self._held(resident)
        with self._sampled(others, out, limits.memory_bytes, limits.output_bytes) as peak:
            try:
                return super().ask(resident, job, request)
            except Trouble as trouble:
                ended = trouble.code
                raise
            finally:
                tries += bool(held and held != self._held(resident))  # a used program that broke has one more try
                took = time.monotonic() - started
                self._keep(Call(resident, took, limits.wall_s * tries, peak.memory, peak.output, ended))

    def _held(self, resident: str) -> list[int]:
        return [one._process.pid for one in self._residents._owned[resident]] if self._residents else []

    def _keep(self, call: Call) -> None:
        self.calls += 1
        for key, value in (
            ("seconds", call.seconds),
            ("late", call.late_s),
            ("memory", call.memory),
            ("output", call.output),
        ):
            if key not in self.worst or value > _value(self.worst[key], key):
                self.worst[key] = call
        if call.excess:
            self.remarkable.append(call)

    @contextlib.contextmanager
    def _sampled(self, but: frozenset[int], out: str, memory: int, output: int) -> Iterator[_Peak]:
        peak, done = _Peak(), threading.Event()

        def look() -> None:
            while not done.wait(TICK_S):
                with contextlib.suppress(OSError):
                    pids = [pid for pid in usage.below(os.getpid()) if pid not in but]
                    peak.memory = max(peak.memory, usage.memory(pids, memory) / memory)
                    peak.output = max(peak.output, usage.disk(out, [], 1 << 62, 1 << 62) / output)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield peak
        finally:
            done.set()
            thread.join()


@dataclass
class _Peak:
    memory: float = 0.0
    output: float = 0.0


def _value(call: Call, key: str) -> float:
    return {"seconds": call.seconds, "late": call.late_s, "memory": call.memory, "output": call.output}[key]


def rss() -> int:
    """Resident bytes of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# --- the campaign ----------------------------------------------------------------------------------------------------


@dataclass
class Result:
    """What a campaign, or a share of one, came to."""

    files: int = 0
    calls: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    mutations: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    worst: dict[str, str] = field(default_factory=dict)
    rss: list[int] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)

    def add(self, other: Mapping[str, Any]) -> None:
        """Take the result of a share into this one."""
        for name, value in other.items():
            mine = getattr(self, name)
            if isinstance(mine, Counter):
                mine.update(value)
            elif isinstance(mine, list):
                mine += value
            elif isinstance(mine, dict):
                mine |= {key: max(text, mine.get(key, text), key=_first_number) for key, text in value.items()}
            else:
                setattr(self, name, mine + value)


def _first_number(text: str) -> float:
    return float(text.split()[0])


class Source:
    """The files of some folders, in a fixed order, and the mutated file of each number."""

    def __init__(self, folders: Sequence[Path], seed: int) -> None:
        self.seed = seed
        self.files = sorted(
            p
            for f in folders
            for p in f.rglob("*")
            if p.is_file() and not p.is_symlink() and p.stat().st_size <= MOST_SOURCE_BYTES
        )
        if not self.files:
            raise SystemExit("no file in the folders given")
        self.kinds: dict[str, list[Path]] = {}
        for path in self.files:
            self.kinds.setdefault(path.suffix.lower(), []).append(path)

    def number(self, number: int) -> tuple[Path, Mutated]:
        """The original and what became of it. The same for the same seed, number and folders."""
        rng = Random(f"{self.seed}/{number}")
        path = rng.choice(self.files)
        other = rng.choice(self.kinds[path.suffix.lower()])
        return path, mutated(self.seed, number, path.name, path.read_bytes(), other.read_bytes())


class Told(logging.Handler):
    """What our own code logged as an error: a traceback of ours is a fault even where the file got its ending."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else ""
        self.lines.append(f"logged: {record.getMessage()}: {type(error).__name__} {error}"[:300])


class Campaign:
    """One home, one door, batch after batch."""

    def __init__(self, root: Path, source: Source, out: Path) -> None:
        self.root, self.source, self.out = root, source, out
        self.result = Result()
        self.door = Measured(root / "door")
        self.told = Told()
        logging.getLogger("tasks").addHandler(self.told)
        self.policy = DEFAULT.read_text(encoding="utf-8")
        self.number = 0

    def batch(self, numbers: Sequence[int]) -> None:
        """Deliver these files as one batch, run it all the way, and look at what came of it."""
        self.number += 1
        home = self.root / f"home-{self.number}"
        home.mkdir()
        pipeline = Pipeline(home, self.door, self.policy)
        folder = pipeline.inbox / "lô"
        folder.mkdir()
        given: dict[str, tuple[int, Path, Mutated]] = {}
        for number in numbers:
            path, made = self.source.number(number)
            (folder / made.name).write_bytes(made.data)
            given[logical_path(os.fsencode(made.name))] = (number, path, made)
            self.result.mutations.update(made.done)
        try:
            summary = pipeline.run("lô")
        except Exception as error:  # the run stopped: no file may do that
            self._fault(given, "", f"the run stopped: {type(error).__name__}: {error}")
            logging.getLogger(__name__).exception("batch %d", self.number)
        else:
            self._weigh(pipeline, given, log.read(pipeline.home.log))
            self._originals(pipeline, given, summary.aip)
        for line in self.told.lines:
            self._fault(given, "", line)
        self.told.lines.clear()
        for call in self.door.remarkable:
            self._fault(given, "", call.excess)
        self.door.remarkable.clear()
        self.result.files += len(given)
        self.result.calls = self.door.calls
        shutil.rmtree(home)
        self.result.rss.append(rss())
        self.result.processes.append(len(usage.below(os.getpid())))

    def close(self) -> Result:
        """End the door, look for what is left, and give the result."""
        worst = self.door.worst
        self.result.worst = {
            key: f"{_value(call, key):.2f} {call.what} {call.ended}".strip() for key, call in worst.items()
        }
        self.door.close()
        time.sleep(0.3)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # what was orphaned came to us; the dead are buried here
                pass
        left = [_command(pid) for pid in usage.below(os.getpid())]
        self.result.faults += [f"left behind: {command}" for command in left]
        self.result.faults += growth(self.result.rss)
        steady = self.result.processes
        if len(steady) > 2 and steady[-1] > max(steady[:2]) + 6:  # one more kind of resident is three processes
            self.result.faults.append(f"processes grow: {steady}")
        return self.result

    def _weigh(
        self, pipeline: Pipeline, given: Mapping[str, tuple[int, Path, Mutated]], events: Sequence[Event]
    ) -> None:
        ended: dict[str, list[Event]] = {name: [] for name in given}
        for event in events:
            name = event.source.path.removeprefix("originals/") if event.source else ""
            if event.ending is not None and name in ended:
                ended[name].append(event)
            if event.code and event.code not in codes.CODES:
                self._fault(given, name, f"no code of the table: {event.code}")
            if event.code == "unexpected":
                self._fault(given, name, f"unexpected: {event.detail.get('what')}")
            if event.code == "tool-crash":
                tool, signal = event.detail.get("tool", "?"), event.detail.get("signal", "?")
                self.result.crashes[f"{tool}: {signal[:100]}"] += event.ending is not None or event.rule == ""
                if OWN_FAULT.search(signal) if tool.startswith("perenne/") else AGREEMENT.search(signal):
                    self._fault(given, name, f"tool-crash of our own: {tool}: {signal}")
        for name, rows in ended.items():
            if not rows:
                self._fault(given, name, "it has no ending")
            for event in rows:
                assert event.ending is not None
                self.result.endings[event.ending.value] += 1
                self.result.codes[event.code or "(none)"] += 1
                if event.code in LIMITS:
                    number, path, made = given[name]
                    self._keep(given, name, event.code)
                    tool = event.detail.get("tool", "")
                    self.result.limits.append(
                        f"file {number}: {event.code} {tool} [{path.name}: {', '.join(made.done)}]"
                    )
                if not event.code and event.ending not in (Ending.DONE, Ending.KEPT):
                    self._fault(given, name, f"{event.ending.value} without a code")

    def _originals(self, pipeline: Pipeline, given: Mapping[str, tuple[int, Path, Mutated]], aip: object) -> None:
        inventory = pipeline.store.inventory(aip)  # type: ignore[arg-type]
        state = inventory.state() if inventory else {}
        for name, (_, _, made) in given.items():
            wanted = hashlib.sha256(made.data).hexdigest()
            if hashlib.sha256((pipeline.inbox / "lô" / made.name).read_bytes()).hexdigest() != wanted:
                self._fault(given, name, "the delivered file was changed")
            entry = state.get(f"originals/{name}")
            if entry is None or hashlib.sha256(entry.path.read_bytes()).hexdigest() != wanted:
                self._fault(given, name, "the store does not hold the delivered bytes")

    def _fault(self, given: Mapping[str, tuple[int, Path, Mutated]], name: str, what: str) -> None:
        """Note a fault; keep the file, or when it is not known which, the numbers of the batch."""
        found = given.get(name)
        if found is None:
            numbers = [number for number, _, _ in given.values()]
            span = f"{min(numbers)} to {max(numbers)}" if numbers else "none"
            self.result.faults.append(f"files {span}: {what}")
            return
        number, path, made = found
        self.result.faults.append(f"file {number}: {what} [{path.name}: {', '.join(made.done)}]")
        self._keep(given, name, what)

    def _keep(self, given: Mapping[str, tuple[int, Path, Mutated]], name: str, what: str) -> None:
        """Lay the file aside, with how it was made."""
        number, path, made = given[name]
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / made.name).write_bytes(made.data)
        how = {"seed": self.source.seed, "number": number, "source": path.name, "mutations": made.done, "fault": what}
        (self.out / f"{made.name[:100]}.json").write_text(
            json.dumps(how, indent=1, ensure_ascii=False), encoding="utf-8"
        )


def growth(measured: Sequence[int]) -> list[str]:
    """A fault when memory ends higher than it may after the first batches, which warm up."""
    if len(measured) < 3:
        return []
    warm = max(measured[: max(1, len(measured) // 4)])
    bound = max(warm * GROWTH_SHARE, warm + GROWTH_BYTES)
    grown = f"the flow's memory grew from {warm >> 20} to {measured[-1] >> 20} MiB"
    return [grown] if measured[-1] > bound else []


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return f"{pid} {Path(f'/proc/{pid}/cmdline').read_text().replace(chr(0), ' ')[:150]}"
    return str(pid)


def campaign(
    folders: Sequence[Path],
    out: Path,
    *,
    count: int,
    seed: int = 1,
    hours: float = 0.0,
    share: tuple[int, int] = (0, 1),
    batch: int = BATCH,
    only: int | None = None,
) -> Result:
    """Run a share of a campaign in this process and return what was found."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: an orphan comes to us and is seen
    end = time.monotonic() + hours * 3600
    with tempfile.TemporaryDirectory(prefix="fuzz-") as root:
        Path(root).chmod(0o755)
        one = Campaign(Path(root), Source(folders, seed), out)
        try:
            mine, first = share
            numbers = [only] if only is not None else [n for n in range(count) if n % first == mine]
            done = 0
            while done < len(numbers) or (only is None and time.monotonic() < end):
                part = numbers[done : done + batch] or [(done + n) * first + mine for n in range(batch)]
                one.batch(part)
                done += len(part)
                print(f"{one.result.files} files, {len(one.result.faults)} faults", file=sys.stderr, flush=True)
        finally:
            result = one.close()
    return result


def table(result: Result) -> str:
    """What was found, for people."""
    rows = [f"files {result.files}, calls through the door {result.calls}"]
    for title in ("endings", "codes", "crashes", "mutations"):
        rows += [f"\n{title}"] + [f"  {count:6} {name}" for name, count in getattr(result, title).most_common()]
    rows += ["\nworst"] + [f"  {key}: {text}" for key, text in result.worst.items()]
    rows += [f"\nmemory of the flow, MiB: {' '.join(str(n >> 20) for n in result.rss)}"]
    rows += [f"processes between batches: {' '.join(map(str, result.processes))}"]
    rows += [f"\nstopped at a limit, and so told ({len(result.limits)})"] + [f"  {line}" for line in result.limits]
    rows += [f"\nfaults {len(result.faults)}"] + [f"  {line}" for line in result.faults]
    return "\n".join(rows)


def shares(arguments: argparse.Namespace) -> Result:
    """Run the shares in processes of their own, and add them up."""
    result = Result()
    with contextlib.ExitStack() as stack:
        running = []
        for number in range(arguments.workers):
            own = arguments.out / f"share-{number}.json"
            own.parent.mkdir(parents=True, exist_ok=True)
            own.unlink(missing_ok=True)
            argv = [sys.executable, "-m", "tests.fuzz", *map(str, arguments.folders), "--count", str(arguments.count),
                    "--seed", str(arguments.seed), "--hours", str(arguments.hours), "--out", str(arguments.out),
                    "--batch", str(arguments.batch), "--share", f"{number}/{arguments.workers}"]  # fmt: skip
            running.append((own, stack.enter_context(subprocess.Popen(argv, stdout=subprocess.DEVNULL))))
        for own, process in running:
            process.wait()
            if own.is_file():
                result.add(json.loads(own.read_text(encoding="utf-8")))
            else:
                result.faults.append(f"a share ended without a result: exit {process.returncode}")
    return result


def main() -> int:
    """Run the campaign as the command line says; returns 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=0.0, help="go on with further numbers for so long")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=BATCH, help="files in one delivery")
    parser.add_argument("--out", type=Path, default=Path("fuzz-found"), help="where failing files are kept")
    parser.add_argument("--replay", type=int, metavar="N", help="file N of this seed alone; it is kept in any case")
    parser.add_argument("--share", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.workers > 1 and arguments.replay is None:
        result = shares(arguments)
    else:
        mine, of = map(int, (arguments.share or "0/1").split("/"))
        result = campaign(
            arguments.folders, arguments.out, count=arguments.count, seed=arguments.seed, hours=arguments.hours,
            share=(mine, of), batch=arguments.batch, only=arguments.replay,
        )  # fmt: skip
    if arguments.share:
        text = json.dumps(vars(result), ensure_ascii=False)
        (arguments.out / f"share-{arguments.share.partition('/')[0]}.json").write_text(text, encoding="utf-8")
    if arguments.replay is not None:
        _, made = Source(arguments.folders, arguments.seed).number(arguments.replay)
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / made.name).write_bytes(made.data)
    print(table(result))
    return 1 if result.faults else 0


if __name__ == "__main__":
    sys.exit(main())
