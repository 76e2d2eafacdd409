"""TIFF: is the product a sound baseline TIFF 6.0 of our profile? Its parser shares nothing with the writer."""

from __future__ import annotations

from typing import Any

from tasks.premis.model import Measure, Outcome, Product, Source, Trouble, Verdict
from tasks.tools.job import Job

VERSION = "1"
TOLD = 4


def validate(_source: Source, product: Product, job: Job, /, *, deflate: bool = True) -> Verdict:
    """Checks header, directories, required fields, word boundaries, strip sizes and overlaps of every page.

    `deflate` allows strips in Deflate beside plain ones. Returns SUCCESS, or FAIL `tiff-invalid` with the first few
    problems in words, and the measures `pages` and `problems`.
    """
    problems, pages = _checked(job.call("tasks.sealed.raster.compare:soundness", product.path, deflate=deflate))
    measures = (Measure("pages", str(pages)), Measure("problems", str(len(problems))))
    if problems:
        return Verdict(Outcome.FAIL, "tiff-invalid", {"what": "; ".join(problems[:TOLD])}, measures)
    return Verdict(Outcome.SUCCESS, "", {}, measures)


def _checked(answer: Any) -> tuple[list[str], int]:
    """The answer, when it has the shape that was promised."""
    if isinstance(answer, dict) and type(answer.get("pages")) is int and isinstance(answer.get("problems"), list):
        return [str(problem)[:200] for problem in answer["problems"]], answer["pages"]
    raise Trouble("tool-crash", tool="TIFF check", signal="an answer of the wrong shape")
