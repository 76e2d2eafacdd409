"""Flow: every ready batch of the inbox → ingest → migrate. Unattended, resumes by itself, loses and doubles nothing."""

# No `from __future__ import annotations`: Prefect builds a form from the types themselves.
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from prefect import State, flow, get_run_logger, tags
from prefect.states import Cancelled, Completed, Failed

from flows.ingest import ingest
from flows.migrate import Migrated, migrate
from flows.ui import refused as refusals
from flows.ui import states
from flows.ui.markdown import Inbox
from flows.ui.reported import reported
from flows.ui.run import one_heartbeat, run_id, tagged
from flows.ui.stops import outermost
from tasks.aip.gone import check_store
from tasks.config.home import Home
from tasks.config.home import home as the_home
from tasks.config.unfinished import marked
from tasks.policy.load import find, load
from tasks.premis import log
from tasks.sip import bag
from tasks.sip.batch import Batch, gone, in_inbox, not_taken, ready
from tasks.sip.named import named as the_batch
from tasks.sip.naming import told
from tasks.sip.refusal import Refused, machines, refuse
from tasks.sip.taking import Ingested
from tasks.tools.machine import fit
from tasks.words import day, text

TAGS = 20
"""A night of more batches is found by its name; so many tags fit on a run's page."""


@flow(
    name="nightly",
    flow_run_name=lambda: text("run-night", day=day(datetime.now().astimezone())),
    description=text("deployment-nightly").strip(),
    persist_result=False,
)
@outermost
@reported("night")
def nightly() -> State:
    """Every batch that is ready becomes safe, then gets its masters; what is settled costs a look and no more."""
    home = the_home().prepare()
    said = get_run_logger()
    quiet_s = home.settings().inbox_quiet_minutes * 60.0
    batches = in_inbox(home.inbox)
    looked = [(b, _look(b, quiet_s, home, said.warning)) for b in batches]
    due = [b for b, found in looked if found is True]
    refused = [found for _, found in looked if isinstance(found, Refused)]
    waiting = tuple(dict.fromkeys(b.name for b, found in looked if found is False))
    inbox = Inbox(waiting, tuple(not_taken(home.inbox)))
    for name in inbox.waiting:
        said.info("%s: %s", name, text("inbox-waits"))
    for name in inbox.not_taken:
        said.warning("%s: %s", name, text("inbox-not-a-batch"))
    if batches and not due and not refused and not marked(home):
        return states.nothing_ready([b.name for b in batches], home.settings().inbox_quiet_minutes, (inbox,))
    return states.also(through(due, home, policy=home.settings().policy, night=True, refused=refused), inbox)


def _look(one: Batch, quiet_s: float, home: Home, warn: Callable[[str], object]) -> bool | Refused:
    """Whether a batch is to be taken; one that cannot even be looked at is refused, and the others go on."""
    began = time.time()
    try:
        return ready(one, quiet_s=quiet_s, now=began, warn=warn) or bag.complete(one)
    except Exception as e:
        if machines(e):
            raise
        if isinstance(e, FileNotFoundError) or gone(one.path):
            return False  # it was there a moment ago: somebody is at work in it
        return refuse(one, e, home, run_id(), began=began)


def through(
    batches: list[Batch],
    home: Home,
    *,
    policy: str,
    reason: str = "",
    night: bool = False,
    refused: Sequence[Refused] = (),
) -> State:
    """Batches all the way: refuse what cannot be done before a file is touched, then ingest once and migrate once."""
    fit(home)
    log.check_clock(home.log)
    check_store(home)
    load(find(policy, home))
    seal_days(home)
    tagged([b.name for b in batches[:TAGS]])
    with one_heartbeat(), tags(*(b.name for b in batches[:TAGS])):
        state = ingest([told(b.path) for b in batches], night, return_state=True) if batches else None
    if state and state.is_cancelled():
        return Cancelled(name=state.name, message=state.message)  # the child's own would lose its name on the way up
    taken = states.data_of(state) if state else ()
    if state and not taken:
        return states.onward(state, text("ingest-stopped"))
    refused = [*refused, *(t for t in taken if isinstance(t, Refused))]
    aips = {i.aip: i.batch for i in taken if isinstance(i, Ingested)}
    if night:
        aips |= {aip: str(aip)[:8] for aip in marked(home) if aip not in aips}
    if not aips:
        return _none(refused, night=night)
    names = list(aips.values())
    marks = [*names[:TAGS], *(str(aip)[:8] for aip in list(aips)[:TAGS])]
    tagged([*(b.name for b in batches[:TAGS]), *marks])
    with one_heartbeat(), tags(*marks):
        state = migrate([str(a) for a in aips], names, policy, reason, night=night, return_state=True)
    return close(state, refused, new=sum(i.new for i in taken if isinstance(i, Ingested)), night=night)


def seal_days(home: Home) -> None:
    """Put the log's parts of every day that is over into one sorted file; ten million events then answer at once."""
    today = datetime.now(UTC).date()
    for one in log.open_days(home.log):
        if one < today:
            log.compact(home.log, one)


def close(state: State, refused: Sequence[Refused], *, new: int, night: bool) -> State:
    """A new state for the parent: a child's own would lose its name on the way up."""
    done = [d for d in states.data_of(state) if isinstance(d, Migrated)]
    summaries = done[0].summaries if done else ()
    refused = [*refused, *(Refused(name, why, code) for d in done for name, code, why in d.apart)]
    data = (*summaries, *refused)
    if state.is_cancelled():
        return Cancelled(name=state.name, message=state.message, data=data or None)
    if not done:
        return states.onward(state, text("migration-stopped"), data)
    final = states.finished(summaries, worked=bool(done[0].worked or new), night=night, data=data)
    news = refusals.news(refused, night=night)
    passing = refusals.passing(news)
    older = refusals.still(refusals.older(refused, night=night))
    good = final.message if summaries else ""
    said = " ".join(filter(None, [refusals.sentences(news, coded=not passing), good, older]))
    if news and passing and not night:  # a night leaves it to the other run: nobody is asked for anything
        return states.stopped(said, news[0].code, data)
    if not summaries and (stop := refusals.stop(news)):
        return states.stopped(said, stop, data)
    if news and not passing:
        return Failed(name=states.NEEDS, message=said, data=data)
    return final.model_copy(update={"message": said}) if refused else final


def _none(refused: Sequence[Refused], *, night: bool) -> State:
    """Nothing was taken: there was nothing, or each delivery is its producer's to mend, or something is wrong here."""
    if not refused:
        return states.finished((), worked=False)
    news = refusals.news(refused, night=night)
    passing = refusals.passing(news)
    older = refusals.still(refusals.older(refused, night=night))
    said, data = " ".join(filter(None, [refusals.sentences(news), older])), tuple(refused)
    if night and passing:
        return Completed(name="Nothing to do", message=said, data=data)
    if stop := refusals.stop(news):
        return states.stopped(said, stop, data)
    if passing:
        return states.stopped(said, news[0].code, data)
    if all(r.code for r in news):
        return Failed(name=states.NEEDS, message=said, data=data)
    return states.stopped(said, data=data)


def named(names: list[str], home: Home) -> list[Batch]:
    """Batches by path, or by name in the inbox. Raises BatchError."""
    return [the_batch(n, home) for n in names]
