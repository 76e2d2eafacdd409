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
import random
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
RUN = [sys.executable, "-c", "from bench.big import timed_run; timed_run()", "run", "--json"]
ACTS_FILE = "PERENNE_BENCH_ACTS"
SAMPLE_S = 0.2
UI_S = 2.0
PER_FOLDER = 500
KEEP_ALL = """
id = "keep-all-1"
[[rule]]
id = "any"
puids = ["*"]
purpose = "preservation"
action = "keep"
because = "A measurement: every original is its own master."
"""


# --- deliveries ----------------------------------------------------------------
def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(any_: random.Random) -> bytes:
    side = any_.randint(2, 24)
    rows = b"".join(b"\0" + any_.randbytes(3 * side) for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _bmp(any_: random.Random) -> bytes:
    side = 4 * any_.randint(1, 8)
    data = any_.randbytes(3 * side * side)
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, len(data), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, 54) + info + data


def _wav(any_: random.Random) -> bytes:
    data = any_.randbytes(2 * any_.randint(50, 800))
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + form
        + b"data" + struct.pack("<I", len(data)) + data
    )  # fmt: skip


def _pdf(any_: random.Random) -> bytes:
    drawn = f"BT /F1 12 Tf 72 720 Td ({any_.getrandbits(64):x}) Tj ET".encode()
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    tail = b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(out)
    return out + b"xref\n0 6\n0000000000 65535 f \n" + table + tail


WORDS = ("văn", "bản", "quyết", "định", "số", "ngày", "tháng", "năm", "hồ", "sơ", "lưu", "trữ", "phường", "ủy", "ban")


def _words(any_: random.Random) -> str:
    return " ".join(any_.choices(WORDS, k=any_.randint(20, 300)))


def _text(any_: random.Random) -> bytes:
    return _words(any_).encode()


def _csv(any_: random.Random) -> bytes:
    return "\r\n".join(f"{n},{any_.random():.6f},{any_.choice('abc')}" for n in range(30)).encode()


def _xml(any_: random.Random) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<hồ-sơ>{_words(any_)}</hồ-sơ>\n'.encode()


def _html(any_: random.Random) -> bytes:
    return f"<!DOCTYPE html>\n<html><head><title>x</title></head><body><p>{_words(any_)}</p></body></html>".encode()


def _rtf(any_: random.Random) -> bytes:
    return b"{\\rtf1\\ansi\\deff0{\\fonttbl{\\f0 Arial;}}\\f0 %x\\par}" % any_.getrandbits(256)


def _bytes(any_: random.Random) -> bytes:
    return any_.randbytes(any_.randint(1, 4000))


KINDS: tuple[tuple[str, Callable[[random.Random], bytes]], ...] = (
    ("txt", _text), ("png", _png), ("csv", _csv), ("pdf", _pdf), ("xml", _xml),
    ("bmp", _bmp), ("html", _html), ("wav", _wav), ("rtf", _rtf), ("bin", _bytes),
)  # fmt: skip


def small(folder: Path, count: int, seed: str) -> None:
    """`count` small files of ten kinds in folders of 500; the same seed makes the same bytes."""
    for number in range(count):
        ending, make = KINDS[number % len(KINDS)]
        target = folder if count <= PER_FOLDER else folder / f"hồ-sơ-{number // PER_FOLDER:04d}"
        if number % PER_FOLDER == 0:
            target.mkdir(parents=True, exist_ok=True)
        (target / f"tệp-{number:06d}.{ending}").write_bytes(make(random.Random(f"{seed}/{number}")))


def levels(folder: Path, count: int, seed: str) -> None:
    """One text on each of `count` levels of folders."""
    for number in range(count):
        folder = folder / f"t{number}"
        folder.mkdir(parents=True)
        (folder / "x.txt").write_bytes(_text(random.Random(f"{seed}/{number}")))


def sparse(folder: Path, size: int, seed: str) -> None:
    """One file of `size` bytes that takes no room on the disk, between ten small ones."""
    small(folder, 10, seed)
    with (folder / "thưa.bin").open("wb") as file:
        file.truncate(size)


