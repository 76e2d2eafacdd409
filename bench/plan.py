"""Whether a plan says what then happens: `.venv/bin/python bench/plan.py BATCH [--draw 300] [--seed s] [--keep HOME]`.

In a fresh home the batch is planned (`look_ahead`, which stores nothing), then it is run for real, and expected and
actual CPU seconds and bytes of products stand beside each other, by rule and for the whole run. With `--draw` the batch
is so many files, drawn by seed from all below the folder.

CPU is that of everything but Prefect's server: the command, its jobs, its resident programs (`bench/spending.py`).
Exit code 1 when the sum of CPU is more than a factor 1.5 off, or that of the bytes more than 25 %.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.aip import experience
from tasks.aip.plan import Choice
from tasks.config.home import Home
from tasks.policy.apply import CPU
from tasks.policy.load import find, load
from tasks.premis import log
from tasks.sip.ahead import look_ahead
from tasks.sip.batch import batch
from tasks.tools import shared

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import spending  # noqa: E402  needs the path
from bench.deliveries import drawn  # noqa: E402

FACTOR, SHARE = 1.5, 0.25


def look(path: Path, home: Home) -> dict[str, Any]:
    """The plan of a delivery, as JSON."""
    home.prepare()
    door = shared.shared(home.work, (home.store, home.inbox))
    policy = load(find("default", home))
    return look_ahead(home, door, batch(path), policy, Choice(), experience.costs(home.log)).as_json()


def happened(home: Home) -> dict[str, tuple[int, float, int]]:
    """Rule → (files, CPU seconds of its jobs, bytes of its products, equal bytes of one AIP once)."""
    found: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0])
    for e in log.read(home.log):
        if e.ending is None or not e.rule:
            continue
        some = found[e.rule]
        some[0] += 1
        some[1] += sum(float(m.value) for m in e.measures if m.name == CPU)
        if "same_bytes_as" not in e.detail:
            some[2] += sum(o.size for o in e.objects if o.role == "outcome")
    return {rule: (int(files), cpu, int(made)) for rule, (files, cpu, made) in found.items()}


def compared(path: Path, home: Home) -> dict[str, Any]:
    """Plan, then run; what was expected and what happened."""
    looked = spending.run([sys.executable, __file__, "--look", str(home.root), str(path)], home.root)
    if looked.code:
        raise SystemExit(looked.error[-2000:])
    plan = json.loads(looked.out)
    ran = spending.take(path, home.root)
    files = sum(one["files"] for one in json.loads(ran.out)["batches"])
    (home.root / "spent.json").write_text(json.dumps({"files": files, "cpu_s": ran.cpu_s, "looked_s": looked.cpu_s}))
    by_rule = happened(home)
    return {
        "plan": plan,
        "rules": {rule: {"files": f, "cpu_s": c, "bytes_out": b} for rule, (f, c, b) in by_rule.items()},
        "files": files,
        "cpu_s": ran.cpu_s,
        "server_s": ran.server_s,
        "wall_s": ran.wall_s,
        "bytes_out": sum(made for _, _, made in by_rule.values()),
        "look": {"cpu_s": looked.cpu_s, "wall_s": looked.wall_s},
    }


def faults(found: Mapping[str, Any]) -> list[str]:
    """What is further off than it may be."""
    cpu = found["plan"]["cpu_s"] / found["cpu_s"]
    made = found["plan"]["bytes_out"] / found["bytes_out"] if found["bytes_out"] else 1.0
    told = []
    if not 1 / FACTOR <= cpu <= FACTOR:
        told.append(f"CPU: {cpu:.2f} times what happened was expected")
    if abs(made - 1) > SHARE:
        told.append(f"bytes: {made:.2f} times what happened was expected")
    return told


def show(found: Mapping[str, Any]) -> None:
    """A table in Markdown."""
    plan, rules = found["plan"], found["rules"]
    print("| rule | files | CPU s expected | CPU s | MB expected | MB |\n|---|---:|---:|---:|---:|---:|")
    for line in plan["lines"]:
        did = rules.get(line["rule"], {"cpu_s": 0.0, "bytes_out": 0})
        print(
            f"| {line['rule']} | {line['files']} | {line['cpu_s']:.1f} | {did['cpu_s']:.1f} "
            f"| {line['bytes_out'] / 1e6:.2f} | {did['bytes_out'] / 1e6:.2f} |"
        )
    beside = plan["around_s"] + plan["starts_s"]
    rest = found["cpu_s"] - sum(did["cpu_s"] for did in rules.values())
    print(f"| starts, identification, log, store | {found['files']} | {beside:.1f} | {rest:.1f} | | |")
    print(
        f"| **all** | {found['files']} | {plan['cpu_s']:.1f} | {found['cpu_s']:.1f} "
        f"| {plan['bytes_out'] / 1e6:.2f} | {found['bytes_out'] / 1e6:.2f} |"
    )
    print(
        f"\nThe plan itself took {found['look']['cpu_s']:.1f} s of CPU, {found['look']['wall_s']:.1f} s wall;", end=" "
    )
    print(f"the run {found['wall_s']:.1f} s wall; Prefect's server {found['server_s']:.1f} s of CPU beside it.")


def parser() -> argparse.ArgumentParser:
    """What may be asked."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("batch", type=Path)
    made.add_argument("--draw", type=int, metavar="N", help="so many files below the folder, drawn by seed")
    made.add_argument("--seed", default="1")
    made.add_argument("--keep", type=Path, metavar="HOME", help="a new home that is kept")
    made.add_argument("--json", action="store_true")
    made.add_argument("--look", type=Path, metavar="HOME", help="only print the plan, in a home")
    return made


def main() -> int:
    """Plan and run; 1 when they are too far apart."""
    given = parser().parse_args()
    if given.look:
        print(json.dumps(look(given.batch, Home(given.look))))
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        path, home = given.batch, given.keep or Path(folder) / "home"
        if given.draw:
            path = Path(folder) / "drawn"
            drawn(path, given.batch, given.draw, given.seed)
        found = compared(path.absolute(), Home(home.absolute()))
    if given.json:
        print(json.dumps(found))
    else:
        show(found)
    wrong = faults(found)
    for one in wrong:
        print(one, file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
