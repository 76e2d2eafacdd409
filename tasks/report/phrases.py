"""Sentences with numbers, as face.md asks: verdict first, one and many both read well."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tasks.premis.model import Ending
from tasks.report.summary import Summary


def count(n: int, one: str, many: str = "") -> str:
    """`1 file`, `1,904 files`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def verdict(summaries: Sequence[Summary]) -> str:
    """One sentence over all batches of a run."""
    files, good, bad = (sum(getattr(s, name) for s in summaries) for name in ("files", "good", "needing"))
    waiting = sum(s.ended.get(Ending.WAITING, 0) for s in summaries)
    if files == 0:
        return "There was nothing to do."
    if good == files:
        return "The only file is in good order." if files == 1 else f"All {files:,} files are in good order."
    parts = [f"{good:,} of {count(files, 'file')} {'is' if good == 1 else 'are'} in good order."]
    if bad:
        parts.append(f"{bad:,} need{'s' if bad == 1 else ''} a person.")
    if waiting:
        parts.append(f"{waiting:,} wait{'s' if waiting == 1 else ''} for the next run.")
    return " ".join(parts)


def safety(summary: Summary) -> str:
    """Safe is said before sorry: where the originals are, and how many are not."""
    stored = summary.files - summary.unsafe
    if not summary.unsafe:
        originals = "The original is safe" if stored == 1 else f"All {stored:,} originals are safe"
        return f"{originals}: AIP {str(summary.aip)[:8]}, version 1."
    return f"{stored:,} of {count(summary.files, 'original')} are safe; {summary.unsafe:,} are not in the store."


def message(summaries: Sequence[Summary]) -> str:
    """What a Prefect state says: news first, 70 letters are shown."""
    files, good = sum(s.files for s in summaries), sum(s.good for s in summaries)
    needing = [s for s in summaries if s.needing]
    notes = sum(len({r.file for r in s.notes}) for s in summaries)
    bad = sum(s.needing for s in summaries)
    if not bad:
        tail = f" {count(notes, 'note')}." if notes else ""
        return f"{good:,} of {files:,} in good order.{tail}"
    kinds = [f"{n} {word}" for word in ("failed", "held") if (n := sum(s.ended.get(Ending(word), 0) for s in needing))]
    if len(summaries) == 1:
        return f"{bad:,} of {files:,} need{'s' if bad == 1 else ''} a person: {', '.join(kinds)}. Open the artifact “summary”."
    where = ", ".join(f"{s.needing} in {s.batch}" for s in needing[:5])
    return f"{count(len(summaries), 'batch', 'batches')}, {count(files, 'file')}. {bad:,} need a person: {where}."


def duration(seconds: float) -> str:
    """`4.2 s`, `41 s`, `1 min 52 s`, `2 h 05`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d}"


def size(number: int) -> str:
    """Decimal, three digits: `61 kB`, `214 MB`, `1.20 GB`."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            return f"{value:.0f} {unit}" if value >= 100 or unit == "B" else f"{value:.3g} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def moment(iso: str) -> str:
    """`22 Nov 2026, 02:05 (UTC+07:00)`, in the machine's zone."""
    at = datetime.fromisoformat(iso).astimezone()
    offset = at.strftime("%z")
    return f"{at.day} {at:%b %Y, %H:%M} (UTC{offset[:3]}:{offset[3:]})"


def batches(names: Sequence[str]) -> str:
    """A run's name from the batches it is about: `văn-bản-2003`, `văn-bản-2003 and 3 more`."""
    if not names:
        return "nothing"
    first = str(names[0]).rstrip("/").rsplit("/", 1)[-1]
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"
