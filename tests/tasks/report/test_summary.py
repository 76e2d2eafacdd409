"""How one AIP stands: each file once, by the worst that happened to it; nothing is called safe that is not stored."""

from __future__ import annotations

import uuid
from pathlib import Path

from tasks.premis.model import Ending
from tasks.report import phrases
from tests.tasks.report.standings import arrived, ended, policy, refused, row, standing, summary

OTHER = uuid.UUID(int=7)


def test_a_file_with_several_rules_counts_once_by_the_worst_of_its_endings(tmp_path: Path) -> None:
    law = policy(tmp_path)
    seen = standing(
        tmp_path,
        law,
        ["a.pdf", "b.pdf"],
        [
            ended(law, 1, "a.pdf", "paper", Ending.DONE, "same"),
            ended(law, 2, "a.pdf", "words", Ending.HELD, "text-lost"),
            ended(law, 3, "b.pdf", "paper", Ending.KEPT, "already-valid"),
            ended(law, 4, "b.pdf", "words", Ending.DONE, "same"),
        ],
    )
    assert seen.files == 2
    assert dict(seen.ended) == {Ending.HELD: 1, Ending.DONE: 1}
    assert (seen.good, seen.needing) == (1, 1)


def test_what_needs_a_person_stands_worst_first(tmp_path: Path) -> None:
    law = policy(tmp_path)
    events = [
        ended(law, 1, "a.pdf", "paper", Ending.HELD, "text-lost", detail={"lost": "1", "total": "100"}),
        ended(law, 2, "b.pdf", "paper", Ending.FAILED, "source-damaged"),
        ended(law, 3, "c.pdf", "paper", Ending.HELD, "text-lost", detail={"lost": "90", "total": "100"}),
    ]
    seen = standing(tmp_path, law, ["a.pdf", "b.pdf", "c.pdf"], events)
    assert [r.file for r in seen.attention] == ["b.pdf", "c.pdf", "a.pdf"]


def test_a_file_without_an_ending_waits_for_the_next_run(tmp_path: Path) -> None:
    seen = standing(tmp_path, policy(tmp_path), ["a.pdf"], [])
    assert dict(seen.ended) == {Ending.WAITING: 1}
    assert [(r.file, r.seen) for r in seen.waiting] == [("a.pdf", "Not worked on yet.")]
    assert seen.good == 0


def test_a_file_that_waits_says_why(tmp_path: Path) -> None:
    law = policy(tmp_path)
    passing = {"tool": "LibreOffice", "limit": "120 s"}
    events = [ended(law, 1, "a.pdf", "paper", Ending.WAITING, "tool-timeout", detail=passing)]
    seen = standing(tmp_path, law, ["a.pdf"], events)
    assert dict(seen.ended) == {Ending.WAITING: 1}
    assert "LibreOffice needed more than 120 s" in seen.waiting[0].seen


def test_a_file_with_one_rule_done_and_one_waiting_is_not_in_good_order(tmp_path: Path) -> None:
    law = policy(tmp_path)
    events = [
        ended(law, 1, "a.pdf", "paper", Ending.DONE, "same"),
        ended(law, 2, "a.pdf", "words", Ending.WAITING, "tool-timeout"),
    ]
    seen = standing(tmp_path, law, ["a.pdf"], events)
    assert dict(seen.ended) == {Ending.WAITING: 1}
    assert seen.good == 0


def test_the_third_time_that_a_file_waits_it_failed(tmp_path: Path) -> None:
    law = policy(tmp_path)
    events = [
        *(ended(law, n, "a.pdf", "paper", Ending.WAITING, "tool-timeout") for n in (1, 2, 3)),
        ended(law, 4, "a.pdf", "words", Ending.DONE, "same"),
    ]
    seen = standing(tmp_path, law, ["a.pdf"], events)
    assert dict(seen.ended) == {Ending.FAILED: 1}


def test_a_file_that_is_not_stored_counts_and_is_not_called_safe(tmp_path: Path) -> None:
    law = policy(tmp_path)
    events = [
        ended(law, 1, "a.pdf", "paper", Ending.DONE, "same"),
        ended(law, 2, "a.pdf", "words", Ending.DONE, "same"),
        refused(3, "lối-tắt", "not-a-file", Ending.FAILED),
    ]
    seen = standing(tmp_path, law, ["a.pdf"], events)
    assert (seen.files, seen.unsafe) == (2, 1)
    assert dict(seen.ended) == {Ending.DONE: 1, Ending.FAILED: 1}
    assert phrases.safety(seen).startswith("1 of 2 originals ")


