"""The second opinion never decides a file's fate, whatever FIDO does."""

from __future__ import annotations

import pytest

from tasks.premis.model import Basis, Trouble
from tasks.pronom.fido import FidoAnswer, read_answer, second_opinion


class Job:
    """A job whose call answers, or raises."""

    def __init__(self, answer) -> None:
        self.answer = answer
        self.calls: list[tuple] = []

    def call(self, function, /, *args):
        self.calls.append((function, *args))
        if isinstance(self.answer, Trouble):
            raise self.answer
        return self.answer


REPLY = {"puids": ["fmt/18", "x-fmt/1"], "basis": "signature", "release": "V109", "trouble": ""}


def test_the_answer_of_the_sealed_function_is_the_opinion():
    job = Job(REPLY)
    assert second_opinion("in/a.pdf", job) == FidoAnswer(("fmt/18", "x-fmt/1"), Basis.SIGNATURE, "V109")
    assert job.calls == [("tasks.sealed.fido:identify", "in/a.pdf")]


@pytest.mark.parametrize("code", ["tool-timeout", "tool-memory", "tool-crash"])
def test_a_breakdown_is_an_answer_without_an_opinion(code):
    answer = second_opinion("in/a", Job(Trouble(code, tool="fido", limit="10 s")))
    assert (answer.puids, answer.basis) == ((), Basis.ERROR)
    assert code in answer.trouble


def test_a_fido_that_cannot_be_asked_is_trouble():
    with pytest.raises(Trouble, match="tool-missing"):
        second_opinion("in/a", Job(Trouble("tool-missing", tool="fido")))


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
    ],
)
def test_an_answer_in_a_foreign_shape_is_no_opinion(foreign):
    assert read_answer(foreign).basis is Basis.ERROR
