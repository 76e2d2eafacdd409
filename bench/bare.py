"""The bare tools on the work of a run that was done: the same calls in the same order, and nothing around them.

    python bench/bare.py HOME TOLD.json

takes every original in the store of HOME through the same identification, actions and checks with the same settings.
The libraries are called in this one process, loaded once; LibreOffice, veraPDF and Siegfried run once each, asked again
and again; Tesseract is a process for each page. There is no sandbox, no limit, no Prefect, no log, no store, no second
core and no product that is kept. TOLD gets the CPU seconds of each part. What a run takes beyond their sum is what the
pipeline costs.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.tree import below, cpu_s
from tasks.aip import ledger as ledgers
from tasks.aip.examine import examine
from tasks.aip.plan import Choice, Scope, plan, twinned
from tasks.config.home import Home
from tasks.policy.apply import apply
from tasks.policy.load import find, load
from tasks.premis import log
from tasks.premis.model import Agent, Limits
from tasks.premis.recorder import Recorder
from tasks.store.ocfl import Store
from tasks.tools import execute, worker, zygote
from tasks.tools.bubblewrap import ENVIRONMENT
from tasks.tools.floor import Floor
from tasks.tools.job import Job
from tasks.tools.resident import kinds
from tasks.tools.residents import Answer
from tasks.tools.sandbox import Outcome
from tasks.tools.wire import Order, Report


def used_s(who: int) -> float:
    """CPU seconds of this process or of its children that have ended."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


