"""Letters that cannot be seen."""

from __future__ import annotations

import pytest

from flows.ui.markdown import escaped
from tasks import words
from tasks.words import spoken


@pytest.mark.parametrize(
    ("given", "shown"),
    [("a\nb", "a\\u000ab"), ("\u202efdp.exe", "\\u202efdp.exe"), ("a\x1b[2J", "a\\u001b[2J"), ("quý 3", "quý 3")],
)
def test_a_letter_that_would_be_obeyed_is_spelled_out(given: str, shown: str) -> None:
    assert words.visible(given) == shown


def test_the_narrow_space_of_a_french_number_stays_a_space_also_in_prefects_markdown() -> None:
    with spoken("fr"):
        told = f"{words.number(1904)} {words.percent(0.61)}"
    assert words.visible(told) == escaped(told) == "1\u202f904 61\u202f%"
