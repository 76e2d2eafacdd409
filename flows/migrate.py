"""Flow: AIPs → their next versions. First run and reprocessing are the same code: the whole pipeline on one page."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prefect import State, flow, get_run_logger, runtime
from prefect.futures import PrefectFuture, as_completed, wait

from flows.ui import artifacts, states
from flows.ui.run import run_id, threads, whole
from tasks.aip.mend import mend
from tasks.aip.plan import Choice, Scope
from tasks.aip.progress import board
from tasks.aip.session import Session
from tasks.config import unfinished
from tasks.config.home import home as the_home
from tasks.identify import identify
from tasks.normalize import normalize
from tasks.package import package
from tasks.plan import plan
from tasks.policy.load import find, load
from tasks.report import pages, phrases
from tasks.report.summary import Summary, summarize
from tasks.store.ocfl import Store
from tasks.tools.machine import Finding, NotFit
from tasks.tools.shared import shared

IDENTIFY_FILES = 256


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration leaves behind for whoever started it."""

    summaries: tuple[Summary, ...]
    worked: int
    busy: tuple[str, ...]


@flow(
    name="migrate",
    flow_run_name=lambda: phrases.batches(
        runtime.flow_run.parameters.get("names") or runtime.flow_run.parameters["aips"]
    ),
    task_runner=threads(),
    persist_result=False,
)
def migrate(
    aips: list[str],
    names: list[str] | None = None,  # noqa: ARG001  shown as the run's name
    policy: str = "default",
    reason: str = "",
    which: Scope = Scope.CHANGED,
    rules: list[str] | None = None,
    paths: list[str] | None = None,
    night: bool = False,
) -> State:
    """Bring AIPs to the state their policy asks for; only what is new, changed or asked for is done."""
    began, home = time.monotonic(), the_home().prepare()
    law = load(find(policy, home))
    store = Store(home.store)
    mend(home, store, run_id())
    door = shared(home.work, (home.store,))
    if door.unloaded:
        raise NotFit([Finding("sealed code", False, f"{name}: {why}") for name, why in door.unloaded.items()])
    session = Session(home, store, law, run_id(), door, reason=reason)
    choice = Choice(which, tuple(rules or ()), tuple(paths or ()))
    with session.holding([uuid.UUID(a) for a in aips], choice) as busy:
        for late in session.ahead_of_the_clock():
            get_run_logger().warning("The clock is behind the last event of AIP %s. Set it right.", late)
        _identify(session)
        chunks = plan(whole(session), whole(choice))
        _normalize(session, chunks)
        board.begin("package", len(session.open))
        for _ in _in_turn(package.submit(_batch(session, a), a, whole(session)) for a in session.open):
            board.count()
        board.finish()
        summaries = tuple(
            summarize(session.after(aip), one.known, law, one.languages, session.run)
            for aip, one in session.open.items()
        )
    for summary in summaries:
        if not summary.waiting:
            unfinished.clear(home, summary.aip)
    reports = f"http://127.0.0.1:{home.settings().reports_port}"
    pages.write(home, summaries, law)
    artifacts.publish(summaries, policy=law.id, seconds=time.monotonic() - began, reports=reports)
    left = Migrated(summaries, len(chunks), tuple(map(str, busy)))
    return states.finished(summaries, worked=bool(chunks), night=night, data=(left,))


def _batch(session: Session, aip: uuid.UUID) -> str:
    return session.open[aip].ledger.about.batch


def _identify(session: Session) -> None:
    """Every file that is not known yet, in chunks over all AIPs."""
    count = len(session.unidentified)
    board.begin("identify", count)
    starts = range(0, count, IDENTIFY_FILES)
    for _ in _in_turn(
        identify.submit(f"identify {min(IDENTIFY_FILES, count - s)} files", s, s + IDENTIFY_FILES, whole(session))
        for s in starts
    ):
        pass


def _normalize(session: Session, chunks: Sequence[str]) -> None:
    """Every chunk of work, two at a time on two cores, with the progress shown while it goes on."""
    live = artifacts.ProgressArtifact()
    for _ in _in_turn(normalize.submit(name, number, whole(session)) for number, name in enumerate(chunks)):
        live.show(board.stages()[-1])
    if chunks:
        board.finish()
        live.show(board.stages()[-1], last=True)


def _in_turn(futures: Iterator[PrefectFuture[Any]]) -> Iterator[Any]:
    """Results as they come; a task that could not work raises here and stops the run, and its files wait."""
    waiting = list(futures)
    try:
        for future in as_completed(waiting):
            yield future.result()
    except BaseException:
        board.stop.set()  # the AIPs' locks are ours until the last thread has put its file down
        wait(waiting)
        raise
