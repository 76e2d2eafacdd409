"""Kill a run at chosen moments and compare how it ends with a run that nobody disturbed.

`python -m tests.flows.kills BATCH [--moments 5]` does the whole campaign and prints a table; `test_kills.py` does a
part of it. A moment is a share of the undisturbed run's working time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.premis import log
from tasks.premis.model import Ending
from tasks.store.ocfl import Store

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

    def identical(self, other: Left) -> float:
        """The share of masters that are the same bytes."""
        same = sum(other.masters.get(path) == sha256 for path, sha256 in self.masters.items())
        return same / max(1, len(other.masters))


def left(home: Path) -> Left:
    """Read the home's log. Waiting is no settled ending."""
    endings: Endings = Counter()
    for event in log.read(home / "log"):
        if event.ending is None or event.ending is Ending.WAITING or event.source is None:
            continue
        endings[event.source.path, event.rule, event.ending.value] += 1
    store = Store(home / "store")
    states = [inventory.state() for aip in store.aips() if (inventory := store.inventory(aip))]
    return Left(endings, {p: e.sha256 for state in states for p, e in state.items() if p.startswith("masters/")})


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
    found, waiting = set(), [pid]
    while waiting:
        one = waiting.pop()
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                children = {int(c) for c in (task / "children").read_text().split()}
                found |= children
                waiting += children
    return found


def gone(pids: set[int], limit_s: float) -> bool:
    """Whether all of them end within the limit; a zombie is gone."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if not any(_alive(pid) for pid in pids):
            return True
        time.sleep(0.1)
    return False


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
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
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.load(answer))


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
    jobs = {p for p in descendants(run.pid) if b"prefect" not in cmdline(p) and b"tasks.tools.guard" not in cmdline(p)}
    run.kill()
    run.wait()
    return gone(jobs, 5.0)


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


KINDS = {"flow": kill_flow, "worker": kill_worker, "everything": kill_all}


def main() -> int:
    """The whole campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("batch", type=Path)
    parser.add_argument("--moments", type=int, default=5)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    given = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory(
        prefix="kills-", dir=os.environ.get("TMPDIR", "/var/tmp"), ignore_cleanup_errors=True
    ) as folder:
        reference, seconds = undisturbed(Path(folder) / "reference", given.batch)
        count, made = len(reference.endings), len(reference.masters)
        print(f"undisturbed: {count} endings, {made} masters, {seconds:.1f} s", flush=True)
        for kind in given.kinds:
            for n in range(given.moments):
                home, share = Path(folder) / f"{kind}-{n}", (n + 0.5) / given.moments
                clean = killed(kind, home, given.batch, share * seconds)
                code = finish(home, given.batch)
                found = left(home)
                same, identical = found.same_endings(reference), found.identical(reference)
                ok = clean and same and identical >= 0.9 and valid(home) and quiet(home)
                bad += not ok
                print(
                    f"{kind:10} at {share:4.0%}  {'good' if ok else 'BAD'}  clean={clean} exit={code} "
                    f"same endings={same} identical={identical:.0%}",
                    flush=True,
                )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
