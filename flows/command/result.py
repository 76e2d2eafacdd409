"""The end of `run` and `reprocess`: verdict, numbers, what needs a person or was refused, where to look next."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from flows.command import show
from tasks import words
from tasks.config.home import Home
from tasks.premis import codes
from tasks.premis.model import Ending
from tasks.report import phrases
from tasks.report.summary import Summary
from tasks.sip.refusal import Refused
from tasks.words import text

FAULTS, SHOWN = 10, 5


def result(
    home: Home, summaries: Sequence[Summary], refused: Sequence[Refused] = (), *, worked: bool, seconds: float
) -> None:
    """Say how a run ended; one that had nothing to do says since when."""
    if not worked:
        _settled(summaries, refused)
        return
    took, verdict = words.duration(seconds), phrases.verdict(summaries)
    if sys.stdout.isatty():
        show.say(show.ends(verdict, took, show.columns()))
    else:
        show.say(f"{verdict}  {took}")
    show.say()
    _numbers(summaries)
    for s in summaries:
        faults(s, many=len(summaries) > 1)
    refusals(refused)
    _where(home, summaries)


def _settled(summaries: Sequence[Summary], refused: Sequence[Refused]) -> None:
    refusals(refused)
    for s in summaries:
        if s.alarm:
            faults(s, many=True)
        elif s.settled_since:
            since = phrases.moment(s.settled_since)
            show.say(text("nothing-to-do-since", batch=show.one_line(s.batch), moment=since))
        else:
            show.say(text("nothing-to-do-for", batch=show.one_line(s.batch)))
    open_ = [s for s in summaries if s.needing]
    still = f" {phrases.needs(summaries)} {text('label-look')}: {status_of(open_)}" if open_ else ""
    show.say(f"{text('no-new-version')}{still}")


def _numbers(summaries: Sequence[Summary]) -> None:
    for ending in Ending:
        count = sum(s.ended.get(ending, 0) for s in summaries)
        if count:
            _counted(show.mark(ending), count, phrases.means(ending))
    if notes := sum(s.noted for s in summaries):
        _counted(" " * show.word_columns(), notes, text("with-a-note"))
    show.say()


def _counted(mark: str, count: int, means: str) -> None:
    first = f"{mark} {words.number(count):>6}   "
    show.paragraph(means, indent=show.word_columns() + 10, first=first)


def faults(summary: Summary, *, many: bool) -> None:
    """What needs a person in one AIP, worst first, at most ten; with its batch's name where there are many."""
    shown = summary.attention[:FAULTS]
    show.faults([(row, f"{summary.batch}/{row.file}" if many else row.file) for row in shown])
    if (rest := len(summary.attention) + summary.more - FAULTS) > 0:
        show.say(text("and-more-at", n=rest, command=status_of([summary])))
    if summary.attention:
        show.say()


def refusals(refused: Sequence[Refused]) -> None:
    """The deliveries that were not taken: what is wrong with each, and in what."""
    for one in refused[:FAULTS]:
        ending = Ending.WAITING if one.code and codes.code(one.code).transient else Ending.FAILED
        known = f" ({text('still')})" if one.known else ""
        show.say(f"{show.mark(ending, word=False)} {show.one_line(one.batch)}  {one.code}{known}")
        lines = one.why.splitlines()
        for line in lines[:FAULTS]:
            show.paragraph(line, indent=2)
        if len(lines) > FAULTS:
            show.say(f"  {text('and-more-at', n=len(lines) - FAULTS, command='perenne run --json')}")
    if len(refused) > FAULTS:
        show.say(text("and-more-at", n=len(refused) - FAULTS, command="perenne status"))
    if refused:
        show.say()


def _where(home: Home, summaries: Sequence[Summary]) -> None:
    for s in summaries:
        if s.supplement and s.supplement.now:
            show.labelled(text("label-supplement"), f"{show.one_line(s.batch)}: {show.one_line(phrases.supplement(s))}")
    for s in summaries[:SHOWN]:
        show.labelled(text("label-originals"), text("masters-in-version", safe=phrases.safety(s), version=s.version))
        show.labelled(text("label-report"), homely(home.reports / f"{s.aip}.html"))
    if len(summaries) > SHOWN:
        show.labelled(text("label-report"), homely(home.reports / "index.html"))
    if open_ := [s for s in summaries if s.needing]:
        show.labelled(text("label-look"), status_of(open_))


def status_of(summaries: Sequence[Summary]) -> str:
    """The command that shows all of it."""
    return f"perenne status {show.shell(summaries[0].batch)}" if len(summaries) == 1 else "perenne status"


def homely(path: Path) -> str:
    """A path as a shell takes it, short where it lies in the person's own folder."""
    own = Path.home()
    return f"~/{path.relative_to(own)}" if path.is_relative_to(own) and own != Path("/") else str(path)
