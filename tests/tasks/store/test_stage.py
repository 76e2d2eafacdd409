"""The stage: what waits for the next version survives whoever put it there."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path

import pytest

from tasks.store.errors import DigestMismatch
from tasks.store.stage import Stage

RUN = uuid.UUID(int=1)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "stage", RUN)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(b"bytes" * 1000)
    return path


def test_put_copies_the_bytes_and_tells_both_digests_and_the_size(stage, source):
    data = source.read_bytes()
    staged = stage.put(source, "originals/a")
    assert (staged.sha256, staged.sha512) == (hashlib.sha256(data).hexdigest(), hashlib.sha512(data).hexdigest())
    assert (staged.logical, staged.size, staged.path.read_bytes()) == ("originals/a", len(data), data)
    assert staged.run == str(RUN)


def test_staged_bytes_cannot_be_opened_for_writing(stage):
    assert stage.put_bytes(b"x", "a").path.stat().st_mode & 0o222 == 0


def test_a_later_run_finds_what_an_earlier_one_put(stage, source):
    staged = stage.put(source, "originals/a")
    assert dict(Stage(stage.folder, uuid.uuid4()).entries()) == {"originals/a": staged}


def test_the_same_bytes_at_the_same_path_are_kept_without_reading_the_source(stage, source):
    staged = stage.put(source, "a")
    source.unlink()
    assert Stage(stage.folder, uuid.uuid4()).put(source, "a", staged.sha256) == staged


def test_bytes_put_again_give_way_to_nothing(stage):
    stage.put_bytes(b"one", "a")
    stage.put_bytes(b"one", "a")
    assert [entry.size for entry in stage.entries().values()] == [3]


def test_other_bytes_at_the_same_path_take_its_place(stage):
    stage.put_bytes(b"one", "a")
    second = stage.put_bytes(b"two", "a")
    assert dict(stage.entries()) == {"a": second}


def test_bytes_that_are_not_the_announced_ones_are_refused_and_leave_nothing(stage, source):
    with pytest.raises(DigestMismatch):
        stage.put(source, "a", "0" * 64)
    assert dict(stage.entries()) == {}
    assert not list(stage.folder.glob("taking-*"))


def test_a_link_is_never_followed(stage, source, tmp_path):
    (tmp_path / "link").symlink_to(source)
    with pytest.raises(OSError, match="symbolic links"):
        stage.put(tmp_path / "link", "a")


def test_a_pipe_is_refused_without_waiting_for_it(stage, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        stage.put(tmp_path / "pipe", "a")


def test_a_path_that_is_not_logical_is_refused(stage, source):
    with pytest.raises(ValueError, match="not a logical path"):
        stage.put(source, "../a")


def test_a_journal_line_torn_by_a_kill_costs_only_itself(stage):
    first, torn = stage.put_bytes(b"one", "a"), stage.put_bytes(b"two", "b")
    journal = stage.folder / "journal"
    journal.write_bytes(journal.read_bytes()[:-20])
    later = Stage(stage.folder, uuid.uuid4())
    third = later.put_bytes(b"three", "c")
    assert dict(later.entries()) == {"a": first, "c": third}
    assert later.put_bytes(b"two", "b").sha512 == torn.sha512


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: os.truncate(path, 1)])
def test_a_product_whose_bytes_are_lost_does_not_count(stage, harm):
    staged = stage.put_bytes(b"bytes", "a")
    harm(staged.path)
    assert dict(stage.entries()) == {}


def test_a_dropped_path_is_gone_and_other_paths_with_its_bytes_stay(stage):
    stage.put_bytes(b"same", "a")
    kept = stage.put_bytes(b"same", "b")
    stage.drop(["a", "never there"])
    assert dict(stage.entries()) == dict(Stage(stage.folder, uuid.uuid4()).entries()) == {"b": kept}


def test_to_drop_many_paths_reads_the_journal_no_oftener_than_to_drop_one(stage):
    def read() -> int:
        """Bytes that this process has read so far, as the kernel counts them."""
        return int(Path("/proc/self/io").read_text().split()[1])

    for number in range(300):
        stage.put_bytes(b"left by a kill", str(number), durable=False)
    kept = stage.entries()["299"]
    journal, before = (stage.folder / "journal").stat().st_size, read()
    stage.drop(str(number) for number in range(299))
    assert read() - before < 2 * journal
    assert dict(stage.entries()) == {"299": kept}


def test_settling_leaves_what_the_head_does_not_have(stage):
    same, newer = stage.put_bytes(b"same", "a"), stage.put_bytes(b"newer", "b")
    stage.settle({"a": same.sha512, "b": "0" * 128})
    assert dict(stage.entries()) == {"b": newer}


def test_two_stages_of_one_aip_add_to_each_other(stage):
    other = Stage(stage.folder, uuid.uuid4())
    here, there = stage.put_bytes(b"one", "a"), other.put_bytes(b"two", "b")
    assert dict(stage.entries()) == dict(other.entries()) == {"a": here, "b": there}


def test_a_cleared_stage_can_be_used_again(stage):
    stage.put_bytes(b"one", "a")
    stage.clear()
    assert not stage.folder.exists()
    staged = stage.put_bytes(b"one", "a")
    assert dict(stage.entries()) == {"a": staged}


def test_only_one_holds_the_lock_of_a_stage(stage):
    with stage.locked() as first, Stage(stage.folder, RUN).locked(wait=False) as second:
        assert (first, second) == (True, False)
    with Stage(stage.folder, RUN).locked(wait=False) as third:
        assert third


def test_a_durable_put_flushes_file_folder_and_journal(stage, monkeypatch):
    flushed = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: flushed.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    )
    stage.put_bytes(b"first", "first")
    flushed.clear()
    stage.put_bytes(b"one", "a")
    assert "taking-" in flushed[0]
    assert flushed[1:] == [str(stage.folder / "files"), str(stage.folder / "journal")]


def test_sync_flushes_all_that_was_put_at_once(stage, monkeypatch):
    flushes = []
    monkeypatch.setattr("tasks.store.disk.sync_file_system", flushes.append)
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushes.append(descriptor))
    stage.put_bytes(b"first", "first")
    flushes.clear()
    for number in range(20):
        stage.put_bytes(b"%d" % number, str(number), durable=False)
    stage.sync()
    assert flushes == [stage.folder]


def test_a_file_that_a_power_cut_took_does_not_hide_the_safe_one_before_it(stage: Stage):
    safe = stage.put_bytes(b"safe", "a/b")
    lost = stage.put_bytes(b"lost", "a/b", durable=False)
    lost.path.unlink()
    assert Stage(stage.folder, RUN).entries()["a/b"].sha256 == safe.sha256
