"""Putting right what a kill or a power cut interrupted."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from tasks.store.errors import StoreBroken
from tasks.store.ocfl import Store
from tasks.store.stage import Stage
from tasks.store.writer import roll_forward

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Repair(StrEnum):
    """What was done."""

    ROLLED_FORWARD = "rolled forward"
    COMMIT_UNDONE = "commit undone"
    LEFT_BROKEN = "left broken"


@dataclass(frozen=True, slots=True)
class Repaired:
    """One AIP that an interrupted commit had left; `broken` says why nothing was done (an alarm), else it is empty."""

    aip: UUID
    what: Repair
    broken: str = ""


def repair(store: Store) -> tuple[Repaired, ...]:
    """Finish or undo every commit that did not come to its end; for the start of a process that writes to the store.

    A version that was renamed in is made the head. A version that was not goes back to its stage, for the next run to
    use. A stage with nothing left in it is removed, and so are empty folders (OCFL 1.1, E073). Only AIPs with a stage
    are looked at: a commit removes its stage last, so no other can be unfinished. Returns what was repaired, and what
    is broken and needs a person.

    For a store that nobody else works on. Where others may, take the AIP's lock and call `repair_aip`: a stage that is
    being filled looks like one that was left, until its first file is there.
    """
    return tuple(done for aip in staged(store) if (done := repair_aip(store, aip)))


def staged(store: Store) -> Iterator[UUID]:
    """Every AIP that has a stage."""
    for folder in sorted(store.stages.iterdir()):
        if folder.is_dir() and _UUID.fullmatch(folder.name):
            yield UUID(folder.name)


def repair_aip(store: Store, aip: UUID) -> Repaired | None:
    """As `repair`, for one AIP whose lock the caller holds; None when nothing was to be done."""
    stage = Stage(store.stages / str(aip), aip)
    with stage.locked(wait=False) as held:
        if not held:
            return None
        try:
            what = _finish(store, aip, stage)
        except StoreBroken as error:
            return Repaired(aip, Repair.LEFT_BROKEN, str(error))
        if not stage.entries():
            stage.clear()
        return Repaired(aip, what) if what else None


def _finish(store: Store, aip: UUID, stage: Stage) -> Repair | None:
    undone = stage.reclaim()
    rolled = roll_forward(aip, store.object_path(aip), stage.folder)
    if inventory := store.inventory(aip):
        stage.settle({logical: entry.sha512 for logical, entry in inventory.state().items()})
    else:
        _prune(store.object_path(aip).parent, store.ocfl)
    if rolled:
        return Repair.ROLLED_FORWARD
    return Repair.COMMIT_UNDONE if undone and stage.entries() else None


def _prune(folder: Path, root: Path) -> None:
    """Remove a folder and those above it while they are empty, up to the storage root."""
    while folder != root:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            return
        folder = folder.parent
