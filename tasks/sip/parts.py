"""A delivery of more files than one AIP may hold, cut into parts that stay the same whenever it comes again."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from tasks.aip.ledger import ORIGINALS
from tasks.premis.model import aip_id
from tasks.sip.batch import EMPTY, Entry
from tasks.store.errors import StoreBroken
from tasks.store.names import logical_path
from tasks.store.ocfl import Store
from tasks.store.reader import Entry as Stored

SUBMISSION = "metadata/submission/"
"""Where each version that took originals in lists the delivery as it was then, `vN.json`."""
_LISTING = re.compile(rf"{SUBMISSION}v(\d+)\.json")


@dataclass(frozen=True, slots=True)
class Part:
    """One AIP's share of a delivery, counted from 1; `known` are the logical paths that belong to it already.

    `originals` is a digest of the names and bytes that its head has; `listed` the size and time (ns) that each of them
    had when a version last took originals in.
    """

    number: int
    aip: uuid.UUID
    version: int
    known: frozenset[str]
    originals: str = ""
    listed: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def stored(batch: str, store: Store) -> list[Part]:
    """The parts of a batch that the store holds, in order. Raises StoreBroken."""
    return list(_stored(batch, store))


def _stored(batch: str, store: Store) -> Iterator[Part]:
    number = 1
    while (inventory := store.inventory(aip_id(batch, number))) is not None:
        state = inventory.state()
        held = [path for path in state if path.startswith(ORIGINALS)]
        told = _told(state)
        # What was told of and not stored was refused, and belongs to the part that refused it.
        known, listed = frozenset([*held, *told]), {path: told[path] for path in held if path in told}
        yield Part(number, inventory.aip, inventory.head, known, _originals(state), listed)
        number += 1
    if store.inventory(aip_id(batch, number + 1)) is not None:
        # Parts come one after the other. Were its files cut anew, they would be stored beside those of the parts after.
        raise StoreBroken(store.object_path(aip_id(batch, number)), f"part {number} of {batch} is gone")


def _originals(state: Mapping[str, Stored]) -> str:
    held = sorted((path, entry.sha512) for path, entry in state.items() if path.startswith(ORIGINALS))
    return hashlib.sha256(json.dumps(held).encode()).hexdigest()


def _told(state: Mapping[str, Stored]) -> dict[str, tuple[int, int]]:
    """Size and time of all that the deliveries listed, by logical path; the last one counts."""
    found: dict[str, tuple[int, int]] = {}
    listings = [(int(match[1]), entry) for path, entry in state.items() if (match := _LISTING.fullmatch(path))]
    for _, entry in sorted(listings, key=itemgetter(0)):
        rows = [told for told in json.loads(entry.read()) if told.get("kind") != EMPTY]  # no file, so it takes no room
        found |= {ORIGINALS + told["path"]: (told["size"], int(told["mtime_ns"])) for told in rows}
    return found


def cut(entries: Sequence[Entry], parts: Sequence[Part], most: int) -> list[list[Entry]]:
    """The entries of each part in `parts` and of as many new ones as are needed, each in the order given.

    What a part knows stays with it. What is new fills the last part up to `most` files, then new parts; so the same
    delivery is cut the same way however often a run was killed on the way.
    """
    of_path = {path: place for place, part in enumerate(parts) for path in part.known}
    found: list[list[Entry]] = [[] for _ in parts]
    rooms = [max(0, most - len(part.known)) for part in parts]
    for entry in entries:
        place = of_path.get(ORIGINALS + logical_path(entry.raw))
        if place is None:
            if not rooms or rooms[-1] == 0:
                found.append([])
                rooms.append(most)
            place = len(found) - 1
            rooms[place] -= 1
        found[place].append(entry)
    return found
