"""A fixity check of one AIP, and the events that tell of it: one for each fault, and one that closes the check."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.aip.coverage import BYTES
from tasks.config.home import PERENNE, Home
from tasks.premis import codes, log
from tasks.premis.model import Event, EventType, Measure, Outcome
from tasks.premis.recorder import Recorder
from tasks.store.fixity import Checked, Fault, Kind, verify_object
from tasks.store.ocfl import Store

RECORDED = 1000
"""So many faults of an AIP get an event of their own; the closing event counts all."""
CODES = {
    Kind.ROT: "fixity-broken",
    Kind.MISSING: "fixity-missing",
    Kind.EXTRA: "fixity-extra",
    Kind.RENAMED: "fixity-renamed",
    Kind.INVENTORY: "inventory-damaged",
    Kind.UNREADABLE: "fixity-unreadable",
    Kind.UNFINISHED: "version-unfinished",
}


@dataclass(frozen=True, slots=True)
class Read:
    """One AIP after its bytes were read; `faults` are sentences, `alarms` those of them that need a person."""

    aip: uuid.UUID
    batch: str
    files: int
    bytes: int
    faults: tuple[str, ...]
    alarms: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The result with stable keys."""
        return {
            "aip": str(self.aip),
            "batch": self.batch,
            "files": self.files,
            "bytes": self.bytes,
            "faults": list(self.faults),
        }


def check(
    aip: uuid.UUID,
    batch: str,
    home: Home,
    run: uuid.UUID,
    go_on: Callable[[], None] = lambda: None,
    *,
    after: datetime | None = None,
) -> Read:
    """Read one AIP and record the check. No lock is taken: what is stored is never changed.

    `after` is the time of its last check, as for a `Recorder`: what is found now is the last word on the AIP.
    What `go_on` raises between two blocks puts the AIP down: nothing is recorded then, as if it had not been begun.
    """
    began = time.time()
    found = verify_object(Store(home.store), aip, go_on)
    log.append(list(_events(found, Recorder(run, aip, after=after), began)), home.log, name="verify")
    said = tuple(f"{fault.kind}: {fault.path}{f' ({fault.what})' if fault.what else ''}" for fault in found.faults)
    alarms = tuple(s for s, fault in zip(said, found.faults, strict=True) if fault.kind is not Kind.UNFINISHED)
    return Read(aip, batch, found.files, found.bytes, said, alarms)


def _events(found: Checked, recorder: Recorder, began: float) -> Iterator[Event]:
    for fault in found.faults[:RECORDED]:
        yield event_of(fault, recorder, began)
    alarms = [fault for fault in found.faults if fault.kind is not Kind.UNFINISHED]
    yield recorder.event(
        EventType.FIXITY,
        Outcome.FAIL if alarms else Outcome.SUCCESS,
        began=began,
        detail={BYTES: str(found.bytes), "faults": str(len(found.faults))},
        agents=(PERENNE,),
        measures=(Measure("files", str(found.files)), Measure("bytes", str(found.bytes), "B")),
    )


def event_of(fault: Fault, recorder: Recorder, began: float) -> Event:
    """The event that tells of one fault."""
    code = CODES[fault.kind]
    return recorder.event(
        EventType.FIXITY, codes.code(code).premis, began=began, code=code, detail=_detail(fault), agents=(PERENNE,)
    )


def _detail(fault: Fault) -> dict[str, str]:
    path = f". ({fault.what})" if fault.kind is Kind.MISSING and fault.what else fault.path
    told = {"path": path, "what": fault.what or "other bytes than its digest says", "now": fault.what}
    wanted = {Kind.RENAMED: ("path", "now"), Kind.INVENTORY: ("path", "what"), Kind.UNREADABLE: ("path", "what")}
    return {name: told[name] for name in wanted.get(fault.kind, ("path",))}
