"""Sentences with numbers, as face.md asks: verdict first, one and many both read well. In the language in force."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tasks import words
from tasks.aip.coverage import Coverage
from tasks.premis.model import Ending
from tasks.report.summary import Summary
from tasks.words import text


def ended(ending: Ending) -> str:
    """The word for an ending. In JSON and in the log it is always the English one."""
    return text(ending.value)


def means(ending: Ending) -> str:
    """What an ending means, for people who see the word for the first time."""
    return text(f"{ending.value}-means")


def verdict(summaries: Sequence[Summary]) -> str:
    """One sentence over all batches of a run. No file of an AIP that is not as stored counts as in good order."""
    alarm, sound = _alarm(summaries), [s for s in summaries if not s.alarm]
    files, good = sum(s.files for s in sound), sum(s.good for s in sound)
    waiting = sum(s.ended.get(Ending.WAITING, 0) for s in summaries)
    parts = [alarm] if alarm else []
    if files and (good < files or alarm):
        parts.append(_some(good, files, others=bool(alarm)))
    elif files:
        return text("all-good", n=files)
    elif not alarm:
        return text("nothing-to-do")
    if bad := _bad(summaries):
        parts.append(text("need-a-person", n=bad))
    if waiting:
        parts.append(text("wait-for-next-run", n=waiting))
    return " ".join(parts)


def _some(good: int, files: int, *, others: bool) -> str:
    if others:
        return text("some-good-of-others", n=good, files=files)
    return text("only-one-not-good") if files == 1 else text("some-good", n=good, files=files)


def needs(summaries: Sequence[Summary], refused: int = 0) -> str:
    """What a person has to look at: `ALARM: 1 AIP is not as stored. 4 files need a person. 1 delivery is refused.`"""
    bad = _bad(summaries)
    parts = [
        _alarm(summaries),
        text("files-need-a-person", n=bad) if bad else "",
        text("deliveries-refused", n=refused) if refused else "",
    ]
    return " ".join(filter(None, parts)) or text("nothing-needs-a-person")


def _alarm(summaries: Sequence[Summary]) -> str:
    damaged = sum(s.alarm for s in summaries)
    return text("alarm", n=damaged) if damaged else ""


def _bad(summaries: Sequence[Summary]) -> int:
    """Files that are held or failed."""
    return sum(s.needing - s.alarm for s in summaries)


def safety(summary: Summary) -> str:
    """Safe is said before sorry: where the originals are, and how many are not."""
    stored, aip = summary.files - summary.unsafe, str(summary.aip)[:8]
    if summary.alarm:
        return text("not-as-stored", aip=aip)
    if not summary.unsafe:
        return text("originals-safe", n=stored, aip=aip)
    return text("originals-not-safe", stored=stored, files=summary.files, n=summary.unsafe)


def supplement(summary: Summary) -> str:
    """That a batch was received before, which nobody may miss: when, from where, and what came from where this time."""
    if (one := summary.supplement) is None:
        return ""
    before = text(
        "received-before",
        on=text("on-moment", moment=moment(one.before)) if one.before else "",
        from_place=text("from-place", place=one.before_place) if one.before_place else text("from-unknown"),
    )
    on = "" if one.now else text("on-moment", moment=moment(one.time))
    came = text(
        "supplement", on=on, place=one.place, new=one.new, changed=one.changed, same=one.same, version=one.version
    )
    return f"{before} {came}"


def message(summaries: Sequence[Summary]) -> str:
    """What a Prefect state says: news first, 70 letters are shown."""
    files, bad, alarm = sum(s.files for s in summaries), _bad(summaries), _alarm(summaries)
    if not bad:
        return alarm or in_order(summaries)
    needing = [s for s in summaries if s.needing - s.alarm]
    if len(summaries) == 1:
        told = text("one-of-needs", n=bad, files=files, kinds=_kinds(needing))
    else:
        told = text(
            "batches-need",
            batches=text("n-batches", n=len(summaries)),
            files=text("n-files", n=files),
            n=bad,
            where=words.listed([text("n-in", n=s.needing - s.alarm, name=s.batch) for s in needing[:5]]),
        )
    return f"{alarm} {told}".strip()


def _kinds(summaries: Sequence[Summary]) -> str:
    """`1 failed, 2 held`."""
    counts = ((sum(s.ended.get(word, 0) for s in summaries), word) for word in (Ending.FAILED, Ending.HELD))
    return words.listed([f"{words.number(n)} {ended(word)}" for n, word in counts if n])


def in_order(summaries: Sequence[Summary]) -> str:
    """`57 of 60 in good order. 3 notes.`, after an alarm if there is one: of its AIP nothing counts as good."""
    files, notes = sum(s.files for s in summaries), sum(s.noted for s in summaries)
    good = sum(s.good for s in summaries if not s.alarm)
    told = f"{_alarm(summaries)} {text('in-order', n=good, files=files)}"
    return (told + (f" {text('n-notes', n=notes)}." if notes else "")).strip()


def covered(one: Coverage) -> str:
    """How much of the holding was read lately: `94% of 1.20 GB read within 30 days; 3 AIPs never.`"""
    if not one.aips:
        return text("store-empty")
    share = words.percent(one.bytes_read / one.bytes if one.bytes else 1.0)
    told = text("covered", share=share, size=words.size(one.bytes), n=one.days)
    never = text("aips-never-read", n=one.never) if one.never else ""
    gone = f" {text('aips-gone', n=one.gone)}" if one.gone else ""
    return f"{told}{never}.{gone}"


def moment(iso: str) -> str:
    """`22 Nov 2026, 02:05 (UTC+07:00)`, in the machine's zone."""
    return words.moment(datetime.fromisoformat(iso))


def batches(names: Sequence[str]) -> str:
    """A run's name from the batches it is about: `văn-bản-2003`, `văn-bản-2003 and 3 more`."""
    if not names:
        return text("nothing")
    first = str(names[0]).rstrip("/").rsplit("/", 1)[-1]
    return first if len(names) == 1 else text("name-and-more", name=first, n=len(names) - 1)
