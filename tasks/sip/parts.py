"""A delivery of more files than one AIP may hold, cut into parts that stay the same whenever it comes again."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tasks.aip.ledger import ORIGINALS
from tasks.premis.model import aip_id
from tasks.sip.batch import Entry
from tasks.store.errors import StoreBroken
from tasks.store.names import logical_path
from tasks.store.ocfl import Store
from tasks.store.reader import Entry as Stored

SUBMISSION = "metadata/submission/"
"""Where each version that took originals in lists the delivery as it was then, `vN.json`."""
_LISTING = re.compile(rf"{SUBMISSION}v\d+\.json")


@dataclass(frozen=True, slots=True)
class Part:
    """One AIP's share of a delivery, counted from 1; `known` are the logical paths that belong to it already.

    `originals` is a digest of the names and bytes that its head has.
    """

    number: int
    aip: uuid.UUID
    version: int
    known: frozenset[str]
    originals: str = ""


def stored(batch: str, store: Store) -> list[Part]:
    """The parts of a batch that the store holds, in order. Raises StoreBroken."""
    return list(_stored(batch, store))


def _stored(batch: str, store: Store) -> Iterator[Part]:
    number = 1
    while (inventory := store.inventory(aip_id(batch, number))) is not None:
        state = inventory.state()
        yield Part(number, inventory.aip, inventory.head, frozenset(_known(state)), _originals(state))
        number += 1
    if store.inventory(aip_id(batch, number + 1)) is not None:
        # Parts come one after the other. Were its files cut anew, they would be stored beside those of the parts after.
        raise StoreBroken(store.object_path(aip_id(batch, number)), f"part {number} of {batch} is gone")


def _originals(state: Mapping[str, Stored]) -> str:
    held = sorted((path, entry.sha512) for path, entry in state.items() if path.startswith(ORIGINALS))
    return hashlib.sha256(json.dumps(held).encode()).hexdigest()


def _known(state: Mapping[str, Stored]) -> Iterator[str]:
    """What was stored, and what was told of: a file that was refused belongs to the part that refused it."""
    for path, entry in state.items():
        if path.startswith(ORIGINALS):
            yield path
        elif _LISTING.fullmatch(path):
            for told in json.loads(entry.read()):
                yield ORIGINALS + told["path"]


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
