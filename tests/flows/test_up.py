"""`perenne up` whatever happens to it: cancelled runs, second starts, killed servers, damaged databases."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.flows import kills, scans

pytestmark = pytest.mark.slow
WITHIN_S = 10.0


def asked_to_end(home: Path, run: str) -> None:
    """What the button of Prefect's page does."""
    kills.api(home, f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})


def true_states(home: Path, run: str) -> set[str]:
    """The states of a run and of all below it, as soon as none of them says that it goes on. TimeoutError."""
    end = time.monotonic() + WITHIN_S
    while (found := scans.states(home, [run])) & scans.UNTRUE:
        if time.monotonic() > end:
            raise TimeoutError(str(found))
        time.sleep(0.2)
    return found


def said(home: Path) -> str:
    """All that the home's commands wrote."""
    return (home / "out.log").read_text()


def test_a_run_cancelled_on_the_page_ends_with_all_its_jobs_and_the_next_one_finishes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    scans.batch(home)
    with kills.stack_up(home):
        run = kills.trigger(home, "batch/batch", {"batch": "quét"})
        scans.reading(home)
        mine = scans.jobs(home)
        began = time.monotonic()
        asked_to_end(home, run)
        assert kills.gone(mine, WITHIN_S)
        gone = time.monotonic() - began
        assert kills.final(home, run, 60) == "CANCELLED"
        told = time.monotonic() - began
        left = true_states(home, run)
        print(f"{len(mine)} jobs gone after {gone:.1f} s, cancelled after {told:.1f} s, "
              f"all below after {time.monotonic() - began:.1f} s")  # fmt: skip
        assert not left & {"CRASHED", "FAILED"}
        again = kills.trigger(home, "batch/batch", {"batch": "quét"})
        assert kills.final(home, again) == "COMPLETED"
        scans.settled_once(home)
    assert kills.quiet(home)
    assert kills.leftovers(home) == []
    assert not scans.states(home) & scans.UNTRUE


@pytest.mark.provokes("store-busy")
def test_two_runs_of_one_batch_at_once_double_nothing_and_the_second_tells_who_works(tmp_path: Path) -> None:
    home = tmp_path / "home"
    scans.batch(home)
    with kills.stack_up(home):
        first = kills.trigger(home, "batch/batch", {"batch": "quét"})
        scans.reading(home)
        began = time.monotonic()
        second = kills.start(home, "run", "quét")
        assert second.wait(60) == 1
        took = time.monotonic() - began
        assert kills.state_of(home, first) == "RUNNING"
        (told,) = [line for line in said(home).splitlines() if line.startswith("Stopped: ")]
        print(f"refused after {took:.1f} s: {told}")
        assert told.startswith(f"Stopped: store-busy: quét: Another run ({first}) is working on this AIP since ")
        assert "?" not in told
        assert scans.last(home) == ("FAILED", "Stopped")
        assert kills.final(home, first) == "COMPLETED"
        scans.settled_once(home)
    assert kills.left(home).waited == 0
    assert kills.start(home, "run", "quét").wait(60) == 0
    assert kills.quiet(home)
    assert kills.leftovers(home) == []


def test_of_two_commands_begun_together_one_does_the_work_and_nothing_is_doubled(tmp_path: Path) -> None:
    home = tmp_path / "home"
    scans.batch(home)
    both = [kills.start(home, "run", "quét") for _ in range(2)]
    codes = sorted(run.wait(kills.LIMIT_S) for run in both)
    print(codes, [line for line in said(home).splitlines() if line.startswith("Stopped: ")])
    assert codes[0] == 0
    assert codes[1] in (0, 1)
    scans.settled_once(home)
    assert kills.quiet(home)
    assert kills.leftovers(home) == []


def test_a_run_whose_process_is_killed_is_told_as_crashed_with_all_below_and_the_next_one_finishes(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    scans.batch(home)
    with kills.stack_up(home) as up:
        run = kills.trigger(home, "batch/batch", {"batch": "quét"})
        scans.reading(home)
        mine = scans.jobs(home)
        began = time.monotonic()
        (flow,) = [p for p in kills.descendants(up.pid) if b"prefect.engine" in kills.cmdline(p)]
        os.kill(flow, signal.SIGKILL)
        assert kills.gone(mine, WITHIN_S)
        gone = time.monotonic() - began
        assert kills.final(home, run, 60) == "CRASHED"
        true_states(home, run)
        told = time.monotonic() - began
        again = kills.trigger(home, "batch/batch", {"batch": "quét"})
        assert kills.final(home, again) == "COMPLETED"
        print(f"jobs gone after {gone:.1f} s, all told after {told:.1f} s, finished by the next after "
              f"{time.monotonic() - began:.1f} s")  # fmt: skip
        scans.settled_once(home)
    assert kills.quiet(home)
    assert not scans.states(home) & scans.UNTRUE
