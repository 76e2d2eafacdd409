"""Task: one chunk of work is done."""

from __future__ import annotations

from prefect import State, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled, Completed

from tasks.aip.session import Session
from tasks.tools.door import DoorClosed


@task(name="normalize", task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False)
def normalize(name: str, number: int, session: Session) -> State:  # noqa: ARG001
    """Do the chunk of that number; green when it did its work, also with bad files in it."""
    try:
        endings = session.work(number)
    except DoorClosed as closed:
        return Cancelled(message=str(closed))
    told = ", ".join(f"{count} {ending.value}" for ending, count in sorted(endings.items()))
    return Completed(name=told or "Stopped", message=told)
