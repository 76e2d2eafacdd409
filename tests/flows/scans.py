"""A batch of scans that Tesseract reads for many seconds, and what a home's processes and Prefect say meanwhile."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tasks.tools.machine import CORES
from tests.flows import kills

SCANS, PAGES = CORES + 2, 2
"""One file more than are in hand at once."""
UNTRUE = {"RUNNING", "PENDING", "CANCELLING"}
"""What no run may say when nothing goes on."""
TEXT = "Căn cứ Luật Tổ chức Hội đồng nhân dân và Ủy ban nhân dân ngày 26 tháng 11 năm 2003. " * 40


def page(title: str, lines: int) -> Image.Image:
    """An A4 page at 300 dpi, with so many lines of words."""
    sheet = Image.new("1", (2481, 3507), 1)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype("DejaVuSans.ttf", 40)
    draw.text((200, 200), title, font=font, fill=0)
    for line in range(lines):
        draw.text((200, 300 + 60 * line), TEXT[line : line + 85], font=font, fill=0)
    return sheet


def batch(home: Path, name: str = "quét", lines: int = 25) -> Path:
    """A batch in a home's inbox whose scans Tesseract reads for seconds each; 50 lines fill a page."""
    kills.environment(home)
    batch = home / "inbox" / name
    batch.mkdir(parents=True)
    for number in range(SCANS):
        first, *more = [page(f"{name} {number}.{n}", lines) for n in range(PAGES)]
        first.save(batch / f"{number}.pdf", save_all=True, append_images=more, resolution=300)
    return batch


def reading(home: Path) -> None:
    """Return when Tesseract reads a page. TimeoutError after 90 s."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        # Asked for its version or its languages it has fewer words.
        if any(b"tesseract" in c[0] and len(c) > 5 for p in jobs(home) if (c := kills.cmdline(p).split(b"\0"))):
            return
        time.sleep(0.05)
    raise TimeoutError("no page was read")


def _inside(home: Path) -> list[int]:
    """Sandboxed processes have an environment of their own: they are found below the home's."""
    return [p for top in kills.processes(home) for p in kills.descendants(top)]


def jobs(home: Path) -> set[int]:
    """All that lives in a sandbox below a process of the home."""
    return set(_inside(home)) - set(kills.processes(home))


def states(home: Path, runs: Collection[str] = ()) -> set[str]:
    """The states of every run and task run that began; with `runs` only of these and of all below them."""
    with closing(sqlite3.connect(home / "prefect" / "prefect.db")) as asked:
        flows = asked.execute("select id, state_type, parent_task_run_id from flow_run where start_time is not null")
        tasks = asked.execute("select id, state_type, flow_run_id from task_run")
        return _below(flows.fetchall(), tasks.fetchall(), {r.replace("-", "") for r in runs})


def _below(flows: list[tuple[str, str, str]], tasks: list[tuple[str, str, str]], tops: set[str]) -> set[str]:
    """Prefect hangs a subflow on a task run of its parent."""
    plain = [[tuple(str(x).replace("-", "") for x in row) for row in rows] for rows in (flows, tasks)]
    wanted = set(tops)
    while more := {one for rows in plain for one, _, above in rows if above in wanted} - wanted:
        wanted |= more
    return {state for rows in plain for one, state, _ in rows if not tops or one in wanted}


def last(home: Path) -> tuple[str, str]:
    """The state of the latest outermost run."""
    with closing(sqlite3.connect(home / "prefect" / "prefect.db")) as asked:
        query = (
            "select state_type, state_name from flow_run where parent_task_run_id is null and start_time is not null"
        )
        found = asked.execute(f"{query} order by start_time desc").fetchone()
    return str(found[0]), str(found[1])


def run_of(home: Path) -> str:
    """The id of the run that holds an AIP."""
    locks = sorted((home / "work" / "locks").glob("*.lock"))
    return str(json.loads(locks[0].read_text())["run"])


def settled_once(home: Path, name: str = "quét") -> None:
    """Every scan of a batch ended exactly once, and has its masters."""
    found = kills.left(home, name)
    assert {path for path, _, _ in found.endings} == {f"originals/{n}.pdf" for n in range(SCANS)}
    assert set(found.endings.values()) == {1}
    assert len(found.masters) >= SCANS
