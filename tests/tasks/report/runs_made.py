"""Runs made by hand, for tests of their reports."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from tasks.aip.progress import Stage
from tasks.report.ran import Ran
from tasks.report.summary import Summary
from tasks.sip.refusal import Refused

STARTED = datetime(2026, 11, 21, 19, 0, tzinfo=UTC)


def ran(
    *summaries: Summary,
    kind: str = "night",
    state: str = "Needs a person",
    code: str = "",
    message: str = "2 files need a person.",
    why: str = "",
    batch: str = "gói-hỏng",
    days: int = 0,
) -> Ran:
    """A run that took seven minutes; `why` refuses a delivery."""
    return Ran(
        run=uuid.uuid5(uuid.NAMESPACE_URL, f"{kind} {state} {days}"),
        kind=kind,
        state=state,
        code=code,
        message=message,
        reason="delivered again",
        policy="default-1",
        started=STARTED + timedelta(days=days),
        seconds=420.0,
        stages=(Stage("identify", 60, 60, {}, 12.5, over=True), Stage("strange", 1, 1, {}, 1.0, over=True)),
        summaries=summaries,
        refused=(Refused(batch, why, "source-damaged"),) if why else (),
    )