class Resident:
    """One program that stays, without a sandbox around it."""

    def __init__(self, kind: str, place: Path) -> None:
        self.place = place
        for name in ("in", "out", "home/tmp"):
            (place / name).mkdir(parents=True)
        program = kinds.program(kind, place, kinds.Options.of_environment())
        home = str(place / "home")
        environment = {**ENVIRONMENT, **program.environment, "HOME": home, "TMPDIR": f"{home}/tmp"}
        argv = [word.replace("{home}", home) for word in program.argv]
        self.process = subprocess.Popen(
            argv, cwd=place, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in, self._out = self.process.stdin, self.process.stdout
        self.agents = tuple(Agent(name, version) for name, version in json.loads(self._out.readline())["agents"])

    def ask(self, folder: Path, request: Mapping[str, Any]) -> dict[str, Any]:
        """One request about the files of a job's folder; its products land in `out/`."""
        given = [str(name) for name in request["files"]]
        for name in given:
            shutil.copyfile(folder / name, self.place / name)
        self._in.write(json.dumps({**request, "id": "0"}).encode() + b"\n")
        self._in.flush()
        reply: dict[str, Any] = json.loads(self._out.readline())
        for made in (self.place / "out").iterdir():
            if f"out/{made.name}" not in given and "error" not in reply:
                shutil.move(made, folder / "out" / made.name)
        for name in ("in", "out"):
            for left in (self.place / name).iterdir():
                left.unlink()
        return reply

    def close(self) -> float:
        """End it; returns the CPU seconds that it took up to now, with those of its own programs."""
        took = sum(map(cpu_s, (self.process.pid, *below(self.process.pid))))
        self._in.close()
        self.process.wait()
        return took


class BareDoor:
    """What actions and checks ask of a door, done at once in this process."""

    floor = Floor.BUBBLEWRAP
    sources: tuple[Path, ...] = ()

    def __init__(self, work: Path) -> None:
        self._work = work
        before = used_s(resource.RUSAGE_SELF)
        self._libraries, unloaded = zygote.load(())
        assert not unloaded, unloaded
        self.cpu: dict[str, float] = defaultdict(float)
        self.cpu["libraries are loaded"] = used_s(resource.RUSAGE_SELF) - before
        self.calls: Counter[str] = Counter()
        self._residents: dict[str, Resident] = {}
        os.environ.update({name: ENVIRONMENT[name] for name in ("OMP_THREAD_LIMIT", "OMP_NUM_THREADS", "TZ", "LC_ALL")})

    @contextlib.contextmanager
    def job(self, limits: Limits | None = None) -> Iterator[Job]:
        """A folder for one piece of work."""
        with tempfile.TemporaryDirectory(dir=self._work, ignore_cleanup_errors=True) as folder:
            yield Job(Path(folder), limits or Limits(), self)

    def libraries(self, module: str) -> tuple[Agent, ...]:
        """See Door."""
        return tuple(Agent(name, version) for name, version in self._libraries[module].items())

    def run(self, order: Order, request: bytes) -> Outcome:
        """Call the function here and now; its CPU counts for it, that of a program that it started for the program."""
        asked = json.loads(request)
        module, function = asked["function"].split(":")
        own, children = used_s(resource.RUSAGE_SELF), used_s(resource.RUSAGE_CHILDREN)
        os.chdir(self._work / order.job)
        with tempfile.TemporaryDirectory(dir=self._work, ignore_cleanup_errors=True) as temporary:
            os.environ.update(HOME=temporary, TMPDIR=temporary)
            tempfile.tempdir = temporary
            try:
                value = getattr(importlib.import_module(module), function)(*asked["args"], **asked["kwargs"])
                reply: dict[str, Any] = {"ok": value}
            except Exception as problem:
                reply = worker.explained(problem)
            tempfile.tempdir = None
        self.cpu[module.removeprefix("tasks.sealed.")] += used_s(resource.RUSAGE_SELF) - own
        self.cpu["tesseract"] += used_s(resource.RUSAGE_CHILDREN) - children
        self.calls[module.removeprefix("tasks.sealed.")] += 1
        answer = json.dumps({**reply, "programs": execute.noted()}).encode()
        return Outcome(Report("", 0, 0, 0.0, 0.0), answer, b"", "")

    def ask(self, resident: str, job: Job, request: Mapping[str, Any]) -> Answer:
        """One request to a program that is started when first needed."""
        if resident not in self._residents:
            self._residents[resident] = Resident(resident, self._work / resident)
        one = self._residents[resident]
        self.calls[resident] += 1
        return Answer(one.ask(job.folder, request), one.agents, 0.0, 0.0, "")

    def close(self) -> None:
        """End the programs and take their CPU."""
        for name, one in self._residents.items():
            self.cpu[name] = one.close()


def work(home: Home, door: BareDoor) -> int:
    """Identify every original in the store, and do all that the policy wants of it; returns the number of originals."""
    store, policy, files = Store(home.store), load(find(home.settings().policy, home)), 0
    for aip in store.aips():
        inventory = store.inventory(aip)
        assert inventory is not None
        ledger = ledgers.of(store, inventory, log.read_many(home.log, [aip])[aip])
        recorder = Recorder(uuid.uuid4(), aip, policy.name)
        # A bare door is as much of a door as actions and checks see of one.
        found = examine([(original, recorder) for original in ledger.originals], door)  # type: ignore[arg-type]
        known = {file.path: one for (file, _), (one, _) in zip(ledger.originals, found, strict=True)}
        languages = ledger.about.languages or home.settings().languages
        for task in twinned(plan(ledger, known, policy, Choice(Scope.ALL), languages)):
            apply(task.work, door, recorder, lambda *_: None, lambda *_: None)  # type: ignore[arg-type]
        files += len(ledger.originals)
    return files


def main(home: str, told: str) -> None:
    """Do the work and write what it cost."""
    with tempfile.TemporaryDirectory(prefix="bare-", ignore_cleanup_errors=True) as folder:
        door = BareDoor(Path(folder))
        try:
            files = work(Home(Path(home)), door)
        finally:
            os.chdir("/")
            door.close()
    Path(told).write_text(json.dumps({"files": files, "cpu": door.cpu, "calls": door.calls}))


if __name__ == "__main__":
    main(*sys.argv[1:])
