"""Batches that share a task do not share a fault."""

from __future__ import annotations

import uuid
from pathlib import Path

from tasks.config.home import Home
from tasks.sip.batch import Batch
from tasks.sip.refusal import Refused
from tasks.sip.taking import Ingested
from tasks.store.ocfl import Store
from tasks.survey import survey


def test_a_batch_that_cannot_be_taken_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").prepare()
    batches = [Batch(f"lô-{n}", tmp_path / f"lô-{n}") for n in range(3)]
    for batch in batches:
        batch.path.mkdir()
    for batch in (batches[0], batches[2]):
        (batch.path / "x.txt").write_text(batch.name)
    first, second, third = survey.fn("three", batches, home, Store(home.store), uuid.uuid4())
    assert isinstance(second, Refused)
    assert "holds no file" in second.why
    assert [(i.batch, i.version, i.new) for i in (first, third) if isinstance(i, Ingested)] == [
        ("lô-0", 1, 1),
        ("lô-2", 1, 1),
    ]
