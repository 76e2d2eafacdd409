"""What a delivery is, whether it is ready, and what lies in it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tasks.sip.batch import BatchError, Description, batch, describe, in_inbox, listing_digest, not_taken, ready, walk


def made(tmp_path: Path, *names: str) -> Path:
    root = tmp_path / "inbox" / "lô-1"
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    root.mkdir(parents=True, exist_ok=True)
    return root


def test_files_are_found_in_a_fixed_order_whatever_their_names(tmp_path: Path) -> None:
    root = made(tmp_path, "b/Đơn.txt", "a.txt", "new\nline.txt")
    (root / os.fsdecode(b"\xff\xfe.txt")).write_bytes(b"x")
    assert [e.raw for e in walk(batch(root))] == [b"a.txt", "b/Đơn.txt".encode(), b"new\nline.txt", b"\xff\xfe.txt"]


def test_what_is_no_file_is_told_and_never_followed(tmp_path: Path) -> None:
    root = made(tmp_path, "a.txt")
    (root / "link").symlink_to("/etc/passwd")
    (root / "dangling").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    kinds = {e.raw: e.kind for e in walk(batch(root))}
    assert kinds == {b"a.txt": "", b"link": "link", b"dangling": "link", b"pipe": "FIFO"}


def test_a_link_to_a_folder_is_not_walked(tmp_path: Path) -> None:
    root = made(tmp_path, "a.txt")
    (root / "etc").symlink_to("/etc")
    assert len(walk(batch(root))) == 2


def test_a_batch_is_ready_when_it_is_quiet_or_marked(tmp_path: Path) -> None:
    root = made(tmp_path, "a.txt")
    one = batch(root)
    assert not ready(one, quiet_s=60, now=time.time())
    assert ready(one, quiet_s=60, now=time.time() + 61)
    (root / ".ready").touch()
    assert ready(one, quiet_s=60, now=time.time())


def test_a_mark_beside_the_folder_counts_too(tmp_path: Path) -> None:
    root = made(tmp_path, "a.txt")
    (tmp_path / "inbox" / "lô-1.ready").touch()
    assert ready(batch(root), quiet_s=1e9, now=time.time())


def test_the_ready_mark_is_no_original(tmp_path: Path) -> None:
    root = made(tmp_path, "a.txt")
    (root / ".ready").touch()
    assert [e.raw for e in walk(batch(root))] == [b"a.txt"]


def test_any_change_of_name_size_or_time_changes_the_listing(tmp_path: Path) -> None:
    root = made(tmp_path, "a.txt", "b.txt")
    before = listing_digest(walk(batch(root)))
    assert listing_digest(walk(batch(root))) == before
    os.utime(root / "a.txt", ns=(1, 1))
    touched = listing_digest(walk(batch(root)))
    assert touched != before
    (root / "a.txt").rename(root / "c.txt")
    assert listing_digest(walk(batch(root))) != touched


def test_what_lies_in_the_inbox_and_is_no_batch_is_told(tmp_path: Path) -> None:
    root = made(tmp_path, "a.txt")
    inbox = root.parent
    (inbox / "lô-1.toml").write_text("")
    (inbox / "lone.rar").write_bytes(b"")
    assert [b.name for b in in_inbox(inbox)] == ["lô-1"]
    assert not_taken(inbox) == ["lone.rar"]


def test_a_file_or_a_link_is_no_batch(tmp_path: Path) -> None:
    root = made(tmp_path, "a.txt")
    (tmp_path / "link").symlink_to(root)
    for wrong in (root / "a.txt", tmp_path / "link", tmp_path / "nowhere"):
        with pytest.raises(BatchError, match="is neither a folder nor one of"):
            batch(wrong)


def test_the_description_beside_the_batch_is_read(tmp_path: Path) -> None:
    root = made(tmp_path, "a.txt")
    (root.parent / "lô-1.toml").write_text('languages = "fra"\nproducer = "Sở Nội vụ"\n')
    assert describe(batch(root)) == Description(languages="fra", producer="Sở Nội vụ")


def test_a_description_with_a_typo_is_refused(tmp_path: Path) -> None:
    root = made(tmp_path, "a.txt")
    (root.parent / "lô-1.toml").write_text('langauges = "fra"\n')
    with pytest.raises(BatchError, match="langauges"):
        describe(batch(root))


def test_the_same_name_is_the_same_aip(tmp_path: Path) -> None:
    one, other = made(tmp_path / "x", "a.txt"), made(tmp_path / "y", "b.txt")
    assert batch(one).aip == batch(other).aip


def test_a_delivery_may_be_deeper_than_pythons_stack_and_what_is_too_deep_to_name_is_told(tmp_path: Path) -> None:
    root = made(tmp_path)
    here = os.open(root, os.O_RDONLY)
    for _ in range(2500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=below))
        os.close(here)
        here = below
    os.close(here)
    found = walk(batch(root))
    subprocess.run(["rm", "-rf", root], check=True)  # shutil recurses
    files = [e for e in found if not e.kind and not e.fault]
    assert len(files) > 1900
    assert max(len(e.raw) for e in files) > 3800
    assert {e.fault for e in found} == {"", "File name too long"}
