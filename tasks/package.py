"""Task: AIPs get their next versions."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.aip.session import Session


@task(name="package", task_run_name="package {name}", cache_policy=NO_CACHE, persist_result=False)
def package(name: str, aips: Sequence[uuid.UUID], session: Session) -> list[int | None]:  # noqa: ARG001
    """Make the next version of each and read it back; returns the heads' numbers, and None for a damaged one."""
    return [session.package(aip) for aip in aips]
