"""Task: policy and facts become the work of this run."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.aip.plan import Choice
from tasks.aip.session import Session


@task(name="plan", task_run_name="plan", cache_policy=NO_CACHE, persist_result=False)
def plan(session: Session, choice: Choice) -> list[str]:
    """Work out what is to do and cut it into chunks; returns their names, in the session's order."""
    return session.cut(choice)
