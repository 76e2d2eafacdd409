from __future__ import annotations

from typing import Any

import pytest

from tasks.facts import pdf
from tasks.premis.model import Trouble

ANSWER = {
    "pages": 3,
    "encrypted": "none",
    "signed": False,
    "claims_pdfa": "1b",
    "scanned": False,
    "has_text": True,
    "xfa": False,
    "javascript": False,
    "attachments": 0,
    "tagged": False,
    "language": "",
    "producer": "x",
}


class Answering:
    """A job whose sealed function answers what it is told."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def call(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        assert (function, args) == ("tasks.sealed.pdf_facts:facts", ("in/a.pdf",))
        return self.answer


def test_an_answer_of_the_agreed_shape_is_passed_on() -> None:
    assert pdf.facts("in/a.pdf", Answering(ANSWER)) == ANSWER


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, ANSWER | {"more": 1}, ANSWER | {"pages": "3"}, ANSWER | {"signed": 1}, ANSWER | {"pages": True}],
)
def test_an_answer_of_another_shape_is_not_believed(answer: Any) -> None:
    with pytest.raises(Trouble) as raised:
        pdf.facts("in/a.pdf", Answering(answer))
    assert raised.value.code == "tool-crash"
