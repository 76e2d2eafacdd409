"""How a run's work is cut into task runs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tasks.aip.chunks import Chunk, chunks
from tasks.aip.plan import Task
from tests.tasks.aip.test_plan import Past

TEXT = {"scanned_text": True, "width": 2480, "height": 3508, "channels": 3, "bits": 8, "frames": 1}
LARGE = TEXT | {"scanned_text": False}
SMALL = {"scanned_text": False, "width": 10, "height": 10, "channels": 3, "bits": 8, "frames": 1}


@pytest.fixture
def work(tmp_path: Path) -> list[Task]:
    """Eight pages to be read, each a TIFF besides, and forty small pictures."""
    past = Past(tmp_path)
    for number in range(8):
        past.file(f"page-{number}.png", TEXT)
    for number in range(40):
        past.file(f"small-{number:02d}.png", SMALL)
    return past.planned()


def actions(found: list[Chunk]) -> list[str]:
    return [name.split()[0] for name, _ in found]


@pytest.mark.parametrize(("size", "cores"), [(1, 1), (2, 8), (64, 2), (100_000, 1)])
def test_every_piece_of_work_is_in_one_chunk_of_its_action(work: list[Task], size: int, cores: int) -> None:
    found = chunks(work, size, cores)
    assert Counter(id(task) for _, tasks in found for task in tasks) == Counter(map(id, work))
    for name, tasks in found:
        assert {task.work.rule.action for task in tasks} == {name.split()[0]}
        assert int(name.split()[1]) == len(tasks)


def test_a_few_dear_files_become_several_chunks_so_that_no_core_is_left_with_all(work: list[Task]) -> None:
    assert actions(chunks(work, 64, 2)).count("image_to_pdfa") == 8
    assert actions(chunks(work, 64, 1)).count("image_to_pdfa") < 8


def test_what_is_cheap_stays_together(work: list[Task]) -> None:
    small = [tasks for _, tasks in chunks(work, 64, 2) if any("small" in t.work.source.path for t in tasks)]
    assert len(small) < 8


def test_no_chunk_holds_more_plain_work_than_was_asked_for(work: list[Task]) -> None:
    found = [tasks for name, tasks in chunks(work, 1, 1) if name.startswith("image_to_tiff")]
    assert max(len(tasks) for tasks in found) < len(work) / 4


def test_dear_work_comes_first_and_no_program_is_asked_for_twice_at_once_where_another_can_be(tmp_path: Path) -> None:
    past = Past(tmp_path)
    for number in range(3):
        past.file(f"page-{number}.png", TEXT)
        past.file(f"picture-{number}.png", LARGE)
    found = chunks(past.planned(), 1, 8)
    assert found[0][0].startswith("image_to_pdfa")
    assert actions(found)[:6] == ["image_to_pdfa", "image_to_tiff"] * 3


def test_no_work_makes_no_chunk() -> None:
    assert chunks([], 64, 2) == []
