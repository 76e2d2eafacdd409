"""One delivery opened: a folder, an archive, a bag or a bag in an archive; what becomes originals, and where."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tasks.config.home import Home
from tasks.sip import archive
from tasks.sip import bag as bags
from tasks.sip.archive import Container, Room
from tasks.sip.bag import Bag
from tasks.sip.batch import Batch, BatchRefused, Entry, empty_folders, unfit
from tasks.sip.faults import Faults


@dataclass(frozen=True, slots=True)
class Delivery:
    """`entries` are to become originals; they, the bag's tag files and what came `beside` the bag lie below `root`.

    `names` has the names that an archive gave otherwise, by place; `empty` the folders without anything in them, where
    the delivery came as a folder.
    """

    entries: tuple[Entry, ...]
    root: Path
    bag: Bag | None = None
    container: Container | None = None
    beside: tuple[Entry, ...] = ()
    names: Mapping[bytes, bytes] = field(default_factory=dict)
    empty: tuple[Entry, ...] = ()

    def path(self, entry: Entry) -> Path:
        """Where the bytes of an entry lie."""
        return Path(os.fsdecode(os.path.join(os.fsencode(self.root), entry.at)))

    def received(self, entry: Entry) -> bytes:
        """The name of an entry as it came."""
        return self.names.get(entry.place, entry.raw)

    def claimed(self, entry: Entry) -> dict[str, str]:
        """The digests that a bag claims of an entry, by algorithm."""
        return dict(self.bag.digests.get(bags.PAYLOAD + entry.raw, {})) if self.bag else {}


@contextlib.contextmanager
def opened(batch: Batch, listed: tuple[Entry, ...], home: Home, room: Room) -> Iterator[Delivery]:
    """The delivery, of which `listed` is what `walk` saw; a bag is judged, an archive judged and unpacked.

    `room` is told of the files before one is touched (of an archive: what it says that it holds, before anything is
    unpacked), and raises Trouble when that is too much for our disks. Raises BatchRefused with all that is wrong.
    """
    if not batch.packed:
        with room([entry for entry in listed if not entry.kind], ()):
            yield _judged(Delivery(listed, batch.path, empty=empty_folders(batch.path)))
        return
    with archive.opened(batch.path, home, room) as unpacked:
        container, names = unpacked.container, unpacked.received
        yield _judged(Delivery(unpacked.entries, unpacked.folder, container=container, names=names))


def _judged(whole: Delivery) -> Delivery:
    root = bags.root_of(whole.entries)
    return whole if root is None else _bag(whole, root)


def _bag(whole: Delivery, root: bytes) -> Delivery:
    """The payload of a bag, every file of it read and compared. Raises BatchRefused with all its faults."""
    bag = bags.read(whole.root, bags.below(root, whole.entries))
    beside = tuple(e for e in whole.entries if not e.raw.startswith(root))
    faults = bag.verify().extend(bags.unusable(beside))
    if not faults.count and not bag.payload:
        raise unfit("the bag holds no file")
    if faults.count:
        raise _refused(faults)
    payload = root + bags.PAYLOAD
    empty = tuple(replace(e, raw=e.raw[len(payload) :]) for e in whole.empty if e.raw.startswith(payload))
    return Delivery(bag.payload, whole.root, bag, whole.container, beside, empty=empty)


def _refused(faults: Faults) -> BatchRefused:
    told, count = faults.words(), str(faults.count)
    if faults.broken:
        refused = BatchRefused("bag-invalid", told, faults.count, count=count, first=told[0])
    else:
        refused = BatchRefused("bag-mismatch", told, faults.count, count=count)
    refused.passing = any("cannot be read: " in one for one in told)  # a disk or a share that was away
    return refused
