"""The verb `status`: how every batch stands, what needs a person, what a monitor has to know."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import typer

from flows.command import given, result, show
from tasks import words
from tasks.aip.coverage import Coverage, coverage, holdings
from tasks.aip.find import batch_of, find_aips, names
from tasks.aip.gone import opened
from tasks.config.home import Home
from tasks.config.home import home as the_home
from tasks.policy.load import find, load
from tasks.premis.model import Ending
from tasks.report import phrases
from tasks.report.runs import Run, last_good_night, last_night
from tasks.report.standing import refusals, standing
from tasks.report.summary import WORST, Row, Summary, by_batch
from tasks.sip.batch import in_inbox, not_taken
from tasks.words import text

NAMED = 5


def add(cli: typer.Typer) -> None:
    """Add this verb."""
    cli.command()(status)


def status(
    aips: given.AipsOrAll = None,
    policy: given.Policy = "",
    json: given.Json = False,
) -> None:
    """How every batch stands, and what needs a person.

    Examples:
      perenne status                  every batch, and how the house stands
      perenne status văn-bản-2003     one batch, with reasons and advice
      perenne status --json           for monitoring: nights, inbox, verification, room
    """
    home = the_home().prepare()
    law = load(find(policy or home.settings().policy, home))
    known = dict(names(home, gone=True))
    summaries = standing(home, find_aips(home, aips, gone=True) if aips else known, law)
    inbox = _inbox(home, {batch_of(name) for name in known.values()})
    if json:
        told = {name: row.as_json() for name, row in inbox.refused.items()}
        show.answer(
            {"batches": by_batch(summaries), "inbox": [w.name for w in inbox.waiting], "refused": told}
            | _house(home, inbox)
        )
    elif aips:
        _batches(summaries)
        _whole(summaries)
    else:
        _night(home)
        _batches(summaries)
        _needs(summaries, inbox)
        if summaries:
            _told_of_house(home)
    raise typer.Exit(1 if inbox.refused or any(s.needing for s in summaries) else 0)


# --- what there is ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """A batch of the inbox that no AIP holds, and since when nothing in it has changed."""

    name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Inbox:
    """What lies in the inbox: batches that wait, oldest first, those that were refused, what is no batch at all."""

    waiting: tuple[Waiting, ...]
    refused: Mapping[str, Row]
    strange: tuple[str, ...]


def _inbox(home: Home, taken: set[str]) -> Inbox:
    there = {b.name: b for b in in_inbox(home.inbox)}
    refused = refusals(home, there)
    waiting = [_waiting(name, there[name].path) for name in there if name not in taken and name not in refused]
    return Inbox(tuple(sorted(waiting, key=lambda w: w.since)), refused, tuple(not_taken(home.inbox)))


def _waiting(name: str, path: Any) -> Waiting:
    try:
        changed = path.stat().st_mtime
    except OSError:
        changed = datetime.now(UTC).timestamp()
    return Waiting(name, datetime.fromtimestamp(changed, UTC))


def _covered(home: Home) -> Coverage:
    return coverage(holdings(home, opened(home)), days=home.settings().verify_days, now=datetime.now(UTC))


def _free(home: Home) -> dict[str, int]:
    return {"store": shutil.disk_usage(home.store).free, "work": shutil.disk_usage(home.work).free}


def _house(home: Home, inbox: Inbox) -> dict[str, Any]:
    """What a monitor asks, with stable, documented keys."""
    oldest, night, good = (inbox.waiting[0] if inbox.waiting else None), last_night(home), last_good_night(home)
    return {
        "last_night": _ran(night),
        "last_good_night": _ran(good),
        "oldest_waiting": {"batch": oldest.name, "since": oldest.since.isoformat()} if oldest else None,
        "not_taken": list(inbox.strange),
        "verification": _covered(home).as_json(),
        "free_bytes": _free(home),
    }


def _ran(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    told = {"run": run.id, "state": run.state, "code": run.code, "started": run.started, "ended": run.ended}
    return told | {"message": run.message, "new": run.new}


# --- how it is told --------------------------------------------------------------


def _night(home: Home) -> None:
    """The last night in a line; nothing in a house where nobody ever let it run by night."""
    night = last_night(home)
    if night is None:
        return
    show.paragraph(text("night-was", when=phrases.moment(night.started), verdict=night.message or night.verdict))
    if not night.whole:
        good = last_good_night(home)
        when = phrases.moment(good.started) if good else text("night-never")
        show.paragraph(text("night-stopped", why=night.message, when=when))
    show.say()


def _batches(summaries: Sequence[Summary]) -> None:
    if not summaries:
        return
    endings = [e for e in Ending if e is not Ending.WAITING or any(s.waiting for s in summaries)]
    head = [
        text("head-batch"),
        text("head-files"),
        *map(phrases.ended, endings),
        text("head-version"),
        text("head-when"),
    ]
    rows = [
        [
            show.shortened(s.batch, 40),
            words.number(s.files),
            *(words.number(s.ended[e]) if s.ended.get(e) else "" for e in endings),
            str(s.version),
            words.day(datetime.fromisoformat(s.settled_since)) if s.settled_since else "",
        ]
        for s in summaries
    ]
    first, *rest = show.table(head, rows)
    show.say(f"  {first}")
    for s, line in zip(summaries, rest, strict=True):
        show.say(f"{show.mark(_worst(s), word=False)} {line}")
    show.say()


def _worst(summary: Summary) -> Ending:
    return Ending.FAILED if summary.alarm else next((e for e in WORST if summary.ended.get(e, 0)), Ending.DONE)


def _whole(summaries: Sequence[Summary]) -> None:
    """Everything about batches that were named."""
    for s in summaries:
        if s.supplement:
            show.paragraph(f"{show.one_line(s.batch)}: {show.one_line(phrases.supplement(s))}")
        show.faults([(row, row.file) for row in (*s.attention, *s.waiting)])
        for row in s.notes:
            show.paragraph(f"{row.file}  {row.code}: {row.seen}", indent=2)
    show.say(phrases.needs(summaries))


def _needs(summaries: Sequence[Summary], inbox: Inbox) -> None:
    for s in summaries:
        if s.alarm:
            show.fault(s.attention[0], s.batch)
    empty = f"{text('store-empty')} " if not summaries else ""
    nothing = not summaries and not inbox.refused
    show.say(f"{empty}{text('put-a-folder') if nothing else phrases.needs(summaries, len(inbox.refused))}")
    show.faults([(row, name) for name, row in inbox.refused.items()])
    if open_ := [s for s in summaries if s.needing]:
        show.say(f"{text('label-look')}: {result.status_of(open_[:1])}")
    if inbox.waiting:
        names = words.listed([_since(one) for one in inbox.waiting[:NAMED]])
        show.say(text("in-the-inbox", n=len(inbox.waiting), names=names))
    for name in inbox.strange[:NAMED]:
        show.say(text("not-taken", name=show.one_line(name)))


def _since(one: Waiting) -> str:
    return text("waits-since", name=show.one_line(one.name), moment=words.moment(one.since))


def _told_of_house(home: Home) -> None:
    show.say(text("verified", covered=phrases.covered(_covered(home))))
    free = _free(home)
    show.say(text("room", free=words.size(free["store"]), work=words.size(free["work"])))
