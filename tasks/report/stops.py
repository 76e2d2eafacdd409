"""What ends a run: whatever was raised, as a code that people and monitors can go by."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path

from tasks.config.faults import briefly
from tasks.config.home import ConfigError, Home
from tasks.policy.load import PolicyError
from tasks.premis import codes
from tasks.premis.log import LogError
from tasks.premis.model import Trouble
from tasks.store.errors import DigestMismatch, StoreBroken
from tasks.tools.machine import NotFit
from tasks.tools.words import size

_ERRNOS: dict[int, str] = {
    errno.ENOSPC: "disk-full",
    errno.EDQUOT: "quota",
    errno.EROFS: "read-only",
    errno.EACCES: "no-permission",
    errno.EPERM: "no-permission",
    errno.EIO: "disk-failing",
    errno.ESTALE: "disk-failing",
    errno.ENODEV: "disk-failing",
    errno.ENXIO: "disk-failing",
    errno.ENOTCONN: "disk-failing",
}
_EXHAUSTED: dict[int, str] = {
    errno.ENOMEM: "memory",
    errno.EMFILE: "open files for one process",
    errno.ENFILE: "open files",
    errno.EAGAIN: "room for processes",
}


_NO_MACHINES_FAULT = ("policy-invalid", "settings-invalid")


def is_the_machines(code: str) -> bool:
    """Whether the machine, a disk, the store or the log has to be mended: no file, rule or setting is to blame."""
    return code in codes.CODES and codes.stops(code) and code not in _NO_MACHINES_FAULT


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run could not go on: a code of the word `stopped`, or none where only the sentence is known."""

    code: str
    detail: dict[str, str] = field(default_factory=dict)
    sentence: str = ""

    @property
    def message(self) -> str:
        """What was seen and what to do, in one line."""
        if not self.code:
            return self.sentence
        return f"{codes.message(self.code, self.detail)} {codes.advice(self.code, self.detail)}"


def stop(error: BaseException, home: Home) -> Stop:
    """The code of what was raised; the folder meant is found from the error, and its free space told."""
    first = (str(error) or type(error).__name__).splitlines()[0]
    if isinstance(error, NotFit) and error.trouble:
        return Stop(error.trouble.code, dict(error.trouble.detail))
    if isinstance(error, PolicyError):
        return Stop("policy-invalid", {"what": briefly(error.name, error.faults)})
    if isinstance(error, ConfigError):
        return Stop("settings-invalid", {"what": briefly(error.path, error.faults)})
    for kind, code in (
        (NotFit, "machine-not-fit"),
        (StoreBroken, "store-broken"),
        (LogError, "log-broken"),
    ):
        if isinstance(error, kind):
            return Stop(code, {"what": first})
    if isinstance(error, DigestMismatch):  # other bytes came back than were written
        return Stop("disk-failing", {"folder": str(_ours(error.path, home) or error.path.parent), "what": first})
    if isinstance(error, Trouble):
        return Stop(error.code, dict(error.detail))
    if isinstance(error, MemoryError):
        return Stop("machine-exhausted", {"what": _EXHAUSTED[errno.ENOMEM]})
    if isinstance(error, OSError) and error.errno in _EXHAUSTED:
        return Stop("machine-exhausted", {"what": _EXHAUSTED[error.errno]})
    if isinstance(error, OSError) and error.errno in _ERRNOS and (folder := _folder(error, home)):
        told = {"folder": str(folder), "free": _free(folder), "what": error.strerror or first}
        return Stop(_ERRNOS[error.errno], told)
    return Stop("", sentence=first)


def temporary() -> Path:
    """Where programs put what is to be forgotten. Python itself looks elsewhere when it is full, and tells nobody."""
    return Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108  nothing is opened there


def _folder(error: OSError, home: Home) -> Path | None:
    """Which of our folders the error is about. One that names no file is about a full disk, or nobody knows."""
    named = [Path(os.fsdecode(n)) for n in (error.filename, error.filename2) if isinstance(n, str | bytes)]
    if named:
        return next((folder for name in named if (folder := _ours(name, home))), None)
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    there = [folder for folder in (*_folders(home), temporary()) if folder.is_dir()]
    return min(there, key=_left, default=None)


def _ours(path: Path, home: Home) -> Path | None:
    if path.is_relative_to(home.inbox):
        return None  # a delivery's disk is not ours, though a home may hold it
    ours = [folder for folder in _folders(home) if path.is_relative_to(folder)]
    return next(iter(ours), path if path == temporary() else None)  # itself alone: a delivery may lie in it


def _folders(home: Home) -> tuple[Path, ...]:
    return (home.store, home.work, home.log, home.review, home.reports, home.prefect, home.root)


def _left(folder: Path) -> int:
    found = os.statvfs(folder)
    return min(found.f_bavail * found.f_frsize, (found.f_favail << 12) if found.f_files else 1 << 62)


def _free(folder: Path) -> str:
    try:
        return size(_left(folder))
    except OSError:
        return "?"
