"""What tests of several folders share."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest


@pytest.fixture
def hanoi(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process lives in Hanoi."""
    monkeypatch.setenv("TZ", "Asia/Ho_Chi_Minh")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
