"""PDF to PDF/A-2b, or -3b when files are embedded, by repair in place; a PDF/A whose claim is true is kept as it is.

PUIDs: fmt/14 to fmt/20, fmt/276, fmt/1129 (PDF 1.0 to 2.0), and PDF/A, PDF/X, PDF/E and PDF/UA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasks.actions import Migration
from tasks.premis.model import Measure, Note, Product, Role, Source, Trouble
from tasks.tools.job import Job

VERSION = "1"
FACTS = ("encrypted", "claims_pdfa", "signed")

MASTER = "out/master.pdf"
PUIDS = {2: "fmt/477", 3: "fmt/480"}
"""PDF/A of level B, by part."""
KINDS = frozenset({"fix", "loss", "guess"})
FONT_CLAUSE, FONTS_CLAUSE = "6.2.11.4.1", "6.2.11"
SHOWN_NAMES = 10


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the repair log: the clause that forced a change, what was changed, how often, and at what price."""

    clause: str
    what: str
    count: int
    kind: str


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair says of itself: the part it declared, its log, stand-in fonts, fonts with unknown letters."""

    part: int
    log: tuple[Line, ...]
    fonts: dict[str, str]
    unknown: dict[str, tuple[int, int]]
    recovered: str


def migrate(source: Source, job: Job, /, *, part: Literal[2, 3] = 2) -> Migration:
    """Makes `out/master.pdf`, PDF/A-`part`b, or keeps a source whose own claim veraPDF confirms.

    Pass 1 repairs dictionaries; when veraPDF refuses it, pass 2 also repairs what its clauses name. The validators
    judge the result. Measures: `passes`, `repairs`, `losses`, `guesses`.
    Raises Trouble `source-encrypted`, `source-damaged`; `parts-lost` when the shape of some letters rests on a guess;
    ValueError when `part` is neither 2 nor 3.
    """
    if part not in PUIDS:
        raise ValueError(f"part must be 2 or 3, not {part!r}")
    if source.facts.get("encrypted") == "open":
        raise Trouble("source-encrypted")
    claim = str(source.facts.get("claims_pdfa") or "")
    if claim and not _refused(job, source.name, claim):
        return Migration((Product(Role.MASTER, source.name),))
    passes, repair = 1, _repair(job, source.name, part, ())
    if refused := _refused(job, MASTER, f"{repair.part}b"):
        passes, repair = 2, _repair(job, source.name, part, refused)
    _hold_unknown(repair)
    return Migration(
        (Product(Role.MASTER, MASTER, PUIDS[repair.part], *job.digest(MASTER)),),
        (*_notes(repair), *_signature(source)),
        (Measure("passes", str(passes)), *_measures(repair)),
    )


def _refused(job: Job, name: str, flavour: str) -> tuple[str, ...]:
    """Returns the clauses by which veraPDF refuses a file, () when it is valid.

    When it cannot read the file at all the answer is the clause on fonts, whose damage is what stops it most.
    """
    answer = job.ask("verapdf", {"files": [name], "path": name, "flavour": flavour})
    if answer.get("valid") is True:
        return ()
    rows = answer.get("clauses")
    found = {str(row[0]) for row in rows if isinstance(row, list) and row} if isinstance(rows, list) else set()
    return tuple(sorted(found)) or (FONTS_CLAUSE,)


def _repair(job: Job, name: str, part: int, clauses: Sequence[str]) -> Repair:
    answer = job.call("tasks.sealed.pdfa:repair", name, MASTER, part=part, clauses=list(clauses) or None)
    try:
        return _checked(answer)
    except (KeyError, TypeError, ValueError):
        raise Trouble("tool-crash", tool="PDF repair", signal="an answer of another shape") from None


def _checked(answer: Any) -> Repair:
    """Returns the answer when it has the shape that was agreed; it comes from a process that met hostile bytes."""
    log = tuple(Line(str(row["clause"]), str(row["what"]), int(row["count"]), row["kind"]) for row in answer["log"])
    unknown = {str(font): (int(pair[0]), int(pair[1])) for font, pair in answer["unknown"].items()}
    if answer["part"] not in PUIDS or not {line.kind for line in log} <= KINDS:
        raise ValueError("part or kind")
    fonts = {str(old): str(new) for old, new in answer["fonts"].items()}
    return Repair(answer["part"], log, fonts, unknown, str(answer["recovered"]))


def _hold_unknown(repair: Repair) -> None:
    """Raises when letters were given a shape that nothing proves: a person must look at such a page."""
    if repair.unknown:
        lost = sum(count for count, _ in repair.unknown.values())
        total = sum(count for _, count in repair.unknown.values())
        names = ", ".join(list(repair.unknown)[:SHOWN_NAMES])
        raise Trouble("parts-lost", lost=str(lost), total=str(total), part="letter shapes", names=names)


def _notes(repair: Repair) -> tuple[Note, ...]:
    """What the repair replaced, took out or chose, for people."""
    notes: list[Note] = []
    if repair.fonts:
        names = ", ".join(f"{old} → {new}" for old, new in list(repair.fonts.items())[:SHOWN_NAMES])
        notes.append(Note("fonts-replaced", {"count": str(len(repair.fonts)), "names": names}))
    if losses := _said(repair, "loss"):
        notes.append(Note("content-removed", {"names": losses}))
    chosen = "; ".join(filter(None, (repair.recovered, _said(repair, "guess"))))
    if chosen:
        notes.append(Note("source-repaired", {"what": chosen}))
    return tuple(notes)


def _said(repair: Repair, kind: str) -> str:
    lines = [line for line in repair.log if line.kind == kind and line.clause != FONT_CLAUSE]
    return ", ".join(f"{line.what} ({line.count})" for line in lines[:SHOWN_NAMES])


def _signature(source: Source) -> tuple[Note, ...]:
    return (Note("signature-present", {"state": "not verified"}),) if source.facts.get("signed") else ()


def _measures(repair: Repair) -> tuple[Measure, ...]:
    counted = {kind: sum(line.count for line in repair.log if line.kind == kind) for kind in ("fix", "loss", "guess")}
    return (
        Measure("repairs", str(sum(counted.values()))),
        Measure("losses", str(counted["loss"])),
        Measure("guesses", str(counted["guess"])),
    )
