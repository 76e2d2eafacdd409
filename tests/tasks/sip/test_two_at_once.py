"""Two processes with one batch: one takes it, the other waits and finds it done, or says that it is busy."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tasks.config.home import Home
from tasks.premis import log
from tasks.premis.model import EventType
from tasks.sip.batch import batch
from tasks.store.fixity import verify_object
from tasks.store.ocfl import Store
from tasks.store.repair import repair, staged

TAKER = Path(__file__).with_name("taker.py")
ROUNDS, FILES, TAKERS = 20, 60, 3


def taken(home: Path, folder: Path, chance: random.Random) -> list[str]:
    """What several processes say that take one batch at the same moment, or a little apart."""
    pauses = [0.0 if chance.random() < 0.3 else chance.uniform(0, 0.12) for _ in range(TAKERS)]
    command = [sys.executable, TAKER, home, folder]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    takers = [subprocess.Popen([*command, str(pause)], **pipes) for pause in pauses]
    for one in takers:
        assert one.stdout.readline() == "ready\n"
    for one in takers:
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate(timeout=120)[0].strip() for one in takers]
    assert [one.returncode for one in takers] == [0] * TAKERS
    return said


@pytest.mark.slow
def test_of_processes_that_take_one_batch_at_once_one_stores_it_and_nothing_is_doubled(tmp_path: Path):
    chance, outcomes = random.Random(20261127), Counter()
    home = Home(tmp_path / "home")
    for number in range(ROUNDS):
        folder = tmp_path / f"lô-{number // 2}"
        folder.mkdir(exist_ok=True)  # each second round is a supplement
        for n in range(FILES):
            (folder / f"{number} {n}.txt").write_text(f"{number} {n} {chance.random()}")
        said = taken(home.root, folder, chance)
        version = number % 2 + 1
        assert set(said) <= {str(version), "busy"}
        assert str(version) in said
        outcomes.update("busy" if word == "busy" else "taken or found done" for word in said)
        one, store = batch(folder), Store(home.store)
        inventory = store.inventory(one.aip)
        assert (inventory.head, inventory.whole) == (version, True)
        assert not verify_object(store, one.aip)
        events = [e for e in log.read(home.log, aip=one.aip) if e.type is EventType.INGESTION]
        told = Counter(e.source.path for e in events if e.source)
        assert len(told) == FILES * version
        assert set(told.values()) == {1}
    assert repair(store) == ()
    assert list(staged(store)) == []
    assert outcomes["taken or found done"] > ROUNDS  # one that takes a moment is waited for
