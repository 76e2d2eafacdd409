"""Events for tests: plain ones by hand, wild ones by hypothesis."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from tasks.premis.model import (
    Agent,
    AgentKind,
    Ending,
    Event,
    EventType,
    LinkedObject,
    Measure,
    Outcome,
    aip_id,
)

START = datetime(2024, 11, 21, 19, 5, tzinfo=UTC)
AIP = aip_id("văn-bản-2003")
RUN = uuid.UUID("0190f3c4-0000-7000-8000-000000000001")


def event(
    number: int,
    path: str = "originals/báo-cáo.doc",
    *,
    kind: EventType = EventType.NORMALIZATION,
    outcome: Outcome = Outcome.SUCCESS,
    code: str = "",
    detail: Mapping[str, str] | None = None,
    ending: Ending | None = None,
    time: datetime | None = None,
    aip: uuid.UUID = AIP,
    run: uuid.UUID = RUN,
    rule: str = "doc-2u",
    asked: str = "",
    sha256: str = "ab" * 32,
    products: tuple[LinkedObject, ...] = (),
    agents: tuple[Agent, ...] = (Agent("LibreOffice", "7.4.7.2"),),
) -> Event:
    """One event about one file, the `number`th second after the start."""
    return Event(
        id=uuid.uuid5(aip, f"{run} {number} {path!r}"),
        type=kind,
        time=time or START + timedelta(seconds=number),
        outcome=outcome,
        code=code,
        detail=detail or {},
        asked=asked,
        run=run,
        aip=aip,
        seq=number,
        duration_ms=7 * number,
        policy="default-7",
        rule=rule,
        ending=ending,
        agents=agents,
        objects=(LinkedObject("source", path, sha256, 61_000, "fmt/40"), *products),
        measures=(Measure("similarity", "0.998"), Measure("words", "1004", "1")),
    )


def master(path: str, sha256: str = "cd" * 32) -> LinkedObject:
    """A product that an event made."""
    return LinkedObject("outcome", path, sha256, 48_000, "fmt/477")


_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
_WORD = st.text(st.characters(codec="ascii"), min_size=1, max_size=12)
_PATH = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60)
_SHA256 = st.one_of(st.just(""), st.binary(min_size=32, max_size=32).map(bytes.hex))
_AGENT = st.builds(Agent, _TEXT, _TEXT, st.sampled_from(AgentKind))
_OBJECT = st.builds(
    LinkedObject, st.sampled_from(("source", "outcome")), _PATH, _SHA256, st.integers(0, 2**62), st.just("fmt/40")
)

EVENTS = st.builds(
    Event,
    id=st.uuids(),
    type=st.sampled_from(EventType),
    time=st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
    outcome=st.sampled_from(Outcome),
    code=st.sampled_from(("", "same", "text-lost")),
    detail=st.dictionaries(_WORD, _TEXT, max_size=4),
    asked=_SHA256,
    run=st.uuids(),
    aip=st.uuids(),
    seq=st.integers(0, 2**31 - 1),
    duration_ms=st.integers(0, 2**62),
    policy=_TEXT,
    rule=_TEXT,
    ending=st.one_of(st.none(), st.sampled_from(Ending)),
    agents=st.lists(_AGENT, max_size=3).map(tuple),
    objects=st.lists(_OBJECT, max_size=3).map(tuple),
    measures=st.lists(st.builds(Measure, _TEXT, _TEXT, _TEXT), max_size=3).map(tuple),
)
