"""An empty history of runs for a fresh home: to make its tables takes a server some seconds, each time the same."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START = """
from flows.command import stack
from tasks.config.home import home
with stack.server(home().prepare()):
    pass
"""
PATIENCE_S = 60.0


def furnish(home: Path) -> None:
    """Give a home that has none the history that its first server would have made."""
    database = home / "prefect" / "prefect.db"
    if not database.exists():
        database.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_empty(), database)


def alive(pid: int) -> bool:
    """A zombie is over: whoever adopted it may not care."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@functools.cache
def _empty() -> Path:
    """Made by a true server, once in this process."""
    home = Path(tempfile.mkdtemp(prefix="perenne-history-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        (home / "perenne.toml").write_text(f"server_port = {probe.getsockname()[1]}\n")
    env = {**os.environ, "PERENNE_HOME": str(home)}
    subprocess.run([sys.executable, "-c", START], env=env, cwd=ROOT, check=True)
    guard = json.loads((home / "prefect" / "server.json").read_text())["guard"]
    end = time.monotonic() + PATIENCE_S
    while alive(guard):  # it ends once it has written everything down
        if time.monotonic() > end:
            raise TimeoutError("the server does not end")
        time.sleep(0.1)
    empty = home / "empty.db"
    with (
        contextlib.closing(sqlite3.connect(home / "prefect" / "prefect.db")) as made,
        contextlib.closing(sqlite3.connect(empty)) as copy,
    ):
        made.backup(copy)
    return empty
