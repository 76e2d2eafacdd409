"""What the store and the log say of one AIP; everything else is worked out from it.

Each version carries its events, so what an AIP tells of itself counts as well as the log: a log that was lost, or put
back from an older copy, takes nothing from an AIP.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tasks.premis import codes, log
from tasks.premis.model import (
    Basis,
    Ending,
    Event,
    EventType,
    Fact,
    Facts,
    Identification,
    LinkedObject,
    SourceFile,
    Trouble,
)
from tasks.store.errors import StoreBroken
from tasks.store.ocfl import Store
from tasks.store.reader import Entry, Inventory

ORIGINALS = "originals/"
ABOUT = "metadata/aip.json"
"""What the AIP says of itself: the batch's name and its description."""
EVENTS = "metadata/events/"
"""What each version tells of itself: the events that no earlier one carries, as `vN.parquet`."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was found out about one file: PRONOM's answer, its facts, and what stood in the way, if anything."""

    identification: Identification
    facts: Facts
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class About:
    """The batch behind an AIP, as `metadata/aip.json` has it."""

    batch: str = ""
    languages: str = ""
    producer: str = ""
    title: str = ""
    part: int = 0
    """Which part of the batch it holds, from 1; 0 when it holds the whole batch, as it came first."""

    @property
    def label(self) -> str:
        """What people see: `văn-bản-2003`, `văn-bản-2003 · part 2`."""
        return f"{self.batch} · part {self.part}" if self.part else self.batch


@dataclass(frozen=True, slots=True)
class Ledger:
    """One AIP at one moment. `state` is the head version's; `staged` path → SHA-256 of what waits for the next one.

    `events` are those of the log and of the AIP itself, each once, oldest first; `packed` the ids of those that a
    version carries.
    """

    id: uuid.UUID
    about: About
    head: int
    state: Mapping[str, Entry]
    events: tuple[Event, ...]
    staged: Mapping[str, str] = field(default_factory=dict)
    packed: frozenset[uuid.UUID] = frozenset()

    @property
    def originals(self) -> tuple[tuple[SourceFile, Path], ...]:
        """Every original with the place of its bytes, by path."""
        return tuple(
            (SourceFile(path, entry.size, entry.sha256), entry.path)
            for path, entry in sorted(self.state.items())
            if path.startswith(ORIGINALS)
        )

    @property
    def last(self) -> datetime | None:
        """When the last event of the AIP was, as far as is known and believed."""
        last = self.events[-1] if self.events else None
        return last.time if last and log.believed(last, datetime.now(UTC)) else None

    def known(self) -> dict[tuple[str, str], Known]:
        """(path, sha256) → what is known; a passing trouble counts as not known, so that it is asked again."""
        return dict(_known(self.events))

    def settled(self) -> Mapping[log.Key, Event]:
        """How each piece of work stands; what is done but whose product is nowhere is left out (`product-lost`)."""
        return {
            key: event
            for key, event in log.settled(self.events).items()
            if event.ending is not Ending.DONE or self.has_products(event)
        }

    def has_products(self, event: Event) -> bool:
        """Whether all that an act made is there under its name: in the head, or waiting for the next version."""
        return all(self._has(made) for made in event.objects if made.role == "outcome")

    def _has(self, made: LinkedObject) -> bool:
        stored = self.state.get(made.path)
        return self.staged.get(made.path) == made.sha256 or (stored is not None and stored.sha256 == made.sha256)


def read(store: Store, log_root: Path, aip: uuid.UUID) -> Ledger | None:
    """The ledger of one AIP, or None when the store does not hold it. Raises StoreBroken and LogError."""
    inventory = store.inventory(aip)
    return None if inventory is None else of(store, inventory, log.read_many(log_root, [aip])[aip])


def of(store: Store, inventory: Inventory, told: Sequence[Event]) -> Ledger:
    """The ledger of an AIP whose inventory is at hand, and what is told of it elsewhere, oldest first.

    Raises StoreBroken, also where the events that it carries are damaged.
    """
    state, aip = inventory.state(), inventory.aip
    events, packed = _with_packed(told, state)
    return Ledger(aip, about(state), inventory.head, state, events, store.staged(aip), packed)


def _with_packed(told: Sequence[Event], state: Mapping[str, Entry]) -> tuple[tuple[Event, ...], frozenset[uuid.UUID]]:
    """The events with those that only the AIP carries, and the ids of all that it carries.

    Of what is told elsewhere too, which is nearly always all, no more than the ids is read.
    """
    known = {event.id for event in told}
    packed: set[uuid.UUID] = set()
    more: list[Event] = []
    for path, entry in state.items():
        if path.startswith(EVENTS):
            content = entry.read()
            ids = log.ids_of(content)
            if not known.issuperset(ids):
                more += [event for event in log.read_part(content) if event.id not in known]
                known.update(ids)
            packed.update(ids)
    return tuple(log.in_order([*told, *more]) if more else told), frozenset(packed)


def about(state: Mapping[str, Entry]) -> About:
    """The batch of an AIP from its own metadata. Raises StoreBroken where that is damaged, PermissionError."""
    if ABOUT not in state:
        return About()
    try:
        return About(**json.loads(state[ABOUT].read()))
    except (ValueError, TypeError) as error:  # what a later release wrote
        raise StoreBroken(state[ABOUT].path, f"not what an AIP says of itself: {error}") from error


def identification_detail(answer: Identification, extra: Mapping[str, str]) -> dict[str, str]:
    """An identification as an event's detail, absent values left out; `identification_from` reads it back."""
    values = {
        "puid": answer.puid or "",
        "format": answer.name,
        "format_version": answer.version,
        "mime": answer.mime,
        "basis": answer.basis.value,
        "warning": answer.warning,
        "others": " ".join(answer.others),
        "release": answer.release,
    }
    return {k: v for k, v in {**values, **extra}.items() if v}


def identification_from(detail: Mapping[str, str]) -> Identification:
    """The mirror image of `identification_detail`."""
    return Identification(
        puid=detail.get("puid") or None,
        name=detail.get("format", ""),
        version=detail.get("format_version", ""),
        mime=detail.get("mime", ""),
        basis=Basis(detail.get("basis", "nothing")),
        warning=detail.get("warning", ""),
        others=tuple(detail.get("others", "").split()),
        release=detail.get("release", ""),
    )


def facts_detail(facts: Facts) -> dict[str, str]:
    """Facts as an event's detail: one canonical JSON text, since details are texts."""
    return {"facts": json.dumps(dict(facts), sort_keys=True, separators=(",", ":"), ensure_ascii=False)}


def facts_from(detail: Mapping[str, str]) -> dict[str, Fact]:
    """The mirror image of `facts_detail`."""
    found: dict[str, Fact] = json.loads(detail.get("facts", "{}"))
    return found


def _known(events: Iterable[Event]) -> Iterable[tuple[tuple[str, str], Known]]:
    """Pairs of one run's identification and extraction events; the last pair of a file counts."""
    answers: dict[tuple[str, str], Identification] = {}
    for event in events:
        if event.source is None or event.ending is not None:
            continue
        key = (event.source.path, event.source.sha256)
        if event.type is EventType.IDENTIFICATION:
            answers[key] = identification_from(event.detail)
        elif event.type is EventType.EXTRACTION and key in answers:
            trouble = Trouble(event.code, **event.detail) if _stops(event) else None
            if trouble is None or not codes.code(trouble.code).transient:
                yield key, Known(answers[key], facts_from(event.detail), trouble)


def _stops(event: Event) -> bool:
    return event.code in codes.CODES and codes.code(event.code).word != codes.NOTE
