"""Prefect's database: the history of runs, not the record. A damaged one is moved aside before a server meets it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from pathlib import Path

CHECK_S, _WAIT_S = 20.0, 2.0
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BESIDE = ("", "-wal", "-shm")


def set_aside_damaged(database: Path, *, limit_s: float = CHECK_S) -> Path | None:
    """Move a damaged database away with all that belongs to it; returns its new place, None when there was no need.

    To be called while no server uses it. Whatever else keeps it from being read (a lock, a permission, more bytes than
    can be checked within the limit) is no damage, and the server's to tell.
    """
    if not database.is_file() or not _damaged(database, limit_s):
        return None
    aside = _free(database)
    for end in _BESIDE:
        with contextlib.suppress(FileNotFoundError):
            database.with_name(database.name + end).rename(aside.with_name(aside.name + end))
    return aside


def _free(database: Path) -> Path:
    """A name that nothing has: two may be damaged within one second."""
    name = f"{database.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}"
    names = [name, *(f"{name}-{n}" for n in range(2, 100))]
    return next(place for n in names if not (place := database.with_name(n)).exists())


def _damaged(database: Path, limit_s: float) -> bool:
    """Whether the check found damage in time. One that takes longer goes on beside us and changes nothing."""
    found: list[bool] = []
    checking = threading.Thread(target=lambda: found.append(_check(database)), name="quick_check", daemon=True)
    checking.start()
    checking.join(limit_s)
    return found == [True]


def _check(database: Path) -> bool:
    with contextlib.closing(sqlite3.connect(database, timeout=_WAIT_S)) as asked:
        try:
            return asked.execute("pragma quick_check(1)").fetchall() != [("ok",)]
        except sqlite3.DatabaseError as e:
            return (e.sqlite_errorcode & 0xFF) in _DAMAGED  # the rest of an error code says more about its kind
