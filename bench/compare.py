"""A batch through the pipeline, the plain script and the bare tools, one after the other: speed, CPU and memory.

    .venv/bin/python bench/compare.py BATCH [--json] [--parts]

- *Perenne*: `perenne run` in a fresh home; the start of Prefect's server, the sandboxes, LibreOffice and veraPDF is
  included. Wall is that of the command. CPU is that of every process until the last has ended, so of a server that
  outlives the command, too.
- *Plain script* (`bench/plain.py`): the same formats by hand, one file after another, a fresh process for each tool.
- *Bare tools* (`bench/bare.py`): the calls of our own run once more, without anything around them. Overhead is our
  CPU by theirs.

Memory is the PSS of the whole tree of processes, every half second. The exit code is 1 when a limit is passed: 8 times
the plain script's speed, an overhead of 1.5, 3 GiB, 1.42 files a second. Wall says little where other work shares the
cores; then the ratios of CPU are what counts.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import plain  # noqa: E402  needs the path
from bench.tree import Cost, measured  # noqa: E402

RUN = (sys.executable, "-c", "from flows.command import main; main()", "run", "--json")
SPEED, OVERHEAD, PSS_MB, FILES_A_S = 8.0, 1.5, 3072.0, 1.42
"""At least times the plain script's speed; at most times the bare tools' CPU; less than MiB; at least files/s."""


@dataclass(frozen=True, slots=True)
class Found:
    """One comparison. `parts`: what of the bare tools took how many CPU seconds; `tools`: the plain script's."""

    files: int
    ours: Cost
    script: Cost
    bare: Cost
    parts: dict[str, float]
    tools: dict[str, dict[str, float]]
    load: tuple[float, float]
    """How many processes wanted a core over the last minute, before and after."""

    @property
    def speed(self) -> float:
        """How many times as fast as the plain script we were, by wall."""
        return self.script.wall_s / self.ours.wall_s

    @property
    def thrift(self) -> float:
        """The plain script's CPU by ours."""
        return self.script.cpu_s / self.ours.cpu_s

    @property
    def overhead(self) -> float:
        """Our CPU by that of the bare tools on the same work."""
        return self.ours.cpu_s / self.bare.cpu_s

    @property
    def files_a_s(self) -> float:
        """Files a second, by wall."""
        return self.files / self.ours.wall_s


def compare(batch: Path, place: Path) -> Found:
    """Do all three. Raises SystemExit with the last words of what could not be done."""
    before = os.getloadavg()[0]
    home = place / "home"
    home.mkdir()
    (home / "perenne.toml").write_text("server_port = 0\n")
    ours = _done("ours", [*RUN, str(batch)], place, home, good=(0, 1))
    answer = json.loads((place / "ours.out").read_text())
    here = [sys.executable, "-P", "-m"]
    script = _done("plain", [*here, "bench.plain", str(batch), str(place / "plain")], place, home)
    bare = _done("bare", [*here, "bench.bare", str(home), str(place / "parts.json")], place, home)
    parts = json.loads((place / "parts.json").read_text())
    files = sum(b["files"] for b in answer["batches"])
    if parts["files"] != files:
        raise SystemExit(f"the run took {files} files, the bare tools {parts['files']}")
    tools = json.loads((place / "plain" / "tools.json").read_text())
    return Found(files, ours, script, bare, parts["cpu"], tools, (before, os.getloadavg()[0]))


def _done(name: str, argv: Sequence[str], place: Path, home: Path, good: tuple[int, ...] = (0,)) -> Cost:
    env = {**os.environ, "PERENNE_HOME": str(home), "PATH": _path(), "PYTHONPATH": str(ROOT)}
    out, err = place / f"{name}.out", place / f"{name}.err"
    cost = measured(list(argv), place / f"{name}.json", env=env, cwd=ROOT, out=out, err=err)
    if cost.code not in good:
        raise SystemExit(f"{name} ended with {cost.code}:\n{err.read_text()[-3000:]}")
    return cost