def mixed(folder: Path, corpus: Path, count: int, seed: str) -> None:
    """`count` files drawn from a corpus by seed, each under a name of its own."""
    found = sorted(p for p in corpus.rglob("*") if p.is_file() and not p.is_symlink())
    if not found:
        raise SystemExit(f"no file in {corpus}")
    any_ = random.Random(seed)
    for number in range(count):
        target = folder / f"{number // PER_FOLDER:04d}"
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source := any_.choice(found), target / f"{number:06d}-{source.name}"[-120:])


def deliver(given: argparse.Namespace, place: Path) -> list[Path]:
    """Make the delivery below `place`; returns its batches."""
    if given.batches > 1:
        each = given.each or max(1, given.files // given.batches)
        batches = [place / f"lô-{n:05d}" for n in range(given.batches)]
        for n, batch in enumerate(batches):
            small(batch, each, f"{given.seed}/{n}")
        return batches
    batch = place / "lô"
    batch.mkdir(parents=True)
    if given.sparse:
        sparse(batch, given.sparse, given.seed)
    elif given.levels:
        levels(batch, given.levels, given.seed)
    elif given.mixed:
        mixed(batch, Path(given.mixed[0]), int(given.mixed[1]), given.seed)
    else:
        small(batch, given.each or given.files, given.seed)
    return [batch]


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


# --- watching ------------------------------------------------------------------
def ask(api: str, path: str, body: object | None = None) -> Any:
    """One answer of the server: JSON, or the bytes of a page."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Accept": "text/html"} if path.startswith("/runs/") else {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{api}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        content = answer.read()
    return json.loads(content) if answer.headers.get_content_type() == "application/json" else content


class Watch:
    """Memory of one process, and the answers of the UI, sampled while a run goes on."""

    def __init__(self, pid: int, api: str) -> None:
        self.pid, self.api = pid, api
        self.rss_kb = self.pss_kb = 0
        self.answers: dict[str, list[float]] = defaultdict(list)
        self.failed = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=t, daemon=True) for t in (self._memory, self._ui)]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Sample until the block is left."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()

    def _memory(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self.rss_kb = max(self.rss_kb, _kb(f"/proc/{self.pid}/status", "VmHWM"))
            self.pss_kb = max(self.pss_kb, _kb(f"/proc/{self.pid}/smaps_rollup", "Pss"))

    def _ui(self) -> None:
        while not self._over.wait(UI_S):
            try:
                self._pages()
            except OSError:
                self.failed += 1

    def _pages(self) -> None:
        newest = {"sort": "START_TIME_DESC", "limit": 1}
        found = ask(self.api, "/flow_runs/filter", newest)
        if not found:
            return
        run = found[0]["id"]
        only = {"flow_runs": {"id": {"any_": [run]}}}
        asked: list[tuple[str, str, object | None]] = [
            ("run", f"/flow_runs/{run}", None),
            ("artifacts", "/artifacts/filter", {**only, "limit": 200}),
            ("task runs", "/task_runs/filter", {**only, "limit": 200}),
            ("logs", "/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}, "limit": 200}),
            ("page", f"/../runs/flow-run/{run}", None),
        ]
        for name, path, body in asked:
            began = time.monotonic()
            base = self.api.removesuffix("/api") if path.startswith("/../") else self.api
            ask(base, path.removeprefix("/.."), body)
            self.answers[name].append((time.monotonic() - began) * 1000)


def _kb(path: str, name: str) -> int:
    try:
        text = Path(path).read_text()
    except OSError:
        return 0
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) if found else 0


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


def _parser() -> argparse.ArgumentParser:
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
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    return parser


def main() -> None:
    """Measure and print."""
    given = _parser().parse_args()
    place = Path(tempfile.mkdtemp(prefix="big-", dir=given.folder))
    try:
        found = measure(given, place)
        print(json.dumps(found, ensure_ascii=False, indent=1) if given.json else table(found))
    finally:
        if given.keep:
            sys.stderr.write(f"kept: {place}\n")
        else:
            shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
