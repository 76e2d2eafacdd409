"""PDF/A, by veraPDF: the one judge of conformance. The flavour is always named, never guessed by the judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tasks.premis.model import Measure, Outcome, Product, Source, Trouble, Verdict
from tasks.tools.job import Job

VERSION = "1"

FLAVOURS = {
    "fmt/95": "1a",
    "fmt/354": "1b",
    "fmt/476": "2a",
    "fmt/477": "2b",
    "fmt/478": "2u",
    "fmt/479": "3a",
    "fmt/480": "3b",
    "fmt/481": "3u",
    "fmt/1910": "4",
    "fmt/1911": "4e",
    "fmt/1912": "4f",
}
"""PRONOM's PUID of each PDF/A flavour."""
SHOWN_CLAUSES = 8
TOOL = "veraPDF"


@dataclass(frozen=True, slots=True)
class Clause:
    """A rule of ISO 19005 that is broken: its clause and test number, and how many times."""

    name: str
    times: int


def validate(source: Source, product: Product, job: Job, /, *, flavour: str = "") -> Verdict:
    """Asks veraPDF whether the product is valid PDF/A of `flavour` ("2b"), by default that of the product's PUID.

    An original that is kept as the master is judged by the flavour that it claims itself.
    Returns SUCCESS, or FAIL `pdfa-invalid`, with the measures `clauses` and `checks` (how many of each are broken);
    `detail["target"]` names the flavour. Raises Trouble `tool-crash` when the answer is not one.
    """
    wanted = flavour or _flavour(source, product, job)
    if not wanted:
        return _invalid("PDF/A", (Clause("no PDF/A flavour is claimed", 1),))
    target = f"PDF/A-{wanted}"
    answer = job.ask("verapdf", {"files": [product.path], "path": product.path, "flavour": wanted})
    if answer.get("error"):
        return _invalid(target, (Clause(f"{answer['error']}: {answer.get('text', '')}"[:160], 1),))
    clauses = _clauses(answer)
    valid = answer.get("valid")
    if not isinstance(valid, bool) or valid == bool(clauses):
        raise Trouble("tool-crash", tool=TOOL, signal="an answer that contradicts itself")
    return _invalid(target, clauses) if clauses else Verdict(Outcome.SUCCESS, "", {"target": target}, _measures(()))


def _flavour(source: Source, product: Product, job: Job) -> str:
    if product.path != source.name:
        return FLAVOURS.get(product.puid, "")
    claimed = job.call("tasks.sealed.pdf_text:claim", source.name)
    return claimed if isinstance(claimed, str) and claimed in FLAVOURS.values() else ""


def _clauses(answer: Any) -> tuple[Clause, ...]:
    rows = answer.get("clauses")
    if not isinstance(rows, list):
        raise Trouble("tool-crash", tool=TOOL, signal="an answer without clauses")
    found = []
    for row in rows:
        if not (isinstance(row, list) and len(row) >= 3 and isinstance(row[2], int)):
            raise Trouble("tool-crash", tool=TOOL, signal="an answer with a strange clause")
        found.append(Clause(f"{row[0]}-{row[1]}", row[2]))
    return tuple(sorted(found, key=lambda clause: (-clause.times, clause.name)))


def _measures(clauses: tuple[Clause, ...]) -> tuple[Measure, ...]:
    checks = sum(clause.times for clause in clauses)
    return Measure("clauses", str(len(clauses))), Measure("checks", str(checks))


def _invalid(target: str, clauses: tuple[Clause, ...]) -> Verdict:
    shown = ", ".join(f"{clause.name} ({clause.times}×)" for clause in clauses[:SHOWN_CLAUSES])
    more = f" and {len(clauses) - SHOWN_CLAUSES} more" if len(clauses) > SHOWN_CLAUSES else ""
    detail = {"count": str(len(clauses)), "target": target, "clauses": shown + more}
    return Verdict(Outcome.FAIL, "pdfa-invalid", detail, _measures(clauses))
