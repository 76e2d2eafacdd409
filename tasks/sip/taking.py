"""One AIP's share of a delivery on its way into the stage, the log and the store."""

from __future__ import annotations

import json
import os
import time
import unicodedata
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

from tasks.aip import ledger as ledgers
from tasks.aip.ledger import ABOUT, ORIGINALS, About, Ledger
from tasks.aip.pack import pack, unpacked
from tasks.aip.progress import board
from tasks.config import unfinished
from tasks.config.home import PERENNE, Home
from tasks.premis import log
from tasks.premis.model import Ending, Event, EventType, LinkedObject, Outcome, Trouble
from tasks.premis.recorder import Recorder
from tasks.sip.archive import Container
from tasks.sip.batch import Batch, Entry
from tasks.sip.delivery import Delivery
from tasks.sip.naming import shown
from tasks.sip.parts import SUBMISSION
from tasks.store import disk
from tasks.store.names import logical_path
from tasks.store.ocfl import Store
from tasks.store.stage import Stage, Staged

EMPTY_LISTED = 10_000
"""Of the empty folders of a delivery so many are named; all are counted."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one AIP's share of a batch: all of it, unless the batch is too large for one AIP.

    `version` is 0 when nothing was stored; `new` counts originals added or changed.
    """

    batch: str
    aip: uuid.UUID
    version: int
    files: int
    new: int
    troubles: tuple[Event, ...] = ()


def look_alikes(entries: Sequence[Entry]) -> dict[bytes, bytes]:
    """Name → another that people see as the same, for names that differ in their Unicode form alone."""
    forms: dict[str, list[bytes]] = {}
    for entry in entries:
        if not entry.raw.isascii():
            forms.setdefault(unicodedata.normalize("NFC", os.fsdecode(entry.raw)), []).append(entry.raw)
    several = [names for names in forms.values() if len(names) > 1]
    return {name: names[place - 1] for names in several for place, name in enumerate(names)}


def demand_file(entry: Entry, delivery: Delivery) -> None:
    """Raises Trouble for what is no file, and for one that could not be listed or unpacked."""
    if entry.kind and entry.kind != "folder":
        raise Trouble("not-a-file", kind=entry.kind)
    if entry.fault:
        raise Trouble("member-damaged" if delivery.container else "source-unreadable", what=entry.fault)


