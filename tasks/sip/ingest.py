"""A batch becomes version 1 of its AIP, or a supplement: the originals are safe before anything else is done."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from tasks.aip.busy import BUSY, busy, sentence
from tasks.aip.ledger import ORIGINALS, About
from tasks.aip.progress import PutDown
from tasks.aip.space import Budget, Sizes, holding, taking
from tasks.config.home import PERENNE, Home
from tasks.config.locks import aip_lock
from tasks.premis import codes, log
from tasks.premis.log import LogError
from tasks.premis.model import EventType, Outcome, Trouble, aip_id
from tasks.premis.recorder import Recorder
from tasks.sip.batch import Batch, BatchError, BatchRefused, Description, describe, listing_digest, walk
from tasks.sip.delivery import Delivery, opened
from tasks.sip.parts import Part, cut, stored
from tasks.sip.taking import Ingested, Taking, look_alikes
from tasks.store.errors import StoreBroken, StoreError
from tasks.store.names import logical_path
from tasks.store.ocfl import Store

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """A batch that was not taken, and why."""

    batch: str
    why: str
    code: str = ""


FAULTS_RECORDED = 1000
PASSING = ("source-changing", "source-unreadable")
"""Troubles that may be gone next time without a sign in the listing."""


def take_in(
    batch: Batch, home: Home, store: Store, run: uuid.UUID, budget: Budget | None = None
) -> tuple[Ingested | Refused, ...]:
    """`ingest` of one batch among many: whatever is the matter with it is its result, and the others go on.

    Raises PutDown when the run is to stop.
    """
    try:
        done = ingest(batch, home, store, run, budget)
    except BatchRefused as e:
        return (Refused(batch.name, str(e), e.code),)
    except BatchError as e:
        return (Refused(batch.name, str(e)),)
    except Trouble as e:
        if e.code not in ("space", BUSY):  # a smaller batch may fit, and nobody works on the others
            raise
        return (Refused(batch.name, sentence(e), e.code),)
    except PutDown:
        raise
    except Exception as e:
        if not _is_the_batchs(e, batch):
            raise  # the machine's trouble stops the run
        _LOG.exception("%s", batch.name)
        return (Refused(batch.name, str(e) or type(e).__name__),)
    # What a part refused is told by the batch's other parts, which share its log.
    return tuple(i for i in done if i.version) or (Refused(batch.name, _nothing(done[0])),)


def _is_the_batchs(error: Exception, batch: Batch) -> bool:
    """Whether only this batch is concerned: our own code broke on it, or its own disk fails."""
    if isinstance(error, StoreBroken):
        return True
    if not isinstance(error, OSError):
        return not isinstance(error, Trouble | LogError | StoreError | MemoryError)
    return isinstance(error.filename, str | bytes) and Path(os.fsdecode(error.filename)).is_relative_to(batch.path)


def _nothing(found: Ingested) -> str:
    """Why there is no AIP: not one of the things that came could be stored."""
    first = found.troubles[0]
    seen = codes.message(first.code, first.detail)
    return f"nothing in it could be stored. First of {len(found.troubles)}: {seen}"


def ingest(
    batch: Batch, home: Home, store: Store, run: uuid.UUID, budget: Budget | None = None
) -> tuple[Ingested, ...]:
    """Copy, digest, record and store one batch as one AIP, or as several when it is too large for one.

    The same batch again costs a walk and nothing else. Raises BatchError when the batch cannot be taken as a whole,
    Trouble "store-busy" when another run holds one of its AIPs; with a `budget`, "space" when its disks cannot take it.
    """
    with _held(home, batch.aip, run):
        entries, description = walk(batch), describe(batch)
        if not entries:
            raise BatchError(f"{batch.name} holds no file. Ask the producer whether the delivery is complete.")
        parts = stored(batch.name, store)
        seen = home.work / "seen" / f"{batch.aip}.json"
        digest = f"{listing_digest(entries)} {description}"
        if parts and _seen(seen) == _with_store(digest, parts):
            return tuple(Ingested(batch.name, p.aip, p.version, len(p.known), 0) for p in parts)
        room = partial(_promise, budget, home, parts, packed=batch.packed)
        began = time.time()
        try:
            with opened(batch, entries, home, room) as delivery:
                done = _parted(batch, delivery, description, parts, home, store, run)
        except BatchRefused as refused:
            _record_refusal(batch, refused, home, run, began)
            raise
        if not any(t.code in PASSING for one in done for t in one.troubles):
            _remember(seen, _with_store(digest, stored(batch.name, store)))
        return done


def _with_store(listing: str, parts: Sequence[Part]) -> str:
    """What was seen and what became of it: a store that was put back to an older state has not the second."""
    return " ".join([listing, *(f"{part.aip}={part.originals}" for part in parts)])


def _promise(budget: Budget | None, home: Home, parts: Sequence[Part], files: Sizes, *, packed: bool) -> None:
    """Promise room for what the store has not; what changed under a name that it has is left to the reserve."""
    if budget is None:
        return
    known = frozenset[str]().union(*(part.known for part in parts))
    new = [(name, size) for name, size in files if ORIGINALS + logical_path(os.fsencode(name)) not in known]
    budget.take((*taking(new, home), *(holding(files, home) if packed else ())))


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
    number = 1
    for group in groups:
        part = About(batch.name, **asdict(description), part=number if len(groups) > 1 else 0)
        with _held(home, aip_id(batch.name, number), run, but=batch.aip):
            taken = Taking(batch, aip_id(batch.name, number), delivery, twins, home, store, run)
            done.append(taken.all(group, part))
        number += done[-1].version > 0  # where nothing could be stored there is no part yet
    return tuple(done)


def _record_refusal(batch: Batch, refused: BatchRefused, home: Home, run: uuid.UUID, began: float) -> None:
    """One event about the AIP that did not come to be; not again while the delivery and its faults are the same."""
    detail = {"batch": batch.name, **refused.detail, "faults": "\n".join(refused.faults[:FAULTS_RECORDED])}
    told = [e for e in log.read_many(home.log, [batch.aip])[batch.aip] if e.type is EventType.INGESTION]
    if told and (told[-1].code, told[-1].detail) == (refused.code, detail):
        return
    event = Recorder(run, batch.aip).event(
        EventType.INGESTION, Outcome.FAIL, began=began, code=refused.code, detail=detail, agents=(PERENNE,)
    )
    log.append([event], home.log, name="refused")


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


def _seen(path: Path) -> str:
    try:
        return str(json.loads(path.read_text())["listing"])
    except (OSError, ValueError, KeyError):
        return ""


def _remember(path: Path, digest: str) -> None:
    """A cache: when it is lost, the next run reads the batch once more and finds that it knows it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"listing": digest}))
