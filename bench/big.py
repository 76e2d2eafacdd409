"""How big deliveries go through the whole of Perenne, and what they cost: seconds, memory, task runs, bytes, the UI.

A delivery is made by seed, always the same, and goes through the real flow in a fresh home with the embedded server,
as `perenne run` does. Examples:

    .venv/bin/python bench/big.py --files 100000                 100,000 small files in one batch, all kept
    .venv/bin/python bench/big.py --batches 1000 --each 3        1,000 batches of 3 files, all kept
    .venv/bin/python bench/big.py --sparse 20GiB                 one sparse file of that size beside some small ones
    .venv/bin/python bench/big.py --levels 200                   a file on each of 200 levels of folders
    .venv/bin/python bench/big.py --mixed CORPUS 2000            2,000 copies out of a corpus, under the default policy

`--folder` says where delivery and home lie (their file system needs room for both); they are removed at the end
unless `--keep`. `--max-files N` sets `aip_max_files` for the run. `--json` answers with one JSON object.

The exit code is 1 when a limit is passed: 1,000 task runs, 2 s for the worst answer of a page, a page that did not
answer, and with `--against FILE` (the JSON of an earlier run) 1.15 times its peak memory (`--memory`) or 3 times its
seconds (`--seconds`).

What the figures mean: stages are wall seconds from the run's own board; acts are seconds summed over threads, measured
around the function in the flow's process (an act may lie inside another: `append to the log` in `package`); tasks are
Prefect's own run times by task name. Memory is that of the flow's process alone: `peak_rss_mb` as the kernel kept it,
`peak_pss_mb` sampled. `ui` is what the pages of a run ask the server for, asked every two seconds while the run goes
on: the worst and the median answer in milliseconds.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.deliveries import deliver  # noqa: E402  needs the path
from bench.watching import Watch, ask  # noqa: E402

RUN = [sys.executable, "-c", "from bench.big import timed_run; timed_run()", "run", "--json"]
ACTS_FILE = "PERENNE_BENCH_ACTS"
TASK_RUNS, PAGE_MS, MEMORY, SECONDS = 1000, 2000, 1.15, 3.0
"""The most: task runs, milliseconds of an answer, times the memory and times the seconds of another run."""
KEEP_ALL = """
id = "keep-all-1"
[[rule]]
id = "any"
puids = ["*"]
purpose = "preservation"
action = "keep"
because = "A measurement: every original is its own master."
"""


# --- in the flow's process ------------------------------------------------------
def timed_run() -> None:
    """The command `perenne` with a stopwatch around the acts that cost; their sums go to the file that was named."""
    from flows.command import main
    from tasks.premis import log, xml
    from tasks.store.ocfl import Store
    from tasks.store.stage import Stage

    spent: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])
    lock = threading.Lock()

    def watch(owner: object, name: str, told: str) -> None:
        function = getattr(owner, name)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            began = time.monotonic()
            try:
                return function(*args, **kwargs)
            finally:
                with lock:
                    spent[told][0] += 1
                    spent[told][1] += time.monotonic() - began

        setattr(owner, name, wrapped)

    watch(log, "append", "append to the log")
    watch(log, "read_many", "read the log")
    watch(log, "write_aip_events", "events as Parquet")
    watch(xml, "write", "events as PREMIS XML")
    watch(Stage, "put", "copy and digest into the stage")
    watch(Stage, "sync", "flush the stage")
    watch(Store, "commit", "commit a version")
    watch(Store, "inventory", "read an inventory")
    try:
        main()
    finally:
        Path(os.environ[ACTS_FILE]).write_text(json.dumps(spent))


# --- one measurement -----------------------------------------------------------
def measure(given: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Make the delivery, run it, run it again, and say what it cost."""
    from flows.command import stack
    from tasks.config.home import Home

    began = time.monotonic()
    batches = deliver(given, place / "delivery")
    made = time.monotonic() - began
    home = Home(place / "home").prepare()
    (home.root / "perenne.toml").write_text(f"server_port = 0\naip_max_files = {given.max_files}\n")
    policy = place / "keep-all.toml"
    policy.write_text(KEEP_ALL)
    argv = [*RUN, *map(str, batches), *([] if given.mixed else ["--policy", str(policy)])]
    with stack.server(home) as address:
        env = {**os.environ, "PERENNE_HOME": str(home.root), ACTS_FILE: str(place / "acts.json")}
        first = _once(argv, env, place, address.api)
        tasks = _tasks(address.api)
        shown = ask(address.api, "/artifacts/filter", {"limit": 200})
        count = ask(address.api, "/artifacts/count", {})
        second = {} if given.once else _once(argv, env, place, address.api)
    files = first.pop("files")
    return {
        "delivery": {"files": files, "batches": len(batches), "seconds": round(made, 1), "seed": given.seed},
        **first,
        "files_per_s": round(files / first["seconds"], 1),
        "second_run_s": second.get("seconds"),
        "task_runs": sum(n for n, _ in tasks.values()),
        "tasks": {name: {"runs": n, "seconds": round(s, 1)} for name, (n, s) in sorted(tasks.items())},
        "artifacts": count,
        "artifact_bytes_most": max((len(json.dumps(a["data"])) for a in shown), default=0),
        "log_bytes_per_file": round(_size(home.log.rglob("*.parquet")) / max(1, files)),
        "premis_xml_bytes_per_file": round(_size((home.store / "ocfl").rglob("premis/*.xml")) / max(1, files)),
    }


