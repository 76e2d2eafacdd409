"""Flow: every stored byte against its digest. Changes nothing; one wrong byte turns it red."""

# No `from __future__ import annotations`: Prefect builds a form from the types themselves.
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect import State, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed
from pydantic import BaseModel, Field

from flows.nightly import stops_clearly
from flows.ui.run import run_id
from tasks.aip.find import UnknownAip, find_aips, names
from tasks.config.home import PERENNE, Home
from tasks.config.home import home as the_home
from tasks.config.locks import aip_lock
from tasks.premis import log
from tasks.premis.model import EventType, Outcome
from tasks.premis.recorder import Recorder
from tasks.report import phrases
from tasks.store.errors import StoreBroken
from tasks.store.fixity import Faults, verify_object
from tasks.store.ocfl import Store


class VerifyOptions(BaseModel):
    """Leave as it is for the whole store."""

    aips: list[str] = Field([], title="Only these AIPs", description="Ids or batch names. Empty: all.")


@dataclass(frozen=True, slots=True)
class Checked:
    """One AIP after its bytes were read."""

    aip: UUID
    batch: str
    faults: tuple[str, ...]
    read: bool = True  # False: another run works on it, so its bytes are no rest to be judged

    def as_json(self) -> dict[str, Any]:
        """The result with stable keys."""
        return {"aip": str(self.aip), "batch": self.batch, "faults": list(self.faults), "read": self.read}


@flow(name="verify", flow_run_name="store", persist_result=False)
@stops_clearly
def verify(options: VerifyOptions = VerifyOptions()) -> State:  # noqa: B008  the form shows its fields
    """Reads every stored byte and compares its digest."""
    home = the_home().prepare()
    try:
        wanted = find_aips(home, options.aips) if options.aips else dict(names(home))
    except UnknownAip as e:
        return Failed(name="Stopped", message=str(e))
    checked = [verify_aip(batch, aip, home) for aip, batch in wanted.items()]
    bad = [c for c in checked if c.faults]
    if bad:
        first = f"{bad[0].batch}: {bad[0].faults[0]}"
        told = f"ALARM. {phrases.count(len(bad), 'AIP')} of {len(checked)} not as stored: {first}"
        return Failed(name="Needs a person", message=told, data=tuple(checked))
    unread = [c.batch for c in checked if not c.read]
    told = f"{phrases.count(len(checked) - len(unread), 'AIP')} read, every byte as stored."
    if unread:
        told += f" Not read, for another run works on them: {', '.join(unread[:5])}."
    return Completed(name="Done", message=told, data=tuple(checked))


@task(name="verify", task_run_name="verify {name}", cache_policy=NO_CACHE, persist_result=False)
def verify_aip(name: str, aip: UUID, home: Home) -> Checked:
    """Read one AIP and record the fixity check as an event."""
    began, store = time.time(), Store(home.store)
    with aip_lock(home, aip, run_id()) as held:
        if not held:
            return Checked(aip, name, (), read=False)
        try:
            faults = tuple(_told(verify_object(store, aip)))
        except StoreBroken as e:
            faults = (str(e),)
    event = Recorder(run_id(), aip).event(
        EventType.FIXITY,
        Outcome.FAIL if faults else Outcome.SUCCESS,
        began=began,
        code="fixity-broken" if faults else "",
        detail={"path": faults[0], "count": str(len(faults))} if faults else {},
        agents=(PERENNE,),
    )
    log.append([event], home.log, name="verify")
    return Checked(aip, name, faults)


def _told(faults: Faults) -> Iterator[str]:
    """Every fault as one line, rot, missing and extra told apart."""
    yield from (f"rotten: {p}" for p in faults.rot)
    yield from (f"missing: {p}" for p in faults.missing)
    yield from (f"extra: {p}" for p in faults.extra)
