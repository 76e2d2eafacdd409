"""Flow: AIPs → their next versions. First run and reprocessing are the same code: the whole pipeline on one page."""

# No `from __future__ import annotations`: Prefect resolves the types where the decorator was made.
import uuid
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prefect import State, flow, get_run_logger, runtime
from prefect.futures import PrefectFuture, as_completed

from flows.ui import states
from flows.ui.run import put_down, run_id, threads, untagged, whole
from flows.ui.stops import stops_clearly
from tasks.aip.busy import sentence
from tasks.aip.mend import mend
from tasks.aip.plan import Choice, Scope
from tasks.aip.progress import board
from tasks.aip.session import Session
from tasks.aip.space import Budget
from tasks.config import unfinished
from tasks.config.home import home as the_home
from tasks.identify import identify
from tasks.normalize import normalize
from tasks.package import package
from tasks.plan import plan
from tasks.policy.load import find, load
from tasks.premis.model import Ending
from tasks.report import pages, phrases
from tasks.report.pictures import Album
from tasks.report.standing import Stands
from tasks.report.summary import Summary, summarize
from tasks.store.ocfl import Store
from tasks.tools import shared
from tasks.tools.machine import Finding, NotFit
from tasks.words import text

PACKAGE_AIPS = 32
KEPT_ROWS = 200
"""Of each AIP so many files that need a person stay in memory for the end of the run; its report has them all."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration leaves behind for whoever started it."""

    summaries: tuple[Summary, ...]
    worked: int
    apart: tuple[tuple[str, str, str], ...]
    """(AIP, code, why) of those that were left alone: another run holds them, or they are damaged."""

    def __add__(self, other: "Migrated") -> "Migrated":
        """Both, one after the other."""
        return Migrated(self.summaries + other.summaries, self.worked + other.worked, self.apart + other.apart)


@flow(
    name="migrate",
    flow_run_name=lambda: phrases.batches(
        runtime.flow_run.parameters.get("names") or runtime.flow_run.parameters["aips"]
    ),
    task_runner=threads(),
    persist_result=False,
)
@stops_clearly
@untagged()
def migrate(
    aips: list[str],
    names: list[str] | None = None,
    policy: str = "default",
    reason: str = "",
    which: Scope = Scope.CHANGED,
    rules: list[str] | None = None,
    paths: list[str] | None = None,
    codes: list[str] | None = None,
    night: bool = False,
) -> State:
    """Bring AIPs to the state their policy asks for; only what is new, changed or asked for is done."""
    home = the_home().prepare()
    law = load(find(policy, home))
    store = Store(home.store)
    mend(home, store, run_id())
    door = shared.shared(home.work, (home.store, home.inbox))
    if door.unloaded:
        raise NotFit([Finding("sealed code", False, f"{name}: {why}") for name, why in door.unloaded.items()])
    if lacking := [layer for layer in door.layers if layer.startswith("missing")]:
        get_run_logger().warning("The sandbox of this machine lacks something. %s", ", ".join(lacking))
    choice = Choice(which, tuple(rules or ()), tuple(paths or ()), tuple(codes or ()))
    waiting = deque(dict.fromkeys(map(uuid.UUID, aips)))
    done, budget = Migrated((), 0, ()), Budget(home)
    album = Album(home, door)
    while waiting and not board.stop.is_set():
        session = Session(home, store, law, run_id(), door, reason=reason, budget=budget)
        done += _wave(session, waiting, choice, album)
    called = dict(zip(aips, names or aips, strict=False))
    done = replace(done, apart=tuple((called[aip], code, why) for aip, code, why in done.apart))
    board.finish()
    pages.index(home, warn=get_run_logger().warning)
    state = states.finished(done.summaries, worked=bool(done.worked), night=night, left=bool(waiting), data=(done,))
    ended = sum((Counter(s.ended) for s in done.summaries), Counter())
    return states.counted(state, {ending.value: ended[ending] for ending in Ending})


def _wave(session: Session, waiting: deque[uuid.UUID], choice: Choice, album: Album) -> Migrated:
    """The next AIPs all the way: as many as memory holds at once, and no more."""
    with session.holding(waiting, choice) as left:
        more = bool(waiting)
        for late in session.ahead_of_the_clock():
            get_run_logger().warning("The clock is behind the last event of AIP %s. Set it right.", late)
        _identify(session, more=more)
        chunks = plan(whole(session), whole(choice))
        _normalize(session, chunks, more=more)
        _package(session, more=more)
        ended = [
            Stands(after, one.known, summarize(after, one.known, session.policy, one.languages, session.run))
            for one, after in session.ended()
        ]
        # What was found damaged only when it was packed is among them.
        apart = tuple((str(aip), trouble.code, sentence(trouble)) for aip, trouble in left.items())
        for stands in ended:  # while the locks are held: a mark set by the next run must not be lost
            if not stands.summary.waiting:
                unfinished.clear(session.home, stands.summary.aip)
    for stands in ended:
        pages.write(session.home, stands, session.policy, warn=get_run_logger().warning, album=album)
    return Migrated(tuple(s.summary.bounded(KEPT_ROWS) for s in ended), len(chunks), apart)


def _identify(session: Session, *, more: bool) -> None:
    """Every file that is not known yet, in chunks over all AIPs."""
    board.begin("identify", len(session.unidentified), more=more)
    for _ in _in_turn(
        identify.submit(f"identify {text('n-files', n=last - first)}", first, last, whole(session))
        for first, last in session.portions()
    ):
        pass


def _normalize(session: Session, chunks: Sequence[str], *, more: bool) -> None:
    """Every chunk of work, two at a time on two cores."""
    board.begin("normalize", session.planned, more=more)
    for _ in _in_turn(normalize.submit(name, number, whole(session)) for number, name in enumerate(chunks)):
        pass
    board.finish()


def _package(session: Session, *, more: bool) -> None:
    """The next version of each AIP; many small ones share a task."""
    aips = list(session.open)
    board.begin("package", len(aips), more=more)
    starts = range(0, len(aips), PACKAGE_AIPS)
    for done in _in_turn(
        package.submit(_named(session, aips[s : s + PACKAGE_AIPS]), aips[s : s + PACKAGE_AIPS], whole(session))
        for s in starts
    ):
        board.count(len(done))
    board.finish()


def _named(session: Session, aips: Sequence[uuid.UUID]) -> str:
    return phrases.batches([session.open[aip].ledger.about.label for aip in aips])


def _in_turn(futures: Iterator[PrefectFuture[Any]]) -> Iterator[Any]:
    """Results as they come; a task that could not work raises here and stops the run, and its files wait."""
    waiting = list(futures)
    with put_down(waiting):
        for future in as_completed(waiting):
            yield future.result()
