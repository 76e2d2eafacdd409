"""Kill a run at random moments and compare how it ends with a run that nobody disturbed.

`python -m tests.flows.kills [BATCH] [--kills 60] [--seed 1]` does the whole campaign, says a line after each kill and
writes a table; `test_kills.py` does a part of it. The kinds take turns; a moment is a share of the undisturbed run's
working time, or a moment while the process to be killed lives, or while a version is being written.

After a kill of the flow, the worker, the server or everything, the same command is given again. After a kill of a tool
(a zygote, a job, LibreOffice, veraPDF, Siegfried) the run must come to the same end by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tasks.premis import log
from tasks.premis.model import Ending, aip_id
from tasks.store.ocfl import Store
from tasks.tools import usage

ROOT = Path(__file__).resolve().parents[2]
PERENNE = [sys.executable, "-c", "from flows.command import main; main()"]
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
LIMIT_S = 600.0
LINGER_S = 60.0


class TooLate(Exception):  # noqa: N818  it is what happened
    """The run had ended before it could be killed: that proves nothing."""


Endings = Counter[tuple[str, str, str]]


@dataclass(frozen=True)
class Left:
    """What a home holds when all is over: how often each (file, rule) ended how, and the head's masters."""

    endings: Endings
    masters: dict[str, str]

    def same_endings(self, other: Left) -> bool:
        """Every (file, rule) ended as there, exactly once."""
        return self.endings == other.endings and set(self.endings.values()) == {1}

    waited: int = 0

    def identical(self, other: Left) -> float:
        """The share of masters that are the same bytes."""
        same = sum(other.masters.get(path) == sha256 for path, sha256 in self.masters.items())
        return same / max(1, len(other.masters))


def left(home: Path, batch: str = "") -> Left:
    """Read the home's log, or what it says of one batch. Waiting is no settled ending."""
    endings: Endings = Counter()
    waited = 0
    wanted = aip_id(batch) if batch else None
    for event in log.read(home / "log"):
        if wanted and event.aip != wanted:
            continue
        waited += event.ending is Ending.WAITING
        if event.ending is None or event.ending is Ending.WAITING or event.source is None:
            continue
        endings[event.source.path, event.rule, event.ending.value] += 1
    store = Store(home / "store")
    aips = [wanted] if wanted else store.aips()
    states = [inventory.state() for aip in aips if (inventory := store.inventory(aip))]
    masters = {p: e.sha256 for state in states for p, e in state.items() if p.startswith("masters/")}
    return Left(endings, masters, waited)


def environment(home: Path) -> dict[str, str]:
    """The environment of a home of its own, with ports of its own."""
    home.mkdir(parents=True, exist_ok=True)
    port = 20000 + hash(home) % 20000
    (home / "perenne.toml").write_text(f"server_port = {port}\nreports_port = {port + 1}\nchunk_files = 4\n")
    return {**os.environ, "PERENNE_HOME": str(home)}


