"""The final states of flow runs. Red is for what a person must see: the dashboard lists nothing else by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from prefect import State
from prefect.states import Cancelled, Completed, Failed

from tasks.aip.progress import board
from tasks.report import phrases
from tasks.report.summary import Summary
from tasks.words import listed, text

NEEDS = "Needs a person"
PUT_DOWN = "Put down"
"""The name of a run that was asked to stop and did so after the files in hand; *Cancelled* ended at once."""


@dataclass(frozen=True, slots=True)
class Code:
    """The code of what stopped a run, among what its state carries: the message is in the language of whoever reads."""

    code: str


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
        return Failed(name=NEEDS, message=_pointing(news(summaries, night=night), summaries), data=data)
    if not worked:
        return Completed(name="Nothing to do", message=_settled(summaries), data=data)
    if night and (older := sum(s.needing for s in summaries)):
        told = f"{phrases.in_order(summaries)} {text('older-still-need', n=older)}"
    return Completed(name="Done", message=told, data=data)


def news(summaries: Sequence[Summary], *, night: bool) -> str:
    """What needs a person, as a state says it; a night tells what is new first, and older matters by their number."""
    new, older = sum(s.new for s in summaries), sum(s.needing for s in summaries) - sum(s.new for s in summaries)
    if not night or older <= 0:
        return phrases.message(summaries) if summaries else ""
    where = listed([text("n-in", n=s.new, name=s.batch) for s in summaries if s.new][:5])
    told = [text("new-need-a-person", n=new, where=where)] if new else []
    return " ".join([*told, text("older-still-need", n=older), phrases.in_order(summaries)])


def _pointing(told: str, summaries: Sequence[Summary]) -> str:
    """A state that is short says where the rest stands; the summary says the same without pointing to itself."""
    return f"{told} {text('open-the-summary')}" if len(summaries) == 1 and told == phrases.message(summaries) else told


def counted(state: State, counts: Mapping[str, int]) -> State:
    """The state of a part of a run that did its work, also with bad files in it: green, and its name counts.

    The run above it is red then, and nothing else: one trouble is listed once, where its summary stands.
    """
    if not (state.is_failed() and state.name == NEEDS):
        return state
    name = listed([f"{n} {word}" for word, n in counts.items() if n])
    return Completed(name=name or "Done", message=state.message, data=_carried(state))


def put_down(told: str, data: tuple[Any, ...] = ()) -> State:
    """One Ctrl-C: what is in order is, and the next run does the rest."""
    return Cancelled(name=PUT_DOWN, message=f"{text('put-down')} {told}".strip(), data=data)


def nothing_ready(names: Sequence[str], minutes: int, data: tuple[Any, ...] = ()) -> State:
    """Batches lie in the inbox, and each may still be on its way."""
    waiting = text("not-ready-yet", n=len(names), names=listed(names[:5]))
    return Completed(name="Nothing to do", message=f"{waiting} {text('when-ready', n=minutes)}", data=data)


def stopped(message: str, code: str = "", data: tuple[Any, ...] = ()) -> State:
    """The run itself could not go on; nothing was lost. The message begins with the code, for people who look it up."""
    carried = (*data, Code(code)) if code else data
    return Failed(name="Stopped", message=f"{code}: {message}" if code else message, data=carried or None)


def onward(state: State, otherwise: str, data: tuple[Any, ...] = ()) -> State:
    """A stopped subflow's state for its parent, which hands on `data` besides."""
    carried = (*data, *(found for found in _carried(state) if isinstance(found, Code)))
    return Failed(name="Stopped", message=state.message or otherwise, data=carried or None)


def code_of(state: State) -> str:
    """The code of what stopped a run; "" where it has none, or did not stop."""
    return next((found.code for found in _carried(state) if isinstance(found, Code)), "")


def data_of(state: State) -> tuple[Any, ...]:
    """What a run handed on in its state, but for the code of what stopped it."""
    return tuple(found for found in _carried(state) if not isinstance(found, Code))


def also(state: State, *more: object) -> State:
    """The same state, which hands on something more."""
    return state.model_copy(update={"data": (*_carried(state), *more)})


def _carried(state: State) -> tuple[Any, ...]:
    data = cast(Any, state.data)
    data = getattr(data, "result", data)
    return data if isinstance(data, tuple) else ()


def _settled(summaries: Sequence[Summary]) -> str:
    since = max((s.settled_since for s in summaries), default="")
    if any(s.needing for s in summaries):
        return f"{text('nothing-new')} {phrases.needs(summaries)}"
    return text("settled-since", moment=phrases.moment(since)) if since else text("inbox-empty")
