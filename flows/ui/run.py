"""The run that is going on, as Prefect names it: its id is the run id of every PREMIS event."""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.context import TagsContext
from prefect.exceptions import FailedRun, PrefectHTTPStatusError
from prefect.futures import PrefectFuture, wait
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from tasks.aip.progress import board
from tasks.tools import shared
from tasks.tools.machine import CORES

T = TypeVar("T")


class _Expected(logging.Filter):
    """Keeps Prefect's trace of a red end out of the run's log: it is what the flow returned, and nothing unexpected."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and record.exc_info[0] is FailedRun)


logging.getLogger("prefect.flow_runs").addFilter(_Expected())


def threads() -> TaskRunner[Any]:
    """One thread a core and one more: they only wait for jobs, whose work is done in processes of their own.

    There is a zygote for each core, so never more jobs; the third thread has work while another waits for a program.
    """
    return cast(TaskRunner[Any], ThreadPoolTaskRunner(max_workers=CORES + 1))


def whole(value: T) -> T:
    """A task's argument that Prefect hands on as it is, instead of walking through all that hangs on it."""
    return cast(T, quote(value))


def run_id() -> uuid.UUID:
    """The id of the outermost flow run, so that one night is one run in the log."""
    return _outermost(str(runtime.flow_run.id))


@cache
def _outermost(run: str) -> uuid.UUID:
    """That of the run in hand, whose id is `run`; Prefect asks its server, which need be done once only."""
    return uuid.UUID(str(runtime.flow_run.root_flow_run_id or run))


def asked_for() -> dict[str, Any]:
    """What this run was asked for, also what stands in the options of a form."""
    given = runtime.flow_run.parameters
    options = given.get("options") or {}
    inside = options if isinstance(options, Mapping) else getattr(options, "model_dump", dict)()
    return {**inside, **given}


def tagged(names: Sequence[str]) -> None:
    """Give the run of this process these tags besides its own: the filters of the Runs page go by them.

    A run that the server cannot tag goes on without.
    """
    before, after = list(runtime.flow_run.tags), list(dict.fromkeys([*runtime.flow_run.tags, *names]))
    if after == before:
        return
    with contextlib.suppress(PrefectHTTPStatusError), get_client(sync_client=True) as client:
        client.update_flow_run(run_id(), tags=after)


@contextlib.contextmanager
def untagged() -> Iterator[None]:
    """Task runs that are made inside bear no tags; the flow run that they belong to keeps its own.

    Prefect asks the server for a limit of each tag before a task run begins, and that takes it two seconds.
    """
    with TagsContext(current_tags=set()):
        yield


@contextlib.contextmanager
def one_heartbeat() -> Iterator[None]:
    """Flows inside send no heartbeat of their own: that of the run above says that the process lives.

    Prefect waits at the end of each flow for the thread that sends it, and that thread sleeps a second at a time.
    """
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        yield


@contextlib.contextmanager
def put_down(tasks: Sequence[PrefectFuture[Any]]) -> Iterator[None]:
    """Whatever ends the block, its task runs have put their files down: the AIPs' locks are the run's until then."""
    try:
        yield
    except BaseException as error:
        board.stop.set()
        if not isinstance(error, Exception):  # cancelled, or asked to end at once: they put their files down now
            shared.close()
        wait(list(tasks))
        raise
