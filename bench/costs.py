"""The coefficients of `tasks/aip/costs.toml`: `.venv/bin/python bench/costs.py HOME… > costs.toml`.

Each home is one that `bench/plan.py --keep` left: `spent.json` in it says what its run took as a whole. From the log:
every ending with what its job spent and made, and the facts of its file. For each row non-negative weights are fitted
by quasi-likelihood, and scaled so that they add up to what was measured of all files of the row, failures among them.

What whole runs took besides their jobs is told in the same way as the start of a run, the start of the office, and so
much for each file; `--looked` says how much of the last is identification.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.aip import estimate
from tasks.aip.estimate import measured, names
from tasks.aip.ledger import facts_from
from tasks.policy.apply import CPU
from tasks.premis import log
from tasks.premis.model import EventType, Facts

UNPACKED, RAW = "image_to_tiff", "raw_mb"
"""A TIFF without compression has the bytes of its pixels, and nothing else tells of them."""
FEWEST = 8
"""A row of its own needs so many files; fewer are part of the broader row."""
ROUNDS = 20_000
POWER = 1.5
"""The variance grows with this power of what is expected: 1 would let a few great files decide, 2 the many small."""
LEAST = 0.002
"""A unit that explains a smaller share than this of a row is left out of it."""


@dataclass(frozen=True, slots=True)
class Job:
    """One ending: the row it belongs to, what its file is, what it took and made."""

    action: str
    size: int
    facts: Facts
    cpu_s: float
    bytes: int


def jobs(home: Path) -> list[Job]:
    """Every job of a home's log in the order of their begin; what was known not to be possible had none."""
    events = sorted(log.read(home / "log"), key=lambda e: e.time)
    facts: dict[str, Facts] = {}
    for e in events:
        if e.type is EventType.EXTRACTION and e.source:
            facts[e.source.path] = facts_from(e.detail) if not e.code else {}
    found = []
    for e in events:
        spent = next((float(m.value) for m in e.measures if m.name == CPU), None)
        if e.ending is None or e.source is None or spent is None:
            continue
        action = e.agents[0].name.removeprefix("perenne/")
        made = sum(o.size for o in e.objects if o.role == "outcome")
        found.append(Job(action, e.source.size, facts.get(e.source.path, {}), spent, made))
    return found


def fitted(rows: Sequence[Mapping[str, float]], wanted: Sequence[float]) -> dict[str, float]:
    """The non-negative weight of each unit under which the units of the rows make up what was wanted of them."""
    units = sorted({name for row in rows for name in row})
    x = np.array([[row.get(name, 0.0) for name in units] for row in rows])
    y = np.array(wanted, dtype=float)
    weight = y.sum() / x.sum(axis=0) / len(units)
    for _ in range(ROUNDS):
        expected = np.maximum(x @ weight, 1e-9)
        weight = weight * (x.T @ (y * expected**-POWER)) / (x.T @ expected ** (1 - POWER))
    found = weight * x.sum(axis=0)
    weight = np.where(found > LEAST * found.sum(), weight, 0.0)
    weight *= y.sum() / max(1e-9, float((x @ weight).sum()))
    return {name: float(w) for name, w in zip(units, weight, strict=True) if w}


def table(found: Sequence[Job]) -> dict[str, estimate.Row]:
    """A row for each kind of work of which there are enough files."""
    groups: dict[str, list[Job]] = defaultdict(list)
    for job in found:
        for name in names(job.action, job.facts):
            groups[name].append(job)
    rows = {}
    for name, some in sorted(groups.items()):
        if len(some) >= (FEWEST if " " in name else 1):
            units = [measured(j.size, j.facts) for j in some]
            bulk = [{RAW: u.get(RAW, 0.0)} for u in units] if name == UNPACKED else units
            rows[name] = estimate.Row(fitted(units, [j.cpu_s for j in some]), fitted(bulk, [j.bytes for j in some]))
    return rows


def rest(homes: Sequence[Path], found: Sequence[Sequence[Job]]) -> dict[str, float]:
    """CPU seconds of a run, of its office and of each file: the non-negative shares of what is left of whole runs."""
    left, rows = [], []
    for home, some in zip(homes, found, strict=True):
        told = json.loads((home / "spent.json").read_text())
        left.append(told["cpu_s"] - sum(j.cpu_s for j in some))
        office = float(any(j.action == estimate.OFFICE for j in some))
        rows.append({"run": 1.0, estimate.OFFICE: office, "file": float(told["files"])})
    shares = fitted(rows, left)
    return {name: shares.get(name, 0.0) for name in ("run", estimate.OFFICE, "file")}


def main() -> None:
    """Print the table in TOML."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("homes", nargs="+", type=Path)
    parser.add_argument("--looked", type=float, metavar="SECONDS", help="of CPU to identify one file; default: half")
    given = parser.parse_args()
    homes: list[Path] = given.homes
    found = [jobs(home) for home in homes]
    rows = table([job for some in found for job in some])
    left = rest(homes, found)
    print(f"# Written by bench/costs.py from {sum(map(len, found))} jobs of {len(homes)} runs.")
    print("# Seconds of CPU and bytes of products for each unit of a file, as `measured` in estimate.py has them.\n")
    print(f"[starts]\nrun = {left['run']:.3g}\n{estimate.OFFICE} = {left[estimate.OFFICE]:.3g}\n")
    looked = left["file"] / 2 if given.looked is None else given.looked
    print(f"[looked]\nfile = {looked:.3g}\n\n[around]\nfile = {left['file'] - looked:.3g}")
    for name, row in rows.items():
        print(f'\n["{name}"]' if " " in name else f"\n[{name}]")
        print(f"cpu_s = {_line(row.cpu_s)}\nbytes = {_line(row.bytes)}")


def _line(found: Mapping[str, float]) -> str:
    return "{ " + ", ".join(f"{name} = {value:.4g}" for name, value in found.items()) + " }" if found else "{}"


if __name__ == "__main__":
    main()
