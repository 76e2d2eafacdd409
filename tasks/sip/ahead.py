"""What a run would do with a delivery that is not taken in yet: read, identified and judged as then, and not stored.

A bag is judged by its lists. Of an archive no more than counts and sizes would be known from its listing, so it is
unpacked, as it would be, into the work folder; that is removed again at the end.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial

from tasks.aip import ledger as ledgers
from tasks.aip.estimate import Costs
from tasks.aip.forecast import Plan, Tally, looked_into, recalled
from tasks.aip.ledger import ORIGINALS, About, Ledger
from tasks.aip.plan import Choice
from tasks.aip.progress import board
from tasks.aip.space import Budget, Sizes, holding
from tasks.config.home import Home
from tasks.policy.rules import Policy
from tasks.premis.model import Trouble, aip_id
from tasks.sip.batch import Batch, Entry, unfit, walk
from tasks.sip.delivery import Delivery, opened
from tasks.sip.description import describe
from tasks.sip.parts import cut, stored
from tasks.sip.taking import demand_file, in_the_way
from tasks.store import disk
from tasks.store.names import logical_path
from tasks.store.ocfl import Store
from tasks.store.reader import Entry as Stored
from tasks.tools.door import Door


def look_ahead(home: Home, door: Door, batch: Batch, policy: Policy, choice: Choice, costs: Costs) -> Plan:
    """What a run would do with a delivery, and what that would cost. `home` is prepared; no lock is taken.

    What the store has under the batch's name counts: what came before unchanged is settled as far as its rules are.
    Raises BatchRefused with all that is wrong when a run would refuse it as a whole, Trouble "space" when the work
    folder cannot hold what an archive holds; StoreBroken, LogError and OSError.
    """
    entries, description = walk(batch), describe(batch)
    if not entries:
        raise unfit("it holds no file")
    store = Store(home.store) if (home.store / "ocfl").is_dir() else None  # which would be made
    parts = stored(batch.name, store) if store else []
    tally = Tally(policy, choice, costs)
    with opened(batch, entries, home, partial(_unpacking, home)) as delivery:
        groups = cut(delivery.entries, parts, home.settings().aip_max_files)
        for number, group in enumerate(groups, 1):
            part = About(batch.name, **asdict(description), part=number if len(groups) > 1 else 0)
            before = _before(home, store, aip_id(batch.name, number), part)
            after = _after(before, part, _taken(group, delivery, before, tally))
            known = recalled(after, choice)
            unknown = [original for original in after.originals if original[0].path not in known]
            known |= looked_into(unknown, after.id, door)
            tally.add(after, known, description.languages or home.settings().languages, unknown)
    return tally.plan(batch.name)


@contextlib.contextmanager
def _unpacking(home: Home, _files: Sequence[Entry], meanwhile: Sizes) -> Iterator[None]:
    """Room in the work folder for what is unpacked there; nothing else will be written. Raises Trouble "space"."""
    with Budget(home).holding((), holding(meanwhile, home)):
        yield


def _before(home: Home, store: Store | None, aip: uuid.UUID, about: About) -> Ledger:
    """The AIP as the store and the log have it; a new one has nothing."""
    found = ledgers.read(store, home.log, aip) if store else None
    return found or Ledger(aip, about, 0, {}, ())


def _taken(entries: Iterable[Entry], delivery: Delivery, before: Ledger, tally: Tally) -> dict[str, Stored]:
    """Logical path → what the store would have under it, for what is new or changed; what would be refused is told."""
    new: dict[str, Stored] = {}
    for entry in entries:
        board.go_on()
        logical = ORIGINALS + logical_path(entry.raw)
        try:
            demand_file(entry, delivery)
            found = _digested(delivery, entry)
        except Trouble as trouble:
            tally.refuse(logical.removeprefix(ORIGINALS), trouble.code)
            continue
        there = before.state.get(logical)
        if there is None or there.sha256 != found.sha256:
            new[logical] = Stored(found.sha512, found.sha256, delivery.path(entry))
    return new


def _digested(delivery: Delivery, entry: Entry) -> disk.Digests:
    """The digests of a file of the delivery. Raises Trouble where it cannot be read, or changes."""
    try:
        descriptor = disk.open_regular(delivery.path(entry))
        try:
            found = disk.digests(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Trouble("source-unreadable", what=error.strerror or str(error)) from error
    if found.size != entry.size:
        raise Trouble("source-changing")
    return found


def _after(before: Ledger, about: About, new: dict[str, Stored]) -> Ledger:
    """The AIP as it would be with what is new; what that puts out of its place is no original any more."""
    gone = set(in_the_way({path: entry.sha256 for path, entry in before.state.items()}, list(new)))
    state = {path: entry for path, entry in before.state.items() if path not in gone}
    return replace(before, about=about, state=state | new)
