"""Flow runs as Prefect's server knows them: what a power cut left “running” is told as crashed, nothing stays false."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.automations import Automation
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType, TaskRun
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Cancelled, Cancelling, Crashed

from flows.ui.states import PUT_DOWN
from tasks.config.home import Home
from tasks.config.locks import holders

ALIVE = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)
GOING_ON = (*ALIVE, StateType.SCHEDULED, StateType.PAUSED)
ZOMBIES = "crash zombie flows"
HEARTBEAT = "prefect.flow-run.heartbeat"
ENDS = ("Completed", "Failed", "Cancelled", "Crashed")
DIED = "The machine or the process ended while this ran."
WITHIN, LATE = timedelta(seconds=90), timedelta(seconds=60)
PAGE = 200


def client() -> SyncPrefectClient:
    """For the server of this process's settings; a context manager. It takes 40 ms of CPU to make: keep it."""
    return get_client(sync_client=True)


def alive(client: SyncPrefectClient) -> list[FlowRun]:
    """Every run that says it is going on."""
    return _flow_runs(client, FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(ALIVE)))))


def sweep(home: Home, *, workers_only: bool = False) -> int:
    """Set runs that no process can be doing any more to CRASHED, with their task runs; returns how many.

    Called where this process started the server, or, for the worker's runs alone, where no worker lives. Of the others
    a run that holds an AIP's lock lives, and so does every run above it (`perenne run` in another terminal).
    """
    spared = set(holders(home).values())
    count = 0
    with client() as server:
        for run in alive(server):
            root = _root(server, run)
            of_a_command = root.deployment_id is None
            if of_a_command and (workers_only or {str(run.id), str(root.id)} & spared):
                continue
            asked = run.state is not None and run.state.is_cancelling()
            told = Cancelled if asked else Crashed
            _end_all(server, [run], told(message=DIED))
            count += 1
    return count


def _root(client: SyncPrefectClient, run: FlowRun) -> FlowRun:
    """A run's outermost parent, whose id its lock files bear."""
    while run.parent_task_run_id is not None:
        try:
            parent = client.read_task_run(run.parent_task_run_id).flow_run_id
        except PrefectHTTPStatusError:
            break
        if parent is None:
            break
        run = client.read_flow_run(parent)
    return run


def to_be_cancelled(run: uuid.UUID, client: SyncPrefectClient) -> bool:
    """Whether somebody asked, on Prefect's page, for the end of this run; one that was put down ended by itself."""
    state = client.read_flow_run(run).state
    if state is None or state.name == PUT_DOWN:
        return False
    return state.is_cancelling() or state.is_cancelled()


def cancelled(run: uuid.UUID, message: str) -> None:
    """Tell a run that this process ended, and all that went on below it, as cancelled: no state stays false."""
    with client() as server:
        _end_all(server, _family(server, run), Cancelled(message=message))


def settle_cut_off() -> int:
    """Tell what went on below a run that was cancelled or died as ended, too; returns how many states changed.

    Prefect ends the run whose process it killed, or that gave no sign of life, and leaves its subflows, which send
    none, and its task runs “running” for ever. What a task run says comes to the server late, so a run is looked at
    again and again for a while after its end.
    """
    ended = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CANCELLED, StateType.CRASHED])),
        end_time=FlowRunFilterEndTime(after_=datetime.now(UTC) - LATE),
    )
    with client() as server:
        return sum(_end_below(server, run) for run in server.read_flow_runs(flow_run_filter=ended, limit=PAGE))


def _end_below(client: SyncPrefectClient, run: FlowRun) -> int:
    if run.state is None:
        return 0
    told = Cancelled if run.state.is_cancelled() else Crashed
    below = [one for one in _family(client, run.id) if one.id != run.id]
    return _end_all(client, [run, *below], told(message=run.state.message))


def _family(client: SyncPrefectClient, run: uuid.UUID) -> list[FlowRun]:
    """A run and every one below it."""
    found = _flow_runs(client, FlowRunFilter(id=FlowRunFilterId(any_=[run])))
    below = found
    while below:
        parents = FlowRunFilterParentFlowRunId(any_=[one.id for one in below])
        below = _flow_runs(client, FlowRunFilter(parent_flow_run_id=parents))
        found = found + below
    return found


def _end_all(client: SyncPrefectClient, runs: Sequence[FlowRun], told: State) -> int:
    """Give these runs and their task runs, as far as they have no true end, this one; returns how many had none."""
    count = 0
    for one in runs:
        if not _true_end(one.state, told):
            client.set_flow_run_state(one.id, told, force=True)
            count += 1
    for task in _task_runs(client, [one.id for one in runs]):
        if not _true_end(task.state, told):
            client.set_task_run_state(task.id, told, force=True)
            count += 1
    return count


def _true_end(state: State | None, told: State) -> bool:
    """Prefect tells what an exception of ours ended as crashed; where somebody asked for the end nothing crashed."""
    return state is not None and state.is_final() and not (told.is_cancelled() and state.is_crashed())


def _flow_runs(client: SyncPrefectClient, wanted: FlowRunFilter) -> list[FlowRun]:
    found: list[FlowRun] = []
    while page := client.read_flow_runs(flow_run_filter=wanted, limit=PAGE, offset=len(found)):
        found += page
    return found


def _task_runs(client: SyncPrefectClient, runs: list[uuid.UUID]) -> list[TaskRun]:
    """Those of some flow runs that have no good end."""
    above = FlowRunFilter(id=FlowRunFilterId(any_=runs))
    doubtful = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[*GOING_ON, StateType.CRASHED])))
    found: list[TaskRun] = []
    while page := client.read_task_runs(flow_run_filter=above, task_run_filter=doubtful, limit=PAGE, offset=len(found)):
        found += page
    return found


def cancel_all(limit_s: float) -> None:
    """Ask every run of the worker to end and wait for it, so that no run keeps a false state."""
    with client() as server:
        for run in alive(server):
            if run.deployment_id is not None:
                server.set_flow_run_state(run.id, Cancelling(message="Perenne is stopping."))
        end = time.monotonic() + limit_s
        while time.monotonic() < end and any(r.deployment_id for r in alive(server)):
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
