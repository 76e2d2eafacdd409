"""Task: some AIPs are read and compared with what was stored."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.aip.fixity import Read, check
from tasks.aip.progress import board
from tasks.config.home import Home


@task(name="verify", task_run_name="verify {name}", cache_policy=NO_CACHE, persist_result=False)
def verify(
    name: str,  # noqa: ARG001
    aips: Sequence[tuple[uuid.UUID, str]],
    home: Home,
    run: uuid.UUID,
    until: float | None,
) -> list[Read]:
    """Read each AIP whole and record what was found; no further one is begun after `until` (monotonic seconds)."""
    found: list[Read] = []
    for aip, batch in aips:
        if board.stop.is_set() or (found and until is not None and time.monotonic() > until):
            break
        found.append(check(aip, batch, home, run))
    return found
