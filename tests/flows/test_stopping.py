"""A run stopped while files are in hand: nothing outlives it, every state is final, the next run finishes it."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.flows import kills

pytestmark = pytest.mark.slow
WITHIN_S = 10.0
SCANS, PAGES = 3, 2
TEXT = "Căn cứ Luật Tổ chức Hội đồng nhân dân và Ủy ban nhân dân ngày 26 tháng 11 năm 2003. " * 40


def page(title: str) -> Image.Image:
    """An A4 page at 300 dpi, full of words."""
    sheet = Image.new("1", (2481, 3507), 1)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype("DejaVuSans.ttf", 40)
    draw.text((200, 200), title, font=font, fill=0)
    for line in range(50):
        draw.text((200, 300 + 60 * line), TEXT[line : line + 85], font=font, fill=0)
    return sheet


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a batch whose scans Tesseract reads for many seconds each."""
    home = tmp_path_factory.mktemp("stopping") / "home"
    kills.environment(home)
    batch = home / "inbox" / "quét"
    batch.mkdir(parents=True)
    for number in range(SCANS):
        first, *more = [page(f"Trang {number}.{n}") for n in range(PAGES)]
        first.save(batch / f"{number}.pdf", save_all=True, append_images=more, resolution=300)
    return home


def reading(home: Path) -> None:
    """Return when Tesseract reads a page."""
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


def states(home: Path) -> set[str]:
    """The states of every run and task run that began."""
    with closing(sqlite3.connect(home / "prefect" / "prefect.db")) as asked:
        rows = asked.execute("select state_type from flow_run where start_time is not null union "
                             "select state_type from task_run").fetchall()  # fmt: skip
    return {state for (state,) in rows}


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


@pytest.mark.parametrize("how", ["term", "hup", "twice", "page"])
def test_a_command_that_is_stopped_leaves_nothing_behind(home: Path, how: str) -> None:
    shutil.rmtree(home / "work", ignore_errors=True)
    run = kills.start(home, "run", "quét")
    try:
        reading(home)
        mine = jobs(home)
        began = time.monotonic()
        if how == "page":
            kills.api(home, f"/flow_runs/{run_of(home)}/set_state", {"state": {"type": "CANCELLING"}})
        for number in {"term": [signal.SIGTERM], "hup": [signal.SIGHUP], "twice": [signal.SIGINT] * 2}.get(how, []):
            run.send_signal(number)
            time.sleep(0.3)
        assert kills.gone(mine, WITHIN_S)
        gone = time.monotonic() - began
        assert run.wait(WITHIN_S + 5) == 130
        print(f"{how}: {len(mine)} jobs gone after {gone:.1f} s, command after {time.monotonic() - began:.1f} s")
    finally:
        run.kill()
        run.wait()
    assert "The same command goes on from there." in (home / "out.log").read_text()
    assert kills.quiet(home)
    assert not states(home) & {"RUNNING", "PENDING", "CANCELLING"}
    assert last(home) == ("CANCELLED", "Cancelled")


def test_the_next_run_finishes_what_was_stopped_and_doubles_nothing(home: Path) -> None:
    run = kills.start(home, "run", "quét")
    reading(home)
    run.send_signal(signal.SIGTERM)
    assert run.wait(WITHIN_S + 5) == 130
    assert kills.start(home, "run", "quét").wait(kills.LIMIT_S) == 0
    found = kills.left(home)
    assert {path for path, _, _ in found.endings} == {f"originals/{n}.pdf" for n in range(SCANS)}
    assert set(found.endings.values()) == {1}
    assert found.waited == 0
    assert len(found.masters) >= SCANS
    assert kills.quiet(home)
    assert kills.leftovers(home) == []
