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
    """One sentence over all batches of a run. No file of an AIP that is not as stored counts as in good order."""
    alarm, sound = _alarm(summaries), [s for s in summaries if not s.alarm]
    files, good = sum(s.files for s in sound), sum(s.good for s in sound)
    waiting = sum(s.ended.get(Ending.WAITING, 0) for s in summaries)
    parts = [alarm] if alarm else []
    if files and (good < files or alarm):
        parts.append(
            f"{good:,} of {count(files, 'other file' if alarm else 'file')} {verb(good, 'are')} in good order."
        )
    elif files:
        return "The only file is in good order." if files == 1 else f"All {files:,} files are in good order."
    elif not alarm:
        return "There was nothing to do."
    if bad := _bad(summaries):
        parts.append(f"{bad:,} {verb(bad, 'need')} a person.")
    if waiting:
        parts.append(f"{waiting:,} {verb(waiting, 'wait')} for the next run.")
    return " ".join(parts)


def needs(summaries: Sequence[Summary], refused: int = 0) -> str:
    """What a person has to look at: `ALARM: 1 AIP is not as stored. 4 files need a person. 1 delivery is refused.`"""
    bad = _bad(summaries)
    parts = [
        _alarm(summaries),
        f"{count(bad, 'file')} {verb(bad, 'need')} a person." if bad else "",
        f"{count(refused, 'delivery', 'deliveries')} {verb(refused, 'are')} refused." if refused else "",
    ]
    return " ".join(filter(None, parts)) or "Nothing needs a person."


def _alarm(summaries: Sequence[Summary]) -> str:
    damaged = sum(s.alarm for s in summaries)
    return f"ALARM: {count(damaged, 'AIP')} {verb(damaged, 'are')} not as stored." if damaged else ""


def _bad(summaries: Sequence[Summary]) -> int:
    """Files that are held or failed."""
    return sum(s.needing - s.alarm for s in summaries)


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
    files, bad, alarm = sum(s.files for s in summaries), _bad(summaries), _alarm(summaries)
    if not bad:
        return in_order(summaries) if not alarm else f"{alarm} Open the artifact “summary”."
    needing = [s for s in summaries if s.needing - s.alarm]
    words = (Ending.FAILED, Ending.HELD)
    kinds = ", ".join(f"{n} {word.value}" for word in words if (n := sum(s.ended.get(word, 0) for s in needing)))
    person = f"{verb(bad, 'need')} a person"
    if len(summaries) == 1:
        return f"{alarm} {bad:,} of {files:,} {person}: {kinds}. Open the artifact “summary”.".strip()
    where = ", ".join(f"{s.needing - s.alarm} in {s.batch}" for s in needing[:5])
    told = f"{count(len(summaries), 'batch', 'batches')}, {count(files, 'file')}. {bad:,} {person}: {where}."
    return f"{alarm} {told}".strip()


def in_order(summaries: Sequence[Summary]) -> str:
    """`57 of 60 in good order. 3 notes.`, after an alarm if there is one: of its AIP nothing counts as good."""
    files, notes = sum(s.files for s in summaries), sum(s.noted for s in summaries)
    good = sum(s.good for s in summaries if not s.alarm)
    told = f"{_alarm(summaries)} {good:,} of {files:,} in good order."
    return (told + (f" {count(notes, 'note')}." if notes else "")).strip()


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