def _path() -> str:
    """FIDO and OCRmyPDF are those of our own environment, all else is Debian's before whatever stands in for it."""
    return os.pathsep.join((str(Path(sys.executable).parent), "/usr/bin", os.environ["PATH"]))


def table(found: Found) -> str:
    """The figures in Markdown."""
    lines = [f"| {found.files} files | wall s | files/s | CPU s | peak PSS MiB |", "|---|---:|---:|---:|---:|"]
    rows = (("Perenne", found.ours), ("plain script", found.script), ("bare tools", found.bare))
    for name, cost in rows:
        rate = found.files / cost.wall_s
        lines.append(f"| {name} | {cost.wall_s:.1f} | {rate:.2f} | {cost.cpu_s:.1f} | {cost.pss_mb:.0f} |")
    return "\n".join(
        [
            *lines,
            "",
            "| | found | wanted |",
            "|---|---:|---:|",
            f"| speed, times the plain script's | {found.speed:.1f} | ≥ {SPEED:g} |",
            f"| files/s | {found.files_a_s:.2f} | ≥ {FILES_A_S} |",
            f"| overhead, times the bare tools' CPU | {found.overhead:.2f} | ≤ {OVERHEAD} |",
            f"| peak PSS of the tree, MiB | {found.ours.pss_mb:.0f} | < {PSS_MB:.0f} |",
            f"| the plain script's CPU by ours | {found.thrift:.1f} | |",
            "",
            f"Load of the machine before and after: {found.load[0]:.1f}, {found.load[1]:.1f}; {os.cpu_count()} cores.",
        ]
    )


def parts(found: Found) -> str:
    """Where the CPU of the bare tools and of the plain script goes, in Markdown, the dearest first."""
    lines = ["| bare tools | CPU s |", "|---|---:|"]
    dearest = sorted(found.parts.items(), key=lambda item: -item[1])
    lines += [f"| {name} | {seconds:.1f} |" for name, seconds in dearest]
    lines += ["", "| plain script | runs | failed | wall s | CPU s |", "|---|---:|---:|---:|---:|"]
    for name, one in sorted(found.tools.items(), key=lambda item: -item[1]["cpu_s"]):
        lines.append(f"| {name} | {one['runs']} | {one['failed']} | {one['wall_s']:.1f} | {one['cpu_s']:.1f} |")
    return "\n".join(lines)


def faults(found: Found) -> list[str]:
    """The limits that were passed, each in a sentence."""
    told = []
    if found.speed < SPEED:
        told.append(f"{found.speed:.1f} times the plain script's speed; {SPEED:g} are wanted")
    if found.files_a_s < FILES_A_S:
        told.append(f"{found.files_a_s:.2f} files/s; {FILES_A_S} are wanted")
    if found.overhead > OVERHEAD:
        told.append(f"{found.overhead:.2f} times the CPU of the bare tools; {OVERHEAD} are allowed")
    if found.ours.pss_mb >= PSS_MB:
        told.append(f"{found.ours.pss_mb:.0f} MiB; less than {PSS_MB:.0f} are allowed")
    return told


def as_json(found: Found) -> dict[str, Any]:
    """All figures with stable keys."""
    ratios = {name: round(getattr(found, name), 3) for name in ("speed", "thrift", "overhead", "files_a_s")}
    return asdict(found) | ratios


def main() -> int:
    """Compare, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("batch", type=Path)
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    parser.add_argument("--parts", action="store_true", help="also where the CPU goes")
    given = parser.parse_args()
    if lacking := plain.missing(_path()):
        hint = "apt-get install --no-install-recommends imagemagick libtiff-tools file"
        raise SystemExit(f"The plain script needs {', '.join(lacking)}: {hint}")
    with tempfile.TemporaryDirectory(prefix="compare-", ignore_cleanup_errors=True) as folder:
        found = compare(given.batch.resolve(), Path(folder))
    told = faults(found)
    if given.json:
        print(json.dumps(as_json(found), ensure_ascii=False, indent=1))
    else:
        print(table(found) + (f"\n\n{parts(found)}" if given.parts else ""))
    sys.stderr.writelines(f"{one}\n" for one in told)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
