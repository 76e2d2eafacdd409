"""What is only kept needs no job, and is read once more before it is called the master."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import cast

import pytest

from tasks.policy.apply import Work, apply
from tasks.policy.load import load
from tasks.premis.model import Basis, Ending, Event, EventType, Identification, SourceFile
from tasks.premis.recorder import Recorder
from tasks.tools.door import Door

POLICY = """
id = "keep-1"
[[rule]]
id = "any"
puids = ["*"]
purpose = "preservation"
action = "keep"
because = "A test."
"""
NO_DOOR = cast(Door, None)
"""Whoever asks it for a job breaks."""


@pytest.fixture
def work(tmp_path: Path) -> Work:
    (tmp_path / "policy.toml").write_text(POLICY)
    rule = load(tmp_path / "policy.toml").rules[0]
    content = tmp_path / "content"
    content.write_bytes(b"as it came")
    source = SourceFile("originals/a.bin", 10, hashlib.sha256(b"as it came").hexdigest())
    twin = SourceFile("originals/b.bin", 10, source.sha256)
    return Work(source, content, Identification(None, basis=Basis.NOTHING), {}, rule, "asked", twins=(twin,))


def done(work: Work) -> tuple[Event, ...]:
    def never(*_: object) -> None:
        raise AssertionError("nothing was made")

    return apply(work, NO_DOOR, Recorder(uuid.uuid4(), uuid.uuid4()), never, never)


def test_a_kept_file_and_its_twin_end_as_kept_without_a_job(work: Work) -> None:
    events = done(work)
    assert [(e.type, e.ending, e.source.path) for e in events if e.source] == [
        (EventType.POLICY, Ending.KEPT, "originals/a.bin"),
        (EventType.POLICY, Ending.KEPT, "originals/b.bin"),
    ]
    assert [a.name for a in events[0].agents] == ["perenne/keep"]


def test_a_file_whose_stored_bytes_changed_is_not_called_a_master(work: Work) -> None:
    work.content.write_bytes(b"as it went")
    assert {(e.ending, e.code) for e in done(work)} == {(Ending.FAILED, "fixity-broken")}
