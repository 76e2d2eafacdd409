from __future__ import annotations

from typing import Any

import pytest

from tasks.facts import office, text
from tasks.premis.model import Trouble
from tests.tasks import answers


def test_the_facts_are_handed_on_as_they_are() -> None:
    found = {"encrypted": "none", "kind": "document", "macros": False, "words": 7}
    assert office.facts("in/a", answers.job({"office_facts:facts": found})[0]) == found
    found = {"encoding": "utf-8", "lines": 1, "characters": 2, "kind": "text", "encrypted": "none"}
    assert text.facts("in/a", answers.job({"plain_text:facts": found})[0]) == found


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, {"kind": "document"}, {"encrypted": "none", "other": 1}, {"encrypted": "none", "words": "7"}],
)
def test_an_answer_of_another_shape_is_refused(answer: Any) -> None:
    with pytest.raises(Trouble) as caught:
        office.facts("in/a", answers.job({"office_facts:facts": answer})[0])
    assert caught.value.code == "tool-crash"
    with pytest.raises(Trouble):
        text.facts("in/a", answers.job({"plain_text:facts": answer})[0])


def test_no_format_belongs_to_two_families() -> None:
    assert not office.PUIDS & text.PUIDS
