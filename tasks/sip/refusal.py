"""Deliveries that are refused as a whole: recorded once, told as known after that, not read again while unchanged."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.aip.busy import busy, sentence
from tasks.config.home import PERENNE, Home
from tasks.config.locks import aip_lock
from tasks.premis import log
from tasks.premis.log import LogError
from tasks.premis.model import Event, EventType, Outcome, Trouble
from tasks.premis.recorder import Recorder
from tasks.sip.batch import Batch, BatchRefused, Entry, unfit, unreadable
from tasks.sip.naming import shown

FAULTS_RECORDED = 1000
PASSING = ("source-changing", "source-unreadable")
"""Troubles that may be gone next time without a sign in the listing."""
_SAID = 300


@dataclass(frozen=True, slots=True)
class Refused:
    """A batch that was not taken, and why. `known`: the log has said the same before, so that it is an older matter."""

    batch: str
    why: str
    code: str = ""
    known: bool = False

    def as_json(self) -> dict[str, object]:
        """With stable, documented keys."""
        return {"batch": self.batch, "code": self.code, "why": self.why, "known": self.known}


def refuse(batch: Batch, error: Exception, home: Home, run: uuid.UUID, *, began: float) -> Refused:
    """Refuse a delivery for whatever came up while it was looked at or taken in, and record it."""
    refused = _refusal(batch, error)
    with aip_lock(home, batch.aip, run) as held:
        if not held:
            return put_off(batch, busy(home, batch.aip))
        refused.known = record(batch, refused, home, run, began)
    return told(batch, refused)


def told(batch: Batch, refused: BatchRefused) -> Refused:
    """A refusal as the result of its batch."""
    return Refused(batch.name, str(refused), refused.code, refused.known)


def put_off(batch: Batch, trouble: Trouble) -> Refused:
    """A batch that is not taken for a reason that is not its own."""
    return Refused(batch.name, sentence(trouble), trouble.code)


def machines(error: Exception) -> bool:
    """Whether the machine, the log or a disk of ours is to blame, whatever was being looked at."""
    exhausted = isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
    return exhausted or isinstance(error, Trouble | LogError | MemoryError)


def _refusal(batch: Batch, error: Exception) -> BatchRefused:
    if isinstance(error, BatchRefused):
        return error
    if isinstance(error, OSError):
        named = error.filename if isinstance(error.filename, str | bytes) else os.fsencode(batch.path)
        path = Path(os.fsdecode(named))
        inside = path.relative_to(batch.path) if path.is_relative_to(batch.path) else path
        return unreadable(shown(inside) if inside.name else "it", error)
    return unfit((str(error) or type(error).__name__)[:_SAID].rstrip("."))


def record(batch: Batch, refused: BatchRefused, home: Home, run: uuid.UUID, began: float) -> bool:
    """One event about the AIP that did not come to be, unless the log's last word is the same: then True."""
    detail = {"batch": batch.name, **refused.detail, "faults": "\n".join(refused.faults[:FAULTS_RECORDED])}
    before = _last(batch, home)
    if before and (before.code, before.detail) == (refused.code, detail):
        return True
    memory(home, batch).unlink(missing_ok=True)  # else nobody would look when it is as it was before
    _append(batch, Outcome.FAIL, refused.code, detail, home, run, began)
    return False


def withdraw(batch: Batch, home: Home, run: uuid.UUID, began: float) -> None:
    """Let the log say that the delivery is taken, where its last word is a refusal: nothing new came with it."""
    before = _last(batch, home)
    if before and before.outcome is Outcome.FAIL and before.source is None:
        _append(batch, Outcome.SUCCESS, "", {"batch": batch.name}, home, run, began)


def _last(batch: Batch, home: Home) -> Event | None:
    arrivals = log.read_many(home.log, [batch.aip], EventType.INGESTION)[batch.aip]
    return arrivals[-1] if arrivals else None


def _append(
    batch: Batch, outcome: Outcome, code: str, detail: dict[str, str], home: Home, run: uuid.UUID, began: float
) -> None:
    made = Recorder(run, batch.aip).event
    event = made(EventType.INGESTION, outcome, began=began, code=code, detail=detail, agents=(PERENNE,))
    log.append([event], home.log, name="refused")


def memory(home: Home, batch: Batch) -> Path:
    """Where it is remembered what was seen of a batch last."""
    return home.work / "seen" / f"{batch.aip}.json"


def judged(listing: str, entries: Sequence[Entry], home: Home) -> str:
    """What a refusal depends on: the delivery down to the rights of its files, the limits, and Perenne itself."""
    settings = home.settings()
    limits = f"{settings.archive_max_gb} {settings.archive_max_ratio} {settings.archive_max_files}"
    digest = hashlib.sha256(f"{listing} {PERENNE} {limits}".encode())
    for entry in entries:
        digest.update(b"%d\0" % entry.changed_ns)
    return digest.hexdigest()


def remember(path: Path, by: str, refused: BatchRefused) -> None:
    """Keep a refusal in the batch's memory; nothing but time is lost with it."""
    faults = refused.faults[:FAULTS_RECORDED]
    write(path, {"judged": by, "code": refused.code, "faults": faults, "detail": refused.detail})


def remembered(path: Path, by: str) -> BatchRefused | None:
    """The refusal that was kept, when it would come to the same today."""
    found = read(path)
    if found.get("judged") != by:
        return None
    refused = BatchRefused(str(found["code"]), list(found["faults"]), **found["detail"])
    refused.known = True
    return refused


def read(path: Path) -> dict[str, Any]:
    """A batch's memory: what was seen of it last. Empty when there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(path: Path, found: dict[str, Any]) -> None:
    """A cache: when it is lost, the next run reads the batch once more and finds that it knows it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), encoding="utf-8")
