"""What the terminal shows: progress on stderr, the answer on stdout (face.md §3)."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tasks import words
from tasks.aip.progress import Stage, board
from tasks.config.home import Home
from tasks.premis import codes
from tasks.premis.model import Ending
from tasks.report import phrases
from tasks.report.summary import ASCII, SHAPES, WORST, Row, Summary
from tasks.sip.refusal import Refused

COLOURS = {Ending.DONE: "32", Ending.KEPT: "90", Ending.HELD: "33", Ending.FAILED: "31", Ending.WAITING: "90"}
FAULTS = 10
COLOUR = re.compile("\x1b\\[(?:0|3[123]|90)m")
LINE_EVERY_S = 30.0


def unicode_ok() -> bool:
    """Whether the locale can show more than ASCII."""
    return (sys.stdout.encoding or "").lower().replace("-", "") in ("utf8", "utf8sig")


def coloured() -> bool:
    """Colour only for a person who did not refuse it."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def mark(ending: Ending, *, word: bool = True) -> str:
    """Shape and word of an ending, padded, or the shape alone; colour goes on these alone."""
    shape = (SHAPES if unicode_ok() else ASCII)[ending]
    text = f"{shape} {ending.value:8}" if word else shape
    return f"\x1b[{COLOURS[ending]}m{text}\x1b[0m" if coloured() else text


def answer(value: Any) -> None:
    """A JSON answer on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def clean(text: str) -> str:
    """A text with its control letters spelled out, but for line ends and our own colours: no name moves the cursor."""
    parts = COLOUR.split(text)
    shown = ["".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in part) for part in parts]
    return "".join(a + b for a, b in zip(shown, [*COLOUR.findall(text), ""], strict=True))


def say(text: str = "") -> None:
    """A line of the answer; what the locale cannot show is escaped, never lost."""
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(clean(text).encode(encoding, "backslashreplace").decode(encoding) + "\n")


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[None]:
    """Show the stages of the run in this process while it goes on: two lines a stage at most."""
    over = threading.Event()
    show = _plain if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb" else _live
    thread = threading.Thread(target=show, args=(over, quiet), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _live(over: threading.Event, _: bool) -> None:
    console = Console(stderr=True)
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        while not over.wait(0.25):
            live.update(_table(board.stages()))
        live.update(_table(board.stages()))


def _table(stages: Sequence[Stage]) -> Table:
    table = Table.grid(padding=(0, 2))
    for stage in stages:
        left = f"about {words.roughly(stage.left_s)} left" if stage.left_s else ""
        bad = ", ".join(f"{n} {e.value}" for e in WORST[:3] if (n := stage.endings.get(e, 0)))
        table.add_row(
            "✓" if stage.over else "▸",
            stage.name,
            f"{stage.done:,} of {stage.files:,}",
            bad,
            _clock(stage.seconds),
            left,
        )
    return table


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _plain(over: threading.Event, quiet: bool) -> None:
    """One line per stage end and every 30 s, each with its time."""
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
    bad = "".join(f", {n} {e.value}" for e in WORST[:3] if (n := stage.endings.get(e, 0)))
    left = f", about {words.roughly(stage.left_s)} left" if stage.left_s else ""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    sys.stderr.write(f"{now} {stage.name} {stage.done:,} of {stage.files:,}{bad}{left}\n")
    sys.stderr.flush()


def result(
    home: Home, summaries: Sequence[Summary], refused: Sequence[Refused] = (), *, worked: bool, seconds: float
) -> None:
    """The end of `run` and `reprocess`: verdict, numbers, what needs a person or was refused, where to look next."""
    if not worked:
        refusals(refused)
        for s in summaries:
            if s.alarm:
                _faults(s, many=True)
                continue
            since = f" since {phrases.moment(s.settled_since)}" if s.settled_since else ""
            say(f"Nothing to do: {one_line(s.batch)} is settled{since}.")
        still = f" {phrases.needs(summaries)}" if any(s.needing for s in summaries) else ""
        say(f"No new version, no new master.{still}")
        return
    verdict = phrases.verdict(summaries)
    say(f"{verdict}{words.duration(seconds):>{max(2, 78 - len(verdict))}}")
    say()
    _numbers(summaries)
    for s in summaries:
        _faults(s, many=len(summaries) > 1)
    refusals(refused)
    for s in summaries:
        if s.supplement and s.supplement.now:
            say(f"Supplement  {one_line(s.batch)}: {one_line(phrases.supplement(s))}")
    for s in summaries[:5]:
        say(f"Originals   {phrases.safety(s)} Masters in version {s.version}.")
        say(f"Report      {home.reports / (str(s.aip) + '.html')}")
    if any(s.needing for s in summaries):
        say(f"Look        perenne status {shlex.quote(summaries[0].batch)}")


def _numbers(summaries: Sequence[Summary]) -> None:
    notes = sum(s.noted for s in summaries)
    for ending in reversed(WORST):
        count = sum(s.ended.get(ending, 0) for s in summaries)
        if count:
            say(f"{mark(ending)} {words.number(count):>6}   {phrases.means(ending)}")
    if notes:
        say(f"{'':10} {words.number(notes):>6}   {words.text('with-a-note')}")
    say()


def _faults(summary: Summary, *, many: bool) -> None:
    for row in summary.attention[:FAULTS]:
        fault(row, f"{summary.batch}/{row.file}" if many else row.file)
    if len(summary.attention) > FAULTS:
        say(f"and {len(summary.attention) - FAULTS} more: perenne status {shlex.quote(summary.batch)}")
    if summary.attention:
        say()


def refusals(refused: Sequence[Refused]) -> None:
    """The deliveries that were not taken: what is wrong with each, and in what."""
    for one in refused[:FAULTS]:
        ending = Ending.WAITING if one.code and codes.code(one.code).transient else Ending.FAILED
        say(f"{mark(ending, word=False)} {one_line(one.batch)}  {one.code}{' (still)' if one.known else ''}")
        lines = one.why.splitlines()
        for line in lines[:FAULTS]:
            say(f"  {line}")
        if len(lines) > FAULTS:
            say(f"  and {len(lines) - FAULTS} more lines: perenne run --json")
    if len(refused) > FAULTS:
        say(words.text("and-more-at", n=len(refused) - FAULTS, command="perenne status"))
    if refused:
        say()


def fault(row: Row, name: str) -> None:
    """One file that needs a person: what was seen, what it means, what to do."""
    width = max(60, min(120, shutil.get_terminal_size((80, 20)).columns))
    arrow = "→" if unicode_ok() else "->"
    shape = mark(row.ending, word=False)
    say(f"{shape} {_short(name, width - len(row.code) - 6)}  {row.code}")
    say(f"  {row.seen}")
    if row.do:
        say(f"  {arrow} {row.do}")


def one_line(name: str) -> str:
    """A name on one line."""
    return name.replace("\n", "\\u000a")


def _short(path: str, width: int) -> str:
    """A path that lost folders in its middle when it is too long, never the file's name."""
    path = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in path)
    parts = path.split("/")
    while len("/".join(parts)) > width and len(parts) > 2:
        parts = [*parts[: len(parts) // 2], *parts[len(parts) // 2 + 1 :]]
    shown = "/".join(parts)
    return shown if shown == path else f"{parts[0]}/…/{parts[-1]}"
