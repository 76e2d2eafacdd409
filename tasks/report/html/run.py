"""The page of one run: verdict, numbers, what needs a person, every batch, refused deliveries, stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from tasks.premis import codes
from tasks.premis.model import Ending
from tasks.report import phrases
from tasks.report.html import frame
from tasks.report.html.frame import Cell, code, count, file, pairs, section, table, word
from tasks.report.html.needs import Need, others, people
from tasks.report.html.safe import Content, Html, el, join
from tasks.report.places import aip_page, file_page
from tasks.report.ran import BATCHES, Ran, passing, worst
from tasks.report.summary import Row, Summary
from tasks.sip.refusal import Refused
from tasks.words import duration, moment, number, text

KINDS = {"night": "page-run-night", "batch": "page-run-batch", "reprocess": "page-run-reprocess"}
STAGES = {
    "ingest": "page-stage-ingest",
    "identify": "page-stage-identify",
    "normalize": "page-stage-normalize",
    "package": "page-stage-package",
}
LINES = 20
"""Of what is said of a refused delivery so many lines are shown."""


def kind(name: str) -> str:
    """What kind of run it was, as people say it."""
    return text(KINDS[name]) if name in KINDS else name


def page(one: Ran, *, there: Callable[[str], bool], when: datetime) -> str:
    """The page; it lies one folder below the other reports. `there` says whether a page of a file exists."""
    status = ("perenne", "status")

    def need(summary: Summary, row: Row) -> Need:
        place = file_page(summary.aip, row.file)
        return Need(row, summary.batch, link=f"../{place}" if there(place) else "", named=len(one.summaries) > 1)

    sound = sum((Counter(s.ended) for s in one.summaries if not s.alarm), Counter[Ending]())
    bad = one.stopped or any(s.alarm for s in one.summaries)
    waiting = [need(s, row) for s in one.summaries for row in s.waiting]
    said = sum(s.ended.get(Ending.WAITING, 0) for s in one.summaries)
    main = [
        frame.verdict(one.verdict, Ending.FAILED if bad else None),
        _why(one),
        frame.numbers((e, sound[e], phrases.means(e)) for e in frame.ORDER),
        _facts(one),
        people([need(s, row) for s, row in one.rows()], one.left(), all_of=status),
        _refused(one.refused),
        others("wait", text("page-waits-for-next-run"), waiting, left=max(0, said - len(waiting)), all_of=status),
        _batches(one.batches()),
        _how(one),
    ]
    told = f"{kind(one.kind)} · {text('n-batches', n=len(one.summaries))}"
    return frame.page(f"{kind(one.kind)}: {one.verdict}", told, main, root="../", when=when, foot=text("page-run-foot"))


def _why(one: Ran) -> Html | None:
    """Of a run that was stopped: that nothing was lost, and what to do. Of one that was put down: its message."""
    if one.stopped:
        advice = codes.advice(one.code, {}) if one.code in codes.CODES else ""
        return join(
            el("p", text("page-stopped-safe"), class_="lede"), el("p", advice, class_="lede") if advice else None
        )
    if one.state in ("Done", "Nothing to do", "Needs a person") or not one.message:
        return None
    return el("p", one.message, class_="lede")


def _facts(one: Ran) -> Html:
    batches, files = len(one.summaries), sum(s.files for s in one.summaries)
    new, took = sum(s.new for s in one.summaries), duration(one.seconds)
    return frame.facts(
        (number(batches), text("n-batches", n=batches)),
        (number(files), text("n-files", n=files)),
        (number(new), text("page-new-needing", n=new)) if new else None,
        (took, took),
    )


def _refused(refused: Sequence[Refused]) -> Html | None:
    if not refused:
        return None
    heads = [("c-out", text("page-outcome")), ("c-file", text("page-delivery")), ("", text("page-seen"))]
    rows = [_one(r) for r in refused[:BATCHES]]
    return section(
        "refused",
        text("page-deliveries-not-taken"),
        table("rows", heads, rows),
        frame.more(len(refused) - BATCHES, "perenne", "status"),
    )


def _one(refused: Refused) -> list[Cell]:
    ending = Ending.WAITING if passing(refused) else Ending.FAILED
    lines = refused.why.splitlines()
    told: list[Content] = [el("p", line) for line in lines[:LINES]]
    if len(lines) > LINES:
        told.append(el("p", text("page-and-more-here", n=len(lines) - LINES)))
    if refused.code in codes.CODES and (advice := codes.advice(refused.code, {})) and "?" not in advice:
        told.append(el("p", el("b", advice)))
    again = join(" ", el("span", text("page-said-before"), class_="soft")) if refused.known else None
    shown = el("span", word(ending), " ", code(refused.code) if refused.code else None, again)
    return [("bare", shown), ("head", file(refused.batch)), ("wide bare", told)]


def _batches(summaries: Sequence[Summary]) -> Html | None:
    if not summaries:
        return None
    there = [e for e in frame.ORDER if any(s.ended.get(e, 0) for s in summaries)]
    heads = [
        ("", text("page-batch")),
        ("n", text("page-files")),
        *(("n", phrases.ended(e)) for e in there),
        ("n", text("page-version")),
    ]
    rows = [_batch(s, there) for s in summaries[:BATCHES]]
    return section(
        "batches",
        text("page-the-batches"),
        table("fmt", heads, rows),
        frame.more(len(summaries) - BATCHES, "perenne", "status"),
    )


def _batch(one: Summary, there: Sequence[Ending]) -> list[Cell]:
    ending = worst([one])
    shape = join(frame.shape(ending.value), el("span", phrases.ended(ending), class_="vh"))
    link = el("a", file(one.batch), href=f"../{aip_page(one.aip)}")
    alarm = join(" ", el("b", text("page-alarm-word"), class_="failed")) if one.alarm else None
    return [
        ("head", [el("span", shape, class_=ending.value), link, alarm]),
        ("n", number(one.files)),
        *(("n", count(one.ended.get(e, 0))) for e in there),
        ("n", str(one.version)),
    ]


def _how(one: Ran) -> Html:
    rows: list[tuple[Content, Content] | None] = [
        (text("page-kind-of-run"), kind(one.kind)),
        (text("page-reason"), one.reason) if one.reason else None,
        (text("page-policy"), code(one.policy)) if one.policy else None,
        (text("page-began"), moment(one.started)),
        (text("page-took"), duration(one.seconds)),
        (text("page-ended-as"), one.message or one.state),
        (text("page-run-id"), code(str(one.run))),
        (text("page-as-data"), el("a", file(f"{one.run}.json"), href=f"{one.run}.json")),
    ]
    heads = [("", text("page-stage")), ("n", text("page-how-many")), ("n", text("page-took"))]
    stages: list[list[Cell]] = [
        [
            ("head", text(STAGES[s.name]) if s.name in STAGES else s.name),
            ("n", number(s.done)),
            ("n", duration(s.seconds)),
        ]
        for s in one.stages
    ]
    return section("how", text("page-how-it-was-done"), pairs(rows), table("fmt", heads, stages) if stages else None)