class Taking:
    """One AIP's share on its way into the stage; what an earlier, killed run staged and recorded is not done twice."""

    def __init__(
        self,
        batch: Batch,
        aip: uuid.UUID,
        delivery: Delivery,
        alike: Mapping[bytes, bytes],
        home: Home,
        store: Store,
        run: uuid.UUID,
        *,
        listing: str = "",
        earlier: Sequence[Event] = (),
    ) -> None:
        """`listing` says which delivery this is; `earlier` are the arrivals that versions of the parts before hold."""
        self.batch, self.aip, self.home, self.store = batch, aip, home, store
        self.listing, self.earlier = listing, earlier
        self.delivery, self.alike = delivery, alike
        self.stage: Stage = store.stage(self.aip, run)
        ledger = self.ledger = self._ledger()
        self.recorder = Recorder(run, self.aip, after=ledger.last)
        self.head, self.version = {path: e.sha256 for path, e in ledger.state.items()}, ledger.head
        self.last = {e.source.path: e for e in ledger.events if e.type is EventType.INGESTION and e.source}
        fresh = unpacked(ledger)
        self.recorded = {(e.source.path, e.source.sha256) for e in fresh if e.source and e.type is EventType.INGESTION}
        self.acts = [e for e in fresh if not e.source]
        self.arrivals = _arrivals(ledger)
        listed = any(e.detail.get("listing") == listing and "empty_folders" in e.detail for e in earlier)
        self.empty = () if listed else delivery.empty  # once for a delivery, however many parts it makes
        self.about = ledger.about
        self.new: list[str] = []
        self.events: list[Event] = []
        self.troubles: list[Event] = []

    def all(self, entries: Sequence[Entry], about: About) -> Ingested:
        """Take everything in and store it. An AIP that is there stays the part that it was.

        Raises PutDown when the run is to stop: nothing is recorded then, and nothing stored.
        """
        board.expect(len(entries))
        for entry in entries:
            board.go_on()
            self.take(entry)
            board.count()
        version = self.finish(replace(about, part=self.about.part) if self.version else about, entries)
        return Ingested(self.batch.name, self.aip, version, len(entries), len(self.new), tuple(self.troubles))

    def take(self, entry: Entry) -> None:
        """Take one thing in, or record why it cannot be; what the store has is compared and not copied."""
        began = time.time()
        logical = ORIGINALS + logical_path(entry.raw)
        try:
            staged = self._copied(entry, logical)
        except Trouble as trouble:
            self._refused(logical, trouble, began)
            return
        if staged is None:
            self._as_stored(logical, began)
            return
        self.new.append(logical)
        if (logical, staged.sha256) not in self.recorded:
            self._record(entry, staged, began)

    def _copied(self, entry: Entry, logical: str) -> Staged | None:
        """The file in the stage; None when the store has its bytes. Raises Trouble."""
        demand_file(entry, self.delivery)
        path = self.delivery.path(entry)
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as e:
            raise Trouble("source-unreadable", what=e.strerror or str(e)) from e
        try:
            found = self._unchanged(path, entry, logical) or self.stage.put(path, logical, durable=False)
            after = os.lstat(path)
        except OSError as e:
            if not isinstance(e, disk.Unreadable) and e.filename != str(path):
                raise  # the store's trouble stops the run; the file is not to blame
            raise Trouble("source-unreadable", what=e.strerror or str(e)) from e
        if (after.st_size, after.st_mtime_ns) != (entry.size, entry.mtime_ns) or found.size != entry.size:
            raise Trouble("source-changing")
        claimed = self.delivery.claimed(entry)
        if any(claimed.get(name, digest) != digest for name, digest in _digests(found).items()):
            raise Trouble("source-changing")  # since the bag was judged
        return found if isinstance(found, Staged) and self.head.get(logical) != found.sha256 else None

    def _unchanged(self, path: Path, entry: Entry, logical: str) -> disk.Digests | None:
        """The digests of a file whose bytes the head has under its name: read, and not written once more."""
        stored = self.ledger.state.get(logical)
        if stored is None or not stored.path.exists() or stored.size != entry.size:
            return None
        descriptor = disk.open_regular(path)
        try:
            found = disk.digests(descriptor)
        finally:
            os.close(descriptor)
        return found if found.sha512 == stored.sha512 else None

    def _record(self, entry: Entry, staged: Staged, began: float) -> None:
        link = LinkedObject("source", staged.logical, staged.sha256, staged.size)
        detail = {"batch": self.batch.name}
        received = self.delivery.received(entry)
        if logical_path(entry.raw).encode() != received:
            detail["name_bytes"] = received.hex()
        note = ""
        if not _is_utf8(entry.raw):
            note, detail["shown"] = "name-not-utf8", logical_path(entry.raw)
        elif other := self.alike.get(entry.raw):
            note, detail["other"] = "name-twice", logical_path(other)
        outcome = Outcome.WARNING if note else Outcome.SUCCESS
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
        self.troubles.append(event)
        before = self.last.get(logical)
        if before is None or (before.ending, before.code) != (event.ending, event.code):
            self.events.append(event)

    def _as_stored(self, logical: str, began: float) -> None:
        """What was refused the last time and is now as the store has it: its refusal no longer stands."""
        before, stored = self.last.get(logical), self.ledger.state.get(logical)
        if before is not None and before.ending is not None and stored is not None:
            link = LinkedObject("source", logical, stored.sha256, stored.size)
            self.events.append(
                self.recorder.event(
                    EventType.INGESTION,
                    Outcome.SUCCESS,
                    began=began,
                    detail={"batch": self.batch.name},
                    agents=(PERENNE,),
                    objects=(link,),
                )
            )

    def finish(self, about: About, entries: Sequence[Entry]) -> int:
        """Record, then store; returns the version that holds everything. Nothing new: the head as it was."""
        self.stage.sync()
        head = self.version
        if self.head and about != self.about:
            self.events += self._described(about)
        renewed = bool(self.head) and self._tags_differ()
        if self.new or renewed:
            self.events += self._received(entries)
            self.arrivals += [e for e in (*unpacked(self.ledger), *self.events) if "delivery" in e.detail]
        if self.events:
            log.append(self.events, self.home.log, name="ingest")
        if not self.new and not renewed and (not self.head or about == self.about):
            return head
        self.stage.put_bytes(_json(asdict(about)), ABOUT, durable=False)  # the commit flushes it
        if self.new or renewed:
            listed = _json(_manifest([*entries, *self.empty[:EMPTY_LISTED]]))
            self.stage.put_bytes(listed, f"{SUBMISSION}v{head + 1}.json", durable=False)
            self._put_tags(head + 1)
        unfinished.mark(self.home, self.aip)
        # The AIP's lock is ours: the log has what it had, and what we wrote.
        ledger = replace(self.ledger, events=tuple(log.in_order([*self.ledger.events, *self.events])))
        gone = in_the_way(self.head, self.new)
        message = _message(head, len(self.new), renewed=renewed)
        return pack(
            self.store, ledger, self.recorder.run, unpacked(ledger), keep=self.new, message=message, remove=gone
        )

    def _tags_differ(self) -> bool:
        """Whether the bag's lists and descriptions are others than those that came with it before."""
        if self.delivery.bag is None:
            return False
        folders = (f"{SUBMISSION}v{number}/" for number in range(self.version, 0, -1))
        known = next((some for f in folders if (some := _below(f, self.head))), {})
        return known != {logical_path(tag.raw): self._digest(tag) for tag in self.delivery.bag.tags}

    def _digest(self, entry: Entry) -> str:
        descriptor = disk.open_regular(self.delivery.path(entry))
        try:
            return disk.digests(descriptor).sha256
        finally:
            os.close(descriptor)

    def _put_tags(self, version: int) -> None:
        """What came besides the originals stays with the version that they make: lists, digests."""
        if container := self.delivery.container:
            self.stage.put_bytes(_json(asdict(container)), f"{SUBMISSION}v{version}.container.json", durable=False)
        bag, place = self.delivery.bag, f"{SUBMISSION}v{version}"
        more = [(f"{place}/", e) for e in bag.tags] if bag else []
        for folder, entry in (*more, *((f"{place}.container/", e) for e in self.delivery.beside)):
            self.stage.put(self.delivery.path(entry), folder + logical_path(entry.raw), durable=False)

    def _received(self, entries: Sequence[Entry]) -> Iterator[Event]:
        """The acts that were about the delivery as a whole."""
        acts = [(EventType.INGESTION, self._counted(len(entries)))]
        if container := self.delivery.container:
            acts.append((EventType.INGESTION, {"container": container.name, **_texts(container)}))
        if bag := self.delivery.bag:
            judged = {"check": "bagit", "bagit_version": bag.version, "algorithms": " ".join(bag.algorithms)}
            acts.append((EventType.VALIDATION, judged | {"files": str(len(bag.digests))}))
        for kind, detail in acts:
            yield from self._told(kind, detail)

    def _told(self, kind: EventType, detail: Mapping[str, str]) -> Iterator[Event]:
        """The event of an act about the whole.

        Where the log has the same and no version holds it, a kill came before the store, or the store is older than the
        log: it is not told twice, and this run, which makes the version, says that it takes it up.
        """
        left = next((e for e in reversed(self.acts) if (e.type, e.detail) == (kind, detail)), None)
        if left is not None:
            kind, detail = EventType.INGESTION, {"batch": self.batch.name, "takes_up": str(left.id)}
        yield self.recorder.event(kind, Outcome.SUCCESS, began=time.time(), detail=detail, agents=(PERENNE,))

    def _counted(self, files: int) -> dict[str, str]:
        """Where the delivery lay, the version that it makes, and what its files are against what was there before."""
        changed = sum(path in self.head for path in self.new)
        counts = {"new": len(self.new) - changed, "changed": changed}
        counts["same"] = files - len(self.new) - len(self.troubles)
        if self.empty:  # the list of the submission names them
            counts["empty_folders"] = len(self.empty)
        detail = {"batch": self.batch.name, "delivery": shown(self.batch.path), "version": str(self.version + 1)}
        detail |= {"listing": self.listing, **self._before()}
        return detail | {name: str(count) for name, count in counts.items()}

    def _before(self) -> dict[str, str]:
        """When and from where the batch was received before, in whatever part.

        Not the parts of this same delivery that are stored already: a kill may have come between two of them.
        """
        others = [e for e in self.earlier if e.detail.get("listing") != self.listing]
        if not (known := [*others, *self.arrivals]):
            return {}
        last = max(known, key=lambda e: e.time)
        place = last.detail.get("delivery")
        return {"before": last.time.isoformat()} | ({"before_from": place} if place else {})

    def _described(self, about: About) -> Iterator[Event]:
        """The act of taking over a changed description: it is about the AIP, not about a file."""
        return self._told(EventType.INGESTION, {k: str(v) for k, v in asdict(about).items() if v})

    def _ledger(self) -> Ledger:
        """The AIP as the log tells of it now; a new one is not in the store yet."""
        found = ledgers.read(self.store, self.home.log, self.aip)
        if found is not None:
            return found
        events = log.read_many(self.home.log, [self.aip])[self.aip]
        return Ledger(self.aip, About(self.batch.name), 0, {}, tuple(events))


