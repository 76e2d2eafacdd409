"""Folders without a file become no original; that they came is kept with the version that the delivery made."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest

from tasks.aip.ledger import Ledger
from tasks.config.home import Home
from tasks.premis import log
from tasks.premis.model import aip_id
from tasks.sip import taking
from tasks.sip.batch import batch, empty_folders
from tasks.sip.ingest import ingest
from tasks.store.names import logical_path
from tasks.store.ocfl import Store
from tests.tasks.sip.test_bag import made as made_bag


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path).prepare()


def listed(home: Home, root: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The empty folders in the list of the submission, and how many the log tells of."""
    (done,) = ingest(batch(root), home, Store(home.store), uuid.uuid4())
    inventory = Store(home.store).inventory(done.aip)
    assert inventory is not None
    rows = json.loads(inventory.state()[f"metadata/submission/v{done.version}.json"].path.read_text())
    events = log.read_many(home.log, [done.aip])[done.aip]
    told = [e.detail.get("empty_folders", "") for e in events if "delivery" in e.detail]
    return [row for row in rows if row.get("kind") == "empty folder"], told


def test_a_folder_is_empty_when_neither_a_file_nor_a_folder_nor_a_link_is_in_it(tmp_path: Path) -> None:
    for name in ("a/b/hồ-sơ", "full", "linked", os.fsdecode(b"v\xe3n")):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "full" / "x").write_bytes(b"")
    (tmp_path / "linked" / "x").symlink_to("nowhere")
    assert [e.raw for e in empty_folders(tmp_path)] == ["a/b/hồ-sơ".encode(), b"v\xe3n"]


def test_the_empty_folders_of_a_delivery_stay_with_its_version_and_are_counted_in_the_log(home: Home) -> None:
    root = home.inbox / "lô-1"
    names = ["1 Quyết định", "2/chưa có", os.fsdecode(b"v\xe3n")]
    for name in names:
        (root / name).mkdir(parents=True)
    (root / "a.txt").write_bytes(b"a")
    rows, told = listed(home, root)
    assert [row["path"] for row in rows] == [logical_path(os.fsencode(name)) for name in names]
    assert int(rows[0]["mtime_ns"]) == (root / names[0]).stat().st_mtime_ns
    assert told == ["3"]


def test_a_delivery_without_an_empty_folder_says_nothing_of_them(home: Home) -> None:
    (home.inbox / "lô-1").mkdir()
    (home.inbox / "lô-1" / "a.txt").write_bytes(b"a")
    assert listed(home, home.inbox / "lô-1") == ([], [""])


@pytest.mark.parametrize("inside", ["", "gói"])
def test_the_empty_folders_of_a_bag_are_those_of_its_payload(home: Home, inside: str) -> None:
    bag = made_bag(home.inbox / "lô-1" / inside)
    (bag / "data" / "trống").mkdir()
    (bag / "beside").mkdir()
    rows, told = listed(home, home.inbox / "lô-1")
    assert ([row["path"] for row in rows], told) == (["trống"], ["1"])


def test_of_very_many_empty_folders_the_first_are_named_and_all_are_counted(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "EMPTY_LISTED", 3)
    for number in range(5):
        (home.inbox / "lô-1" / str(number)).mkdir(parents=True)
    (home.inbox / "lô-1" / "a.txt").write_bytes(b"a")
    rows, told = listed(home, home.inbox / "lô-1")
    assert ([row["path"] for row in rows], told) == (["0", "1", "2"], ["5"])


def test_the_empty_folders_of_a_delivery_are_listed_once_also_where_it_makes_several_aips(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.root / "perenne.toml").write_text("aip_max_files = 2\n", encoding="utf-8")
    root, store, pack = home.inbox / "lô-1", Store(home.store), taking.pack
    (root / "empty").mkdir(parents=True)
    for name in "abcde":
        (root / name).write_text(name)

    def killed(store: Store, ledger: Ledger, *given: Any, **named: Any) -> int:
        if ledger.id == aip_id("lô-1", 2):
            raise KeyboardInterrupt
        return pack(store, ledger, *given, **named)

    monkeypatch.setattr(taking, "pack", killed)
    with pytest.raises(KeyboardInterrupt):
        ingest(batch(root), home, store, uuid.uuid4())
    monkeypatch.setattr(taking, "pack", pack)
    ingest(batch(root), home, store, uuid.uuid4())
    assert empty_told(home) == [("1", "1"), ("1", ""), ("1", "")]
    (root / "f").write_text("f")
    (root / "another").mkdir()
    ingest(batch(root), home, store, uuid.uuid4())
    assert empty_told(home)[3:] == [("2", "2")]  # where the supplement went
    assert [len(empty_rows(store, number)) for number in (1, 2, 3)] == [1, 0, 2]


def empty_told(home: Home) -> list[tuple[str, str]]:
    told = [e.detail for e in log.in_order(list(log.read(home.log))) if "delivery" in e.detail]
    return [(detail["version"], detail.get("empty_folders", "")) for detail in told]


def empty_rows(store: Store, number: int) -> list[str]:
    inventory = store.inventory(aip_id("lô-1", number))
    assert inventory is not None
    rows = json.loads(inventory.state()[f"metadata/submission/v{inventory.head}.json"].path.read_text())
    return [row["path"] for row in rows if row.get("kind") == "empty folder"]
