"""Facts of PDF: asked inside the job, their shape checked here."""

from __future__ import annotations

from tasks.facts import NAMES
from tasks.premis.model import Fact, Trouble
from tasks.tools.job import Job

VERSION = "1"

PUIDS = frozenset(
    f"fmt/{number}"
    for number in (
        *(*range(14, 21), 276, 1129),  # PDF 1.0 to 2.0
        *(95, 354, *range(476, 482), 1910, 1911, 1912),  # PDF/A-1 to -4
        *(*range(144, 149), 157, 158, *range(488, 493)),  # PDF/X
        *(493, 1451, 2050, 2052),  # PDF/E, portfolios, PDF/UA
    )
)
"""What PRONOM calls a PDF."""

ANSWERED = (
    "pages",
    "encrypted",
    "signed",
    "claims_pdfa",
    "scanned",
    "has_text",
    "xfa",
    "javascript",
    "attachments",
    "tagged",
    "language",
    "producer",
)


def facts(name: str, job: Job, /) -> dict[str, Fact]:
    """Returns the facts of a PDF, `name` being its path in the job.

    Raises Trouble `source-damaged` when no page can be read, `tool-crash` when the answer is not of the agreed shape:
    it comes from a process that met hostile bytes.
    """
    answer = job.call("tasks.sealed.pdf_facts:facts", name)
    if not isinstance(answer, dict) or set(answer) != set(ANSWERED):
        raise Trouble("tool-crash", tool="pdf facts", signal="an answer of another shape")
    found: dict[str, Fact] = {}
    for key, value in answer.items():
        if not isinstance(value, str | int | bool) or type(value) is not NAMES[key]:
            raise Trouble("tool-crash", tool="pdf facts", signal=f"{key} of another type")
        found[key] = value
    return found
