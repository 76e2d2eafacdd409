"""Flow: every ready batch of the inbox → ingest → migrate. Unattended, resumes by itself, loses and doubles nothing."""

# No `from __future__ import annotations`: Prefect builds a form from the types themselves.
import time
from datetime import UTC, datetime
from pathlib import Path

from prefect import State, flow, get_run_logger, tags
from prefect.states import Failed

from flows.ingest import ingest
from flows.migrate import Migrated, migrate
from flows.ui import states
from flows.ui.stops import stops_clearly
from tasks.aip.busy import BUSY
from tasks.config.home import Home
from tasks.config.home import home as the_home
from tasks.config.unfinished import marked
from tasks.policy.load import find, load
from tasks.premis import codes, log
from tasks.report import phrases
from tasks.sip import bag
from tasks.sip.batch import Batch, BatchError, batch, in_inbox, not_taken, ready
from tasks.sip.ingest import Refused
from tasks.sip.taking import Ingested
from tasks.tools.machine import fit

TAGS = 20
"""A night of more batches is found by its name; so many tags fit on a run's page."""


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
        return ready(one, quiet_s=quiet_s, now=time.time()) or bag.complete(one)
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
    log.check_clock(home.log)
    load(find(policy, home))
    seal_days(home)
    with tags(*(b.name for b in batches[:TAGS])):
        state = ingest([str(b.path) for b in batches], return_state=True) if batches else None
    if state and state.is_cancelled():
        return state.model_copy(update={"data": None})
    taken = states.data_of(state) if state else ()
    if state and not taken:
        return states.stopped(state.message or "The ingest stopped.")
    refused = [t for t in taken if isinstance(t, Refused)]
    aips = {i.aip: i.batch for i in taken if isinstance(i, Ingested)}
    if night:
        aips |= {aip: str(aip)[:8] for aip in marked(home) if aip not in aips}
    if not aips:
        return _none(refused)
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
    refused = refused + [Refused(name, why, BUSY) for name, why in done[0].busy]
    good = phrases.message(done[0].summaries) if done[0].summaries else ""
    told = f"{_refusals(refused, coded=not _all_busy(refused))} {good}".strip()
    if refused and _all_busy(refused) and not night:  # a night leaves it to the other run: nobody is asked for anything
        return states.stopped(f"{BUSY}: {told}", data=done[0].summaries)
    if refused and not _all_busy(refused):
        return Failed(name="Needs a person", message=told, data=done[0].summaries)
    final = states.finished(done[0].summaries, worked=bool(done[0].worked or new), night=night, data=done[0].summaries)
    return final.model_copy(update={"message": told}) if refused else final


def _all_busy(refused: list[Refused]) -> bool:
    """Nothing is wrong with any: another run works on each."""
    return all(r.code == BUSY for r in refused)


def _none(refused: list[Refused]) -> State:
    """Nothing was taken: there was nothing, or each delivery is its producer's to mend, or something is wrong here."""
    if not refused:
        return states.finished((), worked=False)
    if stop := next((r for r in refused if r.code and codes.stops(r.code)), None):
        return states.stopped(f"{stop.code}: {_refusals(refused)}")
    if _all_busy(refused):
        return states.stopped(f"{BUSY}: {_refusals(refused)}")
    if all(r.code for r in refused):
        return Failed(name="Needs a person", message=_refusals(refused))
    return states.stopped(_refusals(refused))


def _refusals(refused: list[Refused], *, coded: bool = False) -> str:
    """A sentence for each; with its code where no code stands before them all."""
    return " ".join(f"{r.batch}: {f'{r.code}: ' if coded and r.code else ''}{r.why}" for r in refused)


def named(names: list[str], home: Home) -> list[Batch]:
    """Batches by path, or by name in the inbox. Raises BatchError."""
    return [batch(home.inbox / n if "/" not in n and (home.inbox / n).is_dir() else Path(n)) for n in names]
