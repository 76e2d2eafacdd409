"""Programs that sealed code starts inside a job."""

import pytest

from tasks.premis.model import Limits, Trouble
from tasks.tools import programs
from tasks.tools.door import Door
from tasks.tools.floor import Floor


def test_a_programs_exit_code_and_output_come_back(door: Door):
    with door.job() as job:
        code, out, err = job.call("hostile_jobs:executed", "tesseract", "--version", check=False)
    assert code == 0
    assert "leptonica" in out + err


def test_a_failing_program_is_told_by_its_name_and_last_words(door: Door):
    with door.job() as job, pytest.raises(Trouble) as caught:
        job.call("hostile_jobs:executed", "tesseract", "in/nothing.png", "out/page")
    assert caught.value.code == "tool-crash"
    assert caught.value.detail["tool"] == "tesseract"
    assert caught.value.detail["signal"].startswith("exit 1: ")


def test_a_program_has_its_own_time_limit(door: Door):
    with door.job(Limits(wall_s=20)) as job, pytest.raises(Trouble) as caught:
        job.call("hostile_jobs:slow_program", 0.2)
    assert (caught.value.code, caught.value.detail) == ("tool-timeout", {"tool": "tesseract", "limit": "0.2 s"})


def test_a_program_without_a_row_is_not_started(door: Door):
    with door.job() as job, pytest.raises(Trouble) as caught:
        job.call("hostile_jobs:executed", "curl", "--version")
    assert "curl has no row" in caught.value.detail["signal"]


def test_the_environment_of_a_program_is_fixed(door: Door, floor: Floor):
    with door.job() as job:
        told = job.call("hostile_jobs:environment")
    assert told["TZ"] == "UTC"
    assert told["LC_ALL"] == "C.UTF-8"
    assert told["OMP_THREAD_LIMIT"] == "1"
    assert told["HOME"] == told["TMPDIR"] == ("/box/tmp" if floor is Floor.BUBBLEWRAP else str(job.folder / "tmp"))


@pytest.mark.parametrize("name", ["bubblewrap", "tesseract", "LibreOffice", "Java"])
def test_a_program_says_its_version(name: str):
    row = programs.tool(name)
    assert row is not None
    version = programs.probe(row)
    assert version is not None
    assert version[0].isdigit()


def test_a_missing_program_has_no_version():
    assert programs.probe(programs.Tool("x", "a-program-that-nobody-has", (), "(.*)", "x")) is None
