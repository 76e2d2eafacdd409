"""What a run's terminal shows while it goes on."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from flows.command.progress import STAGES, picture
from tasks.aip.progress import Board, Stage
from tasks.premis.model import Ending
from tasks.words import LANGUAGES, Language, spoken


def stage(name: str, done: int, files: int, *, over: bool = False, **more: object) -> Stage:
    return Stage(name, files, done, {}, 41.0, over, **more)  # type: ignore[arg-type]


def drawn(stages: Sequence[Stage], width: int = 80, *, over: bool = False, shapes: bool = True) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=False, highlight=False)
    console.print(picture("văn-bản-2003   policy default", STAGES, stages, 7.0, width, shapes=shapes, over=over))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_before_the_first_stage_it_says_that_the_server_starts_and_what_will_come() -> None:
    lines = drawn([])
    assert lines[0] == "văn-bản-2003   policy default"
    assert lines[2].startswith("▸ server")
    assert lines[2].endswith("0:07")
    assert [line.strip() for line in lines[3:7]] == list(STAGES)
    assert lines[-1].startswith("Ctrl-C stops after the files in hand")


def test_a_stage_that_goes_on_shows_its_share_its_file_its_trouble_and_the_time_that_is_left() -> None:
    going = Stage(
        "normalize", 60, 38, {Ending.DONE: 36, Ending.HELD: 1, Ending.FAILED: 1}, 41.0, over=False,
        at="office_to_pdfa  báo-cáo/quý-3.doc",
    )  # fmt: skip
    lines = drawn([stage("ingest", 60, 60, over=True), stage("identify", 60, 60, over=True, kinds=14), going])
    assert lines[0].endswith("about 30 s left")
    assert lines[2].startswith("✓ ingest")
    assert "60 of 60   stored and read back" in lines[2]
    assert "60 of 60   14 formats" in lines[3]
    assert lines[4].count("━") / (lines[4].count("━") + lines[4].count("─")) == pytest.approx(38 / 60, abs=0.03)
    assert "38 of 60" in lines[4]
    assert lines[4].endswith("0:41")
    assert lines[5].strip().startswith("office_to_pdfa  báo-cáo/quý-3.doc")
    assert lines[5].endswith("1 failed, 1 held")


@pytest.mark.parametrize("width", [60, 80, 120, 300])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_line_is_broken_on_a_terminal_of_any_usual_width(width: int, lang: Language) -> None:
    long = "office_to_pdfa  " + "/".join(f"thư-mục-{n}" for n in range(30)) + "/quý-3.doc"
    with spoken(lang):
        lines = drawn([stage("normalize", 38_000, 60_000, at=long)], width)
    shown = [line for line in lines if "38" in line or "quý-3" in line]
    assert len(shown) == 2
    assert all(len(line) <= width for line in lines[2:5])


def test_without_utf8_it_is_ascii_alone() -> None:
    lines = drawn([stage("ingest", 2, 2, over=True), stage("normalize", 1, 2)], shapes=False)
    assert all(line.isascii() for line in lines[2:])
    assert lines[2].startswith("+ ingest")
    assert any("####" in line for line in lines)


def test_a_batch_that_brought_nothing_new_says_so_and_not_0_of_0() -> None:
    (line,) = [line for line in drawn([stage("ingest", 0, 0, over=True)], over=True) if "ingest" in line]
    assert "nothing new" in line
    assert "0 of 0" not in line


def test_the_board_knows_the_file_in_hand_and_how_many_formats_there_are() -> None:
    board = Board()
    board.begin("identify", 0)
    board.expect(3)
    board.at("a.pdf")
    board.count(2, kinds=["fmt/18", "fmt/40"])
    board.count(1, kinds=["fmt/18"])
    found = board.stage("identify")
    assert (found.files, found.done, found.kinds, found.at) == (3, 3, 2, "a.pdf")
