"""Words: no word of an office document or plain text is lost on the way to its PDF.

The source is read by our own readers, the product by pypdf; LibreOffice and WeasyPrint are asked nothing.
Measured on 245 office documents with text (206 of many programs, 39 Vietnamese): 225 have a recall of 0.999 or more,
nine of 0.98 to 0.999, two of 0.95 to 0.98, nine less. The threshold of 0.98 cuts where almost nothing stands.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tasks.premis.model import Measure, Outcome, Product, Source, Trouble, Verdict
from tasks.tools.job import Job

VERSION = "1"

COUNTS = ("total", "lost", "clipped", "accented", "accented_lost", "legacy", "hidden", "deleted", "notes")
MEASURES = {"total": "words", **{name: f"words_{name}" for name in COUNTS[1:]}}


def validate(
    source: Source, product: Product, job: Job, /, *, recall: str = "0.98", clipped: str = "0.02", spare: int = 1
) -> Verdict:
    """Looks for every word of the source in the product's text.

    `recall`: least share of the words that must be there, counted for all words and once more for those with a letter
    beyond ASCII, which break first; `clipped`: largest share of a sheet's words that may be cut off at the edge of a
    cell whose beginning is there; `spare`: words that may be missing however short the text is.
    A document in the letters of a legacy Vietnamese font (.VnTime, VNI-Times) fails with the words that these spoil.
    Returns SUCCESS, FAIL `text-lost`, or WARNING `text-not-compared` when the source's text cannot be read
    independently; measures `words` (0: nothing to compare), `words_lost`, `words_clipped` …
    """
    if product.path == source.name:
        return Verdict(Outcome.SUCCESS)
    plain = source.facts.get("kind") == "text"
    answer = job.call("tasks.sealed.words:compare", source.name, product.path, plain=plain)
    if isinstance(answer, dict) and isinstance(answer.get("unread"), str):
        return Verdict(Outcome.WARNING, "text-not-compared", {"what": answer["unread"][:200]}, (Measure("words", "0"),))
    counts = _checked(answer)
    measures = tuple(Measure(MEASURES[name], str(counts[name])) for name in COUNTS)
    missing = 1 - Decimal(recall)
    gone = max(counts["lost"] + counts["clipped"], counts["legacy"])
    failed = (
        counts["legacy"] > 0
        or _too_many(counts["lost"], counts["total"], missing, spare)
        or _too_many(counts["accented_lost"], counts["accented"], missing, spare)
        or _too_many(counts["clipped"], counts["total"], Decimal(clipped), spare)
    )
    if not failed:
        return Verdict(Outcome.SUCCESS, "", {}, measures)
    return Verdict(Outcome.FAIL, "text-lost", {"lost": str(gone), "total": str(counts["total"])}, measures)


def _too_many(lost: int, total: int, share: Decimal, spare: int) -> bool:
    """Whether more is lost than `share` or `spare` words, whichever allows more; all of it is always too much."""
    return lost > 0 and (lost == total or lost > max(Decimal(spare), share * total))


def _checked(answer: Any) -> dict[str, int]:
    """The counts, when they add up; a job's word is checked like any other."""
    try:
        counts = {name: int(answer[name]) for name in COUNTS}
    except (KeyError, TypeError, ValueError):
        raise Trouble("tool-crash", tool="word comparison", signal="an answer of another shape") from None
    sound = min(counts.values()) >= 0 and counts["lost"] + counts["clipped"] <= counts["total"]
    if not sound or counts["accented_lost"] > counts["accented"] or counts["legacy"] > counts["total"]:
        raise Trouble("tool-crash", tool="word comparison", signal="figures that do not add up")
    return counts
