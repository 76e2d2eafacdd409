"""Sentences with numbers, as face.md asks: verdict first, one and many both read well."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tasks.aip.coverage import Coverage
from tasks.premis.model import Ending
from tasks.report.summary import Summary
from tasks.tools import words


def count(n: int, one: str, many: str = "") -> str:
    """`1 file`, `1,904 files`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def verb(n: int, many: str) -> str:
    """The verb for n things, from its plural: `need` → `needs`, `are` → `is`."""
    return many if n != 1 else {"are": "is"}.get(many, many + "s")


def verdict(summaries: Sequence[Summary]) -> str:
    """One sentence over all batches of a run."""
    files, good, bad, damaged = (
        sum(getattr(s, name) for s in summaries) for name in ("files", "good", "needing", "alarm")
    )
    waiting = sum(s.ended.get(Ending.WAITING, 0) for s in summaries)
    told = f"{good:,} of {count(files, 'file')} {verb(good, 'are')} in good order."
    if damaged:
        parts = [f"ALARM: {count(damaged, 'AIP')} {verb(damaged, 'are')} not as stored. Apart from that {told}"]
    elif files == 0:
        return "There was nothing to do."
    elif good == files:
        return "The only file is in good order." if files == 1 else f"All {files:,} files are in good order."
    else:
        parts = [told]
    if bad := bad - damaged:
        parts.append(f"{bad:,} {verb(bad, 'need')} a person.")
    if waiting:
        parts.append(f"{waiting:,} {verb(waiting, 'wait')} for the next run.")
    return " ".join(parts)


def safety(summary: Summary) -> str:
    """Safe is said before sorry: where the originals are, and how many are not."""
    stored = summary.files - summary.unsafe
    if summary.alarm:
        return f"AIP {str(summary.aip)[:8]} is not as it was stored: see its alarm before you rely on its originals."
    if not summary.unsafe:
        originals = "The original is safe" if stored == 1 else f"All {stored:,} originals are safe"
        return f"{originals} in AIP {str(summary.aip)[:8]}."
    lost = f"{summary.unsafe:,} {verb(summary.unsafe, 'are')} not in the store."
    return f"{stored:,} of {count(summary.files, 'original')} {verb(stored, 'are')} safe; {lost}"


def supplement(summary: Summary) -> str:
    """That a batch was received before, which nobody may miss: when, from where, and what came from where this time."""
    if (one := summary.supplement) is None:
        return ""
    known = f" on {moment(one.before)}" if one.before else ""
    known += f" from {one.before_place}" if one.before_place else ", the log does not say from where"
    came = f"{one.new:,} new, {one.changed:,} changed, {one.same:,} the same"
    when = "" if one.now else f" on {moment(one.time)}"
    return f"Received before{known}. Supplement{when} from {one.place}: {came}, in version {one.version}."


def message(summaries: Sequence[Summary]) -> str:
    """What a Prefect state says: news first, 70 letters are shown."""
    files, good = sum(s.files for s in summaries), sum(s.good for s in summaries)
    needing = [s for s in summaries if s.needing]
    notes = sum(s.noted for s in summaries)
    bad = sum(s.needing for s in summaries)
    if not bad:
        tail = f" {count(notes, 'note')}." if notes else ""
        return f"{good:,} of {files:,} in good order.{tail}"
    words = (Ending.FAILED, Ending.HELD)
    some = [f"{n} {word.value}" for word in words if (n := sum(s.ended.get(word, 0) for s in needing))]
    kinds = ", ".join([*some, *(["the store"] if any(s.alarm for s in needing) else [])])
    person = f"{verb(bad, 'need')} a person"
    if len(summaries) == 1:
        return f"{bad:,} of {files:,} {person}: {kinds}. Open the artifact “summary”."
    where = ", ".join(f"{s.needing} in {s.batch}" for s in needing[:5])
    return f"{count(len(summaries), 'batch', 'batches')}, {count(files, 'file')}. {bad:,} {person}: {where}."


def covered(one: Coverage) -> str:
    """How much of the holding was read lately: `94 % of 1.20 GB read within 30 days; 3 AIPs never.`"""
    if not one.aips:
        return "The store is empty."
    part = 100 * one.bytes_read // one.bytes if one.bytes else 100
    never = f"; {count(one.never, 'AIP')} never" if one.never else ""
    gone = f" {count(one.gone, 'AIP')} {verb(one.gone, 'are')} gone." if one.gone else ""
    return f"{part} % of {size(one.bytes)} read within {count(one.days, 'day')}{never}.{gone}"


def duration(seconds: float) -> str:
    """`4.2 s`, `41 s`, `1 min 52 s`, `2 h 05`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d}"


def size(number: int) -> str:
    """Decimal, three digits: `61 kB`, `214 MB`, `1.20 GB`."""
    value, units = float(number), ["B", "kB", "MB", "GB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        del units[0]
    if value >= 99.5 or units[0] == "B":
        return f"{value:.0f} {units[0]}"
    return f"{value:.2f} GB" if units[0] == "GB" else f"{value:.3g} {units[0]}"


def moment(iso: str) -> str:
    """`22 Nov 2026, 02:05 (UTC+07:00)`, in the machine's zone."""
    return words.moment(datetime.fromisoformat(iso))


def batches(names: Sequence[str]) -> str:
    """A run's name from the batches it is about: `văn-bản-2003`, `văn-bản-2003 and 3 more`."""
    if not names:
        return "nothing"
    first = str(names[0]).rstrip("/").rsplit("/", 1)[-1]
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"
