"""A run stopped while files are in hand: nothing outlives it, every state is final, the next run finishes it."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import pytest

from tasks.store.ocfl import Store
from tests.flows import kills, scans

pytestmark = pytest.mark.slow
WITHIN_S = 10.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a batch whose scans Tesseract reads for many seconds each."""
    home = tmp_path_factory.mktemp("stopping") / "home"
    scans.batch(home)
    return home


@pytest.mark.parametrize("how", ["term", "hup", "twice", "page"])
def test_a_command_that_is_stopped_leaves_nothing_behind(home: Path, how: str) -> None:
    shutil.rmtree(home / "work", ignore_errors=True)
    run = kills.start(home, "run", "quét")
    try:
        scans.reading(home)
        mine = scans.jobs(home)
        began = time.monotonic()
        if how == "page":
            kills.api(home, f"/flow_runs/{scans.run_of(home)}/set_state", {"state": {"type": "CANCELLING"}})
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
    assert not scans.states(home) & scans.UNTRUE
    assert scans.last(home) == ("CANCELLED", "Cancelled")


def test_the_next_run_finishes_what_was_stopped_and_doubles_nothing(home: Path) -> None:
    run = kills.start(home, "run", "quét")
    scans.reading(home)
    run.send_signal(signal.SIGTERM)
    assert run.wait(WITHIN_S + 5) == 130
    assert kills.start(home, "run", "quét").wait(kills.LIMIT_S) == 0
    scans.settled_once(home)
    assert kills.left(home).waited == 0
    assert kills.quiet(home)
    assert kills.leftovers(home) == []


def test_one_ctrl_c_ends_after_the_files_in_hand_and_the_next_run_does_the_rest(tmp_path: Path) -> None:
    home = tmp_path / "home"
    scans.batch(home)
    run = kills.start(home, "run", "quét")
    scans.reading(home)
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    assert run.wait(kills.LIMIT_S) == 130
    took = time.monotonic() - began
    assert "Stopping after the files in hand; the same command goes on from there." in (home / "out.log").read_text()
    first = kills.left(home)
    print(f"ended after {took:.1f} s with {len(first.endings)} of {scans.SCANS} files, as {scans.last(home)}")
    assert 0 < len(first.endings) < scans.SCANS
    assert set(first.endings.values()) == {1}
    assert first.waited == 0
    assert kills.quiet(home)
    assert not scans.states(home) & scans.UNTRUE
    assert scans.last(home) == ("CANCELLED", "Put down")
    assert kills.start(home, "run", "quét").wait(kills.LIMIT_S) == 0
    scans.settled_once(home)
    assert first.endings <= kills.left(home).endings
    assert kills.quiet(home)
    assert kills.leftovers(home) == []


def test_one_ctrl_c_while_a_delivery_is_taken_in_puts_it_down_and_the_next_run_takes_it_all(tmp_path: Path) -> None:
    home, files = tmp_path / "home", 2000
    kills.environment(home)
    for number in range(files):
        place = home.joinpath("inbox", "nhiều", f"{number // 100}", f"{number}.bin")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(number.to_bytes(4, "big") * 1000)
    run = kills.start(home, "run", "nhiều")
    while not any((home / "store" / "stage").glob("*/*/*")):
        assert run.poll() is None
        time.sleep(0.01)
    began = time.monotonic()
    run.send_signal(signal.SIGINT)
    assert run.wait(kills.LIMIT_S) == 130
    print(f"ended after {time.monotonic() - began:.1f} s, as {scans.last(home)}")
    assert list(Store(home / "store").aips()) == []
    assert kills.left(home).endings == {}
    assert scans.last(home) == ("CANCELLED", "Put down")
    assert kills.start(home, "run", "nhiều").wait(kills.LIMIT_S) == 0
    assert len(kills.left(home).endings) == files
    assert kills.leftovers(home) == []
