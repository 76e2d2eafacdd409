"""Flow: batches → version 1 of their AIPs, or a supplement. The originals are safe when this ends."""

# No `from __future__ import annotations`: Prefect resolves the types where the decorator was made.
import time
from collections.abc import Sequence
from typing import Any

from prefect import State, flow, get_run_logger, runtime
from prefect.futures import PrefectFuture, wait
from prefect.states import Completed, Failed

from flows.ui import refused as refusals
from flows.ui import states
from flows.ui.run import put_down, run_id, threads, untagged, whole
from flows.ui.stops import stops_clearly
from tasks.aip.gone import opened
from tasks.aip.mend import mend
from tasks.aip.progress import board
from tasks.aip.space import Budget
from tasks.config.home import Home
from tasks.config.home import home as the_home
from tasks.report import phrases
from tasks.sip.batch import Batch, at
from tasks.sip.named import delivered
from tasks.sip.naming import meant
from tasks.sip.refusal import Refused, machines, refuse
from tasks.sip.taking import Ingested
from tasks.survey import survey
from tasks.tools.machine import CORES
from tasks.words import text

GROUP = 25
GROUPS_A_CORE = 8
"""How many batches share a task at most, and how many tasks each core gets at least before batches share one."""


@flow(
    name="ingest",
    flow_run_name=lambda: phrases.batches(runtime.flow_run.parameters.get("batches", [])),
    task_runner=threads(),
    persist_result=False,
)
@stops_clearly
@untagged()
def ingest(batches: list[str], night: bool = False) -> State:
    """Copy, digest, record and store every batch; a batch that cannot be taken does not stop the others.

    Each is a path as `tasks.sip.naming.told` writes it. A `night` does not read again what was refused as it is now.
    Asked to stop, it puts the batch in hand down; what was stored before is safe, and the next run does the rest.
    """
    home, log = the_home().prepare(), get_run_logger()
    store, budget = opened(home), Budget(home)
    for done in mend(home, store, run_id()):
        log.warning("AIP %s after an interrupted run: %s. %s", done.aip, done.what, done.broken)
    board.begin("ingest", 0)
    found: list[Ingested | Refused] = []
    futures: list[PrefectFuture[Any]] = []
    for group in _groups(batches, found, home):
        named = phrases.batches([one.name for one in group])
        futures.append(
            survey.submit(named, whole(group), whole(home), whole(store), run_id(), whole(budget), night=night)
        )
    with put_down(futures):
        wait(futures)
    for future in futures:
        found += future.result()
    taken = [f for f in found if isinstance(f, Ingested)]
    return _state(taken, [f for f in found if isinstance(f, Refused)], night=night)


def _groups(batches: Sequence[str], found: list[Ingested | Refused], home: Home) -> list[list[Batch]]:
    """The batches for each task run; what is none is refused into `found`."""
    good = []
    for parameter in dict.fromkeys(batches):
        path, began = meant(parameter), time.time()
        try:
            good.append(delivered(path, home))
        except Exception as e:
            if machines(e):
                raise
            found.append(refuse(at(path), e, home, run_id(), began=began))
    size = min(GROUP, -(-len(good) // (GROUPS_A_CORE * CORES))) or 1
    return [good[first : first + size] for first in range(0, len(good), size)]


def _state(taken: list[Ingested], refused: list[Refused], *, night: bool) -> State:
    """A refused delivery is the parent's to tell in red; a disk or store that fails stops the run."""
    new = sum(i.new for i in taken)
    told = text("batches-stored", batches=text("n-batches", n=len(taken)), n=new)
    data = (*taken, *refused)
    if board.stop.is_set():
        return states.put_down(told, data=data)
    news = refusals.news(refused, night=night)
    said = " ".join(filter(None, [refusals.sentences(news, coded=True), told if taken else ""]))
    if stop := refusals.stop(news):
        return states.stopped(refusals.sentences(news), stop, data)
    if news and not refusals.passing(news):
        red: State = Failed(name=states.NEEDS, message=said, data=data)
        return states.counted(red, {"stored": len(taken), "refused": len(news)})
    if news and not night and not taken:  # another run works on each: a night leaves it to that one
        return states.stopped(refusals.sentences(news), news[0].code, data)
    return Completed(name="Done" if new else "Nothing to do", message=said or told, data=data)
