"""What a run leaves to read when it is over, however it ended: its report."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import ParamSpec

from prefect import State, get_run_logger

from flows import ui
from flows.ui import states
from flows.ui.planned import ONLY_PLANNED
from flows.ui.run import asked_for, run_id
from tasks.aip.progress import board
from tasks.config.home import home as the_home
from tasks.premis import codes
from tasks.report import pages
from tasks.report.ran import Ran
from tasks.report.stops import stop
from tasks.report.summary import Summary
from tasks.sip.refusal import Refused

P = ParamSpec("P")


def reported(kind: str) -> Callable[[Callable[P, State]], Callable[P, State]]:
    """A flow's body that leaves the report of a run of that kind, also when an error ends it."""

    def around(body: Callable[P, State]) -> Callable[P, State]:
        @wraps(body)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> State:
            began = time.monotonic()
            try:
                state = body(*args, **kwargs)
            except Exception as error:
                why = stop(error, the_home())
                _leave(kind, states.stopped(why.message), why.code, began)
                raise
            if state.name != ONLY_PLANNED:  # nothing was done that a report could tell of
                _leave(kind, state, states.code_of(state), began)
            return state

        return wrapped

    return around


def _leave(kind: str, state: State, code: str, began: float) -> None:
    run, warn = run_id(), get_run_logger().warning
    with pages.harmless(warn, str(run)):
        told, asked = states.data_of(state), asked_for()
        seconds, message = time.monotonic() - began, state.message or ""
        one = Ran(
            run=run,
            kind=kind,
            state=state.name or "",
            code=code if code in codes.CODES else "",
            message=message.removeprefix(f"{code}: ") if code else message,
            reason=str(asked.get("reason") or ""),
            policy=str(asked.get("policy") or ui.policy()),
            started=datetime.now(UTC) - timedelta(seconds=seconds),
            seconds=seconds,
            stages=board.stages(),
            summaries=tuple(t for t in told if isinstance(t, Summary)),
            refused=tuple(t for t in told if isinstance(t, Refused)),
        )
        pages.ran(the_home(), one, warn=warn)
