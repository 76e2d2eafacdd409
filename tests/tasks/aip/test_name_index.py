"""Names of AIPs come from the index only while the store is as it was."""

from __future__ import annotations

import json
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.aip.find import names
from tasks.aip.ledger import ABOUT
from tasks.config.home import Home
from tasks.store.ocfl import Store

AIP = uuid.UUID(int=7)


def put(home: Home, name: str, head: int) -> None:
    store = Store(home.store)
    stage = store.stage(AIP, uuid.uuid4())
    stage.put_bytes(json.dumps({"batch": name}).encode(), ABOUT)
    store.commit(AIP, stage, expected_head=head, message="a test", user=("a", "urn:a"), created=datetime.now(UTC))


def age(home: Home) -> None:
    """As if the last commit lay some time back."""
    folder = Store(home.store).object_path(AIP)
    os.utime(folder, ns=(1, folder.stat().st_mtime_ns - 60_000_000_000))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home").prepare()
    put(made, "lô-1", 0)
    age(made)
    return made


def test_a_name_that_is_indexed_is_answered_without_its_inventory(home: Home) -> None:
    assert list(names(home)) == [(AIP, "lô-1")]
    inventory = Store(home.store).object_path(AIP) / "inventory.json"
    inventory.write_bytes(b"")  # a write in place leaves the folder as it was
    assert list(names(home)) == [(AIP, "lô-1")]


def test_a_new_version_is_seen_at_once(home: Home) -> None:
    assert list(names(home)) == [(AIP, "lô-1")]
    put(home, "lô-2", 1)
    assert list(names(home)) == [(AIP, "lô-2")]


def test_what_changed_just_now_is_not_kept(home: Home) -> None:
    put(home, "lô-2", 1)
    assert list(names(home)) == [(AIP, "lô-2")]
    assert not (home.work / "labels.json").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"x": 1}', b'{"x": ["a", "b", "c"]}', b"\xff"])
def test_a_broken_index_is_no_index(home: Home, content: bytes) -> None:
    (home.work / "labels.json").write_bytes(content)
    assert list(names(home)) == [(AIP, "lô-1")]
    assert json.loads((home.work / "labels.json").read_text())[str(AIP)][2] == "lô-1"


@pytest.mark.parametrize("name", ["inventory.json", f"v1/content/{ABOUT}"])
@pytest.mark.parametrize("kept", [True, False])
def test_an_aip_that_cannot_be_read_keeps_its_name_or_has_its_id_and_stops_nobody(
    home: Home, name: str, *, kept: bool
) -> None:
    if kept:
        assert list(names(home)) == [(AIP, "lô-1")]
    (Store(home.store).object_path(AIP) / name).unlink()
    os.utime(Store(home.store).object_path(AIP))
    for _ in range(2):
        assert list(names(home)) == [(AIP, "lô-1" if kept else str(AIP))]
