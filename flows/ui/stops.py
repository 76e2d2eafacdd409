"""How every flow ends: in a state with a name, never a trace; and the outermost leaves its artifacts."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from prefect import State, get_run_logger, runtime

from flows.here import Here
from flows.ui import artifacts, live, states
from flows.ui.run import asked_for, run_id
from tasks.config.home import ConfigError, Home
from tasks.config.home import home as the_home
from tasks.policy.load import PolicyError, find, load
from tasks.premis.log import LogError
from tasks.premis.model import Trouble
from tasks.report.stops import stop
from tasks.sip.batch import BatchError
from tasks.store.errors import StoreError
from tasks.tools.machine import NotFit

P = ParamSpec("P")
STOPS = (NotFit, PolicyError, ConfigError, StoreError, LogError, BatchError, Trouble, OSError, MemoryError)


def stops_clearly(body: Callable[P, State]) -> Callable[P, State]:
    """A flow's body that ends in a state, whatever the machine, the store or the settings do."""

    @wraps(body)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> State:
        Here.id = run_id()
        try:
            return body(*args, **kwargs)
        except STOPS as error:
            why = stop(error, the_home())
            get_run_logger().error("%s", error)
            return states.stopped(why.message, why.code)

    return wrapped


def outermost(body: Callable[P, State]) -> Callable[P, State]:
    """`stops_clearly` for a run that nothing called: it shows its progress, and at its end what is to be read."""
    clear = stops_clearly(body)

    @wraps(body)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> State:
        began = time.monotonic()
        with live.progress():
            state = clear(*args, **kwargs)
        _leave(state, time.monotonic() - began)
        # What the state carries is for a caller in this process; a worker has none, and Prefect would stumble over it.
        return state if runtime.deployment.id is None else state.model_copy(update={"data": None})

    return wrapped


def _leave(state: State, seconds: float) -> None:
    """The artifacts. The run is over: whatever keeps them from being written does not change how it ended."""
    try:
        home, asked = the_home(), asked_for()
        night = runtime.flow_run.flow_name == "nightly"
        policy = _policy(str(asked.get("policy") or home.settings().policy), home)
        artifacts.publish(state, artifacts.account(state, home, run_id(), night=night, policy=policy, seconds=seconds))
    except Exception as error:
        get_run_logger().warning("The artifacts of this run could not be written: %s", error)


def _policy(name: str, home: Home) -> str:
    """Its id; where it cannot be read, which is what stopped the run then, the name it was asked for by."""
    try:
        return load(find(name, home)).id
    except PolicyError:
        return name
