"""Work that a power cut ends: `powercut_work.py <store|log> <home> <seed> <rounds>`.

Each line on standard output is one JSON report of what has *returned*: from then on it may not be lost.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import sys
import tempfile
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tasks.config import unfinished
from tasks.config.home import Home
from tasks.premis import log
from tasks.premis.model import Agent, Event, EventType, Outcome
from tasks.store import disk
from tasks.store.ocfl import Store

NIGHTS = datetime(2024, 11, 21, 12, tzinfo=UTC)


def report(what: str, **more: Any) -> None:
    """Say it at once: nothing of it may stay in a buffer of ours."""
    os.write(1, json.dumps({"what": what, **more}).encode() + b"\n")


def store(home: Home, chance: random.Random, number: int) -> None:
    """A version of one of three AIPs, by a fresh `Store` as a new run has it, now and then without a commit."""
    aip = uuid.UUID(int=chance.randrange(3) + 1, version=4)
    root = Store(home.store)
    stage = root.stage(aip, uuid.UUID(int=number))
    inventory = root.inventory(aip)
    head, state = (inventory.head, inventory.state()) if inventory else (0, {})
    for n in range(chance.randrange(1, 5)):
        data = f"{number} {n} ".encode() * chance.choice((1, 40, 2000))
        logical = f"{chance.choice(('originals', 'masters/a/b'))}/{chance.randrange(6)}.bin"
        if chance.random() < 0.5:
            stage.put_bytes(data, logical, durable=False)
            continue
        with tempfile.NamedTemporaryFile() as made:
            made.write(data)
            made.flush()
            put = stage.put(Path(made.name), logical, hashlib.sha256(data).hexdigest())
        report("staged", aip=str(aip), logical=logical, sha256=put.sha256)
    stage.sync()
    for one in stage.entries().values():
        report("staged", aip=str(aip), logical=one.logical, sha256=one.sha256)
    if chance.random() < 0.2:
        return
    if chance.random() < 0.3:
        unfinished.mark(home, aip)
        report("marked", aip=str(aip))
    if chance.random() < 0.3:
        _held(home, aip, f"held {number}".encode() * 500)
    remove = [path for path in state if chance.random() < 0.1 and path not in stage.entries()]
    version = root.commit(
        aip, stage, expected_head=head, message=str(number), user=("a", "urn:a"), created=NIGHTS, remove=remove
    )
    done = root.inventory(aip)
    assert done is not None
    report("version", aip=str(aip), version=version, state={p: e.sha256 for p, e in done.state().items()})


def _held(home: Home, aip: uuid.UUID, data: bytes) -> None:
    sha256 = hashlib.sha256(data).hexdigest()
    with tempfile.TemporaryFile() as product:
        product.write(data)
        product.seek(0, io.SEEK_SET)
        disk.publish(product.fileno(), home.review / str(aip) / sha256)
    report("held", path=str((home.review / str(aip) / sha256).relative_to(home.root)), sha256=sha256)


def events(home: Home, chance: random.Random, number: int) -> None:
    """A part of the log; now and then a day is sealed, which late parts may join afterwards."""
    when = NIGHTS + timedelta(days=chance.randrange(3), seconds=number)
    if number % 4 == 3:
        log.compact(home.log, when.date())
        report("compacted", day=when.date().isoformat())
        return
    aip = uuid.UUID(int=chance.randrange(3) + 1, version=4)
    made = [
        Event(
            id=uuid.UUID(int=chance.getrandbits(128), version=4), type=EventType.INGESTION, time=when,
            outcome=Outcome.SUCCESS, code="", detail={"batch": "x" * chance.choice((1, 3000))}, asked="",
            run=uuid.UUID(int=number, version=4), aip=aip, seq=seq, duration_ms=1, policy="", rule="", ending=None,
            agents=(Agent("Perenne", "1"),), objects=(),
        )
        for seq in range(chance.randrange(1, 6))
    ]  # fmt: skip
    log.append(made, home.log, name="work")
    report("events", ids=[str(event.id) for event in made])


KINDS: dict[str, Callable[[Home, random.Random, int], None]] = {"store": store, "log": events}


def main(kind: str, root: str, seed: str, rounds: str) -> None:
    """Work so many rounds, or until the power goes."""
    chance = random.Random(int(seed))
    home = Home(Path(root)).prepare()
    report("ready")
    for number in range(int(rounds)):
        KINDS[kind](home, chance, number)


if __name__ == "__main__":
    main(*sys.argv[1:])
