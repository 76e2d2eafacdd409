"""What tests of several folders share."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tasks.tools.door import Door


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One for all that ask for no other: to start one, and the programs behind it, takes seconds of CPU each time."""
    with Door(tmp_path_factory.mktemp("work"), cores=2) as door:
        yield door


@pytest.fixture
def hanoi(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process lives in Hanoi."""
    monkeypatch.setenv("TZ", "Asia/Ho_Chi_Minh")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
