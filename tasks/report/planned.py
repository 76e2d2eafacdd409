"""What a plan says to people: one sentence, a table by rule, and what will be otherwise than one hopes."""

from __future__ import annotations

from collections.abc import Mapping

from tasks import words
from tasks.aip.forecast import Line, Plan
from tasks.aip.past import Because
from tasks.words import text

LEAST_S = 0.05
"""CPU seconds below which nothing is said: a rule that keeps costs nothing that one could tell."""


def verdict(plan: Plan) -> str:
    """`5 of 60 files would be worked on: about 4 s of CPU time, 1.2 MB of masters.`"""
    todo = plan.files - plan.settled
    if not plan.files:
        return text("plan-empty")
    if not todo:
        return text("plan-nothing-coded" if plan.coded else "plan-nothing", n=plan.files)
    cpu, size = words.duration(plan.cpu_s), words.size(plan.bytes_out)
    if not plan.bytes_out:
        return text("plan-would-none", n=todo, files=plan.files, time=cpu)
    return text("plan-would", n=todo, files=plan.files, time=cpu, size=size)


def asides(plan: Plan) -> list[str]:
    """What else is to be known: files that stay as they are, that need a person, that would not be stored."""
    counts = (("plan-settled", plan.settled), ("plan-kept", plan.kept), ("plan-no-rule", plan.no_rule))
    nowhere = [words.visible(path) for path in plan.nowhere]
    told = [text("plan-nowhere", names=words.listed(nowhere))] if nowhere else []
    told += [text(key, n=n) for key, n in counts if n and plan.settled < plan.files]
    for key, by_code in (("plan-troubles", plan.troubles), ("plan-refused", plan.refused)):
        if by_code:
            told.append(text(key, n=sum(by_code.values()), codes=_coded(by_code)))
    if plan.lines:
        told.append(text("plan-starts", time=words.duration(plan.around_s + plan.starts_s)))
    return told


def head() -> list[str]:
    """The head of the table: rule, action, files, CPU, masters, because."""
    keys = ("plan-rule", "plan-action", "head-files", "plan-cpu", "plan-masters", "plan-because")
    return [text(key) for key in keys]


def cells(line: Line) -> list[str]:
    """A line of the table, the dearest rule first."""
    why = words.listed([because(one) if len(line.because) == 1 else f"{words.number(n)} {because(one)}"
                        for one, n in line.because.items()])  # fmt: skip
    cpu = words.duration(line.cpu_s) if line.cpu_s >= LEAST_S else ""
    made = words.size(line.bytes_out) if line.bytes_out else ""
    return [line.rule, line.action, words.number(line.files), cpu, made, why]


def because(reason: Because) -> str:
    """Why work is to be done, in the language in force."""
    return text(f"because-{reason.name.lower().replace('_', '-')}")


def _coded(by_code: Mapping[str, int]) -> str:
    return words.listed([f"{words.number(n)} {code}" for code, n in by_code.items()])
