"""A clock that went back behind the log stops a run before it can date an act before the one that it follows."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import pytest

from tasks.config.home import PERENNE, Home
from tasks.premis import log
from tasks.premis.model import EventType, Outcome, Trouble
from tasks.premis.recorder import Recorder
from tests.flows.test_exit import perenne

HOUR = 3600.0


def recorded(home: Home, at: float) -> None:
    """An act that the recorder dated by a clock that said `at`."""
    made = Recorder(uuid.uuid4(), uuid.uuid4())
    event = made.event(EventType.VALIDATION, Outcome.SUCCESS, began=at, detail={"check": "x"}, agents=(PERENNE,))
    log.append([event], home.log, name="clock")


@pytest.mark.provokes("clock-behind")
def test_a_log_more_than_a_day_ahead_of_the_clock_stops_the_run_and_says_both_times(tmp_path: Path) -> None:
    home = Home(tmp_path).prepare()
    recorded(home, time.time() - HOUR)
    log.check_clock(home.log)
    recorded(home, time.time() + 300 * HOUR)
    with pytest.raises(Trouble) as caught:
        log.check_clock(home.log)
    assert caught.value.code == "clock-behind"
    assert caught.value.detail["last"] > caught.value.detail["now"]


@pytest.mark.parametrize("hours", [0, -30, 1, 23.9])
def test_a_clock_that_is_less_than_a_day_behind_stops_nobody(tmp_path: Path, hours: float) -> None:
    home = Home(tmp_path).prepare()
    recorded(home, time.time() + hours * HOUR)
    log.check_clock(home.log)


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["run", "verify"])
def test_the_command_ends_with_3_and_touches_nothing(tmp_path: Path, verb: str) -> None:
    home, one = Home(tmp_path / "home").prepare(), tmp_path / "lô-1"
    one.mkdir()
    (one / "a.bin").write_bytes(b"a")
    recorded(home, time.time() + 300 * HOUR)
    before = sorted(home.log.rglob("*"))
    done = perenne(home.root, verb, *([str(one)] if verb == "run" else []))
    assert (done.returncode, done.stderr.split()[:2]) == (3, ["✕", "clock-behind"])
    assert sorted(home.log.rglob("*")) == before
    assert not any(home.store.iterdir())
