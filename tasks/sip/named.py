"""The delivery that a person or a run names: never what Perenne itself keeps, nor a folder that holds it.

A run that took its own store in would store every AIP once more, and again with each run.
"""

from __future__ import annotations

import os
from pathlib import Path

from tasks.config.home import Home
from tasks.sip.batch import Batch, BatchError, batch, place
from tasks.sip.naming import shown


def named(name: str, home: Home) -> Batch:
    """The batch that is called so in the inbox, or lies at this path. Raises BatchError as `delivered` does."""
    return delivered(place(home.inbox, name), home)


def delivered(path: Path, home: Home) -> Batch:
    """The batch at a path. Raises BatchError when that is none, or not a producer's but ours."""
    there, inbox = _real(path), _real(home.inbox)
    if there == inbox:
        raise BatchError(
            f"{shown(path)} is the inbox itself. Name one delivery in it; without a name, perenne run takes every one "
            "that is ready."
        )
    for folder, holds in _kept(home).items():
        if there == (own := _real(folder)):
            raise BatchError(f"{shown(path)} is where Perenne keeps {holds}. Name one delivery.")
        if own.is_relative_to(there):
            raise BatchError(f"{shown(path)} holds {folder}, where Perenne keeps {holds}. Name one delivery.")
        if folder != home.root and there.is_relative_to(own):
            raise BatchError(f"{shown(path)} lies in {folder}, where Perenne keeps {holds}. Name one delivery.")
    if inbox.is_relative_to(there):
        raise BatchError(f"{shown(path)} holds the inbox, {home.inbox}. Name one delivery.")
    return batch(path)


def _kept(home: Home) -> dict[Path, str]:
    """The folders that are no producer's, and what is in them: the most telling first."""
    return {
        home.root: "everything",
        home.store: "the AIPs",
        home.log: "the log",
        home.work: "its work",
        home.review: "what waits for a person",
        home.reports: "the reports",
        home.prefect: "Prefect's database",
        home.policies: "the policies",
    }


def _real(path: Path) -> Path:
    """Where it lies once every link is followed: a store may be a link to another disk."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:  # no path at all
        return path
