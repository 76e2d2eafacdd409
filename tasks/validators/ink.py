"""Ink: no master is blank, or grossly different, where its source is not. Drawn by PDFium, decoded for pictures.

Ghostscript and LibreOffice have made valid, blank PDF/A and ended with exit code 0; this is the check for it.
"""

from __future__ import annotations

from typing import Any

from tasks.premis.model import Measure, Outcome, Product, Source, Trouble, Verdict
from tasks.tools.job import Job

VERSION = "1"
FACTS = ("words", "characters")


def validate(
    source: Source,
    product: Product,
    job: Job,
    /,
    *,
    dpi: int = 50,
    ink: str = "0.15",
    similarity: str = "0.95",
    area: str = "0.01",
) -> Verdict:
    """Compares the look of each page of a PDF product with its source, a PDF or a picture, drawn in gray at `dpi`.

    `ink`: largest relative change of the share of inked pixels; `similarity`: least mean structural similarity;
    `area`: largest connected part of a page (0 to 1) that may be unlike. Sources that cannot be drawn (office, text):
    the product must not be blank throughout, unless the facts say that the source has no words.
    Returns SUCCESS, FAIL `product-blank` or FAIL `look-differs`, with the measures `pages_compared`, `pages_blank`,
    `pages_differing`, `least_similarity` and `most_ink_change`.
    """
    if product.path == source.name:
        return Verdict(Outcome.SUCCESS)
    answer = job.call(
        "tasks.sealed.look:compare", source.name, product.path, dpi=dpi, ink=ink, similarity=similarity, area=area
    )
    _check(answer)
    if answer["source"] == "other":
        return _alone(source, product, job, dpi)
    blank, differing, unreadable = answer["blank"], answer["differing"], answer["unreadable"]
    measures = (
        Measure("pages_compared", str(answer["compared"])),
        Measure("pages_blank", str(len(blank))),
        Measure("pages_differing", str(len(differing) + len(unreadable))),
        Measure("least_similarity", str(answer["least"])),
        Measure("most_ink_change", str(answer["most_ink_change"])),
    )
    if blank:
        return Verdict(Outcome.FAIL, "product-blank", {"pages": str(len(blank))}, measures)
    if differing:
        page, areas, score = min(differing, key=lambda row: row[2])
        detail = {"page": str(page), "areas": str(areas), "score": str(score)}
        return Verdict(Outcome.FAIL, "look-differs", detail, measures)
    if unreadable:
        # Nobody has seen the source's page, so nobody can say that the product looks like it.
        detail = {"page": str(unreadable[0]), "areas": "?", "score": "unknown (the source page cannot be drawn)"}
        return Verdict(Outcome.FAIL, "look-differs", detail, measures)
    return Verdict(Outcome.SUCCESS, "", {}, measures)


def _alone(source: Source, product: Product, job: Job, dpi: int) -> Verdict:
    answer: Any = job.call("tasks.sealed.look:alone", product.path, dpi=dpi)
    try:
        pages, blank = int(answer["pages"]), len(answer["blank"])
    except (KeyError, TypeError, ValueError):
        raise _misshapen() from None
    measures = (Measure("pages_blank", str(blank)),)
    empty = any(source.facts.get(name) == 0 for name in FACTS)
    if blank >= pages and not empty:
        return Verdict(Outcome.FAIL, "product-blank", {"pages": str(blank)}, measures)
    return Verdict(Outcome.SUCCESS, "", {}, measures)


def _check(answer: Any) -> None:
    """A job's word is checked like any other: every page of the product is accounted for, or it is no answer."""
    try:
        known = answer["source"] in ("pdf", "picture", "other")
        rows = all(len(row) == 3 for row in answer["differing"])
        lists = isinstance(answer["blank"], list) and isinstance(answer["unreadable"], list)
        seen = answer["compared"] + len(answer["unreadable"])
        if known and rows and lists and (seen > 0 or answer["source"] == "other"):
            return
    except (KeyError, TypeError):
        pass
    raise _misshapen()


def _misshapen() -> Trouble:
    return Trouble("tool-crash", tool="page comparison", signal="an answer of the wrong shape")
