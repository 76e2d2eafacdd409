"""Task: one AIP gets its next version."""

from __future__ import annotations

import uuid

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.aip.session import Session


@task(name="package", task_run_name="package {name}", cache_policy=NO_CACHE, persist_result=False)
def package(name: str, aip: uuid.UUID, session: Session) -> int:  # noqa: ARG001
    """Make the next version and read it back; returns the head's number, also when nothing was new."""
    return session.package(aip)
