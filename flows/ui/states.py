"""The final states of flow runs. Red is for what a person must see: the dashboard lists nothing else by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from prefect import State
from prefect.states import Cancelled, Completed, Failed

from tasks.aip.progress import board
from tasks.premis import codes
from tasks.report import phrases
from tasks.report.summary import Summary
from tasks.words import listed, text

PUT_DOWN = "Stopped after the files in hand."


def finished(
    summaries: Sequence[Summary],
    *,
    worked: bool,
    night: bool = False,
    left: bool = False,
    data: tuple[Any, ...] = (),
) -> State:
    """The state of a run that went through to its end.

    A command that names a batch answers for the batch; a night answers for the night: old matters do not turn it red.
    One that was asked to stop and left files for the next run is cancelled, whatever became of the others; `left` says
    that it did not even look at all.
    """
    bad = sum(s.new if night else s.needing for s in summaries)
    told = phrases.message(summaries) if summaries else ""
    if board.stop.is_set() and (left or any(s.waiting for s in summaries)):
        return put_down(told, data=data)
    if bad:
        return Failed(name="Needs a person", message=told, data=data)
    if not worked:
        return Completed(name="Nothing to do", message=_settled(summaries), data=data)
    if night and (older := sum(s.needing for s in summaries)):
        told = f"{phrases.in_order(summaries)} {text('older-still-need', n=older)}"
    return Completed(name="Done", message=told, data=data)


def put_down(told: str, data: tuple[Any, ...] = ()) -> State:
    """One Ctrl-C: what is in order is, and the next run does the rest."""
    return Cancelled(message=f"{PUT_DOWN} {told}".strip(), data=data)


def nothing_ready(names: Sequence[str], minutes: int) -> State:
    """Batches lie in the inbox, and each may still be on its way."""
    waiting = text("not-ready-yet", n=len(names), names=listed(names[:5]))
    return Completed(name="Nothing to do", message=f"{waiting} {text('when-ready', n=minutes)}")


def stopped(message: str, data: tuple[Any, ...] = ()) -> State:
    """The run itself could not go on; nothing was lost."""
    return Failed(name="Stopped", message=message, data=data or None)


def code_of(state: State) -> str:
    """The code that a stopped run begins its message with; "" for a sentence alone."""
    code = (state.message or "").partition(":")[0]
    return code if state.name == "Stopped" and code in codes.CODES else ""


def data_of(state: State) -> tuple[Any, ...]:
    """What a subflow handed on in its state; empty when it stopped."""
    data = cast(Any, state.data)
    data = getattr(data, "result", data)
    return data if isinstance(data, tuple) else ()


def _settled(summaries: Sequence[Summary]) -> str:
    since = max((s.settled_since for s in summaries), default="")
    if any(s.needing for s in summaries):
        return f"{text('nothing-new')} {phrases.needs(summaries)}"
    return text("settled-since", moment=phrases.moment(since)) if since else text("inbox-empty")
