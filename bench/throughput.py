"""How long a batch takes, and where the time goes: `.venv/bin/python bench/throughput.py BATCH [--table]`.

A fresh home, the embedded server, two cores, everything included. Wall seconds come from the run's own stages, seconds
of each action and check from the log's events (they run on all cores at once, so their sum is more than the wall).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from tasks.premis import log
from tasks.premis.model import EventType

ROOT = Path(__file__).resolve().parents[1]
RUN = [sys.executable, "-c", "from flows.command import main; main()", "run", "--json"]


def run(batch: Path, home: Path) -> tuple[dict[str, Any], float, float]:
    """The run's JSON answer, wall seconds, and CPU seconds of everything it started and waited for."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    env = {**os.environ, "PERENNE_HOME": str(home)}
    done = subprocess.run([*RUN, str(batch)], env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr[-2000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout), time.monotonic() - began, cpu


def spent(home: Path) -> dict[str, tuple[int, float]]:
    """What → (events, seconds): every action by its rule less its checks, every check, every step before."""
    found: dict[str, list[float]] = defaultdict(list)
    checks: dict[tuple[str, str], float] = defaultdict(float)
    events = list(log.read(home / "log"))
    for e in events:
        seconds = e.duration_ms / 1000
        if e.type is EventType.VALIDATION and e.source:
            found[f"check {e.detail.get('check', '')}"].append(seconds)
            checks[e.source.path, e.rule] += seconds
        elif e.type in (EventType.IDENTIFICATION, EventType.EXTRACTION, EventType.INGESTION):
            found[e.type.value].append(seconds)
    for e in events:
        if e.ending is not None and e.rule and e.source:
            found[f"rule {e.rule}"].append(max(0.0, e.duration_ms / 1000 - checks[e.source.path, e.rule]))
    return {name: (len(all_), sum(all_)) for name, all_ in sorted(found.items())}


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("batch", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        answer, wall, cpu = run(given.batch, home)
        files = sum(b["files"] for b in answer["batches"])
        _, second, _ = run(given.batch, home)
        print(f"{files} files, {wall:.1f} s wall, {files / wall:.2f} files/s; second run {second:.1f} s")
        print(f"CPU of the run and its jobs (the server's apart): {cpu:.1f} s\n")
        print("| stage | files | wall s |\n|---|---:|---:|")
        print(f"| Prefect's server starts | | {answer['server_seconds']} |")
        for stage in answer["stages"]:
            print(f"| {stage['name']} | {stage['files']} | {stage['seconds']} |")
        print("\n| what | events | s, summed over cores |\n|---|---:|---:|")
        for name, (count, seconds) in spent(home).items():
            print(f"| {name} | {count} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
