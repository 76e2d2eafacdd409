"""What lies in the storage root and is not ours."""

from __future__ import annotations

import os
from collections.abc import Iterator, Set
from pathlib import Path

from tasks.store.ocfl import ROOT_FILES, Store
from tasks.store.repair import staged


def strangers(store: Store) -> Iterator[str]:
    """What lies in the storage root and belongs to no object, relative to it; objects are not looked into.

    What a run beside us is just putting there is none, nor are the folders on its way there.
    """
    known = set(_objects(store))
    found = sorted(_besides(store, known))
    if not found:
        return
    coming = [store.object_path(aip) for aip in staged(store)]  # first: a commit removes its stage last
    new = set(_objects(store)) - known
    ways = {folder for path in (*coming, *new) for folder in path.parents}
    for path in found:
        if path not in ways and new.isdisjoint((path, *path.parents)) and os.path.lexists(path):
            yield f"{path.relative_to(store.ocfl)}{'/' if _is_folder(path) else ''}"


def _objects(store: Store) -> Iterator[Path]:
    return (path for aip in store.aips() if _is_folder(path := store.object_path(aip)))


def _is_folder(path: Path) -> bool:
    """Also where nobody may look into the folder above: a Path's own question raises there."""
    return os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114


def _besides(store: Store, known: Set[Path]) -> Iterator[Path]:
    """Every file that is in no object, and every folder with nothing in it or into which nobody can look."""
    waiting = [store.ocfl]
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            continue
        except OSError:
            yield folder
            continue
        if not entries and folder != store.ocfl:
            yield folder
        for entry in entries:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                if path not in known:
                    waiting.append(path)
            elif str(path.relative_to(store.ocfl)) not in ROOT_FILES:
                yield path
