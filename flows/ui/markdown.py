"""The summary of a run in Markdown, in the order of reading: verdict, safety, who is needed, numbers, the inbox."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.premis.model import Ending
from tasks.report import phrases
from tasks.report.places import aip_page, file_page
from tasks.report.summary import SHAPES, Row, Summary
from tasks.sip.refusal import Refused
from tasks.words import duration, number, text, visible

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Inbox:
    """What a night left in the inbox: batches that may still be on their way, and names that are no batch."""

    waiting: tuple[str, ...] = ()
    not_taken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """All that a run has to tell when it is over."""

    summaries: tuple[Summary, ...]
    refused: tuple[Refused, ...]
    inbox: Inbox
    night: bool
    policy: str
    seconds: float
    reports: str
    """The address of the reports, without a slash at its end."""
    page: str
    """The report of the run, below that address."""
    folder: Path = Path()
    """Where the reports lie."""

    def rows(self, *, new: bool) -> list[tuple[Summary, Row]]:
        """What needs a person, batch by batch; with `new` what is news to whoever asked, without what is not."""
        found = [(summary, row) for summary in self.summaries for row in summary.attention]
        return [one for one in found if (one[1].new or not self.night) is new]

    def turned_away(self, *, known: bool) -> list[Refused]:
        """The refused deliveries that are news, or with `known` those that are not."""
        return [r for r in self.refused if (r.known and self.night) is known]


def markdown(one: Account) -> str:
    """The whole summary."""
    verdict = phrases.verdict(one.summaries) if one.summaries else phrases.needs((), len(one.turned_away(known=False)))
    lines = [f"## {verdict}", "", *_safe(one.summaries), "", _foot(one), ""]
    for summary in one.summaries:
        if summary.supplement and summary.supplement.now:
            lines += [f"**{escaped(summary.batch)}: {escaped(phrases.supplement(summary))}**", ""]
    lines += _titled(text("refused-deliveries"), _refused(one.turned_away(known=False)))
    lines += _titled(text("what-needs-a-person"), _rows(one, new=True))
    lines += _numbers(one)
    lines += _inbox(one.inbox)
    older = [*_refused(one.turned_away(known=True)), *_rows(one, new=False)]
    lines += _titled(text("older-matters"), older)
    return "\n".join(lines)


def _safe(summaries: Sequence[Summary]) -> Iterator[str]:
    """Safe is said before sorry, and once where all is safe."""
    unsafe = [s for s in summaries if s.unsafe or s.alarm]
    if len(summaries) == 1 or unsafe:
        for summary in (unsafe or summaries)[:SHOWN]:
            yield f"{escaped(summary.batch)}: {phrases.safety(summary)}  "
    elif summaries:
        yield text("all-originals-safe", n=sum(s.files for s in summaries))


def _foot(one: Account) -> str:
    parts = [f"[{text('open-the-report-of-the-run')}]({one.reports}/{one.page})"]
    if one.summaries:
        parts.append(text("n-masters", n=sum(s.masters for s in one.summaries)))
    parts += [duration(one.seconds), *([text("policy-named", name=escaped(one.policy))] if one.policy else [])]
    return " · ".join(parts)


def _titled(title: str, lines: Iterable[str]) -> list[str]:
    found = list(lines)
    return [f"### {title}", "", *found] if found else []


def _refused(refused: Sequence[Refused]) -> Iterator[str]:
    for one in refused[:SHOWN]:
        why, _, faults = one.why.partition("\n")
        yield f"**✕ {escaped(one.batch)}** {f'`{one.code}`' if one.code else ''}  "
        yield from (escaped(why), "")
        yield from (f"- {escaped(fault)}" for fault in faults.splitlines()[:SHOWN])
        yield ""
    if len(refused) > SHOWN:
        yield from (text("and-more", n=len(refused) - SHOWN), "")


def _rows(one: Account, *, new: bool) -> Iterator[str]:
    rows = one.rows(new=new)
    for summary, row in rows[:SHOWN]:
        link = f"[{label(file_of(one, summary, row))}]({one.reports}/{page_of(one, summary, row)})"
        yield f"**{SHAPES[row.ending]} {phrases.ended(row.ending)}** `{row.code}` **{link}**  "
        yield f"{escaped(row.seen)}  "
        yield from (f"→ {escaped(row.do)}", "") if row.do else ("",)
    more = len(rows) - SHOWN + (sum(s.more for s in one.summaries) if new else 0)
    if more > 0:
        yield from (text("and-more-in-the-table", n=more), "")


def _numbers(one: Account) -> Iterator[str]:
    if len(one.summaries) == 1:
        yield from _endings(one.summaries[0])
    elif one.summaries:
        yield from _batches(one)


def _endings(summary: Summary) -> Iterator[str]:
    yield from (f"| | {text('col-files')} | |", "|---|---:|---|")
    for ending in Ending:
        if n := summary.ended.get(ending, 0):
            yield f"| {SHAPES[ending]} {phrases.ended(ending)} | {number(n)} | {phrases.means(ending)} |"
    yield ""


def _batches(one: Account) -> Iterator[str]:
    """A row a batch, those first that need a person most."""
    heads = [text("col-batch"), text("col-files"), *(f"{SHAPES[e]} {phrases.ended(e)}" for e in Ending)]
    yield from (f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}")
    order = sorted(one.summaries, key=lambda s: (not s.alarm, -s.needing, s.batch))
    for summary in order[:SHOWN]:
        link = f"[{label(summary.batch)}]({one.reports}/{aip_page(summary.aip)})"
        counts = [number(n) if (n := summary.ended.get(e, 0)) else "" for e in Ending]
        yield f"| {' | '.join([link, number(summary.files), *counts])} |"
    yield ""
    if len(order) > SHOWN:
        yield from (text("and-more-batches", n=len(order) - SHOWN), "")


def _inbox(inbox: Inbox) -> Iterator[str]:
    if not inbox.waiting and not inbox.not_taken:
        return
    yield from (f"### {text('in-the-inbox-title')}", "")
    for names, said in ((inbox.waiting, text("inbox-waits")), (inbox.not_taken, text("inbox-not-a-batch"))):
        yield from (f"- **{escaped(name)}**: {said}" for name in names[:SHOWN])
        if len(names) > SHOWN:
            yield f"- {text('and-more', n=len(names) - SHOWN)}"
    yield ""


def file_of(one: Account, summary: Summary, row: Row) -> str:
    """The file's path; before it its batch, where the run had several."""
    return f"{summary.batch}/{row.file}" if len(one.summaries) > 1 else row.file


def page_of(one: Account, summary: Summary, row: Row) -> str:
    """The page that tells most of a file, below the address of the reports: its own if it has one, else its AIP's."""
    own = file_page(summary.aip, row.file)
    return own if (one.folder / own).exists() else aip_page(summary.aip)


def escaped(value: str) -> str:
    """A producer's text inside Markdown: nothing in it may become a link, a tag or a table cell."""
    return _behind(value, "\\`*_{}[]<>()#|!")


def label(value: str) -> str:
    """The same as the text of a link. Prefect shows that text as it is written, each backslash too but before `[]|`:

    what could end the link or begin something else is escaped, and what every other name holds, `_` and `(1)`, is not.
    """
    return _behind(value, "\\`*[]<|")


def _behind(value: str, letters: str) -> str:
    for letter in letters:
        value = value.replace(letter, f"\\{letter}")
    return visible(value)
