"""A damaged history of runs is told from one that is whole, locked or merely large."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flows.command.history import set_aside_damaged

ROWS = 20_000


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """As Prefect's: a write-ahead log, an index, some megabytes."""
    path = tmp_path / "prefect.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("pragma journal_mode = wal")
        made.execute("create table flow_run (id text primary key, name text)")
        made.executemany("insert into flow_run values (?, ?)", ((f"{n:036}", "x" * 80) for n in range(ROWS)))
        made.commit()
    return path


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 + 100)


def scribble(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 4)
        file.write(bytes(range(256)) * 400)


def scribble_first(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\xa7" * 4096)


@pytest.mark.parametrize("damage", [truncate, scribble, scribble_first])
def test_a_damaged_database_is_moved_aside_with_all_that_belongs_to_it(
    database: Path, damage: Callable[[Path], None]
) -> None:
    wal = database.with_name("prefect.db-wal")
    damage(database)
    wal.write_bytes(b"")
    began = time.monotonic()
    aside = set_aside_damaged(database)
    assert time.monotonic() - began < 5
    assert aside is not None
    assert aside.name.startswith("prefect.db.damaged-")
    assert aside.exists()
    assert not database.exists()
    assert not wal.exists()
    database.write_bytes(b"no database at all, but no smaller than the header of one would be" * 9)
    other = set_aside_damaged(database)
    assert other is not None
    assert other != aside


def test_a_whole_an_empty_and_a_missing_one_stay(database: Path, tmp_path: Path) -> None:
    assert set_aside_damaged(database) is None
    (tmp_path / "empty.db").touch()
    assert set_aside_damaged(tmp_path / "empty.db") is None
    assert set_aside_damaged(tmp_path / "missing.db") is None
    assert not (tmp_path / "missing.db").exists()
    assert not list(tmp_path.glob("*damaged*"))


@pytest.mark.parametrize("lock", ["begin immediate", "begin exclusive", "pragma locking_mode = exclusive"])
def test_a_locked_database_is_not_damaged(database: Path, lock: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute(lock)
        if lock.startswith("pragma"):
            other.execute("begin exclusive")
        other.execute("insert into flow_run values ('new', 'new')")
        assert set_aside_damaged(database) is None
        assert database.exists()


def test_what_was_written_last_before_a_kill_is_no_damage(database: Path, tmp_path: Path) -> None:
    """The write-ahead log of a server that was killed is still there; only a copy shows it as the kill left it."""
    with closing(sqlite3.connect(database)) as other:
        other.execute("insert into flow_run values ('new', 'new')")
        other.commit()
        copy = tmp_path / "killed.db"
        copy.write_bytes(database.read_bytes())
        copy.with_name("killed.db-wal").write_bytes(database.with_name("prefect.db-wal").read_bytes())
    assert set_aside_damaged(copy) is None
    with closing(sqlite3.connect(copy)) as asked:
        assert asked.execute("select count(*) from flow_run").fetchone() == (ROWS + 1,)


def test_a_database_that_cannot_be_checked_in_time_is_left_to_the_server(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("pragma journal_mode = delete")
        other.execute("begin exclusive")  # whoever reads waits
        began = time.monotonic()
        assert set_aside_damaged(database, limit_s=0.0) is None
        assert time.monotonic() - began < 1
