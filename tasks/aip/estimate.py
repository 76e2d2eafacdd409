"""What work will cost: seconds of CPU and bytes of masters, expected of each piece of work before it is begun.

`costs.toml` has coefficients for each migration path, fitted to measured runs (`bench/costs.py`): so much for a file, a
page, a megapixel and so on. They are means over many files, failures included, so that sums are right and a single
file may be far off. What a home has measured itself (`tasks.aip.experience`) refines them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tasks.policy import modules
from tasks.policy.apply import Work
from tasks.policy.rules import Rule
from tasks.premis.model import Fact, Facts

TABLE = Path(__file__).with_name("costs.toml")
Coefficients = Mapping[str, float]
OFFICE, LOCKED, OTHER = "office_to_pdfa", "locked", "other"
_FAR = 200_000  # pages, and megapixels: what a file says of itself need not be true


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of CPU, and bytes of products."""

    cpu_s: float = 0.0
    bytes: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """Both together."""
        return Cost(self.cpu_s + other.cpu_s, self.bytes + other.bytes)

    def times(self, by: Cost) -> Cost:
        """Each figure by that of the other."""
        return Cost(self.cpu_s * by.cpu_s, self.bytes * by.bytes)


EVEN = Cost(1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Row:
    """What one migration path costs: so much for each unit of what `measured` says of a file."""

    cpu_s: Coefficients
    bytes: Coefficients

    def of(self, units: Mapping[str, float]) -> Cost:
        """The cost of a file with so many of each unit."""
        return Cost(*(sum(each.get(n, 0.0) * many for n, many in units.items()) for each in (self.cpu_s, self.bytes)))


@dataclass(frozen=True, slots=True)
class Costs:
    """All coefficients. `starts`: what a run takes before any file, by program; `around` what each file takes besides.

    `factors`: by rule, measured against expected cost in this home.
    """

    paths: Mapping[str, Row]
    starts: Mapping[str, float]
    around: Coefficients
    looked: Coefficients
    factors: Mapping[str, Cost] = field(default_factory=dict)

    def expected(self, work: Work) -> Cost:
        """What one piece of work is expected to cost; nothing where it is known that it cannot be done."""
        if work.trouble is not None:
            return Cost()
        found = self.of(work.rule.action, work.source.size, work.facts)
        return found.times(self.factors.get(work.rule.id, EVEN))

    def of(self, action: str, size: int, facts: Facts) -> Cost:
        """What an action and its checks cost on a file of so many bytes, as far as the table has it."""
        row = next((self.paths[name] for name in names(action, facts) if name in self.paths), None)
        return row.of(measured(size, facts)) if row else Cost()

    def identified(self, files: int, size: int) -> float:
        """Seconds of CPU to find out what files of so many bytes together are."""
        return _sum(self.looked, {"file": files, "mb": size / 1e6})

    def carried(self, files: int, size: int) -> float:
        """Seconds of CPU to take them in, to record and to package them."""
        return _sum(self.around, {"file": files, "mb": size / 1e6})

    def started(self, rules: Iterable[Rule]) -> float:
        """Seconds of CPU of a run's own start, and of the programs that these rules need besides, on two cores."""
        return sum(self.starts.get(name, 0.0) for name in {"run", *(rule.action for rule in rules)})


def measured(size: int, facts: Facts) -> dict[str, float]:
    """How much of each unit a file has, as far as its facts tell; a `page` is each after the first."""
    frames = max(1, _number(facts, "frames"))
    pixels = min(_FAR, _number(facts, "width") * _number(facts, "height") * frames / 1e6)
    channels, bits = max(1, _number(facts, "channels")), _number(facts, "bits")
    # A baseline TIFF packs black and white; everything else has whole bytes.
    samples = 1 / 8 if (channels, bits) == (1, 1) else channels * max(1, -(-bits // 8))
    found = {
        "file": 1.0,
        "mb": size / 1e6,
        "page": float(min(_FAR, max(0, _number(facts, "pages") - 1))),
        "megapixel": pixels,
        "raw_mb": pixels * samples,
        "kword": _number(facts, "words") / 1000,
        "kcharacter": _number(facts, "characters") / 1000,
    }
    return {name: value for name, value in found.items() if value}


def _number(facts: Mapping[str, Fact], name: str) -> int:
    found = facts.get(name, 0)
    return max(0, found) if type(found) is int else 0


def names(action: str, facts: Facts) -> tuple[str, ...]:
    """The rows that fit an action on such a file, the most telling first; `other` is the mean of all that convert."""
    if action == "keep":
        return (action,)
    if facts.get("encrypted") == "open":
        return (f"{action} locked", LOCKED)
    if action == OFFICE:
        return (f"{action} {facts.get('kind', 'document')}", action, OTHER)
    if facts.get("claims_pdfa"):
        return (f"{action} claimed", action, OTHER)
    return (action, OTHER)


def _sum(each: Coefficients, many: Mapping[str, float]) -> float:
    return sum(each.get(name, 0.0) * count for name, count in many.items())


@cache
def default() -> Costs:
    """The costs of `costs.toml`. Raises ValueError for a row that names no action."""
    return load(TABLE.read_text("utf-8"))


def load(text: str) -> Costs:
    """Costs out of TOML. Raises ValueError for a row that names no action of ours."""
    table: dict[str, Any] = tomllib.loads(text)
    starts, around, looked = (table.pop(name) for name in ("starts", "around", "looked"))
    if wrong := [name for name in table if name.split()[0] not in {*modules.actions(), LOCKED, OTHER}]:
        raise ValueError(f"no such action: {', '.join(wrong)}")
    return Costs({name: Row(row["cpu_s"], row["bytes"]) for name, row in table.items()}, starts, around, looked)
