"""The store as a producer of OCFL: valid for others, exact for us."""

from __future__ import annotations

import hashlib
import json
import time
import unicodedata
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.store.errors import DigestMismatch, StoreBroken, StoreBusy, StoreError
from tasks.store.export import export
from tasks.store.names import logical_path
from tasks.store.ocfl import Store
from tasks.store.repair import _prune

VIETNAMESE = unicodedata.normalize("NFC", "Quyết định về việc ")
HARD_NAMES = [
    unicodedata.normalize("NFC", "Biên bản.doc").encode(),
    unicodedata.normalize("NFD", "Biên bản.doc").encode(),
    b"two\nlines.txt",
    (VIETNAMESE * 20).encode()[:251].decode("utf-8", "ignore").encode() + b".pdf",
    b"Quy\xea\xec\xf2t.doc",
    b"100%.txt",
    b"%41.txt",
    b"back\\slash",
    b"CON",
    b"A",
    b"a",
    b"ends with a dot.",
    b"tab\tand\x7fdelete",
    "chữ \u202e phải sang trái".encode(),
    b"folder/a",
    b"Folder/a",
    b"..dots",
]


def test_an_empty_store_is_a_valid_storage_root(store, validate):
    assert validate(store.ocfl) == ""


def test_the_independent_validator_finds_what_was_damaged_since_it_was_last_asked(store, aip, commit, validate):
    commit(store, aip, {"originals/a": b"one"})
    assert validate(store.ocfl) == ""
    content = next((store.object_path(aip) / "v1/content/originals").iterdir())
    content.chmod(0o644)
    content.write_bytes(b"two")
    assert "E092" in validate(store.ocfl)


def test_each_version_validates_and_keeps_its_own_state(store, aip, commit, validate):
    assert commit(store, aip, {"originals/a": b"one", "originals/b": b"two"}) == 1
    assert commit(store, aip, {"masters/a": b"product", "originals/b": b"newer"}, remove=["originals/a"]) == 2
    assert validate(store.ocfl) == ""
    inventory = store.inventory(aip)
    assert (inventory.head, inventory.whole) == (2, True)
    read = {
        number: {path: entry.path.read_bytes() for path, entry in inventory.state(number).items()} for number in (1, 2)
    }
    assert read[1] == {"originals/a": b"one", "originals/b": b"two"}
    assert read[2] == {"masters/a": b"product", "originals/b": b"newer"}
    assert dict(inventory.state()) == dict(inventory.state(2))


def test_an_entry_tells_both_digests_and_the_size(store, aip, commit):
    commit(store, aip, {"a": b"bytes"})
    entry = store.inventory(aip).state()["a"]
    assert entry.sha256 == hashlib.sha256(b"bytes").hexdigest()
    assert entry.sha512 == hashlib.sha512(b"bytes").hexdigest()
    assert entry.size == 5


def test_a_version_tells_when_why_and_who(store, aip, commit):
    commit(store, aip, {"a": b""})
    (version,) = store.inventory(aip).versions
    assert version.created == datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)
    assert (version.number, version.message) == (1, "test")
    assert version.user == ("Perenne", "https://example.org/perenne")


def test_hard_names_validate_and_come_back_bit_for_bit(store, aip, commit, validate, tmp_path):
    commit(store, aip, {logical_path(raw): b"content of " + raw for raw in HARD_NAMES})
    assert validate(store.ocfl) == ""
    assert export(store, aip, 1, tmp_path / "out") == len(HARD_NAMES)
    for raw in HARD_NAMES:
        with open(bytes(tmp_path / "out") + b"/" + raw, "rb") as file:
            assert file.read() == b"content of " + raw


def test_equal_bytes_are_stored_once_within_and_across_versions(store, aip, commit, validate):
    commit(store, aip, {"a": b"same", "b": b"same"})
    commit(store, aip, {"c": b"same", "d": b"other"})
    contents = [path.read_bytes() for path in store.object_path(aip).glob("v*/content/**/*") if path.is_file()]
    assert sorted(contents) == [b"other", b"same"]
    assert sorted(store.inventory(aip).state()) == ["a", "b", "c", "d"]
    assert validate(store.ocfl) == ""


def test_a_version_without_new_bytes_is_valid(store, aip, commit, validate):
    commit(store, aip, {"a": b"one", "b": b"two"})
    assert commit(store, aip, {}, remove=["b"]) == 2
    assert list(store.inventory(aip).state()) == ["a"]
    assert validate(store.ocfl) == ""


def test_a_removed_path_can_come_back(store, aip, commit):
    commit(store, aip, {"a": b"one"})
    commit(store, aip, {"b": b"two"}, remove=["a"])
    commit(store, aip, {"a": b"one"})
    assert store.inventory(aip).state()["a"].path == store.object_path(aip) / "v1/content/a"


