"""Marks are a reminder for the night, and nothing else in their folder disturbs it."""

from __future__ import annotations

import uuid
from pathlib import Path

from tasks.config.home import Home
from tasks.config.unfinished import mark, marked


def test_a_stray_name_among_the_marks_is_passed_over(tmp_path: Path) -> None:
    home, aip = Home(tmp_path / "home").prepare(), uuid.uuid4()
    mark(home, aip)
    (home.work / "unfinished" / ".nfs0000000000a1b2c300000001").touch()
    assert marked(home) == [aip]
