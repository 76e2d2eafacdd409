"""A batch becomes version 1 of its AIP, or a supplement: the originals are safe before anything else is done."""

from __future__ import annotations

import errno
import json
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tasks.aip import ledger as ledgers
from tasks.aip.ledger import ABOUT, ORIGINALS, About, Ledger
from tasks.aip.pack import pack, unpacked
from tasks.config.home import PERENNE, Home
from tasks.premis import log
from tasks.premis.model import Ending, Event, EventType, LinkedObject, Outcome, Trouble
from tasks.premis.recorder import Recorder
from tasks.sip.batch import Batch, BatchError, Description, Entry, describe, listing_digest, walk
from tasks.store.names import logical_path
from tasks.store.ocfl import Store
from tasks.store.stage import Stage, Staged


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one batch. `version` is 0 when nothing was stored; `new` counts originals added or changed."""

    batch: str
    aip: uuid.UUID
    version: int
    files: int
    new: int
    troubles: tuple[Event, ...] = ()


def ingest(batch: Batch, home: Home, store: Store, run: uuid.UUID) -> Ingested:
    """Copy, digest, record and store one batch; the caller holds the AIP's lock.

    The same batch again costs a walk and nothing else. Raises BatchError when the batch cannot be taken as a whole.
    """
    entries = walk(batch)
    inventory = store.inventory(batch.aip)
    seen = home.work / "seen" / f"{batch.aip}.json"
    digest = listing_digest(entries)
    if inventory is not None and _seen(seen) == digest:
        return Ingested(batch.name, batch.aip, inventory.head, len(entries), 0)
    if len(entries) > (most := home.settings().aip_max_files):
        raise BatchError(
            f"{batch.name} has {len(entries):,} files; one AIP holds at most {most:,}. Deliver it in parts."
        )
    description = describe(batch)
    head = {} if inventory is None else inventory.state()
    taken = _Taking(batch, home, store, run, {path: e.sha256 for path, e in head.items()})
    for entry in entries:
        taken.take(entry)
    version = taken.finish(inventory.head if inventory else 0, description, entries)
    if not taken.waiting:
        _remember(seen, digest)
    return Ingested(batch.name, batch.aip, version, len(entries), len(taken.new), tuple(taken.troubles))


def _seen(path: Path) -> str:
    try:
        return str(json.loads(path.read_text())["listing"])
    except (OSError, ValueError, KeyError):
        return ""


def _remember(path: Path, digest: str) -> None:
    """A cache: when it is lost, the next run reads the batch once more and finds that it knows it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"listing": digest}))


