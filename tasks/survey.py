"""Task: one batch becomes safe."""

from __future__ import annotations

import uuid

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.config.home import Home
from tasks.config.locks import aip_lock
from tasks.sip.batch import Batch
from tasks.sip.ingest import Ingested, ingest
from tasks.store.ocfl import Store


@task(name="ingest", task_run_name="ingest {name}", cache_policy=NO_CACHE, persist_result=False)
def survey(name: str, batch: Batch, home: Home, store: Store, run: uuid.UUID) -> Ingested | None:  # noqa: ARG001
    """Copy, digest and store one batch; None when another run holds its AIP."""
    with aip_lock(home, batch.aip, run) as held:
        return ingest(batch, home, store, run) if held else None
