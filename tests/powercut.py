"""Cut the power under the store and the log, thousands of times, and look for what had been reported.

`python -m tests.powercut [--states 200] [--seed 1]` does two things. It records the system calls of a process that
commits, holds, marks and appends (`strace`), and works out what a disk may hold if the power goes between any two of
them (`powercut_model`). And it runs the same work on a real file system on a loop device, which it shuts down without
flushing anything, as xfstests do (`EXT4_IOC_SHUTDOWN`), mounts again and looks. Nothing that had been reported may be
missing, and the store must be valid OCFL.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.config import unfinished
from tasks.config.home import Home
from tasks.premis import log
from tasks.store.errors import DigestMismatch, StoreError
from tasks.store.fixity import verify_object
from tasks.store.ocfl import Store
from tasks.store.repair import Repair, repair, staged
from tests import powercut_model as model
from tests.powercut_work import NIGHTS

ROOT = Path(__file__).resolve().parents[1]
VALIDATOR = ROOT / ".venv-ocfl" / "bin" / "ocfl-validate.py"
KINDS = ("store", "log")
Report = dict[str, Any]


# --- what must hold ------------------------------------------------------------------------------------------------
def faults(root: Path, reports: Sequence[Report], *, validate: bool = True) -> list[str]:
    """What is missing or broken in what a power cut left at `root`, given all that had been reported before it."""
    home = Home(root)
    try:
        return [*_lost(home, reports), *_store_faults(home, reports, validate=validate), *_log_faults(home, reports)]
    except (StoreError, log.LogError, OSError, ValueError) as error:
        return [f"{type(error).__name__}: {error}"]


def _lost(home: Home, reports: Sequence[Report]) -> Iterator[str]:
    marks = unfinished.marked(home) if home.work.is_dir() else []
    for report in reports:
        if report["what"] == "held":
            path = home.root / report["path"]
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != report["sha256"]:
                yield f"a held file is lost: {path.name[:12]}"
        if report["what"] == "marked" and uuid.UUID(report["aip"]) not in marks:
            yield f"a mark is lost: {report['aip']}"


def _store_faults(home: Home, reports: Sequence[Report], *, validate: bool) -> Iterator[str]:
    versions = [r for r in reports if r["what"] == "version"]
    if not (home.store / "ocfl").is_dir():
        yield from (f"the whole store is lost with version {r['version']}" for r in versions[:1])
        if not any(r["what"] == "staged" for r in reports):
            return
    home.store.mkdir(parents=True, exist_ok=True)
    store = Store(home.store)
    yield from _versions_lost(store, versions, "before the repair")
    yield from (f"left broken: {d.broken}" for d in repair(store) if d.what is Repair.LEFT_BROKEN)
    yield from _versions_lost(store, versions, "after the repair")
    yield from _staged_lost(store, reports)
    for aip in list(staged(store)):
        _go_on(store, aip)
    yield from _versions_lost(store, versions, "after the next commit")
    for aip in store.aips():
        if found := verify_object(store, aip):
            yield f"{aip} is not whole: {found}"
    if validate and any(store.aips()):
        objects = map(store.object_path, store.aips())  # by name: a root alone is called valid whatever lies in it
        done = subprocess.run([VALIDATOR, store.ocfl, *objects], capture_output=True, text=True, check=False)
        if done.returncode:
            yield f"ocfl-py: {done.stdout[-300:]}{done.stderr[-300:]}"


def _versions_lost(store: Store, versions: Iterable[Report], when: str) -> Iterator[str]:
    for report in versions:
        inventory = store.inventory(uuid.UUID(report["aip"]))
        if inventory is None or inventory.head < report["version"]:
            head = inventory.head if inventory else None
            yield f"version {report['version']} of {report['aip']} is lost {when}: the head is {head}"
        elif {p: e.sha256 for p, e in inventory.state(report["version"]).items()} != report["state"]:
            yield f"version {report['version']} of {report['aip']} is another {when}"


def _staged_lost(store: Store, reports: Sequence[Report]) -> Iterator[str]:
    """What was put last under a path, and since the last version, waits in the stage or is in the head."""
    last: dict[tuple[str, str], str] = {}
    for report in reports:
        if report["what"] == "version":
            last = {key: sha256 for key, sha256 in last.items() if key[0] != report["aip"]}
        if report["what"] == "staged":
            last[report["aip"], report["logical"]] = report["sha256"]
    for (aip, logical), sha256 in last.items():
        inventory = store.inventory(uuid.UUID(aip))
        there = {e.sha256 for e in inventory.state().values()} if inventory else set()
        waiting = store.stage(uuid.UUID(aip), uuid.uuid4()).entries()
        if sha256 not in there and logical not in waiting:
            yield f"staged {logical} of {aip} is lost"


def _go_on(store: Store, aip: uuid.UUID) -> None:
    """The next run's commit; what came damaged is found by it and taken off the stage."""
    for _ in range(20):
        inventory = store.inventory(aip)
        with contextlib.suppress(DigestMismatch):
            head = inventory.head if inventory else 0
            stage = store.stage(aip, uuid.uuid4())
            if stage.entries():
                store.commit(aip, stage, expected_head=head, message="", user=("a", "urn:a"), created=NIGHTS)
            return
    raise StoreError(f"{aip}: no commit comes through")


