"""The first page: how every AIP stands, newest first, and the last runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tasks.premis.model import Ending
from tasks.report import phrases
from tasks.report.html import frame
from tasks.report.html.frame import Cell, count, file, section, table
from tasks.report.html.run import kind
from tasks.report.html.safe import Html, el, join
from tasks.report.runs import Run
from tasks.report.shelf import Shelved
from tasks.words import duration, number, text

AIPS, RUNS = 1000, 20
NEEDY = 200
"""So many AIPs that need a person stand first, also old ones."""


def page(aips: Sequence[Shelved], runs: Sequence[Run], *, when: datetime) -> str:
    """The page; AIPs and runs newest first."""
    bad = [a for a in aips if a.needing or a.alarm]
    alarms = sum(a.alarm for a in aips)
    told = [
        text("alarm", n=alarms) if alarms else "",
        text("files-need-a-person", n=sum(a.needing for a in aips)) if any(a.needing for a in aips) else "",
    ]
    sentence = " ".join(filter(None, told)) or (text("nothing-needs-a-person") if aips else text("page-no-report-yet"))
    files = sum(a.files for a in aips)
    main = [
        frame.verdict(sentence, Ending.FAILED if alarms else None),
        el("p", text("page-aips-and-files", n=len(aips), files=text("n-files", n=files)), class_="lede")
        if aips
        else None,
        _section("need", text("page-aips-that-need"), bad, NEEDY) if bad else None,
        _runs(runs),
        _section("aips", text("page-all-aips"), aips, AIPS) if aips else None,
    ]
    return frame.page(text("page-reports"), text("page-reports"), main, when=when)


def _section(name: str, title: str, aips: Sequence[Shelved], most: int) -> Html:
    heads = [
        ("", text("page-batch")),
        ("n", text("page-files")),
        ("n", text("page-in-good-order")),
        ("n", text("page-needs")),
        ("n", text("page-version")),
        ("tight", text("page-written")),
    ]
    rows = [_aip(a) for a in aips[:most]]
    return section(name, title, table("fmt", heads, rows), frame.more(len(aips) - most, "perenne", "status"))


def _aip(one: Shelved) -> list[Cell]:
    ending = Ending.FAILED if one.alarm else Ending(one.worst)
    shape = el("span", frame.shape(ending.value), el("span", phrases.ended(ending), class_="vh"), class_=ending.value)
    alarm = join(" ", el("b", text("page-alarm-word"), class_="failed")) if one.alarm else None
    return [
        ("head", [shape, el("a", file(one.batch), href=f"{one.aip}.html"), alarm]),
        ("n", number(one.files)),
        ("n", number(one.good)),
        ("n", count(one.needing)),
        ("n", str(one.version)),
        ("tight", phrases.moment(one.written)),
    ]


def _runs(runs: Sequence[Run]) -> Html | None:
    if not runs:
        return None
    heads = [
        ("c-when", text("page-began")),
        ("c-do", text("page-kind-of-run")),
        ("", text("page-ended-as")),
        ("n", text("page-took")),
    ]
    return section("runs", text("page-last-runs"), table("rows", heads, [_run(r) for r in runs[:RUNS]]))


def _run(one: Run) -> list[Cell]:
    bad = not one.whole or one.state == "Needs a person"
    ending = Ending.FAILED if one.state == "Stopped" else Ending.HELD if bad else Ending.DONE
    shape = el("span", frame.shape(ending.value), el("span", one.state, class_="vh"), " ", class_=ending.value)
    when = el("a", phrases.moment(one.started), href=f"runs/{one.id}.html")
    return [
        ("bare", when),
        ("head", kind(one.kind)),
        ("wide bare", [shape, one.verdict]),
        ("n", duration(one.seconds)),
    ]
