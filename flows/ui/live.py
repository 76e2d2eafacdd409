"""The artifact `progress` of a run: one line, renewed while the run goes on: `38 of 60 files, about 1 min left`."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import threading
from collections.abc import Iterator, Sequence
from uuid import UUID

from prefect.artifacts import ProgressArtifact, update_progress_artifact

from tasks.aip.progress import Stage, board
from tasks.words import duration, roughly, text

EVERY_S = 3.0
"""An update costs the server 3.4 ms; more often than this nobody sees."""
NORMALIZE = "normalize"
_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def progress() -> Iterator[None]:
    """While the block goes on, the run of this process shows how far it is; at its end, how long it took.

    What the server does not take is not shown; the run goes on.
    """
    over, line = threading.Event(), _Line()

    def keep() -> None:
        while not over.wait(EVERY_S):
            line.show()

    showing = threading.Thread(target=contextvars.copy_context().run, args=(keep,), name="progress", daemon=True)
    showing.start()
    try:
        yield
    finally:
        over.set()
        showing.join()
        line.show()


class _Line:
    def __init__(self) -> None:
        self._id: UUID | None = None
        self._told = ""

    def show(self) -> None:
        stage = now(board.stages())
        if stage is None or (line := told(stage)) == self._told:
            return
        share = 100.0 * min(1.0, stage.done / stage.files)
        try:
            if self._id is None:
                self._id = ProgressArtifact(key="progress", description=line, progress=share).create().id  # type: ignore[union-attr]
            else:
                update_progress_artifact(artifact_id=self._id, progress=share, description=line)
            self._told = line
        except Exception as error:  # whatever it is, it is not the run's
            _LOG.info("the progress is not shown: %s", error)


def now(stages: Sequence[Stage]) -> Stage | None:
    """The stage to show: that which goes on, the work itself rather than what is around it; None before the first."""
    begun = [stage for stage in stages if stage.files]
    going_on = [stage for stage in begun if not stage.over]
    work = [stage for stage in begun if stage.name == NORMALIZE]
    return next(iter([*(s for s in work if not s.over), *reversed(going_on), *work, *reversed(begun)]), None)


def told(stage: Stage) -> str:
    """`38 of 60 files, about 1 min left`; of another stage `ingest: 3 of 12, starting`."""
    time = _time(stage)
    if stage.name == NORMALIZE:
        return f"{text('n-of-files', done=stage.done, n=stage.files)}, {time}"
    return text("stage-at", stage=named(stage.name), done=stage.done, n=stage.files, time=time)


def named(stage: str) -> str:
    """The name of a stage, in the language in force."""
    names = {
        "ingest": text("stage-ingest"),
        "identify": text("stage-identify"),
        NORMALIZE: text("stage-normalize"),
        "package": text("stage-package"),
    }
    return names.get(stage, stage)


def _time(stage: Stage) -> str:
    if stage.over:
        return duration(stage.seconds)
    return text("starting") if stage.left_s is None else text("about-left", time=roughly(stage.left_s))