def _log_faults(home: Home, reports: Sequence[Report]) -> Iterator[str]:
    wanted = {i for r in reports if r["what"] == "events" for i in r["ids"]}
    for when in ("as it was left", "sealed again"):
        found = Counter(str(event.id) for event in log.read(home.log))
        if lost := wanted - found.keys():
            yield f"{len(lost)} events are lost, the log {when}"
        if doubled := [i for i, n in found.items() if n > 1]:
            yield f"{len(doubled)} events are doubled, the log {when}"
        for day in log.open_days(home.log):
            log.compact(home.log, day)


def reports_of(said: bytes) -> list[Report]:
    """The whole lines of what a process said."""
    return [json.loads(line) for line in said.split(b"\n")[:-1]]


# --- states of a model ---------------------------------------------------------------------------------------------
def traced(kind: str, folder: Path, seed: int, rounds: int) -> tuple[Path, Path]:
    """Do the work below `strace`; returns the home's path and the trace."""
    home, trace = folder / "home", folder / "trace"
    home.mkdir()
    work = [sys.executable, "-m", "tests.powercut_work", kind, str(home), str(seed), str(rounds)]
    command = ["strace", "-f", "-xx", "-s", "100000000", "-e", f"trace={model.CALLS}", "-o", str(trace), *work]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return home, trace


def modelled(kind: str, states: int, seed: int, folder: Path, *, validate: bool = True) -> list[str]:
    """Judge so many states that the disk may be in, at moments all over the work; what was wrong with any of them."""
    home, trace = traced(kind, folder, seed, rounds=12 if kind == "store" else 24)
    done = list(model.calls(trace))
    changing = _moments(done, home)
    chance = random.Random(seed)
    moments = Counter(chance.choice(changing) for _ in range(states))
    disk, found = model.Disk(home), []
    for number, call in enumerate(done):
        disk.play(call)
        for _ in range(moments[number]):
            way = chance.choice(model.HARSH)
            with tempfile.TemporaryDirectory(dir=folder) as state:
                model.left(disk, way, chance, Path(state) / "home")
                wrong = faults(Path(state) / "home", reports_of(b"".join(disk.said)), validate=validate)
            found += [f"call {number} ({call.name}), {way}: {fault}" for fault in wrong]
    return found


def _moments(done: Sequence[model.Call], home: Path) -> list[int]:
    """The calls after which the disk or what was reported is another: those between ready and the end."""
    disk, seen, changing = model.Disk(home), 0, []
    names = {"write", "rename", "renameat", "unlink", "unlinkat", "mkdir", "rmdir", "fsync", "syncfs", "openat"}
    for number, call in enumerate(done):
        before = len(disk.pending), len(disk.dirty), len(disk.said)
        disk.play(call)
        if call.name in names and disk.said and (len(disk.pending), len(disk.dirty), len(disk.said)) != before:
            changing.append(number)
            seen += 1
    return changing


# --- a real file system --------------------------------------------------------------------------------------------
_SHUTDOWN = 0x8004587D
_NO_FLUSH = ctypes.c_uint32(2)
SIZE_BYTES = 160 << 20


