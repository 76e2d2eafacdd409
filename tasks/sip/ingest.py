"""A batch becomes version 1 of its AIP, or a supplement: the originals are safe before anything else is done."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tasks.aip.busy import BUSY, busy
from tasks.aip.ledger import ORIGINALS, About
from tasks.aip.progress import PutDown
from tasks.aip.space import Budget, Sizes, holding, taking
from tasks.config.home import Home
from tasks.config.locks import aip_lock
from tasks.premis import codes, log
from tasks.premis.model import Event, EventType, Trouble, aip_id
from tasks.sip import refusal
from tasks.sip.batch import Batch, BatchRefused, Entry, listing_digest, unfit, walk
from tasks.sip.delivery import Delivery, opened
from tasks.sip.description import Description, describe
from tasks.sip.parts import Part, cut, stored
from tasks.sip.refusal import PASSING, Refused, put_off, refuse
from tasks.sip.taking import Ingested, Taking, look_alikes
from tasks.store.errors import StoreBroken, StoreError
from tasks.store.names import logical_path
from tasks.store.ocfl import Store

_LOG = logging.getLogger(__name__)


def take_in(
    batch: Batch, home: Home, store: Store, run: uuid.UUID, budget: Budget | None = None, *, night: bool = False
) -> tuple[Ingested | Refused, ...]:
    """`ingest` of one batch among many: whatever is the matter with it is its result, and the others go on.

    Raises PutDown when the run is to stop.
    """
    began = time.time()
    try:
        done = ingest(batch, home, store, run, budget, night=night)
    except BatchRefused as e:
        return (refusal.told(batch, e),)
    except Trouble as e:
        if e.code not in ("space", BUSY):  # a smaller batch may fit, and nobody works on the others
            raise
        return (put_off(batch, e),)
    except PutDown:
        raise
    except Exception as e:
        if not _is_the_batchs(e, batch):
            raise  # the machine's trouble stops the run
        _LOG.exception("%s", batch.name)
        if isinstance(e, StoreBroken):
            return (put_off(batch, Trouble("store-broken", what=str(e))),)
        return (refuse(batch, e, home, run, began=began),)
    # What a part refused is told by the batch's other parts, which share its log.
    return tuple(i for i in done if i.version) or (_nothing(batch, done, home, run),)


def _is_the_batchs(error: Exception, batch: Batch) -> bool:
    """Whether only this batch is concerned: our own code broke on it, or its own disk fails."""
    if isinstance(error, StoreBroken):
        return True
    if refusal.machines(error):
        return False
    if not isinstance(error, OSError):
        return not isinstance(error, StoreError)
    return isinstance(error.filename, str | bytes) and Path(os.fsdecode(error.filename)).is_relative_to(batch.path)


def _nothing(batch: Batch, done: Sequence[Ingested], home: Home, run: uuid.UUID) -> Refused:
    """There is no AIP: not one of the things that came could be stored. Each was recorded where it was new."""
    first, count = done[0].troubles[0], sum(len(one.troubles) for one in done)
    why = f"nothing in it could be stored. First of {count}: {codes.message(first.code, first.detail)}"
    arrivals = log.read_many(home.log, [one.aip for one in done], EventType.INGESTION)
    new = any(e.run == run for some in arrivals.values() for e in some)
    return Refused(batch.name, why, first.code, not new)


def ingest(
    batch: Batch, home: Home, store: Store, run: uuid.UUID, budget: Budget | None = None, *, night: bool = False
) -> tuple[Ingested, ...]:
    """Copy, digest, record and store one batch as one AIP, or as several when it is too large for one.

    The same batch again costs a walk and nothing else; so does, at `night`, one that was refused as it is. Raises
    BatchRefused when the batch cannot be taken as a whole, once that is recorded; Trouble "store-busy" when another
    run holds one of its AIPs; with a `budget`, "space" when its disks cannot take it.
    """
    with _held(home, batch.aip, run):
        began, seen, judged = time.time(), refusal.memory(home, batch), ""
        try:
            entries, description = walk(batch), describe(batch)
            if not entries:
                raise unfit("it holds no file")
            parts = stored(batch.name, store)
            digest = f"{listing_digest(entries)} {description}"
            judged = refusal.judged(digest, entries, home)
            if night and (known := refusal.remembered(seen, judged)):
                raise known
            if parts and refusal.read(seen).get("listing") == _with_store(digest, parts):
                return tuple(Ingested(batch.name, p.aip, p.version, len(p.known), 0) for p in parts)
            room = partial(_promised, budget, home, parts, lambda: _begun(batch, parts, store))
            with opened(batch, entries, home, room) as delivery:
                done = _parted(batch, delivery, description, parts, home, store, run)
        except BatchRefused as refused:
            if not refused.known:
                refused.known = refusal.record(batch, refused, home, run, began)
                if judged and not refused.passing and refused.code not in PASSING:
                    refusal.remember(seen, judged, refused)
            raise
        if any(one.version for one in done):
            refusal.withdraw(batch, home, run, began)
        troubles = [t for one in done for t in one.troubles]
        if any(t.code in PASSING for t in troubles):
            return done
        if any(one.version for one in done):
            refusal.write(seen, {"listing": _with_store(digest, stored(batch.name, store))})
        else:
            refusal.remember(seen, judged, BatchRefused(troubles[0].code, [], **troubles[0].detail))
        return done


def _with_store(listing: str, parts: Sequence[Part]) -> str:
    """What was seen and what became of it: a store that was put back to an older state has not the second."""
    return " ".join([listing, *(f"{part.aip}={part.originals}" for part in parts)])


@contextlib.contextmanager
def _promised(
    budget: Budget | None,
    home: Home,
    parts: Sequence[Part],
    begun: Callable[[], bool],
    files: Sequence[Entry],
    meanwhile: Sizes,
) -> Iterator[None]:
    """Promise room for what the store has not, and for what has another size or time than when it was stored.

    Whether its bytes are others, too, is known only when it is read. What fails before the delivery is `begun` to be
    stored gives its room back.
    """
    if budget is None:
        yield
        return
    listed = {path: seen for part in parts for path, seen in part.listed.items()}
    new = [e for e in files if listed.get(ORIGINALS + logical_path(e.raw)) != (e.size, e.mtime_ns)]
    wanted = taking([(os.fsdecode(e.raw), e.size) for e in new], home)
    with budget.holding(wanted, holding(meanwhile, home)):
        try:
            yield
        except Exception as e:
            if isinstance(e, BatchRefused) or not begun():  # the first is judged before anything of it is stored
                budget.give_back(wanted)
            raise


def _begun(batch: Batch, parts: Sequence[Part], store: Store) -> bool:
    """Whether something of a delivery is stored that was not among its `parts`, or waits in a stage to be stored."""
    places = range(1, len(parts) + 2)
    waits = any(store.staged(aip_id(batch.name, number)) for number in places)
    return waits or stored(batch.name, store) != list(parts)


def _parted(
    batch: Batch,
    delivery: Delivery,
    description: Description,
    parts: Sequence[Part],
    home: Home,
    store: Store,
    run: uuid.UUID,
) -> tuple[Ingested, ...]:
    """Each part of a delivery into its AIP, one after the other."""
    groups = cut(delivery.entries, parts, home.settings().aip_max_files)
    twins = look_alikes(delivery.entries)
    done: list[Ingested] = []
    number, arrivals, listing = 1, list[Event](), _names_and_sizes(delivery.entries)
    for group in groups:
        part = About(batch.name, **asdict(description), part=number if len(groups) > 1 else 0)
        with _held(home, aip_id(batch.name, number), run, but=batch.aip):
            taken = Taking(
                batch,
                aip_id(batch.name, number),
                delivery,
                twins,
                home,
                store,
                run,
                listing=listing,
                earlier=arrivals,
            )
            done.append(taken.all(group, part))
        arrivals += taken.arrivals
        number += done[-1].version > 0  # where nothing could be stored there is no part yet
    return tuple(done)


def _names_and_sizes(entries: Sequence[Entry]) -> str:
    """SHA-256 of what makes a delivery the same one when it is copied once more after a kill."""
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(b"%s\0%d\0" % (entry.raw, entry.size))
    return digest.hexdigest()


@contextlib.contextmanager
def _held(home: Home, aip: uuid.UUID, run: uuid.UUID, *, but: uuid.UUID | None = None) -> Iterator[None]:
    """Hold the AIP, unless it is the one held already. Raises Trouble "store-busy" when another run has it."""
    if aip == but:
        yield
        return
    with aip_lock(home, aip, run) as held:
        if not held:
            raise busy(home, aip)
        yield
