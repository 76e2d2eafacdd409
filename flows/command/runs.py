"""Flow runs as Prefect's server knows them: what a power cut left “running” is told as crashed, nothing stays false."""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import timedelta
from typing import Any

from prefect.automations import Automation
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Cancelled, Cancelling, Crashed

from tasks.config.home import Home
from tasks.config.locks import holders

ALIVE = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)
GOING_ON = (*ALIVE, StateType.SCHEDULED, StateType.PAUSED)
ZOMBIES = "crash zombie flows"
HEARTBEAT = "prefect.flow-run.heartbeat"
ENDS = ("Completed", "Failed", "Cancelled", "Crashed")
WITHIN = timedelta(seconds=90)
PAGE = 200


def _client() -> SyncPrefectClient:
    return get_client(sync_client=True)


def alive(client: SyncPrefectClient) -> list[FlowRun]:
    """Every run that says it is going on."""
    wanted = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(ALIVE))))
    found: list[FlowRun] = []
    while page := client.read_flow_runs(flow_run_filter=wanted, limit=PAGE, offset=len(found)):
        found += page
    return found


def sweep(home: Home) -> int:
    """Set runs that no process can be doing any more to CRASHED; returns how many.

    Called only where this process started the server or lost its worker. A run that holds an AIP's lock lives, and so
    does every run above it (`perenne run` in another terminal).
    """
    spared = set(holders(home).values())
    count = 0
    with _client() as client:
        for run in alive(client):
            if str(run.id) in spared or _root(client, run) in spared:
                continue
            client.set_flow_run_state(
                run.id, Crashed(message="The machine or the process ended while this ran."), force=True
            )
            count += 1
    return count


def _root(client: SyncPrefectClient, run: FlowRun) -> str:
    """The id that a run's lock file bears: that of its outermost parent."""
    while run.parent_task_run_id is not None:
        try:
            parent = client.read_task_run(run.parent_task_run_id).flow_run_id
        except PrefectHTTPStatusError:
            break
        if parent is None:
            break
        run = client.read_flow_run(parent)
    return str(run.id)


def to_be_cancelled(run: uuid.UUID) -> bool:
    """Whether somebody asked, on Prefect's page, for the end of this run."""
    with _client() as client:
        state = client.read_flow_run(run).state
    return state is not None and (state.is_cancelling() or state.is_cancelled())


def cancelled(run: uuid.UUID, message: str) -> None:
    """Tell a run that this process ended, and all that went on below it, as cancelled: no state stays false."""
    with _client() as client:
        waiting, below = [run], list[uuid.UUID]()
        while waiting:
            below += waiting
            parents = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=waiting))
            waiting = [r.id for r in client.read_flow_runs(flow_run_filter=parents, limit=PAGE)]
        for one in client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=below)), limit=PAGE):
            # Prefect tells a run that an exception of ours ended as crashed; nothing crashed.
            if one.state is None or not one.state.is_final() or one.state.is_crashed():
                client.set_flow_run_state(one.id, Cancelled(message=message), force=True)
        going_on = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=list(GOING_ON))))
        mine = FlowRunFilter(id=FlowRunFilterId(any_=below))
        for task in client.read_task_runs(flow_run_filter=mine, task_run_filter=going_on, limit=PAGE):
            client.set_task_run_state(task.id, Cancelled(message=message), force=True)


def cancel_all(limit_s: float) -> None:
    """Ask every run of the worker to end and wait for it, so that no run keeps a false state."""
    with _client() as client:
        for run in alive(client):
            if run.deployment_id is not None:
                client.set_flow_run_state(run.id, Cancelling(message="Perenne is stopping."))
        end = time.monotonic() + limit_s
        while time.monotonic() < end and any(r.deployment_id for r in alive(client)):
            time.sleep(0.5)


def watch_for_zombies() -> None:
    """A run without heartbeat for 90 s is told as crashed by the server itself; made once."""
    try:
        asyncio.run(Automation.aread(name=ZOMBIES))
    except ValueError:
        pass
    else:
        return
    trigger: Any = EventTrigger(
        posture=Posture.Proactive,
        after={HEARTBEAT},
        expect={HEARTBEAT, *(f"prefect.flow-run.{end}" for end in ENDS)},
        match={"prefect.resource.id": ["prefect.flow-run.*"]},
        for_each={"prefect.resource.id"},
        threshold=1,
        within=WITHIN,
    )
    action = ChangeFlowRunState(
        state=StateType.CRASHED, name="Crashed", message="No sign of life for 90 s.", force=False
    )
    asyncio.run(Automation(name=ZOMBIES, trigger=trigger, actions=[action]).acreate())
