"""What keeps a whole run from going on becomes the state “Stopped” with a code and a sentence, not a trace."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from prefect import State, get_run_logger, runtime

from flows.here import Here
from flows.ui import states
from flows.ui.run import run_id
from tasks.config.home import ConfigError
from tasks.config.home import home as the_home
from tasks.policy.load import PolicyError
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
            state = body(*args, **kwargs)
        except STOPS as error:
            why = stop(error, the_home())
            get_run_logger().error("%s", error)
            return states.stopped(f"{why.code}: {why.message}" if why.code else why.message)
        # What the state carries is for a caller in this process; a worker has none, and Prefect would stumble over it.
        called_here = runtime.deployment.id is None or runtime.flow_run.parent_flow_run_id is not None
        return state if called_here else state.model_copy(update={"data": None})

    return wrapped
