"""The reports of runs, read back from their JSON: what `status` says of the last night, and the list of the index."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tasks.config.home import Home

NIGHT, BATCH, REPROCESS = "night", "batch", "reprocess"
FOLDER = "runs"
READ = 400
"""So many reports are looked through for a night: more than a year of them."""
WHOLE = ("Done", "Nothing to do", "Needs a person")
"""States of a run that went through to its end, whatever became of its files."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run as its report has it; times are ISO 8601 in UTC."""

    id: str
    kind: str  # night, batch, reprocess
    state: str
    code: str  # what stopped it; "" for a run that was not stopped
    verdict: str
    message: str
    started: str
    ended: str
    seconds: float
    files: int
    needing: int
    new: int
    names: tuple[str, ...]  # of its first batches

    @property
    def whole(self) -> bool:
        """Whether it went through to its end: neither stopped nor put down."""
        return self.state in WHOLE


def runs(home: Home, limit: int) -> list[Run]:
    """The last runs, newest first: at most `limit`, and hardly more files are read than that."""
    return sorted(islice(_runs(home), limit), key=lambda r: r.started, reverse=True)


def last_night(home: Home) -> Run | None:
    """The last night of which there is a report; None when there is none among the last runs."""
    return next((r for r in islice(_runs(home), READ) if r.kind == NIGHT), None)


def last_good_night(home: Home) -> Run | None:
    """The last night that went through to its end, also when files then needed a person."""
    return next((r for r in islice(_runs(home), READ) if r.kind == NIGHT and r.whole), None)


def _runs(home: Home) -> Iterator[Run]:
    return (one for path in _newest(home) if (one := read(path)) is not None)


def read(path: Path) -> Run | None:
    """One report; None for what is not one."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        return _run(json.loads(path.read_text(encoding="utf-8")))
    return None


def _run(told: dict[str, Any]) -> Run:
    return Run(
        id=str(told["run"]),
        kind=str(told["kind"]),
        state=str(told["state"]),
        code=str(told["code"]),
        verdict=str(told["verdict"]),
        message=str(told["message"]),
        started=str(told["started"]),
        ended=str(told["ended"]),
        seconds=float(told["seconds"]),
        files=int(told["files"]),
        needing=int(told["needing"]),
        new=int(told["new"]),
        names=tuple(str(b["batch"]) for b in told["batches"][:5]),
    )


def _newest(home: Home) -> Iterator[Path]:
    """The reports by the time they were written, newest first: no file is opened for that."""
    found = []
    with contextlib.suppress(FileNotFoundError), os.scandir(home.reports / FOLDER) as entries:
        for entry in entries:
            if entry.name.endswith(".json"):
                with contextlib.suppress(FileNotFoundError):
                    found.append((entry.stat().st_mtime_ns, entry.name))
    return (home.reports / FOLDER / name for _, name in sorted(found, reverse=True))