def test_staged_files_are_moved_not_copied(store, aip):
    stage = store.stage(aip, uuid.uuid4())
    inode = stage.put_bytes(b"bytes", "a").path.stat().st_ino
    store.commit(aip, stage, expected_head=0, message="", user=("a", ""), created=datetime.now(UTC))
    assert store.inventory(aip).state()["a"].path.stat().st_ino == inode
    assert not stage.folder.exists()


def test_ten_versions_validate(store, aip, commit, validate):
    for number in range(1, 11):
        assert commit(store, aip, {"a": b"%d" % number}) == number
    assert store.inventory(aip).state(3)["a"].path.read_bytes() == b"3"
    assert validate(store.ocfl) == ""


def test_the_store_lists_its_aips(store, commit):
    aips = {uuid.uuid4() for _ in range(5)}
    for aip in aips:
        commit(store, aip, {"a": aip.bytes})
    assert set(store.aips()) == aips


def test_an_aip_that_is_not_there_has_no_inventory(store, aip):
    assert store.inventory(aip) is None
    assert list(store.aips()) == []


def test_a_commit_from_another_head_is_refused_and_the_stage_stays(store, aip, commit):
    commit(store, aip, {"a": b"one"})
    with pytest.raises(StoreBusy) as refused:
        commit(store, aip, {"b": b"two"}, expected_head=0)
    assert (refused.value.expected, refused.value.found) == (0, 1)
    assert list(store.stage(aip, uuid.uuid4()).entries()) == ["b"]
    assert store.inventory(aip).head == 1


@pytest.mark.parametrize("files", [{"a": b"", "a/b": b""}, {"x/y/z": b"", "x": b""}])
def test_a_path_cannot_be_a_file_and_a_folder(store, aip, commit, files):
    with pytest.raises(StoreError, match="a file and a folder"):
        commit(store, aip, files)
    assert store.inventory(aip) is None


def test_what_is_not_in_the_head_cannot_be_removed(store, aip, commit):
    with pytest.raises(StoreError, match="cannot remove"):
        commit(store, aip, {"a": b""}, remove=["b"])


def test_a_file_that_the_disk_gives_back_changed_is_not_committed(store, aip):
    stage = store.stage(aip, uuid.uuid4())
    good, bad = stage.put_bytes(b"good", "good"), stage.put_bytes(b"bad!", "bad")
    bad.path.chmod(0o644)
    bad.path.write_bytes(b"rot!")
    with pytest.raises(DigestMismatch):
        store.commit(aip, stage, expected_head=0, message="", user=("a", ""), created=datetime.now(UTC))
    assert store.inventory(aip) is None
    assert dict(store.stage(aip, uuid.uuid4()).entries()) == {"good": good}


def test_a_commit_flushes_the_file_system_once(store, aip, commit, monkeypatch):
    flushes = []
    monkeypatch.setattr("tasks.store.disk.sync_file_system", flushes.append)
    commit(store, aip, {str(number): b"%d" % number for number in range(100)})
    assert flushes == [store.stages / str(aip)]


def test_a_commit_survives_that_a_repair_takes_its_empty_folders_away(tmp_path, aip, commit):
    def step(name: str) -> None:
        if name == "rename in folders":
            _prune(store.object_path(aip).parent, store.ocfl)

    store = Store(tmp_path / "store", step=step)
    assert commit(store, aip, {"a": b"one"}) == 1
    assert store.inventory(aip).whole


def test_a_folder_that_is_not_our_storage_root_is_refused(tmp_path):
    (tmp_path / "ocfl").mkdir()
    with pytest.raises(StoreBroken, match="not a storage root"):
        Store(tmp_path)


def test_a_storage_root_with_another_layout_is_refused(store):
    config = next(store.ocfl.glob("extensions/*/config.json"))
    config.write_text(json.dumps({**json.loads(config.read_text()), "tupleSize": 2}))
    with pytest.raises(StoreBroken, match="not what Perenne writes"):
        Store(store.root)


def test_a_store_opens_again(store, aip, commit):
    commit(store, aip, {"a": b"one"})
    assert Store(store.root).inventory(aip).head == 1


@pytest.mark.slow
def test_ten_thousand_small_files_are_committed_in_seconds(store, aip, validate, tmp_path: Path):
    stage = store.stage(aip, uuid.uuid4())
    for number in range(10_000):
        stage.put_bytes(number.to_bytes(4) * 1024, f"originals/văn bản {number % 100}/tệp {number}.pdf", durable=False)
    start = time.process_time()
    store.commit(aip, stage, expected_head=0, message="", user=("a", "mailto:a@example.org"), created=datetime.now(UTC))
    assert time.process_time() - start < 5
    assert "E" not in validate(store.ocfl)
