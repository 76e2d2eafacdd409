"""Sentences with numbers, as people read them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tasks.premis.model import Ending
from tasks.report import phrases
from tests.tasks.report.standings import row, summary


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ({"files": 0}, "There was nothing to do."),
        ({"files": 1, "done": 1}, "The only file is in good order."),
        ({"files": 60, "done": 53, "kept": 7}, "All 60 files are in good order."),
        ({"files": 9, "done": 6, "held": 2, "failed": 1}, "6 of 9 files are in good order. 3 need a person."),
        ({"files": 2, "done": 1, "held": 1}, "1 of 2 files is in good order. 1 needs a person."),
        ({"files": 3, "done": 1, "waiting": 2}, "1 of 3 files is in good order. 2 wait for the next run."),
        ({"files": 3, "done": 2, "waiting": 1}, "2 of 3 files are in good order. 1 waits for the next run."),
    ],
)  # fmt: skip
def test_the_verdict_says_how_many_are_good_and_what_the_rest_wants(numbers: dict[str, Any], told: str) -> None:
    assert phrases.verdict([summary(**numbers)]) == told


def test_the_verdict_of_several_batches_adds_them() -> None:
    assert phrases.verdict([summary(files=2, done=2), summary(files=3, kept=3)]) == "All 5 files are in good order."


def test_safety_counts_the_originals_that_are_stored() -> None:
    assert phrases.safety(summary(files=60, done=60)).startswith("All 60 originals are safe in AIP ")
    assert phrases.safety(summary(files=1, done=1)).startswith("The original is safe in AIP ")


def test_an_aip_that_is_not_as_stored_comes_first_and_its_originals_are_not_called_safe() -> None:
    damaged = replace(summary(files=3, done=3), alarm=True)
    assert phrases.verdict([damaged, summary(files=2, done=1, held=1)]) == (
        "ALARM: 1 AIP is not as stored. 1 of 2 other files is in good order. 1 needs a person."
    )
    assert phrases.verdict([damaged]) == "ALARM: 1 AIP is not as stored."
    assert "safe" not in phrases.safety(damaged)
    assert phrases.message([damaged]) == "ALARM: 1 AIP is not as stored."
    assert (
        phrases.in_order([damaged, summary(files=2, done=2)]) == "ALARM: 1 AIP is not as stored. 2 of 5 in good order."
    )
    assert phrases.needs([damaged], 2) == "ALARM: 1 AIP is not as stored. 2 deliveries are refused."
    assert phrases.needs([summary(files=2, done=2)]) == "Nothing needs a person."


def test_a_message_of_one_batch_names_the_kinds_of_trouble() -> None:
    told = phrases.message([summary(files=60, done=57, held=2, failed=1)])
    assert told.startswith("3 of 60 need a person: 1 failed, 2 held.")


def test_a_message_of_one_file_in_trouble_is_singular() -> None:
    assert phrases.message([summary(files=60, done=59, held=1)]).startswith("1 of 60 needs a person: 1 held.")


def test_a_message_of_several_batches_says_where_the_trouble_is() -> None:
    told = phrases.message([summary(files=3, done=3), summary(batch="lô-2", files=4, done=2, held=2)])
    assert told == "2 batches, 7 files. 2 need a person: 2 in lô-2."


def test_notes_do_not_alarm_and_a_file_with_two_counts_once() -> None:
    notes = (row("a", Ending.DONE, "fonts-replaced"), row("a", Ending.DONE, "signature-present"))
    assert phrases.message([summary(files=2, done=2, notes=notes)]) == "2 of 2 in good order. 1 note."


@pytest.mark.usefixtures("hanoi")
def test_a_moment_is_told_in_local_time_with_its_offset() -> None:
    assert phrases.moment("2026-11-21T19:05:00+00:00") == "22 Nov 2026, 02:05 (UTC+07:00)"


def test_a_run_is_named_after_its_batches() -> None:
    assert phrases.batches([]) == "nothing"
    assert phrases.batches(["/deliveries/văn-bản-2003/"]) == "văn-bản-2003"
    assert phrases.batches(["a", "b", "c"]) == "a and 2 more"
