"""What a run would do, and what that would cost, told before it is done: nothing is written but scratch of jobs."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tasks.aip import ledger as ledgers
from tasks.aip.estimate import Cost, Costs
from tasks.aip.examine import Original, examine
from tasks.aip.ledger import Known, Ledger
from tasks.aip.past import Because
from tasks.aip.plan import Choice, Task, believed, plan, twinned
from tasks.aip.session import portioned
from tasks.config.home import Home
from tasks.policy.rules import ANY, Policy, Rule
from tasks.premis.recorder import Recorder
from tasks.store.ocfl import Store
from tasks.tools.door import Door
from tasks.tools.machine import CORES

NAMED = 20
"""So many refused files are named; all are counted."""


@dataclass(frozen=True, slots=True)
class Line:
    """What one rule has to do. Equal bytes in one AIP are several `files`, and their cost is that of one.

    `cpu_s` is expected of the rule's jobs with all programs and checks; `bytes_out` of its masters and transcripts.
    `because` counts the files by the reason why they are in the plan.
    """

    rule: str
    action: str
    files: int
    bytes_in: int
    cpu_s: float
    bytes_out: int
    because: Mapping[Because, int]

    def as_json(self) -> dict[str, Any]:
        """With stable keys."""
        return {
            "rule": self.rule,
            "action": self.action,
            "files": self.files,
            "bytes_in": self.bytes_in,
            "cpu_s": round(self.cpu_s, 1),
            "bytes_out": self.bytes_out,
            "because": {reason.value: count for reason, count in self.because.items()},
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do with a batch. `files` and `bytes`: of all originals that the AIPs would have then.

    `settled`: files with nothing to do. `kept`: files that a rule keeps as they are. `no_rule`: files that only the `*`
    row answers for. `troubles`: files of the lines that will get no master, by code, because of what was found when
    they were identified. `refused`: files that would not be stored, by code; `refused_files` names the first of them
    with their code. `around_s` is the CPU of taking in, identifying, recording and packaging, `starts_s` that of a
    run's own start and of the programs that it needs; both are beside the lines' own. `nowhere`: paths that were asked
    for and that no file answers to. `coded`: only what has certain codes was asked for, settled or not.
    """

    batch: str
    files: int
    bytes: int
    lines: tuple[Line, ...]
    settled: int = 0
    kept: int = 0
    no_rule: int = 0
    troubles: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    refused_files: tuple[tuple[str, str], ...] = ()
    around_s: float = 0.0
    starts_s: float = 0.0
    nowhere: tuple[str, ...] = ()
    coded: bool = False

    @property
    def cpu_s(self) -> float:
        """Expected CPU seconds of the whole run, without Prefect's server."""
        return sum(line.cpu_s for line in self.lines) + self.around_s + self.starts_s

    @property
    def bytes_out(self) -> int:
        """Expected bytes of all masters and transcripts."""
        return sum(line.bytes_out for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        """With stable keys."""
        return {
            "batch": self.batch,
            "files": self.files,
            "bytes": self.bytes,
            "lines": [line.as_json() for line in self.lines],
            "settled": self.settled,
            "kept": self.kept,
            "no_rule": self.no_rule,
            "troubles": dict(self.troubles),
            "refused": dict(self.refused),
            "refused_files": [{"file": path, "code": code} for path, code in self.refused_files],
            "cpu_s": round(self.cpu_s, 1),
            "around_s": round(self.around_s, 1),
            "starts_s": round(self.starts_s, 1),
            "bytes_out": self.bytes_out,
            "nowhere": list(self.nowhere),
        }


@dataclass
class _Sum:
    action: str
    files: int = 0
    bytes_in: int = 0
    cost: Cost = field(default_factory=Cost)
    because: Counter[Because] = field(default_factory=Counter)


class Tally:
    """A plan while it is added up, AIP by AIP: what it keeps does not grow with the number of files."""

    def __init__(self, policy: Policy, choice: Choice, costs: Costs) -> None:
        self._policy, self._choice, self._costs = policy, choice, costs
        self._lines: dict[str, _Sum] = {}
        self._rules: dict[str, Rule] = {}
        self._counts: Counter[str] = Counter()
        self._troubles: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._named: list[tuple[str, str]] = []
        self._around_s = 0.0
        self._nowhere = set(choice.paths)

    def add(self, ledger: Ledger, known: Mapping[str, Known], languages: str, unknown: Sequence[Original] = ()) -> None:
        """The work of one AIP, of which all is known now; a run would have to identify the `unknown` as well."""
        tasks = plan(ledger, known, self._policy, self._choice, languages)
        sizes = {file.path: file.size for file, _ in ledger.originals}
        for path in sizes if self._nowhere else ():
            self._nowhere -= self._choice.meets(path)
        planned = {task.work.source.path for task in tasks}
        self._counts.update(files=len(sizes), bytes=sum(sizes.values()), settled=len(sizes.keys() - planned))
        self._counts["kept"] += len({t.work.source.path for t in tasks if _keeps(t.work.rule)})
        self._counts["no_rule"] += len({t.work.source.path for t in tasks if ANY in t.work.rule.puids})
        for task in twinned(tasks):
            self._line(task)
        for task in tasks:
            self._lines[task.work.rule.id].because[task.because] += 1
        self._around_s += self._costs.identified(len(unknown), sum(file.size for file, _ in unknown))
        self._around_s += self._costs.carried(len(planned), sum(sizes[path] for path in planned))

    def _line(self, task: Task) -> None:
        work = task.work
        some = self._lines.setdefault(work.rule.id, _Sum(work.rule.action))
        self._rules[work.rule.id] = work.rule
        some.files += 1 + len(work.twins)
        some.bytes_in += work.source.size * (1 + len(work.twins))
        some.cost += self._costs.expected(work)
        if work.trouble is not None:
            self._troubles[work.trouble.code] += 1 + len(work.twins)

    def refuse(self, path: str, code: str) -> None:
        """A file that would not be stored."""
        self._refused[code] += 1
        if len(self._named) < NAMED:
            self._named.append((path, code))

    def plan(self, batch: str) -> Plan:
        """What was added up, the dearest rule first."""
        lines = (
            Line(rule, s.action, s.files, s.bytes_in, s.cost.cpu_s, round(s.cost.bytes), dict(s.because.most_common()))
            for rule, s in self._lines.items()
        )
        return Plan(
            batch,
            self._counts["files"],
            self._counts["bytes"],
            tuple(sorted(lines, key=lambda line: (-line.cpu_s, line.rule))),
            self._counts["settled"],
            self._counts["kept"],
            self._counts["no_rule"],
            dict(self._troubles),
            dict(self._refused),
            tuple(self._named),
            self._around_s,
            self._costs.started(self._rules.values()),
            tuple(path for path in self._choice.paths if path in self._nowhere),
            bool(self._choice.codes),
        )


def _keeps(rule: Rule) -> bool:
    return rule.action == "keep" and ANY not in rule.puids


def look_again(
    home: Home,
    door: Door,
    store: Store,
    aips: Iterable[uuid.UUID],
    policy: Policy,
    choice: Choice,
    costs: Costs,
    *,
    identify: bool = True,
) -> Plan:
    """What a run would do with AIPs that are stored: what the log does not know of them is found out in sealed jobs.

    Without `identify` everything that the log knows is believed, and a file that it does not know is left out: for who
    is told right before the run, which finds it out itself.
    Nothing is recorded. Raises StoreBroken and LogError; Trouble for what ends a run; what the store has not is passed
    over.
    """
    tally, batches = Tally(policy, choice, costs), dict[str, None]()
    for aip in aips:
        ledger = ledgers.read(store, home.log, aip)
        if ledger is None:
            continue
        batches.setdefault(ledger.about.batch)
        known = recalled(ledger, choice if identify else Choice())
        unknown = [original for original in ledger.originals if original[0].path not in known]
        if identify:
            known |= looked_into(unknown, aip, door)
        tally.add(ledger, known, ledger.about.languages or home.settings().languages, unknown)
    return tally.plan(", ".join(batches))


def recalled(ledger: Ledger, choice: Choice) -> dict[str, Known]:
    """Path → what is known and believed of the originals of an AIP as they are now."""
    before = believed(ledger, choice)
    originals = ((file.path, file.sha256) for file, _ in ledger.originals)
    return {key[0]: before[key] for key in originals if key in before}


def looked_into(originals: Sequence[Original], aip: uuid.UUID, door: Door) -> dict[str, Known]:
    """Path → what files are, found out as a run does it, on all cores; the events of it are dropped."""
    recorder = Recorder(uuid.uuid4(), aip)

    def portion(piece: tuple[int, int]) -> list[Known]:
        return [known for known, _ in examine([(o, recorder) for o in originals[slice(*piece)]], door)]

    pieces = portioned([file for file, _ in originals])
    with ThreadPoolExecutor(CORES) as pool:
        found = [known for some in pool.map(portion, pieces) for known in some]
    return {file.path: known for (file, _), known in zip(originals, found, strict=True)}