def _once(argv: list[str], env: dict[str, str], place: Path, api: str) -> dict[str, Any]:
    acts = Path(env[ACTS_FILE])
    acts.unlink(missing_ok=True)
    began = time.monotonic()
    with (place / "out").open("w+") as out, (place / "err").open("w+") as err:
        process = subprocess.Popen(argv, env=env, cwd=ROOT, stdout=out, stderr=err)
        watch = Watch(process.pid, api)
        with watch.watching():
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if process.returncode not in (0, 1):
        raise SystemExit((place / "err").read_text()[-3000:] or (place / "out").read_text()[-3000:])
    answer = json.loads((place / "out").read_text())
    return {
        "files": sum(b["files"] for b in answer["batches"]),
        "state": f"{answer['state']}: {answer['message']}"[:300],
        "seconds": round(seconds, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_rss_mb": round(watch.rss_kb / 1024, 1),
        "peak_pss_mb": round(watch.pss_kb / 1024, 1),
        "stages": {s["name"]: s["seconds"] for s in answer["stages"]},
        "acts": {name: {"times": n, "seconds": round(s, 1)} for name, (n, s) in json.loads(acts.read_text()).items()},
        "ui": {
            name: {"worst_ms": round(max(all_), 1), "median_ms": round(statistics.median(all_), 1), "asked": len(all_)}
            for name, all_ in watch.answers.items()
        },
        "ui_failed": watch.failed,
    }


def _tasks(api: str) -> dict[str, tuple[int, float]]:
    """Task name → (runs, seconds) of everything that this server has seen."""
    time.sleep(3.0)  # the server takes events in some seconds after they happened
    found: dict[str, list[float]] = defaultdict(list)
    offset = 0
    while page := ask(api, "/task_runs/filter", {"limit": 200, "offset": offset}):
        for run in page:
            found[run["task_key"].rsplit(".", 1)[-1].split("-")[0]].append(run["total_run_time"])
        offset += len(page)
    return {name: (len(all_), sum(all_)) for name, all_ in found.items()}


def _size(paths: Iterator[Path]) -> int:
    return sum(p.stat().st_size for p in paths)


# --- telling -------------------------------------------------------------------
def table(found: dict[str, Any]) -> str:
    """The figures in Markdown."""
    lines = ["| what | value |", "|---|---:|"]
    for name, value in found.items():
        if not isinstance(value, dict):
            lines.append(f"| {name.replace('_', ' ')} | {value} |")
            continue
        for key, inner in value.items():
            told = ", ".join(f"{v} {k}" for k, v in inner.items()) if isinstance(inner, dict) else inner
            lines.append(f"| {name.replace('_', ' ')}: {key} | {told} |")
    return "\n".join(lines)


def _bytes_of(text: str) -> int:
    found = re.fullmatch(r"(\d+)\s*(|[KMGT]iB)", text.strip())
    if not found:
        raise argparse.ArgumentTypeError(f"not a size: {text!r}; write 20GiB or a number of bytes")
    return int(found[1]) << (10 * ("", "KiB", "MiB", "GiB", "TiB").index(found[2]))


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--files", type=int, default=1000, help="small files, over all batches")
    kind.add_argument("--each", type=int, default=0, help="small files in each batch")
    kind.add_argument("--sparse", type=_bytes_of, default=0, metavar="SIZE", help="one sparse file, as 20GiB")
    kind.add_argument("--levels", type=int, default=0, help="so many levels of folders")
    kind.add_argument("--mixed", nargs=2, metavar=("CORPUS", "N"), help="N files out of a folder")
    parser.add_argument("--batches", type=int, default=1, help="in how many batches the small files come")
    parser.add_argument("--seed", default="perenne", help="another seed makes another delivery")
    parser.add_argument("--folder", type=Path, help="where delivery and home lie; default: the temporary folder")
    parser.add_argument("--max-files", type=int, default=10_000, help="aip_max_files of the run")
    parser.add_argument("--keep", action="store_true", help="leave delivery and home where they are")
    parser.add_argument("--once", action="store_true", help="no second run over the same delivery")
    parser.add_argument("--against", type=Path, help="the JSON of an earlier run to compare with")
    parser.add_argument("--memory", action="store_true", help="compare the peak memory: at most 1.15 times")
    parser.add_argument("--seconds", action="store_true", help="compare the seconds: at most 3 times")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    return parser


def faults(found: dict[str, Any], given: argparse.Namespace) -> list[str]:
    """The limits that were passed, each in a sentence."""
    told = []
    if found["task_runs"] > TASK_RUNS:
        told.append(f"{found['task_runs']} task runs; {TASK_RUNS} are allowed")
    if found["ui_failed"]:
        told.append(f"a page did not answer {found['ui_failed']} times")
    slow = {name: ui["worst_ms"] for name, ui in found["ui"].items() if ui["worst_ms"] > PAGE_MS}
    told += [f"the page's {name} took {worst} ms; {PAGE_MS} are allowed" for name, worst in slow.items()]
    if given.against:
        other = json.loads(given.against.read_text())
        pairs = [("peak_pss_mb", MEMORY)] * given.memory + [("seconds", SECONDS)] * given.seconds
        for name, most in pairs:
            ratio = found[name] / other[name]
            found[f"{name}_ratio"] = round(ratio, 2)
            if ratio > most:
                told.append(f"{name}: {ratio:.2f} times that of {given.against}; {most} are allowed")
    return told


def main() -> int:
    """Measure, print, and judge."""
    given = parser().parse_args()
    place = Path(tempfile.mkdtemp(prefix="big-", dir=given.folder))
    try:
        found = measure(given, place)
        told = faults(found, given)
        print(json.dumps(found, ensure_ascii=False, indent=1) if given.json else table(found))
    finally:
        if given.keep:
            sys.stderr.write(f"kept: {place}\n")
        else:
            shutil.rmtree(place, ignore_errors=True)
    sys.stderr.writelines(f"{one}\n" for one in told)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