class _Taking:
    """One batch on its way into the stage; what an earlier, killed run staged and recorded is not done twice."""

    def __init__(self, batch: Batch, home: Home, store: Store, run: uuid.UUID, head: Mapping[str, str]) -> None:
        self.batch, self.home, self.store, self.head = batch, home, store, head
        self.recorder = Recorder(run, batch.aip)
        self.stage: Stage = store.stage(batch.aip, run)
        self.before = [e for e in log.read(home.log, aip=batch.aip) if e.type is EventType.INGESTION]
        self.recorded = {(e.source.path, e.source.sha256) for e in self.before if e.source}
        self.staged: list[Staged] = []
        self.new: list[str] = []
        self.events: list[Event] = []
        self.troubles: list[Event] = []
        self.waiting = False

    def take(self, entry: Entry) -> None:
        """Take one thing in, or record why it cannot be."""
        began = time.time()
        logical = ORIGINALS + logical_path(entry.raw)
        try:
            staged = self._copied(entry, logical)
        except Trouble as trouble:
            self._refused(logical, trouble, began)
            return
        if self.head.get(logical) == staged.sha256:
            return  # the store has it; the stage's copy is dropped when the version is packed
        self.staged.append(staged)
        self.new.append(logical)
        if (logical, staged.sha256) not in self.recorded:
            self._record(entry, staged, began)

    def _copied(self, entry: Entry, logical: str) -> Staged:
        if entry.kind and entry.kind != "folder":
            raise Trouble("not-a-file", kind=entry.kind)
        if entry.fault:
            raise Trouble("source-unreadable", what=entry.fault)
        path = Path(os.fsdecode(os.path.join(os.fsencode(self.batch.path), entry.raw)))
        try:
            staged = self.stage.put(path, logical, durable=False)
            after = os.lstat(path)
        except OSError as e:
            if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise
            raise Trouble("source-unreadable", what=e.strerror or str(e)) from e
        if (after.st_size, after.st_mtime_ns) != (entry.size, entry.mtime_ns) or staged.size != entry.size:
            raise Trouble("source-changing")
        return staged

    def _record(self, entry: Entry, staged: Staged, began: float) -> None:
        link = LinkedObject("source", staged.logical, staged.sha256, staged.size)
        detail = {"batch": self.batch.name}
        if logical_path(entry.raw).encode() != entry.raw:
            detail["name_bytes"] = entry.raw.hex()
        note = "name-not-utf8" if not _is_utf8(entry.raw) else ""
        outcome = Outcome.WARNING if note else Outcome.SUCCESS
        if note:
            detail["shown"] = logical_path(entry.raw)
        made = self.recorder.event
        self.events += [
            made(
                EventType.INGESTION, outcome, began=began, code=note, detail=detail, agents=(PERENNE,), objects=(link,)
            ),
            made(
                EventType.DIGEST,
                Outcome.SUCCESS,
                began=began,
                detail={"sha512": staged.sha512},
                agents=(PERENNE,),
                objects=(link,),
            ),
        ]

    def _refused(self, logical: str, trouble: Trouble, began: float) -> None:
        event = self.recorder.event(
            EventType.INGESTION,
            Outcome.FAIL,
            began=began,
            code=trouble.code,
            detail={"batch": self.batch.name, **trouble.detail},
            ending=Ending.WAITING if trouble.code == "source-changing" else Ending.FAILED,
            agents=(PERENNE,),
            objects=(LinkedObject("source", logical, "", 0),),
        )
        self.waiting |= trouble.code == "source-changing"
        self.troubles.append(event)
        if not any(e.code == event.code and e.source and e.source.path == logical for e in self.before):
            self.events.append(event)

    def finish(self, head: int, description: Description, entries: Sequence[Entry]) -> int:
        """Record, then store; returns the version that holds everything. Nothing new: the head as it was."""
        self.stage.sync()
        if self.events:
            log.append(self.events, self.home.log, name="ingest")
        if not self.new:
            return head
        about = {"batch": self.batch.name, **asdict(description)}
        self.stage.put_bytes(_json(about), ABOUT)
        self.stage.put_bytes(_json(_manifest(entries)), f"metadata/submission/v{head + 1}.json")
        ledger = self._ledger(head)
        return pack(
            self.store,
            ledger,
            self.recorder.run,
            unpacked(ledger),
            keep=self.new,
            message=_message(head, len(self.new)),
        )

    def _ledger(self, head: int) -> Ledger:
        """The AIP as the log tells of it now; a new one is not in the store yet."""
        aip = self.batch.aip
        found = ledgers.read(self.store, self.home.log, aip, self.recorder.run)
        if found is not None:
            return found
        events = sorted(log.read(self.home.log, aip=aip), key=lambda e: (e.time, e.seq))
        return Ledger(aip, About(self.batch.name), head, {}, tuple(events))


def _message(head: int, new: int) -> str:
    return f"Ingestion of {new} originals" if head == 0 else f"Supplement: {new} originals new or changed"


def _manifest(entries: Sequence[Entry]) -> list[dict[str, object]]:
    return [
        {
            "path": logical_path(e.raw),
            "size": e.size,
            "mtime_ns": str(e.mtime_ns),
            **({"kind": e.kind} if e.kind else {}),
        }
        for e in entries
    ]


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
