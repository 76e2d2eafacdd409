"""Task: batches become safe."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from prefect import State, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled

from tasks.aip.progress import PutDown, board
from tasks.aip.space import Budget
from tasks.config.home import Home
from tasks.sip.batch import Batch
from tasks.sip.ingest import take_in
from tasks.sip.refusal import Refused
from tasks.sip.taking import Ingested
from tasks.store.ocfl import Store
from tasks.tools.door import DoorClosed


@task(name="ingest", task_run_name="ingest {name}", cache_policy=NO_CACHE, persist_result=False)
def survey(
    name: str,  # noqa: ARG001
    batches: Sequence[Batch],
    home: Home,
    store: Store,
    run: uuid.UUID,
    budget: Budget | None = None,
    *,
    night: bool = False,
) -> list[Ingested | Refused] | State:
    """Copy, digest and store each batch; one that cannot be taken does not stop the others.

    A run that is asked to stop puts the batch in hand down; the answer has the batches that were taken as a whole.
    """
    found: list[Ingested | Refused] = []
    try:
        for batch in batches:
            board.go_on()
            found += take_in(batch, home, store, run, budget, night=night)
    except DoorClosed as closed:
        return Cancelled(message=str(closed))
    except PutDown:
        pass
    return found
