"""The delivery that a person or a run names: never what Perenne itself keeps, nor a folder that holds it.

A run that took its own store in would store every AIP once more, and again with each run.
"""

from __future__ import annotations

import os
from pathlib import Path

from tasks.config.home import Home
from tasks.sip.batch import Batch, BatchError, batch, place
from tasks.sip.naming import shown
from tasks.words import text


def named(name: str, home: Home) -> Batch:
    """The batch that is called so in the inbox, or lies at this path. Raises BatchError as `delivered` does."""
    return delivered(place(home.inbox, name), home)


def delivered(path: Path, home: Home) -> Batch:
    """The batch at a path. Raises BatchError when that is none, or not a producer's but ours."""
    there, inbox = _real(path), _real(home.inbox)
    if there == inbox:
        raise BatchError(text("use-is-the-inbox", path=shown(path)))
    for folder, holds in _kept(home).items():
        if there == (own := _real(folder)):
            raise BatchError(text("use-is-ours", path=shown(path), what=text(f"ours-{holds}")))
        if own.is_relative_to(there):
            raise BatchError(text("use-holds-ours", path=shown(path), folder=folder, what=text(f"ours-{holds}")))
        if folder != home.root and there.is_relative_to(own):
            raise BatchError(text("use-lies-in-ours", path=shown(path), folder=folder, what=text(f"ours-{holds}")))
    if inbox.is_relative_to(there):
        raise BatchError(text("use-holds-the-inbox", path=shown(path), inbox=home.inbox))
    return batch(path)


def _kept(home: Home) -> dict[Path, str]:
    """The folders that are no producer's, and what is in them as the catalogue calls it: the most telling first."""
    return {
        home.root: "everything",
        home.store: "aips",
        home.log: "log",
        home.work: "work",
        home.review: "review",
        home.reports: "reports",
        home.prefect: "prefect",
        home.policies: "policies",
    }


def _real(path: Path) -> Path:
    """Where it lies once every link is followed: a store may be a link to another disk."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:  # no path at all
        return path