def _arrivals(ledger: Ledger) -> list[Event]:
    """The deliveries that made versions of an AIP; where an older log tells of none, the last file that came."""
    held = [e for e in ledger.events if e.type is EventType.INGESTION and e.id in ledger.packed]
    # Of one that a kill kept from being made, the next version has the event and no list.
    told = [e for e in held if "delivery" in e.detail and f"{SUBMISSION}v{e.detail['version']}.json" in ledger.state]
    return told or [e for e in held if e.source and e.source.sha256][-1:]


def _below(folder: str, head: Mapping[str, str]) -> dict[str, str]:
    return {path.removeprefix(folder): sha256 for path, sha256 in head.items() if path.startswith(folder)}


def in_the_way(head: Mapping[str, str], new: Sequence[str]) -> list[str]:
    """Originals of the head that a new one cannot stand beside: a file where now a folder is, or the other way round.

    They leave the head and stay in their version.
    """
    # Only those that the head has: of deep names, all their folders would fill the memory.
    folders = {folder for path in new for parent in PurePosixPath(path).parents if (folder := str(parent)) in head}
    arrived = set(new)
    return [
        path
        for path in head
        if path.startswith(ORIGINALS)
        and (path in folders or any(str(parent) in arrived for parent in PurePosixPath(path).parents))
    ]


def _message(head: int, new: int, *, renewed: bool) -> str:
    if not new:
        return "New lists or descriptions of the bag" if renewed else "A new description"
    return f"Ingestion of {new} originals" if head == 0 else f"Supplement: {new} originals new or changed"


def _texts(container: Container) -> dict[str, str]:
    return {"size": str(container.size), "sha256": container.sha256, "sha512": container.sha512}


def _digests(staged: Staged | disk.Digests) -> dict[str, str]:
    return {"sha256": staged.sha256, "sha512": staged.sha512}


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
