"""The page of one AIP: verdict, numbers, what needs a person, notes, formats, how, check, all files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from tasks.premis.model import Ending
from tasks.pronom import names
from tasks.report import phrases
from tasks.report.account import Account, File, Format
from tasks.report.html import frame, how
from tasks.report.html.frame import Cell, count, file, section, table, word
from tasks.report.html.needs import Need, others, people
from tasks.report.html.safe import Content, Html, el, join, seen
from tasks.report.pictures import Pair
from tasks.report.places import file_page
from tasks.report.summary import WORST, Row
from tasks.words import number, size, text

FILES = 1000
"""A page with more files has a table of their folders instead."""
FOLDERS = 1000


def page(one: Account, pictures: Mapping[Row, Pair], *, root: str, when: datetime) -> str:
    """The page. `root` is the home's folder, for the commands that look into it."""
    summary = one.summary
    batch = summary.batch
    status = ("perenne", "status", batch)
    linked = {s.row.file for s in one.stories}

    def need(row: Row) -> Need:
        link = file_page(summary.aip, row.file) if row.file in linked else ""
        return Need(row, batch, one.delivery, link, pictures.get(row))

    # Of an AIP that is not as stored nothing is called done or unchanged at the top of its page.
    head = "" if summary.alarm else f" {text('page-head-is', version=str(summary.version))}"
    main = [
        frame.verdict(phrases.verdict([summary]), Ending.FAILED if summary.alarm else None),
        el("p", phrases.safety(summary), head, class_="lede"),
        el("p", told, class_="lede") if (told := phrases.supplement(summary)) else None,
        frame.numbers((e, summary.ended.get(e, 0), phrases.means(e)) for e in frame.ORDER if not summary.alarm),
        _facts(one),
        people([need(r) for r in summary.attention], summary.more, all_of=status),
        others("wait", text("page-waits-for-next-run"), [need(r) for r in summary.waiting], left=0, all_of=status),
        others("note", text("page-notes-when-time"), [need(r) for r in summary.notes], left=0, all_of=status),
        _formats(one),
        how.section_of(one),
        how.checks(one, root),
        _all(one, linked),
    ]
    title = f"{seen(batch)}: {phrases.verdict([summary])}"
    told = join(text("page-report-on-batch"), " ", el("b", file(batch)))
    return frame.page(title, told, main, when=when)


def _facts(one: Account) -> Html:
    summary, sizes = one.summary, (size(one.bytes_in), size(one.bytes_made))
    return frame.facts(
        (number(summary.masters), text("n-masters", n=summary.masters)),
        (number(one.transcripts), text("page-fact-transcripts", n=one.transcripts)) if one.transcripts else None,
        (sizes[0], text("page-fact-in", size=sizes[0])),
        (sizes[1], text("page-fact-of-masters", size=sizes[1])) if one.bytes_made else None,
        (number(summary.events), text("n-events", n=summary.events)),
        (number(summary.noted), text("n-notes", n=summary.noted)) if summary.noted else None,
    )


def _formats(one: Account) -> Html | None:
    if not one.formats:
        return None
    there = [e for e in frame.ORDER if one.summary.ended.get(e, 0) or any(f.ended.get(e, 0) for f in one.formats)]
    heads = [("", text("page-before")), ("", text("page-after")), *(("n", phrases.ended(e)) for e in there)]
    rows = [_format(f, there) for f in one.formats[:FILES]]
    sums = Counter(f.ending for f in one.files)
    foot: list[Cell] = [
        ("head", text("n-files", n=len(one.files))),
        ("bare", text("n-masters", n=one.summary.masters)),
        *(("n", count(sums[e])) for e in there),
    ]
    return section("fmt", text("page-formats-before-after"), table("fmt", heads, rows, foot))


def _format(one: Format, there: Sequence[Ending]) -> list[Cell]:
    told: list[Content] = [one.name or text("page-format-not-known")]
    if one.puid:
        told += [" ", el("span", one.puid, class_="soft", translate="no")]
    made = ", ".join(names.name(p) for p in one.targets)
    if not made:
        made = text("page-kept-as-it-is") if one.ended.get(Ending.KEPT) else text("page-no-master")
    return [("head", told), ("bare wide", made), *(("n", count(one.ended.get(e, 0))) for e in there)]


def _all(one: Account, linked: set[str]) -> Html | None:
    if not one.files:
        return None
    if len(one.files) > FILES:
        return _folders(one)
    heads = [
        ("c-out", text("page-outcome")),
        ("c-file", text("page-file")),
        ("", text("page-before-and-after")),
        ("c-do", text("page-checked")),
    ]
    ranks = {e: place for place, e in enumerate(WORST)}
    files = sorted(one.files, key=lambda f: ranks[f.ending])
    codes = {row.file: row.code for row in (*reversed(one.summary.waiting), *reversed(one.summary.attention))}
    rows = [_file(f, one, codes.get(f.path, ""), linked=f.path in linked) for f in files]
    return section("all", text("page-all-files", n=len(files)), table("rows", heads, rows))


def _file(one: File, of: Account, code: str, *, linked: bool) -> list[Cell]:
    shown: Content = file(one.path)
    if linked:
        shown = el("a", shown, href=file_page(of.summary.aip, one.path))
    becomes = join(" ", el("span", "→", aria_hidden="true"), el("span", text("page-becomes"), class_="vh"), " ")
    change = [one.format or text("page-format-not-known"), becomes, how.becomes(one)]
    return [("bare", word(one.ending)), ("head", shown), ("bare wide", change), ("bare wide", _checked(one, code))]


def _checked(one: File, code: str) -> Content:
    if one.ending in (Ending.DONE, Ending.KEPT):
        said = [how.check_word(c) for w in one.works for c in w.checks]
        said += [w.code for w in one.works if w.code not in ("", "same")]
        return " · ".join(dict.fromkeys(said))
    return code


def _folders(one: Account) -> Html:
    """More files than anybody reads: their folders, each with how its files ended."""
    found: dict[str, Counter[Ending]] = {}
    for one_file in one.files:
        found.setdefault(str(PurePosixPath(one_file.path).parent), Counter())[one_file.ending] += 1
    there = [e for e in frame.ORDER if any(c[e] for c in found.values())]
    heads = [("", text("page-folder")), ("n", text("page-files")), *(("n", phrases.ended(e)) for e in there)]
    rows: list[list[Cell]] = [
        [("head", file(f"{path}/")), ("n", number(ended.total())), *(("n", count(ended[e])) for e in there)]
        for path, ended in sorted(found.items())[:FOLDERS]
    ]
    return section(
        "all",
        text("page-all-by-folder", n=len(one.files)),
        table("fmt", heads, rows),
        frame.more(len(found) - FOLDERS, "perenne", "status", one.summary.batch, "--json"),
    )
