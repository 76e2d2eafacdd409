"""A plan in one sentence."""

from __future__ import annotations

import pytest

from tasks.aip.forecast import Plan
from tasks.report import planned
from tasks.words import speak


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "no master is expected."),
        ("vi", "dự kiến không có bản bảo quản nào."),
        ("fr", "aucune copie n'est attendue."),
    ],
)
def test_a_plan_that_makes_nothing_says_so_and_tells_no_size(language: str, said: str) -> None:
    speak(language)
    try:
        verdict = planned.verdict(Plan("lô-1", 13, 1_330_000, (), settled=12, starts_s=9.2))
    finally:
        speak("en")
    assert verdict.endswith(said)
    assert "0 B" not in verdict
    assert "0 o" not in verdict
