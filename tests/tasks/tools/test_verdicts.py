"""In one job a judge is asked once about the same bytes, and again about all else; other programs always."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tasks.premis.model import Agent, Limits
from tasks.tools.floor import Floor
from tasks.tools.job import Job
from tasks.tools.residents import Answer


class CountingRunner:
    """Stands for a door whose programs tell how often they were asked."""

    floor, sources = Floor.BUBBLEWRAP, ()

    def __init__(self, **reply: Any) -> None:
        self.times, self.reply = 0, reply

    def ask(self, resident: str, job: Job, request: Mapping[str, Any]) -> Answer:
        self.times += 1
        return Answer({**self.reply, "times": self.times}, (Agent("veraPDF", "1"),), 1.0, 0.5, "")


def _job(tmp_path: Path, runner: CountingRunner) -> Job:
    job = Job(tmp_path, Limits(), runner)  # type: ignore[arg-type]
    (tmp_path / "out" / "master.pdf").write_bytes(b"first")
    return job


def _ask(job: Job, resident: str = "verapdf", flavour: str = "2b") -> dict[str, Any]:
    return job.ask(resident, {"files": ["out/master.pdf"], "path": "out/master.pdf", "flavour": flavour})


def test_a_judge_is_asked_once_about_the_same_bytes_and_is_named_each_time(tmp_path: Path) -> None:
    runner = CountingRunner(valid=True)
    job = _job(tmp_path, runner)
    assert _ask(job) == {"valid": True, "times": 1}
    with job.acting() as acted:
        assert _ask(job) == {"valid": True, "times": 1}
    assert list(acted) == [Agent("veraPDF", "1")]
    assert len(job.runs) == 1


def test_one_changed_byte_or_another_flavour_is_another_question(tmp_path: Path) -> None:
    job = _job(tmp_path, CountingRunner(valid=True))
    _ask(job)
    assert _ask(job, flavour="3b")["times"] == 2
    (tmp_path / "out" / "master.pdf").write_bytes(b"fIrst")
    assert _ask(job)["times"] == 3


def test_an_answer_that_was_changed_by_its_reader_is_not_the_one_that_is_remembered(tmp_path: Path) -> None:
    job = _job(tmp_path, CountingRunner(valid=False))
    _ask(job)["valid"] = True
    assert _ask(job) == {"valid": False, "times": 1}


@pytest.mark.parametrize(("resident", "reply"), [("office", {"ok": True}), ("verapdf", {"error": "parse"})])
def test_what_makes_things_or_failed_is_asked_again(tmp_path: Path, resident: str, reply: dict[str, Any]) -> None:
    job = _job(tmp_path, CountingRunner(**reply))
    _ask(job, resident)
    assert _ask(job, resident)["times"] == 2


def test_another_job_asks_for_itself(tmp_path: Path) -> None:
    runner = CountingRunner(valid=True)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        _ask(_job(tmp_path / name, runner))
    assert runner.times == 2
