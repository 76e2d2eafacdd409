"""How it was done and how to check it: policy, rules, tools with versions, places, commands that prove it."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.premis.model import Agent, Ending
from tasks.pronom import names
from tasks.report import phrases
from tasks.report.account import Account, File
from tasks.report.html import frame
from tasks.report.html.frame import Cell, code, command, file, pairs, table
from tasks.report.html.safe import Content, Html, el, join
from tasks.words import listed, number, text

ASKED = (
    '"select event_datetime, event_type, outcome, outcome_code, object_path from read_parquet('
    "'events/**/*.parquet', union_by_name = true, hive_partitioning = false) "
    "where aip_id = '{aip}' order by event_datetime, seq\""
)
"""A day that is being put into one file at that moment is told twice; docs/queries.md has the view that knows."""
CHECKS = {
    "pdfa": "page-check-pdfa",
    "tiff": "page-check-tiff",
    "pages": "page-check-pages",
    "text": "page-check-text",
    "words": "page-check-words",
    "ink": "page-check-ink",
    "pixels": "page-check-pixels",
}


def check_word(name: str) -> str:
    """What a validator looks at; a module that nobody named yet by its own name."""
    return text(CHECKS[name]) if name in CHECKS else name


def becomes(one: File) -> str:
    """What was made of a file: formats of its masters, the original itself, or nothing."""
    if one.targets:
        return listed([names.name(puid) for puid in one.targets])
    if one.ending is Ending.KEPT:
        return text("page-the-original")
    return text("page-not-published") if one.ending is Ending.HELD else text("page-no-master")


def section_of(one: Account) -> Html:
    """Policy, rules, tools, protection, what is stored where."""
    summary = one.summary
    policy = [code(one.policy.id), " ", el("span", "sha256 ", code(one.policy.digest[:16]), class_="soft")]
    rows: list[tuple[Content, Content] | None] = [
        (text("page-policy"), policy),
        ("PRONOM", one.release) if one.release else None,
        (text("page-ocr-languages"), code(one.languages)) if one.languages else None,
        (text("page-protection"), text("page-sealed-jobs")),
        (text("page-tools"), tools(one.agents)),
        (
            text("page-stored-as"),
            join("AIP ", code(str(summary.aip)), ", ", text("page-version-n", version=str(summary.version))),
        ),
        (text("page-settled"), phrases.moment(summary.settled_since)) if summary.settled_since else None,
        (text("page-last-fixity"), _checked(one)),
    ]
    return frame.section("how", text("page-how-it-was-done"), pairs(rows), *_rules(one))


def _checked(one: Account) -> str:
    if one.checked is None:
        return text("page-fixity-never")
    told = phrases.moment(one.checked.time.isoformat())
    return text("page-fixity-bad", moment=told) if one.summary.alarm else text("page-fixity-good", moment=told)


def _rules(one: Account) -> Iterable[Html]:
    if not one.rules:
        return
    heads = [("", text("page-rule")), ("", text("page-made-by")), ("n", text("page-files")), ("", text("page-because"))]
    rows: list[list[Cell]] = [
        [("head", code(r.id)), ("", code(r.action)), ("n", number(n)), ("wide bare", r.because)] for r, n in one.rules
    ]
    yield el("h3", text("page-rules-that-answered"), class_="day")
    yield table("rules", heads, rows)


def tools(agents: Iterable[Agent]) -> Html:
    """Who acted, each with every version that did."""
    versions: dict[str, list[str]] = {}
    for agent in agents:
        versions.setdefault(agent.name, []).append(agent.version)
    return el(
        "ul",
        *(el("li", name, " ", el("span", listed(dict_of(v)), class_="soft")) for name, v in versions.items()),
        class_="tools",
        translate="no",
    )


def dict_of(versions: Iterable[str]) -> list[str]:
    """Each version once, in order."""
    return list(dict.fromkeys(v for v in versions if v))


def checks(one: Account, root: str) -> Html:
    """Commands that prove what the page says, with and without Perenne."""
    batch, aip = one.summary.batch, one.summary.aip
    rows: list[tuple[Content, Content] | None] = [
        (text("page-every-digest"), command("perenne", "verify", batch)),
        (text("page-one-file"), command("perenne", "history", batch, one.files[0].path)) if one.files else None,
        (text("page-the-package"), command("perenne", "export", batch, "out")),
        (text("page-the-events"), frame.line(f"cd {frame.quoted(root)}/log && duckdb -c {ASKED.format(aip=aip)}")),
        (text("page-as-data"), el("a", file(f"{aip}.json"), href=f"{aip}.json")),
    ]
    return frame.section("check", text("page-check-it-yourself"), el("p", text("page-is-a-view")), pairs(rows))
