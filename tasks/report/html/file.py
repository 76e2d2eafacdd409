"""The page of one file that needs a person: what was seen, what to do, pictures, every event, digests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import groupby

from tasks.premis import codes
from tasks.premis.model import Event, EventType, Outcome
from tasks.report import acts, phrases
from tasks.report.account import Account, Story
from tasks.report.html import frame, how
from tasks.report.html.frame import code, command, digest, pairs, section, word
from tasks.report.html.needs import Need, next_command, side_by_side
from tasks.report.html.safe import Content, Html, el, join, seen
from tasks.report.pictures import Pair
from tasks.words import day, duration, listed, size, text

OUTCOMES = {
    Outcome.SUCCESS: "page-outcome-success",
    Outcome.WARNING: "page-outcome-warning",
    Outcome.FAIL: "page-outcome-fail",
}
HAPPENED = {
    EventType.INGESTION: "page-event-ingestion",
    EventType.DIGEST: "page-event-digest",
    EventType.IDENTIFICATION: "page-event-identification",
    EventType.EXTRACTION: "page-event-extraction",
    EventType.POLICY: "page-event-policy",
    EventType.NORMALIZATION: "page-event-normalization",
    EventType.MIGRATION: "page-event-migration",
    EventType.VALIDATION: "page-event-validation",
    EventType.CREATION: "page-event-creation",
    EventType.FIXITY: "page-event-fixity",
}
PLACES = {
    "original": "page-digest-original",
    "master": "page-digest-master",
    "transcript": "page-digest-transcript",
    "product": "page-digest-product",
}
MEASURES = 24
"""Of one event so many figures are shown; the log has them all."""


def page(one: Account, story: Story, pair: Pair | None, *, review: str, when: datetime) -> str:
    """The page. `review` is the folder where products of this AIP wait."""
    row, batch = story.row, one.summary.batch
    folder, _, name = row.file.rpartition("/")
    main = [
        el(
            "h1",
            el("span", f"{seen(folder)}/", class_="folder path", translate="no") if folder else None,
            el("bdi", seen(name), class_="path", translate="no"),
            class_="file",
        ),
        el("p", word(row.ending), el("span", row.seen), class_="verdict"),
        _move(story),
        _to_do(Need(row, batch, one.delivery), story, review),
        _pictures(pair, story),
        _events(story.events),
        _digests(story),
        section("check", text("page-check-it-yourself"), pairs(_commands(story, batch))),
    ]
    told = join(text("page-file-of-batch"), " ", el("a", frame.file(batch), href=f"../{one.summary.aip}.html"))
    return frame.page(f"{seen(name)}: {row.code}", told, main, root="../", when=when, foot=text("page-file-foot"))


def _move(story: Story) -> Html:
    file = story.file
    before = el(
        "dl",
        el("dt", text("page-source")),
        el(
            "dd",
            file.format or text("page-format-not-known"),
            " ",
            el("span", file.puid, class_="soft", translate="no"),
        ),
        el("dd", size(file.size)),
    )
    after = el("dl", el("dt", text("page-master")), el("dd", how.becomes(file)))
    return el("div", before, el("p", "→", class_="arrow", aria_hidden="true"), after, class_="move")


def _to_do(need: Need, story: Story, review: str) -> Html:
    waiting = [f"{review}/{sha256}" for role, _, sha256 in story.digests if role == "product"]
    look = [el("p", text("page-product-lies-at"), class_="more"), *(command(p) for p in waiting)] if waiting else None
    return section(
        "do",
        text("page-what-to-do"),
        el("p", need.row.do or text("page-nothing-to-be-done")),
        command(*next_command(need)),
        look,
        el("p", text("page-code"), " ", code(need.row.code), class_="more soft") if need.row.code else None,
    )


def _pictures(pair: Pair | None, story: Story) -> Html | None:
    if (drawn := side_by_side(pair, story.row.ending, "pair big")) is None:
        return None
    return section("side", text("page-side-by-side"), drawn)


def _events(events: Iterable[Event]) -> Html:
    days = []
    for when, some in groupby(events, key=lambda e: day(e.time)):
        days += [el("h3", when, class_="day"), el("ol", *map(_event, some), class_="events")]
    return section("events", text("page-what-was-done"), el("p", text("page-each-line-an-event"), class_="soft"), *days)


def _event(event: Event) -> Html:
    soft: list[Content] = [el("span", event.type.value, class_="type", lang="en")]
    soft += [[" · ", told] for told in _beside(event)]
    figures = " · ".join(f"{m.name} {m.value} {m.unit}".strip() for m in event.measures[:MEASURES])
    return el(
        "li",
        el(
            "p",
            el("time", f"{event.time.astimezone():%H:%M}", datetime=event.time.isoformat(timespec="milliseconds")),
            class_="t",
        ),
        el(
            "div",
            el("p", el("b", _told(event))),
            el("p", *soft, class_="soft"),
            el("p", figures, class_="soft", translate="no") if figures else None,
            el("p", _agents(event), class_="soft", translate="no") if event.agents else None,
        ),
        el("p", text(OUTCOMES[event.outcome]), class_=f"o {event.outcome.value}"),
        class_=event.outcome.value,
    )


def _told(event: Event) -> str:
    """What happened, in one sentence."""
    if event.code in codes.CODES:
        return codes.message(event.code, event.detail)
    if event.type is EventType.IDENTIFICATION:
        return _identified(event.detail)
    if event.type is EventType.VALIDATION and (check := event.detail.get("check")):
        return text("page-event-check", check=how.check_word(check))
    return text(HAPPENED[event.type])


def _identified(detail: Mapping[str, str]) -> str:
    basis = detail.get("basis", "")
    by = text(acts.BASES[basis]) if basis in acts.BASES else ""
    found = listed([part for part in (detail.get("format", ""), detail.get("puid", ""), by) if part])
    return found or text("page-format-not-known")


def _beside(event: Event) -> Iterable[Content]:
    if event.code:
        yield code(event.code)
    if event.rule:
        yield join(text("page-rule"), " ", code(event.rule))
    if event.ending:
        yield phrases.ended(event.ending)
    if event.duration_ms >= 100:
        yield duration(event.duration_ms / 1000)
    for key in ("reason", "same_bytes_as"):
        if key in event.detail:
            yield el("q", event.detail[key]) if key == "reason" else frame.file(event.detail[key])


def _agents(event: Event) -> str:
    return " · ".join(f"{a.name} {a.version}".strip() for a in event.agents)


def _digests(story: Story) -> Html | None:
    if not story.digests:
        return None
    rows = [
        (text(PLACES[role]), join(digest(sha256), el("br"), frame.file(place)) if place else digest(sha256))
        for role, place, sha256 in story.digests
    ]
    return section("digests", text("page-digests-sha256"), pairs(rows))


def _commands(story: Story, batch: str) -> Iterable[tuple[Content, Content]]:
    yield text("page-all-of-it"), command("perenne", "history", batch, story.row.file)
    yield text("page-every-digest"), command("perenne", "verify", batch)
