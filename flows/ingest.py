"""Flow: batches → version 1 of their AIPs, or a supplement. The originals are safe when this ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prefect import State, flow, get_run_logger, runtime
from prefect.futures import wait
from prefect.states import Completed, Failed

from flows.ui.run import run_id, threads, whole
from tasks.aip.mend import mend
from tasks.aip.progress import board
from tasks.config.home import home as the_home
from tasks.premis import codes
from tasks.report import phrases
from tasks.sip.batch import BatchError, batch
from tasks.sip.ingest import Ingested
from tasks.store.ocfl import Store
from tasks.survey import survey

BUSY = "Another run is working on this AIP. It is taken up when that run ends."


@dataclass(frozen=True, slots=True)
class Refused:
    """A batch that was not taken, and why."""

    batch: str
    why: str


@flow(
    name="ingest",
    flow_run_name=lambda: phrases.batches(runtime.flow_run.parameters.get("batches", [])),
    task_runner=threads(),
    persist_result=False,
)
def ingest(batches: list[str]) -> State:
    """Copy, digest, record and store every batch; a batch that cannot be taken does not stop the others."""
    home, log = the_home().prepare(), get_run_logger()
    store = Store(home.store)
    for done in mend(home, store, run_id()):
        log.warning("AIP %s after an interrupted run: %s. %s", done.aip, done.what, done.broken)
    board.begin("ingest", len(batches))
    futures = {}
    refused = []
    for path in batches:
        try:
            one = batch(Path(path))
        except BatchError as e:
            refused.append(Refused(path, str(e)))
            continue
        futures[path] = survey.submit(one.name, whole(one), whole(home), whole(store), run_id())
    wait(list(futures.values()))
    taken: list[Ingested] = []
    for path, future in futures.items():
        try:
            found = future.result()
        except Exception as e:
            # A fault of one batch, of its disk or of our own code: told, and the other batches of the night go on.
            log.exception("%s", path)
            refused.append(Refused(Path(path).name, str(e) or type(e).__name__))
            continue
        board.count()
        if found is None:
            refused.append(Refused(Path(path).name, BUSY))
        elif found.version == 0:
            refused.append(Refused(found.batch, _nothing(found)))
        else:
            taken.append(found)
    return _state(taken, refused)


def _nothing(found: Ingested) -> str:
    """Why a batch has no AIP: not one of the things in it could be stored."""
    first = found.troubles[0]
    seen = codes.message(first.code, first.detail)
    return f"nothing in it could be stored. First of {len(found.troubles)}: {seen}"


def _state(taken: list[Ingested], refused: list[Refused]) -> State:
    new = sum(i.new for i in taken)
    told = (
        f"{phrases.count(len(taken), 'batch', 'batches')}, {phrases.count(new, 'new original')} stored and read back."
    )
    data = (*taken, *refused)
    if refused:
        return Failed(name="Stopped", message=f"{refused[0].batch}: {refused[0].why}", data=data)
    return Completed(name="Done" if new else "Nothing to do", message=told, data=data)
