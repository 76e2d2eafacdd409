"""What there is to see of a row: where its source and its product lie, and which page tells them apart."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.aip.ledger import ORIGINALS, Ledger
from tasks.config.home import Home
from tasks.premis.model import Ending, Event, EventType, Outcome
from tasks.report.summary import Row

MASTERS = "masters/"
PAGES_TOLD = re.compile(r"\(page (\d{1,6}):")
"""How `pages-differ` names the page whose size is another."""

_Work = tuple[uuid.UUID, str, str, str]


@dataclass(frozen=True, slots=True)
class Sight:
    """Two files to look at; `page` from 1 where the event names one, None where it must be looked for."""

    source: Path
    product: Path
    page: int | None


def sights(home: Home, ledger: Ledger, rows: Sequence[Row]) -> Iterator[tuple[Row, Sight]]:
    """The rows with a product that lies in `review` or is published in the head, each with what there is to see."""
    wanted = {(ORIGINALS + row.file, row.rule, row.time) for row in rows if row.rule}
    ended: dict[tuple[str, str, str], Event] = {}
    refused: dict[_Work, list[Event]] = {}
    for event in ledger.events if wanted else ():
        if event.source is None:
            continue
        if event.type is EventType.VALIDATION and event.outcome is Outcome.FAIL:
            refused.setdefault(_work(event), []).append(event)
        elif event.ending is not None and (key := (event.source.path, event.rule, event.time.isoformat())) in wanted:
            ended[key] = event
    for row in rows:
        event_of_row = ended.get((ORIGINALS + row.file, row.rule, row.time))
        if event_of_row is not None and (sight := _sight(home, ledger, event_of_row, refused)) is not None:
            yield row, sight


def _sight(home: Home, ledger: Ledger, event: Event, refused: dict[_Work, list[Event]]) -> Sight | None:
    assert event.source is not None  # it ended for a file
    original = ledger.state.get(event.source.path)
    if original is None or original.sha256 != event.source.sha256:
        return None
    if event.ending is Ending.HELD:
        checks = sorted(refused.get(_work(event), ()), key=lambda check: check.code != event.code)
        held = _held(home, ledger, checks[0]) if checks else None
        return Sight(original.path, held, _page(event)) if held is not None else None
    published = _published(ledger, event) if event.ending is Ending.DONE else None
    return Sight(original.path, published, _page(event) or 1) if published is not None else None


def _held(home: Home, ledger: Ledger, check: Event) -> Path | None:
    """The product that a check refused, where it waits for a person."""
    places = (home.review / str(ledger.id) / made.sha256 for made in check.objects if made.role == "outcome")
    return next((place for place in places if place.is_file()), None)


def _published(ledger: Ledger, event: Event) -> Path | None:
    """The first master of an act that the head still has as it was made."""
    for made in event.objects:
        entry = ledger.state.get(made.path)
        if made.role == "outcome" and made.path.startswith(MASTERS) and entry and entry.sha256 == made.sha256:
            return entry.path
    return None


def _page(event: Event) -> int | None:
    named = event.detail.get("page", "")
    if re.fullmatch(r"[1-9]\d{0,5}", named):
        return int(named)
    told = PAGES_TOLD.search(event.detail.get("before", ""))
    return max(1, int(told[1])) if told else None


def _work(event: Event) -> _Work:
    assert event.source is not None
    return event.run, event.rule, event.asked, event.source.path
