"""How AIPs stand, read from store and log without any flow: what `status` shows and a report is made from.

One that is damaged or gone stands as that, and the others as they are.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.aip import ledger as ledgers
from tasks.aip.find import names
from tasks.aip.fixity import event_of
from tasks.aip.gone import opened
from tasks.aip.ledger import About, Known, Ledger
from tasks.config.home import Home
from tasks.policy.rules import Policy
from tasks.premis import log
from tasks.premis.model import Ending, Event, EventType, Outcome, aip_id
from tasks.premis.recorder import Recorder
from tasks.report.summary import Row, Summary, row, summarize
from tasks.store.errors import StoreBroken
from tasks.store.fixity import WHOLE, Fault, Kind, fault_of
from tasks.store.ocfl import Store
from tasks.store.reader import Entry

AT_ONCE = 64
"""How many AIPs' events are in memory together."""


@dataclass(frozen=True, slots=True)
class Stands:
    """One AIP as it stands: what store and log say of it, what is known of its files by path, the summary of both."""

    ledger: Ledger
    known: Mapping[str, Known]
    summary: Summary


def standing(home: Home, aips: Iterable[uuid.UUID], policy: Policy) -> list[Summary]:
    """A summary of each AIP under a policy; nothing counts as new. One that was never stored has none.

    Raises Trouble "store-missing" and LogError.
    """
    return [one.summary for one in standings(home, aips, policy)]


def standings(home: Home, aips: Iterable[uuid.UUID], policy: Policy) -> Iterator[Stands]:
    """The same with what each summary is made from. Raises Trouble "store-missing" and LogError."""
    store, wanted = opened(home), list(aips)
    labels = functools.cache(lambda: dict(names(home, gone=True)))  # asked only when something is wrong
    for first in range(0, len(wanted), AT_ONCE):
        some = wanted[first : first + AT_ONCE]
        told = log.read_many(home.log, some)  # once for many
        for aip in some:
            events = told.pop(aip)
            stands = _as_it_is(home, store, aip, events, policy)
            if isinstance(stands, Stands):
                yield stands
            elif aip in labels():
                yield _damaged(home, store, Ledger(aip, About(labels()[aip]), 0, {}, tuple(events)), policy, stands)


def _as_it_is(home: Home, store: Store, aip: uuid.UUID, events: Sequence[Event], policy: Policy) -> Stands | Fault:
    """How an AIP stands, or what stands in the way of one."""
    try:
        inventory = store.inventory(aip)
        if inventory is None:
            return Fault(Kind.MISSING, ".", WHOLE)
        return _stands(home, ledgers.of(store, inventory, events), policy)
    except (StoreBroken, PermissionError) as error:
        return fault_of(store.object_path(aip), error)


def _stands(home: Home, one: Ledger, policy: Policy) -> Stands:
    known = {path: k for (path, sha256), k in one.known().items() if _is_now(one, path, sha256)}
    return Stands(one, known, summarize(one, known, policy, one.about.languages or home.settings().languages, None))


def _damaged(home: Home, store: Store, one: Ledger, policy: Policy, fault: Fault) -> Stands:
    """How it stands, made from what there is of it, with what the last check found wrong and what we met ourselves."""
    state: dict[str, Entry] = {}
    with contextlib.suppress(StoreBroken, PermissionError):
        if (inventory := store.inventory(one.id)) is not None:
            one = replace(one, head=inventory.head)
            state = {path: e for path, e in inventory.state().items() if os.path.isfile(e.path)}  # noqa: PTH113
            one = replace(one, about=ledgers.about(state))
    checks = [e for e in one.events if e.type is EventType.FIXITY]
    run = checks[-1].run if checks and checks[-1].outcome is Outcome.FAIL else uuid.uuid4()
    met = event_of(fault, Recorder(run, one.id), time.time())
    known = any((e.run, e.code, e.detail) == (run, met.code, met.detail) for e in checks)
    seen = replace(one, state=state, events=one.events if known else (*one.events, met))
    found = _stands(home, seen, policy)
    return replace(found, summary=replace(found.summary, events=len(one.events)))


def refusals(home: Home, batches: Iterable[str]) -> dict[str, Row]:
    """Of deliveries that lie in the inbox: why those were refused as a whole that were, the last time.

    Not one that was taken after that, also where only the AIP itself tells of it.
    """
    names, store = {aip_id(name): name for name in batches}, opened(home)
    found = {}
    for aip, events in log.read_many(home.log, names, EventType.INGESTION).items():
        if _refusal(events) is not None and (last := _refusal(_with_its_own(store, aip, events))) is not None:
            found[names[aip]] = row(replace(last, ending=Ending.FAILED), None)
    return found


def _refusal(events: Sequence[Event]) -> Event | None:
    """The last word on a delivery, where it is that it was refused."""
    last = next((e for e in reversed(events) if e.type is EventType.INGESTION), None)
    return last if last and last.outcome is Outcome.FAIL and last.source is None else None


def _with_its_own(store: Store, aip: uuid.UUID, events: Sequence[Event]) -> Sequence[Event]:
    """The events with those that the AIP itself carries, as far as there is one and it can be read."""
    with contextlib.suppress(StoreBroken, PermissionError):
        if (inventory := store.inventory(aip)) is not None:
            return ledgers.of(store, inventory, events).events
    return events


def _is_now(one: Ledger, path: str, sha256: str) -> bool:
    return path in one.state and one.state[path].sha256 == sha256
