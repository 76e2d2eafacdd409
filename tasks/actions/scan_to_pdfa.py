"""Scanned PDF to PDF/A with an invisible text layer and a transcript; the pictures of the pages keep their pixels.

PUIDs: fmt/14 to fmt/20, fmt/276, fmt/1129 (PDF 1.0 to 2.0) and the PDF/A PUIDs, where the facts say `scanned`.
OCRmyPDF with Tesseract makes the layer, our own repair the PDF/A, and veraPDF steers its second pass.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from tasks.actions import Migration
from tasks.premis.model import Measure, Note, Product, Role, Source, Trouble
from tasks.tools.job import Job

VERSION = "1"
FACTS = ("languages", "signed")

LAYERED, MASTER, TRANSCRIPT = "out/ocr.pdf", "out/master.pdf", "out/transcript.txt"
PUIDS = {1: "fmt/354", 2: "fmt/477", 3: "fmt/480"}
"""PDF/A of level B, by part."""
PLAIN_TEXT = "x-fmt/111"
SHOWN_NAMES = 10


def migrate(
    source: Source,
    job: Job,
    /,
    *,
    languages: str = "vie+eng",
    part: Literal[2, 3] = 2,
    sure: int = 60,
    share: str = "0.80",
) -> Migration:
    """Makes `out/master.pdf` (PDF/A-`part`b; part 3 when files are embedded) and `out/transcript.txt`.

    `languages` as Tesseract names them, joined by `+`; the batch's own (fact `languages`) win. A word is sure from
    confidence `sure` (0 to 100) on; when less than `share` of the words are sure, a note `scan-low-confidence` says
    so. A scan without a readable word has no transcript. Pages that have text are not read again.
    Measures: `pages`, `pages_read`, `words`, `words_sure`, `mean_confidence`.
    Raises Trouble: `tool-missing` (a language), `source-encrypted`, `source-damaged`, and what the door raises.
    """
    if part not in PUIDS:
        raise ValueError(f"part must be one of {', '.join(map(str, PUIDS))}, not {part!r}")
    wanted = str(source.facts.get("languages") or languages)
    answer = job.call("tasks.sealed.ocr:layer", source.name, LAYERED, TRANSCRIPT, languages=wanted, sure=sure)
    measures, notes = _read(answer, Decimal(share))
    repaired = _repaired(job, part)
    products = [Product(Role.MASTER, MASTER, PUIDS[repaired["part"]], *job.digest(MASTER))]
    if answer["words"]:
        products.append(Product(Role.TRANSCRIPT, TRANSCRIPT, PLAIN_TEXT, *job.digest(TRANSCRIPT)))
    notes += _changes(repaired)
    if source.facts.get("signed"):
        notes += (Note("signature-present", {"state": "not verified"}),)
    return Migration(tuple(products), notes, measures)


def _read(answer: Any, share: Decimal) -> tuple[tuple[Measure, ...], tuple[Note, ...]]:
    """What Tesseract read, in figures, when they add up: a job's word is checked like any other."""
    try:
        pages, read, words, sure = (int(answer[name]) for name in ("pages", "read", "words", "sure"))
        mean = Decimal(answer["mean"]) if words else Decimal(0)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        raise Trouble("tool-crash", tool="OCRmyPDF", signal="an answer of the wrong shape") from None
    if not (0 <= sure <= words and 0 <= read <= pages and pages > 0 and 0 <= mean <= 100):
        raise Trouble("tool-crash", tool="OCRmyPDF", signal="figures that do not add up")
    measures = [
        Measure("pages", str(pages)),
        Measure("pages_read", str(read)),
        Measure("words", str(words)),
        Measure("words_sure", str(sure)),
    ]
    if not words:
        return tuple(measures), ()
    doubtful = Decimal(sure) / words < share
    notes = (Note("scan-low-confidence", {"share": f"{100 * sure // words}%"}),) if doubtful else ()
    return (*measures, Measure("mean_confidence", str(mean), "%")), notes


def _repaired(job: Job, part: int) -> dict[str, Any]:
    """Repairs the layered PDF into the master; a second time with the clauses that veraPDF refuses, if it does."""
    answer = _checked(job.call("tasks.sealed.pdfa:repair", LAYERED, MASTER, part=part))
    judged = job.ask("verapdf", {"files": [MASTER], "path": MASTER, "flavour": f"{answer['part']}b"})
    clauses = judged.get("clauses")
    if judged.get("valid") is False and isinstance(clauses, list) and clauses:
        refused = sorted({str(row[0]) for row in clauses if isinstance(row, list) and row})
        answer = _checked(job.call("tasks.sealed.pdfa:repair", LAYERED, MASTER, part=part, clauses=refused))
    return answer


def _checked(answer: Any) -> dict[str, Any]:
    """The repair's answer, when it has the shape that was promised."""
    shaped = isinstance(answer, dict) and answer.get("part") in PUIDS and isinstance(answer.get("fonts"), dict)
    rows = answer.get("log") if shaped else None
    if isinstance(rows, list) and all(
        isinstance(row, dict) and {"what", "kind", "count"} <= row.keys() for row in rows
    ):
        return dict(answer)
    raise Trouble("tool-crash", tool="PDF repair", signal="an answer of the wrong shape")


def _changes(repaired: dict[str, Any]) -> tuple[Note, ...]:
    """What the repair replaced or took out, for people."""
    notes: tuple[Note, ...] = ()
    if fonts := repaired["fonts"]:
        names = ", ".join(f"{old} → {new}" for old, new in list(fonts.items())[:SHOWN_NAMES])
        notes += (Note("fonts-replaced", {"count": str(len(fonts)), "names": names}),)
    if losses := [f"{row['what']} ({row['count']})" for row in repaired["log"] if row["kind"] == "loss"]:
        notes += (Note("content-removed", {"names": ", ".join(losses[:SHOWN_NAMES])}),)
    return notes
