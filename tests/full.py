"""Fill or lock each folder of a home at chosen points of a run, mend it, and compare the end with an undisturbed run.

    python -m tests.full [--points 20] [--json FILE]      needs to be root, or user namespaces

Each folder lies on a small file system of its own, which this process mounts in a mount namespace of its own. A point
is a share of what an undisturbed run writes there. The run must end with the code of the trouble, leave nothing half
published, and after more room is given the same run must end as if nothing had been.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from tasks.aip.mend import mend
from tasks.aip.plan import Choice
from tasks.aip.session import Session
from tasks.config.home import Home
from tasks.policy.load import find, load
from tasks.premis import log
from tasks.premis.model import Ending
from tasks.report import pages
from tasks.report.standing import Stands
from tasks.report.stops import stop
from tasks.report.summary import summarize
from tasks.sip.batch import batch
from tasks.sip.ingest import ingest
from tasks.store.fixity import Kind, verify_object
from tasks.store.ocfl import Store
from tasks.tools.door import Door
from tasks.tools.room import LEAST_NAMES, LEAST_ROOM
from tests.flows.kills import FIXTURES, Left, left, variety

FOLDERS = ("store", "work", "log", "review", "reports")
ROOMY = "size=4g"
PAGE, BALLAST = 4096, ".ballast"
"""The least that a file system in memory can be, and what fills it where that is still too much."""
HELD = "formats/fmt-412/công-văn-vntime.docx"
"""Its text comes out otherwise, so that its product waits in `review/`."""
CODES = {"full": "disk-full", "inodes": "disk-full", "locked": "read-only", "locked later": "read-only"}


@dataclass(frozen=True)
class Result:
    """One point: the folder, what was done to it, the code that the run stopped with ("" when it went through)."""

    folder: str
    how: str
    share: float
    code: str
    wrong: tuple[str, ...]


def alone(argv: list[str]) -> None:
    """Go on in a mount namespace of our own, so that no mount outlives us. Raises OSError when none is to be had."""
    if os.environ.get("PERENNE_ALONE"):
        return
    flags = ["-m"] if os.geteuid() == 0 else ["-Urm"]
    if subprocess.run(["unshare", *flags, "true"], check=False, capture_output=True).returncode:
        raise OSError("no mount namespace can be made here")
    command = ["unshare", *flags, sys.executable, "-m", "tests.full", *argv]
    os.execvpe("unshare", command, {**os.environ, "PERENNE_ALONE": "1"})


def mount(folder: Path, options: str) -> None:
    """A small file system in memory at `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


def remount(folder: Path, options: str) -> None:
    """More room, or other rights."""
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


@contextmanager
def mounted(root: Path, folder: str, options: str) -> Iterator[Home]:
    """A home whose `folder` lies on a file system of its own."""
    home = Home(root / "home")
    shutil.rmtree(home.root, ignore_errors=True)
    mount(home.root / folder, options)
    try:
        yield home.prepare()
    finally:
        subprocess.run(["umount", "-l", home.root / folder], check=True)


def run(home: Home, delivery: Path, door: Door, *, later: Callable[[], None] = lambda: None) -> list[str]:
    """One batch all the way, as the flows take it; `later` happens between ingest and migration.

    The door lies elsewhere, unless it is the work folder that fails: then the run opens one of its own there. Returns
    what was said of reports that could not be written.
    """
    said: list[str] = []
    store, law, me = Store(home.store), load(find("default", home)), uuid.uuid4()
    mend(home, store, me)
    done = ingest(batch(delivery), home, store, me)
    later()
    waiting = deque(one.aip for one in done)
    with Door(home.work, cores=2) if os.path.ismount(home.work) else nullcontext(door) as door:
        session = Session(home, store, law, me, door)
        with session.holding(waiting, Choice()):
            for first, last in session.portions():
                session.identify(session.unidentified[first:last], "identify")
            for number, _ in enumerate(session.cut(Choice())):
                session.work(number)
            for aip, one in session.open.items():
                session.package(aip)
                after = session.after(aip)
                stands = Stands(after, one.known, summarize(after, one.known, law, one.languages, me))
                pages.write(home, stands, law, warn=said.append)
    return said


class Peak:
    """The most bytes and inodes that a file system holds while the block goes on."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bytes, self.inodes = folder, 0, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.wait(0.005):
            found = os.statvfs(self.folder)
            self.bytes = max(self.bytes, (found.f_blocks - found.f_bfree) * found.f_frsize)
            self.inodes = max(self.inodes, found.f_files - found.f_ffree)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def unsound(home: Home) -> list[str]:
    """What a stopped run may not leave: a broken store, a broken log, a master that was told and is nowhere."""
    store, wrong = Store(home.store), []
    there: set[str] = set()
    for aip in store.aips():
        found = [f for f in verify_object(store, aip).faults if f.kind is not Kind.UNFINISHED]
        wrong += [f"{f.kind}: {f.path}" for f in found]
        inventory = store.inventory(aip)
        there |= {e.sha256 for e in inventory.state().values()} if inventory else set()
        there |= set(store.staged(aip).values())
    for event in log.read(home.log):
        made = [o for o in event.objects if o.role == "outcome" and event.ending is Ending.DONE]
        wrong += [f"done and nowhere: {o.path}" for o in made if o.sha256 not in there]
    return wrong


def digests(folder: Path) -> dict[str, str]:
    """What the delivery holds."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def tried(
    root: Path, delivery: Path, folder: str, how: str, share: float, size: tuple[int, int], good: Left, door: Door
) -> Result:
    """One point."""
    options = ROOMY
    if how == "full":
        unused = LEAST_ROOM if folder == "work" else 0  # what the work folder must have left to count as not full
        options = f"size={max(PAGE, unused + int(size[0] * share) // PAGE * PAGE)}"
    elif how == "inodes":
        unused = LEAST_NAMES if folder == "work" else 0
        options = f"{ROOMY},nr_inodes={unused + max(1, int(size[1] * share))}"
    code, wrong, said = "", [], []
    with mounted(root, folder, options) as home:
        place = home.root / folder
        lock = lambda: remount(place, "ro")  # noqa: E731  said twice below
        if how == "full" and size[0] * share < PAGE:
            (place / BALLAST).write_bytes(bytes(PAGE))
        if how == "locked":
            lock()
        before = digests(delivery)
        try:
            said = run(home, delivery, door, later=lock if how == "locked later" else lambda: None)
        except Exception as error:
            code = stop(error, home).code or f"{type(error).__name__}: {error}"
        if code not in ("", CODES[how]):
            wrong.append(f"stopped with {code}")
        if folder == "reports" and code:
            wrong.append("stopped for want of a report")
        if not code and not said:
            wrong.append("went through: this point proves nothing")
        remount(place, f"rw,{ROOMY},nr_inodes=1000000")
        (place / BALLAST).unlink(missing_ok=True)
        wrong += unsound(home)
        run(home, delivery, door)
        wrong += unsound(home)
        found = left(home.root)
        if not found.same_endings(good):
            wrong.append(f"ended otherwise: {sorted((found.endings - good.endings) + (good.endings - found.endings))}")
        if found.identical(good) < 1:
            wrong.append(f"{found.identical(good):.0%} of the masters are the same bytes")
    if digests(delivery) != before:
        wrong.append("the delivery is another")
    return Result(folder, how, round(share, 3), code, tuple(wrong))


def points(count: int) -> Iterator[tuple[str, str, float]]:
    """Full disks spread over the folders, then no more inodes, then read-only before the run and in its middle."""
    for number in range(count):
        folder = FOLDERS[number % len(FOLDERS)]
        yield folder, "full", (number // len(FOLDERS) + 0.5) / max(1, -(-count // len(FOLDERS)))
    for folder in FOLDERS:
        yield folder, "inodes", 0.6
    for folder in FOLDERS:
        yield folder, "locked", 0.0
        yield folder, "locked later", 0.0


def main() -> int:
    """The campaign; exit code 1 when any point went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=20, help="how often a disk is full")
    parser.add_argument("--only", nargs="*", default=list(CODES), choices=list(CODES))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    alone(sys.argv[1:])
    results = []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work,
        Door(Path(work), cores=2) as door,
    ):
        root = Path(name)
        delivery = variety(root / "lô-đầy")
        shutil.copy(FIXTURES / HELD, delivery)
        wanted = [point for point in points(given.points) if point[1] in given.only]
        measured = {folder for folder, how, _ in wanted if how in ("full", "inodes")}
        sizes, good = {}, None
        for folder in [one for one in FOLDERS if one in measured] or FOLDERS[:1]:
            with mounted(root, folder, ROOMY) as home:
                with Peak(home.root / folder) as peak:
                    run(home, delivery, door)
                sizes[folder], good = (peak.bytes, peak.inodes), left(home.root)
                print(f"{folder:8} holds {peak.bytes:,} bytes and {peak.inodes} inodes at most", flush=True)
        assert good is not None
        for folder, how, share in wanted:
            began = time.monotonic()
            one = tried(root, delivery, folder, how, share, sizes.get(folder, (0, 0)), good, door)
            results.append(one)
            told = "good" if not one.wrong else "BAD  " + "; ".join(one.wrong)
            seconds = f"{time.monotonic() - began:5.1f} s"
            print(f"{folder:8} {how:13} {share:4.0%}  {one.code or 'went through':14} {seconds}  {told}", flush=True)
    bad = sum(bool(one.wrong) for one in results)
    print(f"{len(results) - bad} of {len(results)} good; stopped {sum(bool(r.code) for r in results)} times")
    if given.json:
        given.json.write_text(json.dumps([asdict(one) for one in results], indent=1))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
