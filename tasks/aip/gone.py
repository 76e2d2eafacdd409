"""AIPs that the store had and has no more: only the log can tell that they were there."""

from __future__ import annotations

import os
import uuid
from collections.abc import Collection

from tasks.config.home import Home
from tasks.premis.model import Trouble, aip_id
from tasks.premis.told import batches, told
from tasks.store.ocfl import Store
from tasks.store.repair import staged

_PARTS = 1000
"""So many parts of a batch are looked through for the number of one."""


def check_store(home: Home) -> None:
    """Raises Trouble "store-missing" when there is no storage root, but the log tells of AIPs that it held; LogError.

    A share that was not mounted leaves an empty folder: a new root in it would take every delivery in again, as new.
    """
    ocfl = home.store / "ocfl"
    if ocfl.exists():
        return
    said = told(home.log)
    if held := said.taken | said.identified:
        raise Trouble("store-missing", folder=str(ocfl), aips=str(len(held)))


def opened(home: Home) -> Store:
    """The store, made only where the log tells of none. Raises Trouble, LogError, StoreBroken."""
    check_store(home)
    return Store(home.store)


def gone(home: Home, store: Store, there: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """The AIPs, besides those that are `there`, of which the log says that they got a version. Raises LogError.

    What is taken in is in the log before it is a version, and in the stage until it is one: an AIP with a stage and
    nothing later in the log was stopped before its first version. The log is read first and the store last, so that a
    version that comes meanwhile is seen.
    """
    said = told(home.log)
    coming = set(staged(store))
    wanted = (said.identified | (said.taken - coming)).difference(there)
    return sorted(aip for aip in wanted if not os.path.isdir(store.object_path(aip)))  # noqa: PTH112  a Path's may raise


def called(home: Home, aips: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Each AIP with its label as far as the log tells it, else its id. Raises LogError."""
    names = batches(home.log, aips)
    return {aip: _label(aip, names[aip]) if aip in names else str(aip) for aip in aips}


def _label(aip: uuid.UUID, batch: str) -> str:
    """As `About.label`: the ids of a batch's parts follow from its name."""
    part = next((n for n in range(2, _PARTS) if aip_id(batch, n) == aip), 0) if aip != aip_id(batch) else 0
    return f"{batch} · part {part}" if part else batch
