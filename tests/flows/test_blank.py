"""A home's first server starts with a copy of the installation's blank database, or makes its own."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from flows.command.blank import BLANK, lay

HEAD = """
from alembic.script import ScriptDirectory
from prefect.server.database import provide_database_interface
from prefect.server.database.alembic_commands import alembic_config
script = ScriptDirectory.from_config(alembic_config())
script.version_locations = [provide_database_interface().orm.versions_dir]
print(script.get_heads())
"""


def _database(path: Path, revision: str) -> Path:
    with contextlib.closing(sqlite3.connect(path)) as made:
        made.execute("create table alembic_version (version_num text)")
        made.execute("insert into alembic_version values (?)", (revision,))
        made.commit()
    return path


def test_a_home_without_a_database_gets_the_blank_one_and_needs_no_migration(tmp_path: Path) -> None:
    blank = _database(tmp_path / "blank.db", "aa11")
    assert lay(tmp_path / "prefect.db", blank)
    assert (tmp_path / "prefect.db").read_bytes() == blank.read_bytes()


def test_a_database_of_an_older_release_stays_and_is_migrated_by_the_server(tmp_path: Path) -> None:
    blank, own = _database(tmp_path / "blank.db", "aa11"), _database(tmp_path / "prefect.db", "0099")
    before = own.read_bytes()
    assert not lay(own, blank)
    assert own.read_bytes() == before


def test_a_database_at_the_same_revision_stays_and_needs_no_migration(tmp_path: Path) -> None:
    blank, own = _database(tmp_path / "blank.db", "aa11"), _database(tmp_path / "prefect.db", "aa11")
    with contextlib.closing(sqlite3.connect(own)) as more:
        more.execute("create table flow_run (id text)")
    before = own.read_bytes()
    assert lay(own, blank)
    assert own.read_bytes() == before


def test_nothing_is_laid_beside_the_rest_of_a_database_whose_log_would_be_replayed_into_it(tmp_path: Path) -> None:
    blank = _database(tmp_path / "blank.db", "aa11")
    (tmp_path / "prefect.db-wal").write_bytes(b"the log of a database that somebody removed")
    assert not lay(tmp_path / "prefect.db", blank)
    assert not (tmp_path / "prefect.db").exists()


def test_without_a_blank_one_the_server_makes_its_own(tmp_path: Path) -> None:
    assert not lay(tmp_path / "prefect.db", tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_left_to_the_server(tmp_path: Path) -> None:
    blank = _database(tmp_path / "blank.db", "aa11")
    (tmp_path / "prefect.db").write_bytes(b"no database" * 100)
    assert not lay(tmp_path / "prefect.db", blank)


def test_where_nothing_can_be_written_nothing_is_left(tmp_path: Path) -> None:
    blank = _database(tmp_path / "blank.db", "aa11")
    assert not lay(tmp_path / "gone" / "prefect.db", blank)
    assert not (tmp_path / "gone").exists()


@pytest.mark.slow
def test_the_blank_database_of_this_installation_is_where_prefects_migrations_end() -> None:
    told = subprocess.run([sys.executable, "-c", HEAD], capture_output=True, text=True, check=True).stdout
    with contextlib.closing(sqlite3.connect(f"file:{BLANK}?mode=ro", uri=True)) as asked:
        (row,) = asked.execute("select version_num from alembic_version").fetchall()
        runs = asked.execute("select count(*) from flow_run").fetchall()
    assert told.strip() == str([row[0]])
    assert runs == [(0,)]
