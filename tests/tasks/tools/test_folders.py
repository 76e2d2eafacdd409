"""Hostile folders, walked and removed from outside."""

import ctypes
import os
import threading
from pathlib import Path

import pytest

from tasks.tools import folders, usage


def deep(folder: Path, depth: int) -> None:
    at = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("x" * 200, dir_fd=at)
        below = os.open("x" * 200, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)


def test_a_tree_deeper_than_any_path_is_removed(tmp_path: Path):
    folder = tmp_path / "job"
    folder.mkdir()
    deep(folder, 2000)
    (folder / "file").write_text("x")
    folders.remove(folder)
    assert list(tmp_path.iterdir()) == []


def test_removing_a_folder_spares_what_its_links_point_to(tmp_path: Path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    job = tmp_path / "job"
    job.mkdir()
    (job / "link").symlink_to(tmp_path / "kept")
    (job / "file link").symlink_to(tmp_path / "kept" / "file")
    folders.remove(job)
    assert (tmp_path / "kept" / "file").read_text() == "x"


def test_a_file_is_opened_without_following_any_link(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_text("x")
    (tmp_path / "folder link").symlink_to(tmp_path / "sub")
    (tmp_path / "link").symlink_to(tmp_path / "sub" / "file")
    with folders.open_regular(tmp_path, "sub/file") as file:
        assert file.read() == b"x"
    for name in ("folder link/file", "link", "sub", "missing"):
        with pytest.raises(OSError):  # noqa: PT011  any refusal of the system will do
            folders.open_regular(tmp_path, name)
    for name in ("../x", "/etc/passwd", "", "sub/../../x"):
        with pytest.raises(ValueError, match="not a name"):
            folders.open_regular(tmp_path, name)


def test_disk_use_counts_blocks_names_and_deleted_files_that_are_open(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_bytes(os.urandom(1 << 20))
    used = usage.disk(str(tmp_path), (), 1 << 30, 100)
    assert 1 << 20 <= used < (1 << 20) + (64 << 10)
    assert usage.disk(str(tmp_path), (), 1 << 19, 100) > 1 << 19
    assert usage.disk(str(tmp_path), (), 1 << 30, 1) > 1 << 30
    with (tmp_path / "gone").open("wb") as gone:
        (tmp_path / "gone").unlink()
        gone.write(os.urandom(1 << 20))
        gone.flush()
        assert usage.disk(str(tmp_path), (os.getpid(),), 1 << 30, 100) >= used + (1 << 20)


def test_a_deleted_file_that_only_a_thread_with_descriptors_of_its_own_has_open_counts(tmp_path: Path):
    # CLONE_FILES undone in one thread (unshare(2)): what it opens is not seen in the first thread's table.
    before = usage.disk(str(tmp_path), (os.getpid(),), 1 << 30, 100)
    opened, over = threading.Event(), threading.Event()

    def keep() -> None:
        assert ctypes.CDLL(None).unshare(0x400) == 0
        with (tmp_path / "gone").open("wb") as gone:
            (tmp_path / "gone").unlink()
            gone.write(os.urandom(1 << 20))
            gone.flush()
            opened.set()
            over.wait()

    thread = threading.Thread(target=keep)
    thread.start()
    assert opened.wait(30)
    assert usage.disk(str(tmp_path), (os.getpid(),), 1 << 30, 100) >= before + (1 << 20)
    over.set()
    thread.join()


def test_a_tree_too_deep_to_be_measured_counts_as_too_much(tmp_path: Path):
    folder = tmp_path / "job"
    folder.mkdir()
    deep(folder, 100)
    assert usage.disk(str(folder), (), 1 << 30, 10_000) > 1 << 30
    folders.remove(folder)


def test_memory_counts_what_no_file_backs():
    pid = os.getpid()
    before = usage.memory([pid], 1 << 40)
    kept = bytearray(os.urandom(1 << 20)) * 64
    after = usage.memory([pid], 1 << 40)
    exact = usage.memory([pid], 0)
    assert after - before >= 60 << 20
    assert abs(exact - after) < 32 << 20
    del kept


def test_a_link_put_in_the_way_of_a_folder_is_not_followed_by_whoever_opens_it(tmp_path: Path):
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o750)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "link").symlink_to(victim)
    at = os.open(tmp_path / "jobs", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match=r"Not a directory|symbolic"):
            folders._opened("link", at)
    finally:
        os.close(at)
    assert victim.stat().st_mode & 0o777 == 0o750