def test_a_file_that_changed_while_it_was_copied_is_not_called_safe(tmp_path: Path) -> None:
    seen = standing(tmp_path, policy(tmp_path), [], [refused(1, "a.pdf", "source-changing", Ending.WAITING)])
    assert dict(seen.ended) == {Ending.WAITING: 1}
    assert [r.code for r in seen.waiting] == ["source-changing"]
    assert seen.unsafe == 1


def test_a_file_that_came_in_later_is_no_longer_missing(tmp_path: Path) -> None:
    law = policy(tmp_path)
    events = [
        refused(1, "a.pdf", "source-unreadable", Ending.FAILED),
        ended(law, 2, "a.pdf", "paper", Ending.DONE, "same"),
        ended(law, 3, "a.pdf", "words", Ending.DONE, "same"),
    ]
    seen = standing(tmp_path, law, ["a.pdf"], events)
    assert (seen.files, seen.unsafe, seen.needing) == (1, 0, 0)


def test_a_newer_copy_that_could_not_be_taken_is_told_until_one_is(tmp_path: Path) -> None:
    law = policy(tmp_path)
    events = [
        arrived(1, "a.pdf"),
        ended(law, 2, "a.pdf", "paper", Ending.DONE, "same"),
        ended(law, 3, "a.pdf", "words", Ending.DONE, "same"),
        refused(4, "a.pdf", "not-a-file", Ending.FAILED),
    ]
    seen = standing(tmp_path, law, ["a.pdf"], events)
    assert (seen.files, seen.unsafe, seen.needing) == (1, 1, 1)
    again = standing(tmp_path, law, ["a.pdf"], [*events, arrived(5, "a.pdf")])
    assert (again.files, again.unsafe, again.needing) == (1, 0, 0)


def test_trouble_is_new_in_the_run_that_found_it_and_old_in_the_next(tmp_path: Path) -> None:
    law = policy(tmp_path)
    events = [ended(law, 1, "a.pdf", "paper", Ending.HELD, "text-lost", run=OTHER)]
    assert standing(tmp_path, law, ["a.pdf"], events, run=OTHER).new == 1
    later = standing(tmp_path, law, ["a.pdf"], events, run=uuid.UUID(int=8))
    assert (later.new, later.needing, later.worked) == (0, 1, False)


def test_notes_are_told_apart_from_trouble(tmp_path: Path) -> None:
    law = policy(tmp_path)
    detail = {"count": "1", "names": "VnTime → Nimbus"}
    events = [
        ended(law, 1, "a.pdf", "paper", Ending.DONE, "fonts-replaced", detail=detail),
        ended(law, 2, "a.pdf", "words", Ending.DONE, "same"),
    ]
    seen = standing(tmp_path, law, ["a.pdf"], events)
    assert seen.attention == ()
    assert [(n.file, n.code) for n in seen.notes] == [("a.pdf", "fonts-replaced")]
    assert (seen.good, seen.needing) == (1, 0)


def test_the_json_has_the_documented_keys(tmp_path: Path) -> None:
    told = standing(tmp_path, policy(tmp_path), ["a.pdf"], []).as_json()
    assert set(told) == {
        "batch",
        "aips",
        "files",
        "ended",
        "masters",
        "events",
        "attention",
        "attention_left_out",
        "supplements",
        "waiting",
    }
    assert set(told["ended"]) == {"done", "kept", "held", "failed", "waiting", "notes"}
    assert set(told["waiting"][0]) == {"file", "ended", "code", "seen", "do", "rule", "time"}


def test_a_bounded_summary_keeps_every_count_and_the_worst_rows() -> None:
    rows = tuple(row(f"{n}.pdf") for n in range(5))
    whole = summary(files=5, attention=rows, notes=rows[:3], held=5)
    short = whole.bounded(2)
    assert short.attention == rows[:2]
    assert short.notes == rows[:2]
    assert short.more == 3
    assert (short.needing, short.new, short.noted) == (whole.needing, whole.new, whole.noted) == (5, 5, 3)
    assert short.bounded(1).more == 4
