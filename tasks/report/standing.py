"""How AIPs stand, read from store and log without any flow: what `status` shows and a report is made from."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tasks.aip import ledger as ledgers
from tasks.config.home import Home
from tasks.policy.rules import Policy
from tasks.premis import log
from tasks.premis.model import Ending, EventType, Outcome, aip_id
from tasks.report.summary import Row, Summary, row, summarize
from tasks.store.ocfl import Store

AT_ONCE = 64
"""How many AIPs' events are in memory together."""


def standing(home: Home, aips: Iterable[uuid.UUID], policy: Policy) -> list[Summary]:
    """A summary of each AIP under a policy; nothing counts as new."""
    store = Store(home.store)
    found = []
    for one in _ledgers(store, home, list(aips)):
        known = {path: k for (path, sha256), k in one.known().items() if _is_now(one, path, sha256)}
        found.append(summarize(one, known, policy, one.about.languages or home.settings().languages, None))
    return found


def refusals(home: Home, batches: Iterable[str]) -> dict[str, Row]:
    """Of deliveries that lie in the inbox: why those were refused as a whole that were, the last time."""
    names = {aip_id(name): name for name in batches}
    found = {}
    for aip, events in log.read_many(home.log, names).items():
        told = [e for e in events if e.type is EventType.INGESTION]
        if told and told[-1].outcome is Outcome.FAIL and told[-1].source is None:
            found[names[aip]] = row(replace(told[-1], ending=Ending.FAILED), None)
    return found


def _ledgers(store: Store, home: Home, aips: Sequence[uuid.UUID]) -> Iterator[ledgers.Ledger]:
    """The ledgers of those that the store holds, the log read once for many."""
    for first in range(0, len(aips), AT_ONCE):
        some = aips[first : first + AT_ONCE]
        told = log.read_many(home.log, some)
        for aip in some:
            if (inventory := store.inventory(aip)) is not None:
                yield ledgers.of(store, inventory, told.pop(aip))


def _is_now(one: ledgers.Ledger, path: str, sha256: str) -> bool:
    return path in one.state and one.state[path].sha256 == sha256
