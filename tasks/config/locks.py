"""One writer per AIP: a `flock` that the kernel frees whatever happens to its holder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from tasks.config.home import Home


def _path(home: Home, aip: uuid.UUID) -> Path:
    folder = home.work / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{aip}.lock"


@contextlib.contextmanager
def aip_lock(home: Home, aip: uuid.UUID, run: uuid.UUID) -> Iterator[bool]:
    """Hold one AIP; False when another run has it. The lock's file names its last holder, for people and sweeps."""
    descriptor = os.open(_path(home, aip), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"run": str(run), "since": round(time.time())}).encode(), 0)
        yield True
    finally:
        os.close(descriptor)


def holders(home: Home) -> dict[str, str]:
    """Run id by AIP id of every lock that is held right now."""
    held = {}
    folder = home.work / "locks"
    for path in sorted(folder.glob("*.lock")) if folder.is_dir() else []:
        with path.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                with contextlib.suppress(ValueError, KeyError):
                    held[path.stem] = json.loads(path.read_text())["run"]
    return held
