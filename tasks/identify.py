"""Task: one chunk of files is identified."""

from __future__ import annotations

from prefect import State, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled

from tasks.aip.session import Session
from tasks.tools.door import DoorClosed


@task(name="identify", task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False)
def identify(name: str, first: int, last: int, session: Session) -> int | State:  # noqa: ARG001
    """Identify the files `first` to `last` (exclusive) of those the session did not know; returns how many."""
    try:
        return session.identify(session.unidentified[first:last], f"identify-{first}")
    except DoorClosed as closed:
        return Cancelled(message=str(closed))
