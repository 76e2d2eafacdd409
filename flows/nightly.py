"""Flow: every ready batch of the inbox → ingest → migrate. Unattended, resumes by itself, loses and doubles nothing."""

# No `from __future__ import annotations`: Prefect builds a form from the types themselves.
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import ParamSpec

from prefect import State, flow, get_run_logger, runtime, tags
from prefect.states import Failed

from flows.ingest import Refused, ingest
from flows.migrate import Migrated, migrate
from flows.ui import states
from tasks.config.home import ConfigError, Home
from tasks.config.home import home as the_home
from tasks.config.unfinished import marked
from tasks.policy.load import PolicyError, find, load
from tasks.premis import log
from tasks.premis.log import LogError
from tasks.premis.model import Trouble
from tasks.report import phrases
from tasks.sip.batch import Batch, BatchError, batch, in_inbox, not_taken, ready
from tasks.sip.ingest import Ingested
from tasks.store.errors import StoreError
from tasks.tools.machine import NotFit, fit

P = ParamSpec("P")
TAGS = 20
"""A night of more batches is found by its name; so many tags fit on a run's page."""


def stops_clearly(body: Callable[P, State]) -> Callable[P, State]:
    """What keeps a whole run from going on becomes the state “Stopped” with a sentence, not a trace."""

    @wraps(body)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> State:
        try:
            state = body(*args, **kwargs)
        except (NotFit, PolicyError, ConfigError, StoreError, LogError, BatchError, Trouble, OSError) as e:
            get_run_logger().error("%s", e)
            return states.stopped(str(e).splitlines()[0])
        # What the state carries is for a caller in this process; a worker has none, and Prefect would stumble over it.
        return state if runtime.deployment.id is None else state.model_copy(update={"data": None})

    return wrapped


@flow(name="nightly", flow_run_name=lambda: f"night of {datetime.now():%d %b %Y}", persist_result=False)
@stops_clearly
def nightly() -> State:
    """Every batch that is ready becomes safe, then gets its masters; what is settled costs a look and no more."""
    home = the_home().prepare()
    said = get_run_logger()
    quiet_s = home.settings().inbox_quiet_minutes * 60.0
    batches = in_inbox(home.inbox)
    due = [b for b in batches if _due(b, quiet_s)]
    for waiting in sorted({b.name for b in batches} - {b.name for b in due}):
        said.info("%s is still being delivered; it is taken when nothing has changed for a while.", waiting)
    for name in not_taken(home.inbox):
        said.warning("%s is not a folder: not taken.", name)
    if batches and not due and not marked(home):
        return states.nothing_ready([b.name for b in batches], home.settings().inbox_quiet_minutes)
    return through(due, home, policy=home.settings().policy, night=True)


def _due(one: Batch, quiet_s: float) -> bool:
    """Whether a batch is to be taken; one that cannot be read is, so that it is refused with its reason."""
    try:
        return ready(one, quiet_s=quiet_s, now=time.time())
    except BatchError:
        return True


def through(
    batches: list[Batch],
    home: Home,
    *,
    policy: str,
    reason: str = "",
    night: bool = False,
) -> State:
    """Batches all the way: refuse what cannot be done before a file is touched, then ingest once and migrate once."""
    fit(home)
    load(find(policy, home))
    seal_days(home)
    with tags(*(b.name for b in batches[:TAGS])):
        state = ingest([str(b.path) for b in batches], return_state=True) if batches else None
    taken = states.data_of(state) if state else ()
    if state and not taken:
        return states.stopped(state.message or "The ingest stopped.")
    refused = [t for t in taken if isinstance(t, Refused)]
    aips = {i.aip: i.batch for i in taken if isinstance(i, Ingested)}
    if night:
        aips |= {aip: str(aip)[:8] for aip in marked(home) if aip not in aips}
    if not aips:
        return states.stopped(_refusals(refused)) if refused else states.finished((), worked=False)
    names = list(aips.values())
    with tags(*names[:TAGS], *(str(aip)[:8] for aip in list(aips)[:TAGS])):
        state = migrate([str(a) for a in aips], names, policy, reason, night=night, return_state=True)
    return close(state, refused, new=sum(i.new for i in taken if isinstance(i, Ingested)), night=night)


def seal_days(home: Home) -> None:
    """Put the log's parts of every day that is over into one sorted file; ten million events then answer at once."""
    today = datetime.now(UTC).date()
    for day in log.open_days(home.log):
        if day < today:
            log.compact(home.log, day)


def close(state: State, refused: list[Refused], *, new: int, night: bool) -> State:
    """A new state for the parent: a child's own would lose its name on the way up."""
    done = [d for d in states.data_of(state) if isinstance(d, Migrated)]
    if not done:
        return states.stopped(state.message or "The migration stopped.")
    final = states.finished(done[0].summaries, worked=bool(done[0].worked or new), night=night, data=done[0].summaries)
    if refused or done[0].busy:
        told = f"{_refusals(refused)} {phrases.message(done[0].summaries)}".strip()
        return Failed(name="Needs a person", message=told, data=done[0].summaries)
    return final


def _refusals(refused: list[Refused]) -> str:
    return " ".join(f"{r.batch}: {r.why}" for r in refused) or "Another run is working on the same AIP."


def named(names: list[str], home: Home) -> list[Batch]:
    """Batches by path, or by name in the inbox. Raises BatchError."""
    return [batch(home.inbox / n if "/" not in n and (home.inbox / n).is_dir() else Path(n)) for n in names]
