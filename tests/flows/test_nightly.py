"""The state of a night and of a command, from what became of each delivery and each AIP."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect import State
from prefect.states import Cancelled, Completed

from flows.migrate import Migrated
from flows.nightly import _look, _none, close
from flows.ui import states
from tasks.aip.progress import board
from tasks.config.home import Home
from tasks.sip.batch import in_inbox
from tasks.sip.refusal import Refused
from tests.tasks.report.standings import summary

FAULTS = "\n".join(f"data/{number:04d}/{'x' * 200}: other bytes than its sha512 says" for number in range(20))
MANY = [Refused(f"lô-{n}", f"The bag does not match. Ask.\n{FAULTS}", "bag-mismatch") for n in range(1000)]
NEW = Refused("mới", "It holds no file.", "batch-unfit")
OLD = Refused("cũ", "It holds no file.", "batch-unfit", known=True)
CHANGING = Refused("đang-ghi", "Somebody is still writing it.", "source-changing")


def migrated(*summaries: object, left: bool = False, night: bool = False) -> State:
    data = (Migrated(tuple(summaries), len(summaries), ()),)
    return states.finished(tuple(summaries), worked=bool(summaries), left=left, night=night, data=data)


def left_alone(apart: tuple[tuple[str, str, str], ...], *summaries: object) -> State:
    return Completed(data=(Migrated(tuple(summaries), len(summaries), apart),))


def put_down(*summaries: object) -> State:
    board.stop.set()
    try:
        return migrated(*summaries, left=True)
    finally:
        board.stop.clear()


@pytest.mark.parametrize("name", ["a.zip", "b"])
def test_a_delivery_that_was_taken_away_since_it_was_listed_is_left_alone(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path).prepare()
    (home.inbox / name).mkdir() if name == "b" else (home.inbox / name).write_bytes(b"")
    (one,) = in_inbox(home.inbox)
    one.path.rename(tmp_path / "elsewhere")
    assert _look(one, 60, home, print) is False
    assert not list(home.log.iterdir())


@pytest.mark.parametrize("night", [False, True])
@pytest.mark.parametrize("refused", [[], [NEW]])
def test_a_migration_that_was_put_down_puts_its_parent_down_with_what_is_done(night: bool, refused: list) -> None:
    for done in ([], [summary(files=3, done=2, held=1)]):
        state = close(put_down(*done), refused, new=0, night=night)
        assert (state.is_cancelled(), state.name) == (True, "Put down")
        assert states.data_of(state) == (*done, *refused)
        assert state.message.startswith("Stopped after the files in hand.")
        assert "0 of 0" not in state.message


def test_a_migration_that_prefect_cancelled_leaves_a_cancelled_parent_without_summaries() -> None:
    state = close(Cancelled(message="Cancelled on the page."), [], new=0, night=False)
    assert (state.is_cancelled(), state.message, states.data_of(state)) == (True, "Cancelled on the page.", ())


@pytest.mark.parametrize("night", [False, True])
def test_a_thousand_refused_deliveries_make_a_short_state_that_counts_them(night: bool) -> None:
    for state in (_none(MANY, night=night), close(migrated(summary()), MANY, new=0, night=night)):
        assert state.name == "Needs a person"
        assert len(state.message) < 10_000
        assert "lô-19: " in state.message
        assert "lô-20: " not in state.message
        assert "and 980 more." in state.message


def test_one_refused_delivery_is_told_with_its_faults() -> None:
    assert _none(MANY[:1], night=False).message == f"lô-0: {MANY[0].why}"


def test_a_night_is_green_when_each_refusal_was_told_before_and_says_which() -> None:
    state = close(migrated(summary(files=2, done=2)), [OLD], new=0, night=True)
    assert (state.is_completed(), state.name) == (True, "Done")
    assert state.message == "2 of 2 in good order. 1 delivery is still refused: cũ."
    none = _none([OLD] * 9, night=True)
    assert (none.name, none.message) == ("Nothing to do", "9 deliveries are still refused: cũ.")


def test_a_night_with_a_new_refusal_is_red_and_tells_the_older_in_a_word() -> None:
    for state in (_none([OLD, NEW], night=True), close(migrated(summary()), [OLD, NEW], new=0, night=True)):
        assert (state.is_failed(), state.name) == (True, "Needs a person")
        assert "It holds no file." in state.message
        assert state.message.endswith("1 delivery is still refused: cũ.")


def test_a_command_answers_for_what_it_names_however_often_it_was_told() -> None:
    for state in (_none([OLD], night=False), close(migrated(summary()), [OLD], new=0, night=False)):
        assert (state.name, "It holds no file." in state.message) == ("Needs a person", True)


def test_what_somebody_still_writes_is_left_by_a_night_and_told_by_a_command() -> None:
    assert _none([CHANGING], night=True).name == "Nothing to do"
    assert close(migrated(summary(files=2, done=2)), [CHANGING], new=0, night=True).is_completed()
    assert states.code_of(_none([CHANGING], night=False)) == "source-changing"


def test_a_damaged_aip_is_told_with_its_code_and_stops_the_run_only_when_nothing_else_was_done() -> None:
    apart = (("lô-2", "store-broken", "The inventory is damaged."),)
    with_others = close(left_alone(apart, summary(files=2, done=2)), [], new=0, night=True)
    assert (with_others.name, states.code_of(with_others)) == ("Needs a person", "")
    assert with_others.message.startswith("lô-2: store-broken: The inventory is damaged. 2 of 2 in good order.")
    alone = close(left_alone(apart), [], new=0, night=True)
    assert (alone.name, states.code_of(alone)) == ("Stopped", "store-broken")
