"""How far a run is, on stderr: two lines a stage on a terminal, else one line at a stage's end and every 30 s."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from flows.command import show
from tasks import words
from tasks.aip.progress import Stage, board
from tasks.premis.model import Ending
from tasks.report import phrases
from tasks.words import text

STAGES = ("ingest", "identify", "normalize", "package")
LINE_EVERY_S = 30.0
LEAST, MOST = 60, 120
"""Columns: on a wider terminal the bar would be too long to follow, on a narrower one lines break."""


class Shapes(NamedTuple):
    """What is drawn: a stage that goes on, one that is over, the two halves of a bar."""

    going: str
    over: str
    full: str
    empty: str


UNICODE, ASCII = Shapes("▸", "✓", "━", "─"), Shapes(">", "+", "#", "-")
CLOCK = 15
"""Columns for the time and the gaps of a line."""
_TROUBLE = (Ending.FAILED, Ending.HELD, Ending.WAITING)


@contextlib.contextmanager
def progress(title: str, stages: Sequence[str] = STAGES, *, quiet: bool) -> Iterator[None]:
    """Show the stages of the run in this process while it goes on."""
    over = threading.Event()
    live = not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    target, arguments = (_live, (over, title, stages)) if live else (_plain, (over, quiet))
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# --- on a terminal ---------------------------------------------------------------


def _live(over: threading.Event, title: str, names: Sequence[str]) -> None:
    began = time.monotonic()
    console = Console(stderr=True, highlight=False, no_color=not show.colour_wanted())
    shapes = show.unicode_ok()  # before the screen takes stdout
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        while not over.wait(0.25):
            live.update(picture(title, names, board.stages(), time.monotonic() - began, console.width, shapes=shapes))
        live.update(
            picture(title, names, board.stages(), time.monotonic() - began, console.width, shapes=shapes, over=True)
        )
    console.print()


def picture(
    title: str,
    names: Sequence[str],
    stages: Sequence[Stage],
    seconds: float,
    width: int,
    *,
    shapes: bool = True,
    over: bool = False,
) -> Group:
    """What stands on the terminal at one moment: title, the stages that there are and will be, how to stop."""
    width = max(LEAST, min(MOST, width)) - 1
    known, shape = {stage.name: stage for stage in stages}, UNICODE if shapes else ASCII
    now = next((s for s in reversed(stages) if not s.over), None)
    lines = [_ends(title, _left(now), width), Text()]
    if not stages:
        lines.append(_row(shape.going, text("stage-server"), text("server-starts"), seconds, width))
    for name in names:
        if (stage := known.get(name)) is not None:
            lines += _stage(stage, width, shape)
        elif not over:
            lines.append(Text(f"  {_name(name)}", style="dim"))
    if not over:
        lines += [Text(), Text(text("how-to-stop"), style="dim")]
    return Group(*lines)


def _stage(stage: Stage, width: int, shape: Shapes) -> list[Text]:
    done = _done(stage)
    if stage.over:
        told = f"{done}   {_remark(stage)}" if stage.files else text("nothing-new-came")
        return [_row(shape.over, _name(stage.name), told, stage.seconds, width, _trouble(stage))]
    bar = max(10, width - _column() - len(done) - CLOCK)
    full = round(bar * stage.done / stage.files) if stage.files else 0
    shown = shape.full * full + shape.empty * (bar - full)
    first = _row(shape.going, _name(stage.name), f"{shown}  {done}", stage.seconds, width)
    at = show.shortened(stage.at, width - _column() - 6 - len(_trouble(stage)))
    return [first, _ends(f"{' ' * (_column() + 3)}{at}", _trouble(stage), width)] if at or _trouble(stage) else [first]


def _done(stage: Stage) -> str:
    if stage.name == "package":
        return text("n-aips", n=stage.done)
    return text("done-of-all", done=stage.done, all=stage.files)


def _name(name: str) -> str:
    return text(f"stage-{name}")


def _column() -> int:
    """How many columns the name of a stage takes, whichever it is."""
    return max(cell_len(_name(name)) for name in STAGES)


def _remark(stage: Stage) -> str:
    if stage.kinds:
        return text("n-formats", n=stage.kinds)
    return text("stored-and-read-back") if stage.name in ("ingest", "package") else ""


def _trouble(stage: Stage) -> str:
    return ", ".join(f"{words.number(n)} {phrases.ended(e)}" for e in _TROUBLE if (n := stage.endings.get(e, 0)))


def _left(stage: Stage | None) -> str:
    return text("about-left", time=words.roughly(stage.left_s)) if stage and stage.left_s else ""


def _row(shape: str, name: str, told: str, seconds: float, width: int, trouble: str = "") -> Text:
    tail = f"{trouble}   {words.clock(seconds)}" if trouble else words.clock(seconds)
    line = _ends(f"{shape} {show.padded(name, _column())} {told}", tail, width)
    line.stylize("green" if shape in (UNICODE.over, ASCII.over) else "bold", 0, 1)
    return line


def _ends(left: str, right: str, width: int) -> Text:
    """Two texts at the two ends of a line."""
    return Text(show.ends(left, right, width) if right else left, no_wrap=True, overflow="ellipsis")


# --- elsewhere -------------------------------------------------------------------


def _plain(over: threading.Event, quiet: bool) -> None:
    told, last = 0, time.monotonic()
    while not over.wait(0.2) or told < len(board.stages()):
        stages = board.stages()
        while told < len(stages) and (stages[told].over or over.is_set()):
            if not quiet:
                _line(stages[told])
            told, last = told + 1, time.monotonic()
        if not quiet and told < len(stages) and time.monotonic() - last > LINE_EVERY_S:
            _line(stages[told])
            last = time.monotonic()


def _line(stage: Stage) -> None:
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    told = [_done(stage), _trouble(stage), _left(stage)]
    if stage.over:
        told.append(_remark(stage))
    sys.stderr.write(show.clean(f"{now} {_name(stage.name)} {', '.join(filter(None, told))}\n"))
    sys.stderr.flush()
