"""Prefect's database without a run in it, made once for an installation: a home's first server then starts with a copy.

To make it takes some 200 migrations, more work than all the rest of the server's start. `python -m flows.command.blank`
makes it; without it a server makes its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

BLANK = Path(sys.prefix) / "share" / "perenne" / f"prefect-{version('prefect')}.db"
"""Of this installation and this release of Prefect; a run only reads it."""
_BESIDE = ("", "-wal", "-shm")


def lay(database: Path, blank: Path = BLANK) -> bool:
    """Put a copy where there is no database yet; returns whether what is there needs no migration.

    To be called while no server uses it. Where it cannot be written nothing is there afterwards; the server says why.
    """
    if not any(_beside(database, end).exists() for end in _BESIDE) and blank.is_file():
        new = _beside(database, ".new")
        try:
            shutil.copyfile(blank, new)
            with new.open("rb") as copied:
                os.fsync(copied.fileno())
            new.rename(database)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
    revision = _revision(blank)
    return revision is not None and _revision(database) == revision


def _beside(database: Path, end: str) -> Path:
    return database.with_name(database.name + end)


def _revision(database: Path) -> str | None:
    """The migration that a database is at (Alembic's table); None for a file that does not say."""
    if not database.is_file():
        return None
    try:
        with contextlib.closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as asked:
            (row,) = asked.execute("select version_num from alembic_version").fetchall()
    except (sqlite3.Error, ValueError):
        return None
    return str(row[0])


def make(blank: Path = BLANK) -> None:
    """Make it, whole or not at all. Loads Prefect, with settings of its own: for a process that does nothing else."""
    blank.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=blank.parent, prefix="prefect-new-") as folder:
        made = Path(folder, "prefect.db")
        os.environ |= {
            "PREFECT_HOME": folder,
            "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{made}",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }
        asyncio.run(_migrated())
        with contextlib.closing(sqlite3.connect(made, isolation_level=None)) as one:
            one.execute("pragma wal_checkpoint(truncate)")
            one.execute("pragma journal_mode = delete")  # all in one file
            one.execute("vacuum")
        made.chmod(0o644)
        made.rename(blank)


async def _migrated() -> None:
    from prefect.server.database import provide_database_interface
    from prefect.server.models.block_registration import run_block_auto_registration

    database = provide_database_interface()
    await database.create_db()
    session = await database.session()
    async with session:
        await run_block_auto_registration(session=session)
    engine = await database.engine()
    await engine.dispose()


if __name__ == "__main__":
    make()