class CannotMount(Exception):  # noqa: N818  it is what happened
    """No loop device, no right to mount, or no such file system here; says which."""


@contextlib.contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """The image's file system at `folder`. Raises CannotMount."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotMount(done.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def image(folder: Path, kind: str = "ext4") -> Path:
    """A new image with an empty file system. Raises CannotMount."""
    path = folder / f"{kind}.img"
    with path.open("wb") as file:
        file.truncate(SIZE_BYTES)
    tool = shutil.which(f"mkfs.{kind}", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if tool is None or os.geteuid():
        raise CannotMount(f"no mkfs.{kind}" if tool is None else "only root may mount")
    subprocess.run([tool, "-q", path], check=True, capture_output=True)
    return path


def cut(kind: str, path: Path, folder: Path, seed: int) -> list[str]:
    """One power cut at a random moment of the work on the image's file system; what was wrong afterwards."""
    chance = random.Random(seed)
    with mounted(path, folder) as place:
        home = place / str(seed)
        work = [sys.executable, "-m", "tests.powercut_work", kind, str(home), str(seed), "100000"]
        with tempfile.TemporaryFile() as said:
            with subprocess.Popen(work, cwd=ROOT, stdout=said, stderr=subprocess.DEVNULL) as process:
                end = time.monotonic() + 60
                while not os.fstat(said.fileno()).st_size and time.monotonic() < end:
                    time.sleep(0.005)
                time.sleep(chance.uniform(0, 1.2))
                _shut_down(place)
                process.kill()
            said.seek(0)
            reports = reports_of(said.read())
    _put_into_another_disk(path)
    with mounted(path, folder) as place:
        found = faults(place / str(seed), reports)
        shutil.rmtree(place / str(seed), ignore_errors=True)
    return [f"cut {seed} after {len(reports)} reports: {fault}" for fault in found]


def _put_into_another_disk(path: Path) -> None:
    # Whoever began with a copy of all mounts, such as `unshare -m`, may still hold this file system. Mounted again it
    # would be the same one, shut down; a copy of its bytes is what a power cut leaves.
    copy = path.with_name(f"{path.name}.copy")
    subprocess.run(["cp", "--sparse=always", path, copy], check=True)
    copy.replace(path)


def _shut_down(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, _SHUTDOWN, _NO_FLUSH)
    except OSError as error:
        raise CannotMount(f"this file system cannot be shut down: {error.strerror}") from error
    finally:
        os.close(descriptor)


def main() -> int:
    """All of it; exit code 1 when anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--states", type=int, default=200, help="of the model, for the store and for the log each")
    parser.add_argument("--cuts", type=int, default=20, help="on a real file system, for the store and the log each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--systems", nargs="*", default=["ext4", "xfs"])
    given = parser.parse_args()
    bad = 0
    scratch = os.environ.get("TMPDIR", "/var/tmp")
    for kind in KINDS:
        with tempfile.TemporaryDirectory(prefix="powercut-", dir=scratch) as folder:
            began, found = time.monotonic(), modelled(kind, given.states, given.seed, Path(folder))
        bad += _told(f"{kind}: {given.states} states of the model", found, began)
    for system in given.systems:
        with tempfile.TemporaryDirectory(prefix="powercut-", dir=scratch) as folder:
            for kind in KINDS:
                began, found = time.monotonic(), []
                try:
                    path = image(Path(folder), system)
                    for n in range(given.cuts):
                        found += cut(kind, path, Path(folder) / "disk", given.seed * 1000 + n)
                except CannotMount as why:
                    print(f"{kind} on {system}: not done: {why}", flush=True)
                    continue
                bad += _told(f"{kind}: {given.cuts} cuts of {system}", found, began)
    return 1 if bad else 0


def _told(what: str, found: Sequence[str], began: float) -> int:
    word = f"{len(found)} FAULTS" if found else "all good"
    print(f"{what}: {word}, {time.monotonic() - began:.0f} s", flush=True)
    for fault in found[:20]:
        print(f"  {fault}", flush=True)
    return len(found)


if __name__ == "__main__":
    sys.exit(main())
