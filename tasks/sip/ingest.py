"""A batch becomes version 1 of its AIP, or a supplement: the originals are safe before anything else is done."""

from __future__ import annotations

import errno
import json
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from tasks.aip import ledger as ledgers
from tasks.aip.ledger import ABOUT, ORIGINALS, About, Ledger
from tasks.aip.pack import pack, unpacked
from tasks.config import unfinished
from tasks.config.home import PERENNE, Home
from tasks.premis import log
from tasks.premis.model import Ending, Event, EventType, LinkedObject, Outcome, Trouble
from tasks.premis.recorder import Recorder
from tasks.sip.batch import Batch, BatchError, Description, Entry, describe, listing_digest, walk
from tasks.store.names import logical_path
from tasks.store.ocfl import Store
from tasks.store.stage import Stage, Staged

OF_THE_SOURCE = (errno.ENOENT, errno.EIO, errno.ESTALE, errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENOTDIR)
"""What reading a file that opened may still answer: it went, its disk or its network share fails."""


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
    entries, description = walk(batch), describe(batch)
    if not entries:
        raise BatchError(f"{batch.name} holds no file. Ask the producer whether the delivery is complete.")
    inventory = store.inventory(batch.aip)
    seen = home.work / "seen" / f"{batch.aip}.json"
    digest = f"{listing_digest(entries)} {description}"
    if inventory is not None and _seen(seen) == digest:
        return Ingested(batch.name, batch.aip, inventory.head, len(entries), 0)
    if len(entries) > (most := home.settings().aip_max_files):
        raise BatchError(
            f"{batch.name} has {len(entries):,} files; one AIP holds at most {most:,}. Deliver it in parts."
        )
    head = {} if inventory is None else inventory.state()
    taken = _Taking(batch, home, store, run, {path: e.sha256 for path, e in head.items()})
    for entry in entries:
        taken.take(entry)
    version = taken.finish(inventory.head if inventory else 0, description, entries)
    if not taken.passing:
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
        ledger = self._ledger()
        self.before = [e for e in ledger.events if e.type is EventType.INGESTION]
        fresh = [e for e in unpacked(ledger) if e.type is EventType.INGESTION]
        self.recorded = {(e.source.path, e.source.sha256) for e in fresh if e.source}
        self.about = ledger.about
        self.new: list[str] = []
        self.events: list[Event] = []
        self.troubles: list[Event] = []
        self.passing = False  # a trouble that may be gone next time without a sign in the listing

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
            os.close(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as e:
            raise Trouble("source-unreadable", what=e.strerror or str(e)) from e
        try:
            staged = self.stage.put(path, logical, durable=False)
            after = os.lstat(path)
        except OSError as e:
            if e.errno not in OF_THE_SOURCE:
                raise  # the store's trouble stops the batch; the file is not to blame
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
        self.passing |= trouble.code in ("source-changing", "source-unreadable")
        self.troubles.append(event)
        if not any(e.code == event.code and e.source and e.source.path == logical for e in self.before):
            self.events.append(event)

    def finish(self, head: int, description: Description, entries: Sequence[Entry]) -> int:
        """Record, then store; returns the version that holds everything. Nothing new: the head as it was."""
        self.stage.sync()
        about = About(batch=self.batch.name, **asdict(description))
        if self.head and about != self.about:
            self.events.append(self._described(about))
        if self.events:
            log.append(self.events, self.home.log, name="ingest")
        if not self.new and (not self.head or about == self.about):
            return head
        self.stage.put_bytes(_json(asdict(about)), ABOUT)
        if self.new:
            self.stage.put_bytes(_json(_manifest(entries)), f"metadata/submission/v{head + 1}.json")
        unfinished.mark(self.home, self.batch.aip)
        ledger = self._ledger()
        gone = _in_the_way(self.head, self.new)
        message = _message(head, len(self.new))
        return pack(
            self.store, ledger, self.recorder.run, unpacked(ledger), keep=self.new, message=message, remove=gone
        )

    def _described(self, about: About) -> Event:
        """The act of taking over a changed description: it is about the AIP, not about a file."""
        detail = {k: v for k, v in asdict(about).items() if v}
        return self.recorder.event(
            EventType.INGESTION, Outcome.SUCCESS, began=time.time(), detail=detail, agents=(PERENNE,)
        )

    def _ledger(self) -> Ledger:
        """The AIP as the log tells of it now; a new one is not in the store yet."""
        aip = self.batch.aip
        found = ledgers.read(self.store, self.home.log, aip)
        if found is not None:
            return found
        events = sorted(log.read(self.home.log, aip=aip), key=lambda e: (e.time, e.seq))
        return Ledger(aip, About(self.batch.name), 0, {}, tuple(events))


def _in_the_way(head: Mapping[str, str], new: Sequence[str]) -> list[str]:
    """Originals of the head that a new one cannot stand beside: a file where now a folder is, or the other way round.

    They leave the head and stay in their version.
    """
    folders = {str(parent) for path in new for parent in PurePosixPath(path).parents}
    arrived = set(new)
    return [
        path
        for path in head
        if path.startswith(ORIGINALS)
        and (path in folders or any(str(parent) in arrived for parent in PurePosixPath(path).parents))
    ]


def _message(head: int, new: int) -> str:
    if not new:
        return "A new description"
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
