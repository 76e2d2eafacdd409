"""Text: no word of a PDF is lost on the way to its master. Read by pypdf, with PDFium where pypdf cannot read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tasks.premis.model import Measure, Outcome, Product, Source, Trouble, Verdict
from tasks.tools.job import Job

VERSION = "1"

READER_SHARE = 3
"""pypdf may use this part of a job's time; what is left then is read by PDFium, so that every page is compared."""


def validate(source: Source, product: Product, job: Job, /, *, recall: str = "0.99", order: str = "0.90") -> Verdict:
    """Compares the words of each page (NFKC, blanks folded) of a PDF with those of the same page of its product.

    `recall`: least share of the source's words that the product must have; `order`: least share of those kept that must
    stand in the same order (edit similarity). What the product has in addition, such as an OCR layer, is no loss.
    Returns SUCCESS or FAIL `text-lost`, with the measures `words` (0: the source has no text to compare),
    `words_lost`, `order`, `pages_by_pypdf`, `pages_by_pypdfium2`.
    """
    if product.path == source.name:
        return Verdict(Outcome.SUCCESS)
    seconds = max(1, int(job.limits.wall_s / READER_SHARE))
    answer = job.call("tasks.sealed.pdf_text:compare", source.name, product.path, seconds=seconds)
    words, lost, kept_order, measures = _checked(answer)
    if words and Decimal(words - lost) / words < Decimal(recall):
        return Verdict(Outcome.FAIL, "text-lost", {"lost": str(lost), "total": str(words)}, measures)
    if words and kept_order < Decimal(order):
        moved = int((1 - kept_order) * (words - lost)) + lost
        return Verdict(Outcome.FAIL, "text-lost", {"lost": str(moved), "total": str(words)}, measures)
    return Verdict(Outcome.SUCCESS, "", {}, measures)


def _checked(answer: Any) -> tuple[int, int, Decimal, tuple[Measure, ...]]:
    """The answer's figures, when they add up; a job's word is checked like any other."""
    try:
        words, lost, pages = int(answer["words"]), int(answer["lost"]), int(answer["pages"])
        by_pypdf, by_pdfium = int(answer["by_pypdf"]), int(answer["by_pypdfium2"])
        kept_order = Decimal(str(answer["order"]))
    except (KeyError, TypeError, ValueError, ArithmeticError):
        raise Trouble("tool-crash", tool="text comparison", signal="an answer of the wrong shape") from None
    if not (0 <= lost <= words and 0 <= kept_order <= 1 and by_pypdf + by_pdfium == pages and pages > 0):
        raise Trouble("tool-crash", tool="text comparison", signal="figures that do not add up")
    measures = (
        Measure("words", str(words)),
        Measure("words_lost", str(lost)),
        Measure("order", str(kept_order)),
        Measure("pages_by_pypdf", str(by_pypdf)),
        Measure("pages_by_pypdfium2", str(by_pdfium)),
    )
    return words, lost, kept_order, measures