def start(home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start `perenne …` in a home."""
    env = environment(home)
    with (home / "out.log").open("ab") as out:
        return subprocess.Popen([*PERENNE, *arguments], env=env, cwd=ROOT, stdout=out, stderr=out)


def processes(home: Path) -> list[int]:
    """Every living process that belongs to a home, by its environment."""
    mark = f"PERENNE_HOME={home}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def descendants(pid: int) -> set[int]:
    """Every process below one."""
    return set(usage.below(pid))


def alive(pid: int) -> bool:
    """A zombie is over: whoever adopted it may not care."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def gone(pids: set[int], limit_s: float) -> bool:
    """Whether all of them end within the limit; a zombie is gone."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.1)
    return False


def working(home: Path, limit_s: float = 120.0) -> None:
    """Return when the run began to work: the first staged file or event is there."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if any((home / "store" / "stage").glob("*/files/*")) or any((home / "log").glob("events/**/*.parquet")):
            return
        time.sleep(0.01)
    raise TimeoutError(f"nothing began to work in {home}")


def api(home: Path, path: str, body: object | None = None) -> dict[str, object]:
    """Ask the home's Prefect server."""
    port = json.loads((home / "prefect" / "server.json").read_text())["port"]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    end = time.monotonic() + LINGER_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > end:  # a busy machine's server says so for a moment
                raise
        time.sleep(0.5)


@contextlib.contextmanager
def stack_up(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`perenne up` in a home, ready."""
    up = start(home, "up")
    try:
        end = time.monotonic() + 120
        while "Every night" not in (home / "out.log").read_text() and time.monotonic() < end:
            time.sleep(0.2)
        yield up
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(90)


def trigger(home: Path, deployment: str, parameters: dict[str, object]) -> str:
    """Start a deployment's run as its form would; returns the run's id."""
    found = api(home, f"/deployments/name/{deployment}")
    asked = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
    made = api(home, f"/deployments/{found['id']}/create_flow_run", asked)
    return str(made["id"])


def state_of(home: Path, run: str) -> str:
    """The state's type of a flow run."""
    return str(api(home, f"/flow_runs/{run}")["state_type"])


def final(home: Path, run: str, limit_s: float = LIMIT_S) -> str:
    """Wait for a run's final state."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if (state := state_of(home, run)) in FINAL:
                return state
        time.sleep(0.5)
    raise TimeoutError(f"run {run} did not end")


def finish(home: Path, batch: Path) -> int:
    """The same command afterwards, to its end."""
    return start(home, "run", str(batch)).wait(LIMIT_S)


def undisturbed(home: Path, batch: Path) -> tuple[Left, float]:
    """A run that nobody disturbs, and how long it worked."""
    run = start(home, "run", str(batch))
    working(home)
    began = time.monotonic()
    run.wait(LIMIT_S)
    return left(home), time.monotonic() - began


def kill_flow(home: Path, batch: Path, after_s: float) -> bool:
    """Kill -9 the flow's process; returns whether all its jobs' processes were gone at once."""
    run = start(home, "run", str(batch))
    working(home)
    time.sleep(after_s)
    _still(run.poll() is None)
    jobs = _jobs(run.pid)
    run.kill()
    run.wait()
    return gone(jobs, 5.0)


def _jobs(run: int) -> set[int]:
    """All below a run but Prefect's server and its guard, which write down what they were told before they end."""
    others = {b"prefect", b"tasks.tools.guard"}
    return {p for p in descendants(run) if others.isdisjoint(cmdline(p).split(b"\0"))}


def kill_all(home: Path, batch: Path, after_s: float) -> bool:
    """Kill -9 everything of the home at once, as a power cut does to processes."""
    run = start(home, "run", str(batch))
    working(home)
    time.sleep(after_s)
    _still(run.poll() is None)
    pids = set(processes(home)) | descendants(run.pid)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    run.wait()
    return gone(pids, 5.0)


def kill_worker(home: Path, batch: Path, after_s: float) -> bool:
    """Kill -9 the worker of a running stack; its flow goes with it, and the same form afterwards goes on."""
    inbox = home / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    if not (inbox / batch.name).exists():
        subprocess.run(["cp", "-r", str(batch), str(inbox)], check=True)
    with stack_up(home) as up:
        run = trigger(home, "batch/batch", {"batch": batch.name})
        working(home)
        time.sleep(after_s)
        (worker,) = [p for p in descendants(up.pid) if b"worker\0start" in cmdline(p) and b"guard" not in cmdline(p)]
        _still(state_of(home, run) not in FINAL)
        below = descendants(worker)
        os.kill(worker, signal.SIGKILL)
        clean = gone(below, 10.0)
        first = final(home, run, 120)
        again = final(home, trigger(home, "batch/batch", {"batch": batch.name}))
    return clean and first == "CRASHED" and again in ("COMPLETED", "FAILED")


def kill_server(home: Path, batch: Path, after_s: float) -> bool:
    """Kill -9 Prefect's server under a run, which must come to an end by itself."""
    run = start(home, "run", str(batch))
    working(home)
    time.sleep(after_s)
    _still(run.poll() is None)
    found = [p for p in processes(home) if b"flows.command.serve" in cmdline(p) and b"guard" not in cmdline(p)]
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    run.wait(LIMIT_S)
    return bool(found) and quiet(home)


def kill_storing(home: Path, batch: Path, after_s: float) -> bool:
    """Kill -9 the flow while it writes a version: the first one, or (later moments) that with the masters."""
    late = int(after_s * 1000) % 2
    run = start(home, "run", str(batch))
    end = time.monotonic() + LIMIT_S
    stages, seen, before = home / "store" / "stage", 0, False
    while seen <= late and time.monotonic() < end:
        now = any((stages / aip / "build").is_dir() for aip in _names(stages))
        seen += now and not before
        before = now
        _still(run.poll() is None)
        time.sleep(0.0005)
    time.sleep(after_s % 0.02)
    jobs = _jobs(run.pid)
    run.kill()
    run.wait()
    return gone(jobs, 5.0)


def _names(folder: Path) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return os.listdir(folder)
    return []


TOOLS = {"zygote": b"tasks.tools.zygote", "job": b"tasks.tools.zygote", "keeper": b"office.py",
         "office": b"soffice.bin", "verapdf": b"Judge", "siegfried": b"siegfried.py"}  # fmt: skip
"""A word of the command line of each tool's process. A job is a fork of its zygote."""


def _tools(run: int, kind: str) -> list[int]:
    """The living processes of one kind of tool below a run, without the sandboxes around them."""
    found = [p for p in descendants(run) if TOOLS[kind] in cmdline(p) and not cmdline(p).startswith(b"bwrap")]
    found = [p for p in found if b"/bwrap" not in cmdline(p).split(b"\0")[0] and b"guard" not in cmdline(p)]
    if kind == "keeper":
        return [p for p in found if b"python" in cmdline(p).split(b"\0")[0]]
    if kind == "office":
        return [p for p in found if b"soffice.bin" in cmdline(p).split(b"\0")[0]]
    below = {child for p in found for child in descendants(p)}
    if kind == "zygote":
        return [p for p in found if p not in below]
    return [p for p in found if p in below] if kind == "job" else found


def kill_tool(kind: str, home: Path, batch: Path, after_s: float) -> bool:
    """Kill -9 one process of a tool as soon as one lives after the moment; the run must end well by itself."""
    run = start(home, "run", str(batch))
    working(home)
    time.sleep(after_s)
    while not (found := _tools(run.pid, kind)):
        _still(run.poll() is None)
        time.sleep(0.002)
    time.sleep(after_s % 0.5)
    found = _tools(run.pid, kind) or found
    try:
        os.kill(found[-1], signal.SIGKILL)
    except ProcessLookupError:
        run.wait(LIMIT_S)
        raise TooLate from None
    return run.wait(LIMIT_S) in (0, 1)


def _still(going_on: bool) -> None:
    if not going_on:
        raise TooLate


def killed(kind: str, home: Path, batch: Path, after_s: float) -> bool:
    """Kill as `kind` says, sooner when the run was too fast; returns whether nothing outlived it."""
    try:
        return KINDS[kind](home, batch, after_s)
    except TooLate:
        quiet(home)
        shutil.rmtree(home)
        return killed(kind, home, batch, after_s * 0.8)


def cmdline(pid: int) -> bytes:
    """A process's command line; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def valid(home: Path) -> bool:
    """Whether ocfl-py, which had no part in writing, is content with every object."""
    validator = ROOT / ".venv-ocfl" / "bin" / "ocfl-validate.py"
    objects = [str(p.parent) for p in (home / "store" / "ocfl").rglob("0=ocfl_object_1.1")]
    command = [str(ROOT / ".venv-ocfl/bin/python"), str(validator), *objects]
    done = subprocess.run(command, capture_output=True, check=False)
    return bool(objects) and done.returncode == 0


def quiet(home: Path) -> bool:
    """Whether the home has no process left; the server lingers some seconds to write what it was told."""
    end = time.monotonic() + LINGER_S
    while processes(home) and time.monotonic() < end:
        time.sleep(0.5)
    return not processes(home)


def leftovers(home: Path) -> list[str]:
    """What a finished home should not hold: something staged, a job's folder, half a file, a run that “runs”."""
    found = [str(p.relative_to(home)) for p in (home / "store" / "stage").glob("*")]
    found += [str(p.relative_to(home)) for p in (home / "work" / "jobs").glob("*/*")]
    found += [str(p.relative_to(home)) for p in (home / "log").rglob("*.tmp")]
    database = home / "prefect" / "prefect.db"
    with contextlib.closing(sqlite3.connect(database)) as asked:
        rows = asked.execute("select name, state_type from flow_run where state_type in ('RUNNING', 'PENDING')")
        return found + [f"run {name} is {state}" for name, state in rows]


KINDS: dict[str, Callable[[Path, Path, float], bool]] = {
    "flow": kill_flow,
    "everything": kill_all,
    "store": kill_storing,
    "server": kill_server,
    "worker": kill_worker,
    **{kind: partial(kill_tool, kind) for kind in TOOLS},
}

FIXTURES = ROOT / "fixtures"
VARIETY = {
    "bordereau.pdf": "formats/fmt-18/bordereau.pdf",
    "công văn/quyết-định-147.docx": "formats/fmt-412/quyết-định-147.docx",
    "công văn/bản sao/quyết-định-147.docx": "formats/fmt-412/quyết-định-147.docx",
    "quét-thông-báo.png": "formats/fmt-11/quét-thông-báo.png",
    "biểu-đồ.bmp": "formats/fmt-116/biểu-đồ.bmp",
    "ghi-chú.txt": "formats/x-fmt-111/ghi-chú-utf-8.txt",
    "bảng/thống-kê-2004.xls": "formats/fmt-61/thống-kê-2004.xls",
    "hợp-đồng-2011.pdf": "hostile/source-encrypted/hợp-đồng-2011.pdf",
    "nhiễu.doc": "hostile/source-damaged/nhiễu.doc",
}


def variety(folder: Path) -> Path:
    """A small batch with all that a run does: PDF, scan, picture, office, text, twin, sub-folders, hostile files."""
    for name, fixture in VARIETY.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FIXTURES / fixture, folder / name)
    return folder


@dataclass(frozen=True)
class Result:
    """How one kill ended; `wrong` says all that differs from an undisturbed run, and is empty when it went well."""

    kind: str
    at_s: float
    seconds: float
    waited: int
    wrong: tuple[str, ...]


def judged(kind: str, home: Path, batch: Path, after_s: float, reference: Left) -> Result:
    """Kill, give the command again where that is needed, and compare."""
    began, wrong = time.monotonic(), []
    if not killed(kind, home, batch, after_s):
        wrong.append("something outlived the kill, or the run ended in no known way")
    if kind not in TOOLS:
        finish(home, batch)
    found = left(home)
    wrong += [
        f"{key}: {found.endings[key]} times, {reference.endings[key]} undisturbed"
        for key in sorted((found.endings - reference.endings) + (reference.endings - found.endings))
    ]
    if found.masters.keys() != reference.masters.keys() or found.identical(reference) < 1.0:
        wrong.append(f"{found.identical(reference):.0%} of the masters are the same bytes")
    if not valid(home):
        wrong.append("the store is not valid OCFL")
    if not quiet(home):
        wrong.append("processes are left")
    wrong += leftovers(home)
    return Result(kind, after_s, time.monotonic() - began, found.waited, tuple(wrong))


def main() -> int:
    """The whole campaign; exit code 1 when any kill ended otherwise than an undisturbed run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("batch", type=Path, nargs="?", help="a folder; by default a small one of all kinds")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=2, help="homes that are killed in at a time")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--json", type=Path, help="where to keep the results; a campaign that broke off goes on there")
    given = parser.parse_args()
    results, began, writing = _before(given.json), time.monotonic(), threading.Lock()
    chance = random.Random(given.seed)
    kinds = [given.kinds[n % len(given.kinds)] for n in range(given.kills)]
    shares = [chance.uniform(0.0, 0.95) for _ in kinds]
    with tempfile.TemporaryDirectory(
        prefix="kills-", dir=os.environ.get("TMPDIR", "/var/tmp"), ignore_cleanup_errors=True
    ) as folder:
        batch = given.batch or variety(Path(folder) / "lô-giết")
        reference, seconds = undisturbed(Path(folder) / "reference", batch)
        quiet(Path(folder) / "reference")
        print(f"undisturbed: {len(reference.endings)} endings, {len(reference.masters)} masters, {seconds:.1f} s",
              flush=True)  # fmt: skip

        def one(n: int) -> None:
            kind, home = kinds[n], Path(folder) / f"{n:03d}-{kinds[n]}"
            result = judged(kind, home, batch, shares[n] * seconds, reference)
            with writing:
                results[n] = result
                word = "BAD " if result.wrong else "good"
                print(f"{len(results):3}/{given.kills} {kind:10} at {shares[n]:4.0%} {word} {result.seconds:5.1f} s"
                      f" waited={result.waited} {'; '.join(result.wrong)}", flush=True)  # fmt: skip
                if given.json:
                    kept = {str(n): asdict(r) for n, r in results.items()}
                    given.json.write_text(json.dumps(kept, ensure_ascii=False, indent=1))
            if not result.wrong:
                shutil.rmtree(home, ignore_errors=True)

        with ThreadPoolExecutor(given.at_once) as pool:
            list(pool.map(one, [n for n in range(given.kills) if n not in results]))
    took = time.monotonic() - began
    print(f"{table(list(results.values()))}\n\n{took:.0f} s, {took / given.kills:.0f} s a kill")
    return 1 if any(r.wrong for r in results.values()) else 0


def _before(path: Path | None) -> dict[int, Result]:
    if path is None or not path.exists():
        return {}
    kept = json.loads(path.read_text())
    return {int(n): Result(**{**row, "wrong": tuple(row["wrong"])}) for n, row in kept.items()}


def table(results: Sequence[Result]) -> str:
    """The results by kind, as Markdown."""
    rows = ["| killed | times | ended well | put off meanwhile | seconds each |", "|---|---|---|---|---|"]
    for kind in dict.fromkeys(r.kind for r in results):
        of = [r for r in results if r.kind == kind]
        well, waited = sum(not r.wrong for r in of), sum(r.waited for r in of)
        rows.append(f"| {kind} | {len(of)} | {well} | {waited} | {sum(r.seconds for r in of) / len(of):.0f} |")
    well, waited = sum(not r.wrong for r in results), sum(r.waited for r in results)
    each = sum(r.seconds for r in results) / max(1, len(results))
    rows.append(f"| all | {len(results)} | {well} | {waited} | {each:.0f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
