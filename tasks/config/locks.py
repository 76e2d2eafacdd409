"""One writer per AIP: a `flock` that the kernel frees whatever happens to its holder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tasks.config.home import Home

PATIENCE_S, _LOOK_S = 3.0, 0.05


@dataclass(frozen=True, slots=True)
class Holder:
    """The run that took an AIP, and when."""

    run: str
    since: datetime


def _folder(home: Home) -> Path:
    folder = home.work / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _path(home: Home, aip: uuid.UUID) -> Path:
    return _folder(home) / f"{aip}.lock"


@contextlib.contextmanager
def aip_lock(home: Home, aip: uuid.UUID, run: uuid.UUID) -> Iterator[bool]:
    """Hold one AIP; False when another run has it. The lock's file names its last holder, for people and sweeps.

    A run that only looks holds an AIP for a moment: so one that took it just now is waited for, some seconds at most.
    """
    descriptor = os.open(_path(home, aip), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        yield _taken(home, descriptor, run)
    finally:
        os.close(descriptor)


def _taken(home: Home, descriptor: int, run: uuid.UUID) -> bool:
    end = time.monotonic() + PATIENCE_S
    while True:
        with _naming(home):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                found = _read(os.pread(descriptor, 1 << 10, 0))
            else:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps({"run": str(run), "since": round(time.time())}).encode(), 0)
                return True
        at_work = found is not None and time.time() - found.since.timestamp() > PATIENCE_S
        if at_work or time.monotonic() > end:
            return False
        time.sleep(_LOOK_S)


@contextlib.contextmanager
def _naming(home: Home, *, asking: bool = False) -> Iterator[None]:
    """Taking a lock and writing who took it, as one act: nobody finds a lock held under the name of a former holder.

    Who is only `asking`, as a sweep is, keeps takers out and other askers not.
    """
    # NFS makes of a flock a lock on bytes: an exclusive one wants a descriptor for writing, a shared one for reading.
    descriptor = _naming_file(home, os.O_RDONLY if asking else os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if asking else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _naming_file(home: Home, way: int) -> int:
    path, more = _folder(home) / "naming", os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, way | more, 0o640)
    except PermissionError:  # another member of the group made it; on a disk of this machine reading is enough
        return os.open(path, os.O_RDONLY | more, 0o640)


def _read(text: bytes) -> Holder | None:
    try:
        found = json.loads(text)
        return Holder(str(found["run"]), datetime.fromtimestamp(found["since"], UTC))
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def holder(home: Home, aip: uuid.UUID) -> Holder | None:
    """Who took the AIP's lock last, whether or not it still has it; None when nobody did or the file is unreadable."""
    try:
        return _read(_path(home, aip).read_bytes())
    except OSError:
        return None


def holders(home: Home) -> dict[str, str]:
    """Run id by AIP id of every lock that is held right now."""
    held = {}
    folder = home.work / "locks"
    for path in sorted(folder.glob("*.lock")) if folder.is_dir() else []:
        with _naming(home, asking=True), path.open() as lock:  # so that nobody meets our own moment of holding it
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                with contextlib.suppress(ValueError, KeyError):
                    held[path.stem] = json.loads(path.read_text())["run"]
    return held
