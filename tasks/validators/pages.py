"""Pages: as many in the product as in the source, and of the same size. Read by pypdf, which made none of them."""

from __future__ import annotations

from typing import Any

from tasks.premis.model import Measure, Outcome, Product, Source, Trouble, Verdict
from tasks.tools.job import Job

VERSION = "1"


def validate(source: Source, product: Product, job: Job, /) -> Verdict:
    """Compares the pages of a PDF product with those of its source.

    A PDF must have as many pages, each as large (to a point); a picture as many as it has frames; for other sources
    (office, text) the product must have a page at all. An original that is its own master has its own pages.
    Returns SUCCESS or FAIL `pages-differ`, with the measures `pages_before`, `pages_after` and `pages_resized`.
    """
    if product.path == source.name:
        return Verdict(Outcome.SUCCESS)
    answer = job.call("tasks.sealed.pdf_text:pages", source.name, product.path)
    before, after, resized = _checked(answer)
    measures = (
        Measure("pages_before", str(before)),
        Measure("pages_after", str(after)),
        Measure("pages_resized", str(len(resized))),
    )
    least = max(1, before)
    if after != least if answer["source"] != "other" else after < 1:
        return Verdict(Outcome.FAIL, "pages-differ", {"before": str(least), "after": str(after)}, measures)
    if resized:
        page, old, new = resized[0]
        detail = {"before": f"{before} (page {page}: {old} pt)", "after": f"{after} (page {page}: {new} pt)"}
        return Verdict(Outcome.FAIL, "pages-differ", detail, measures)
    return Verdict(Outcome.SUCCESS, "", {}, measures)


def _checked(answer: Any) -> tuple[int, int, list[tuple[int, str, str]]]:
    """The answer's figures, when it has the shape that was promised; a job's word is checked like any other."""
    try:
        before, after, resized = answer["before"], answer["after"], answer["resized"]
        sizes = [(int(page), str(old), str(new)) for page, old, new in resized]
        if answer["source"] in ("pdf", "picture", "other") and isinstance(before, int) and isinstance(after, int):
            return before, after, sizes
    except (KeyError, TypeError, ValueError):
        pass
    raise Trouble("tool-crash", tool="page count", signal="an answer of the wrong shape")
