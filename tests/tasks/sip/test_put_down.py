"""A run that is asked to stop puts a delivery in hand down between two files: nothing of it is told or stored."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.aip.progress import PutDown, board
from tasks.config.home import Home
from tasks.premis import log
from tasks.sip.batch import batch
from tasks.sip.ingest import take_in
from tasks.store.ocfl import Store
from tasks.tools import shared
from tests.tasks.sip.test_archive import tarred, zipped
from tests.tasks.sip.test_bag import FILES, made


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    yield Home(tmp_path / "home").prepare()
    shared.close()


@pytest.fixture
def stopped() -> Iterator[None]:
    yield
    board.stop.clear()


def folder(inbox: Path) -> Path:
    for name in FILES:
        (inbox / "lô" / name).parent.mkdir(parents=True, exist_ok=True)
        (inbox / "lô" / name).write_bytes(FILES[name])
    return inbox / "lô"


def bag(inbox: Path) -> Path:
    (inbox / "gói").mkdir()
    return made(inbox / "gói")


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize(
    "deliver",
    [
        folder,
        bag,
        pytest.param(lambda inbox: zipped(inbox / "lô.zip", FILES), id="zip", marks=pytest.mark.slow),
        pytest.param(lambda inbox: tarred(inbox / "lô.tar", FILES), id="tar", marks=pytest.mark.slow),
    ],
)
def test_a_delivery_in_hand_is_put_down_and_the_next_run_takes_all_of_it(
    deliver: Callable[[Path], Path], home: Home
) -> None:
    one, store = batch(deliver(home.inbox)), Store(home.store)
    board.stop.set()
    with pytest.raises(PutDown):
        take_in(one, home, store, uuid.uuid4())
    assert list(log.read(home.log)) == []
    assert list(store.aips()) == []
    board.stop.clear()
    (taken,) = take_in(one, home, store, uuid.uuid4())
    assert getattr(taken, "new", 0) == len(FILES)


@pytest.mark.usefixtures("stopped")
def test_a_folder_is_put_down_between_two_files_and_nothing_of_it_is_stored(home: Home) -> None:
    for number in range(2000):
        (home.inbox / "nhiều").mkdir(exist_ok=True)
        (home.inbox / "nhiều" / f"{number}").write_bytes(b"%d" % number)
    stage = home.store / "stage"

    def stop() -> None:
        while not any(stage.glob("*/files/*")):
            time.sleep(0.001)
        board.stop.set()

    watching = threading.Thread(target=stop)
    watching.start()
    with pytest.raises(PutDown):
        take_in(batch(home.inbox / "nhiều"), home, Store(home.store), uuid.uuid4())
    watching.join()
    assert 0 < len(list(stage.glob("*/files/*"))) < 2000
    assert list(log.read(home.log)) == []
    assert list(Store(home.store).aips()) == []
