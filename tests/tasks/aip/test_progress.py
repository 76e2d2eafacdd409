"""What a run says of how far it is, also when it does its work in waves."""

from __future__ import annotations

from tasks.aip.progress import Board
from tasks.premis.model import Ending


def test_a_stage_is_over_when_the_next_begins() -> None:
    board = Board()
    board.begin("identify", 2)
    board.count(2)
    assert not board.stage("identify").over
    board.begin("normalize", 1)
    assert board.stage("identify").over
    assert not board.stage("normalize").over
    board.finish()
    assert all(stage.over for stage in board.stages())


def test_over_waves_a_stage_goes_on_where_it_was_and_keeps_its_place() -> None:
    board = Board()
    for more in (True, False):
        board.begin("identify", 3, more=more)
        board.count(3)
        board.begin("normalize", 2, more=more)
        board.count(2, Ending.DONE)
        assert board.stage("identify").over is not more
    board.finish()
    assert [(s.name, s.files, s.done, s.over) for s in board.stages()] == [
        ("identify", 6, 6, True),
        ("normalize", 4, 4, True),
    ]
    assert board.stage("normalize").endings == {Ending.DONE: 4}
