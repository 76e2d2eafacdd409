"""Files that need a person: cards with all that is known, then rows, then a count and the command for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.premis.model import Ending
from tasks.report.html.frame import code, command, file, more, section, table, word
from tasks.report.html.safe import Content, Html, el
from tasks.report.pictures import Pair, Picture
from tasks.report.summary import Row
from tasks.words import text

CARDS, ROWS = 20, 200
PRODUCERS = ("source-", "bag-", "archive-", "batch-", "member-", "name-unsafe", "not-a-file", "packing-unknown")
"""Codes whose matter ends when the producer delivers again."""
STORES = ("fixity-", "inventory-", "version-")


@dataclass(frozen=True, slots=True)
class Need:
    """One row of a page with what the page knows about it."""

    row: Row
    batch: str
    delivery: str = ""  # where the batch was delivered; "" where nobody knows
    link: str = ""  # the page of the file, from here; "" for none
    pair: Pair | None = None
    named: bool = False  # say the batch, too: the page is about several


def next_command(need: Need) -> tuple[str, ...]:
    """The command that goes with the advice, word by word."""
    row = need.row
    if row.code.startswith(STORES):
        return ("perenne", "verify", need.batch)
    if row.code.startswith(PRODUCERS) or not row.stored or row.ending is Ending.WAITING:
        return ("perenne", "run", need.delivery or need.batch)
    which = "held" if row.ending is Ending.HELD else "failed"
    return ("perenne", "reprocess", need.batch, "--which", which, "--path", row.file, "--reason", "…")


def people(needs: Sequence[Need], left: int, *, all_of: tuple[str, ...]) -> Html | None:
    """The section of what needs a person, worst first; `left` more are known of and not at hand."""
    if not needs:
        return None
    cards = [_card(number, need) for number, need in enumerate(needs[:CARDS], 1)]
    rows = needs[CARDS : CARDS + ROWS]
    return section(
        "need",
        text("page-what-needs-a-person"),
        *cards,
        listed(rows) if rows else None,
        more(left + max(0, len(needs) - CARDS - ROWS), *all_of),
    )


def others(name: str, title: str, needs: Sequence[Need], *, left: int, all_of: tuple[str, ...]) -> Html | None:
    """A section of rows: what waits for the next run, or is worth knowing."""
    if not needs:
        return None
    return section(name, title, listed(needs[:ROWS]), more(left + max(0, len(needs) - ROWS), *all_of))


def listed(needs: Sequence[Need]) -> Html:
    """Rows of a table: outcome and code, file, what was seen and what to do."""
    heads = [
        ("c-out", text("page-outcome")),
        ("c-file", text("page-file")),
        ("", text("page-seen")),
        ("c-do", text("page-to-do")),
    ]
    return table("rows", heads, [_cells(need) for need in needs])


def _cells(need: Need) -> list[tuple[str, Content]]:
    row = need.row
    kind = el("span", word(row.ending), " ", code(row.code)) if row.code else word(row.ending)
    return [("bare", kind), ("head", _name(need)), ("wide", row.seen), ("wide", row.do)]


def _name(need: Need) -> Content:
    shown: Content = file(need.row.file)
    if need.link:
        shown = el("a", shown, href=need.link)
    return [file(need.batch), ": ", shown] if need.named else shown


def _card(place: int, need: Need) -> Html:
    row = need.row
    told = [
        el("dt", text("page-seen")),
        el("dd", row.seen),
        el("dt", text("page-to-do")),
        el("dd", row.do or text("page-nothing-to-be-done"), command(*next_command(need))),
    ]
    return el(
        "article",
        el("p", word(row.ending), code(row.code) if row.code else None, _rule(row), class_="kind"),
        el("h3", _name(need), id=f"n{place}"),
        el("div", el("dl", *told, class_="smd"), side_by_side(need.pair, row.ending), class_="cols"),
        class_=f"need {row.ending.value}",
        aria_labelledby=f"n{place}",
    )


def _rule(row: Row) -> Html | None:
    return el("span", text("page-rule"), " ", code(row.rule), class_="soft") if row.rule else None


def side_by_side(pair: Pair | None, ending: Ending, kind: str = "pair") -> Html | None:
    """A page of the source and the same of what was made of it; None where there is nothing to see."""
    if pair is None or (pair.source is None and pair.product is None):
        return None
    made = text("page-product") if ending in (Ending.HELD, Ending.FAILED) else text("page-master")
    return el("div", _figure(text("page-source"), pair.source), _figure(made, pair.product), class_=kind)


def _figure(told: str, picture: Picture | None) -> Html:
    if picture is None:
        nothing = el("div", el("p", text("page-cannot-be-drawn")), class_="sheet none")
        return el("figure", nothing, el("figcaption", told), class_="pic")
    where = text("page-of", page=picture.page, pages=picture.pages) if picture.pages > 1 else ""
    caption = f"{told}, {where}" if where else told
    drawn = el("img", src=picture.uri, alt=caption, width=str(picture.width), height=str(picture.height))
    return el("figure", el("div", drawn, class_="sheet"), el("figcaption", caption), class_="pic")
