"""Task: some AIPs are read and compared with what was stored."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from datetime import datetime

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.aip.fixity import Read, check
from tasks.aip.progress import PutDown, board
from tasks.config.home import Home


@task(name="verify", task_run_name="verify {name}", cache_policy=NO_CACHE, persist_result=False)
def verify(
    name: str,  # noqa: ARG001
    aips: Sequence[tuple[uuid.UUID, str, datetime | None]],
    home: Home,
    run: uuid.UUID,
    until: float | None,
) -> list[Read]:
    """Read each AIP whole and record what was found; with each come its label and the time of its last check.

    No further one is begun after `until` (monotonic seconds), but one that was begun is read whole, however large:
    nothing remembers half of it, so the next run would be put down at the same place. Only a run that is asked to stop
    puts it down; it is as if it had not been begun, and is the first of the next run.
    """
    found: list[Read] = []
    for aip, batch, checked in aips:
        if board.stop.is_set() or (found and until is not None and time.monotonic() > until):
            break
        try:
            found.append(check(aip, batch, home, run, board.go_on, after=checked))
        except PutDown:
            break
    return found
