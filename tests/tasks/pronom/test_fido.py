"""The second opinion never decides a file's fate, whatever FIDO does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.premis.model import Basis, Trouble
from tasks.pronom.fido import FidoAnswer, read_answer, second_opinions

REPLY = {"puids": ["fmt/18", "x-fmt/1"], "basis": "signature", "release": "V109", "trouble": "", "head": "25504446"}
SAID = FidoAnswer(("fmt/18", "x-fmt/1"), Basis.SIGNATURE, "V109", head=b"%PDF")


class Job:
    """A job in which FIDO answers until it meets a file called `bad`."""

    def __init__(self, folder: Path, end: Trouble | None = None) -> None:
        self.folder, self.end = folder, end
        self.calls = 0

    def call(self, function, names, told, /):
        assert function == "tasks.sealed.fido:identify_many"
        self.calls += 1
        (self.folder / "out").mkdir(exist_ok=True)
        with (self.folder / told).open("x") as lines:
            for name in names:
                if name == "in/bad":
                    lines.write('{"puids": ["fm')
                    if self.end is not None:
                        raise self.end
                    return
                lines.write(json.dumps(REPLY) + "\n")

    def open(self, name):
        return (self.folder / name).open("rb")


def test_the_answers_of_the_sealed_function_are_the_opinions(tmp_path):
    job = Job(tmp_path)
    assert second_opinions(["in/a.pdf", "in/b.pdf"], job) == [SAID, SAID]
    assert job.calls == 1


@pytest.mark.parametrize("code", ["tool-timeout", "tool-memory", "tool-crash", None])
def test_a_breakdown_costs_one_file_its_opinion_and_no_other(tmp_path, code):
    job = Job(tmp_path, Trouble(code, tool="fido", limit="10 s") if code else None)
    first, bad, last, worst = second_opinions(["in/a", "in/bad", "in/b", "in/bad"], job)
    assert first == last == SAID
    assert bad.basis is worst.basis is Basis.ERROR
    assert (code or "no answer") in bad.trouble
    assert job.calls == 2


def test_a_fido_that_cannot_be_asked_is_trouble(tmp_path):
    with pytest.raises(Trouble, match="tool-missing"):
        second_opinions(["in/bad"], Job(tmp_path, Trouble("tool-missing", tool="fido")))


def test_more_answers_than_files_are_not_believed(tmp_path):
    class Chatty(Job):
        def call(self, function, names, told, /):
            super().call(function, [*names, "in/c"], told)

    assert second_opinions(["in/a"], Chatty(tmp_path)) == [SAID]


@pytest.mark.parametrize(
    "foreign",
    [
        None,
        [],
        {},
        {**REPLY, "puids": "fmt/18"},
        {**REPLY, "puids": ["fmt/18", 18]},
        {**REPLY, "puids": ["fido-fmt/189.word"]},
        {**REPLY, "basis": "faith"},
        {**REPLY, "release": None},
        {**REPLY, "head": 5},
        {**REPLY, "head": "xx"},
    ],
)
def test_an_answer_in_a_foreign_shape_is_no_opinion(foreign):
    assert read_answer(foreign).basis is Basis.ERROR
