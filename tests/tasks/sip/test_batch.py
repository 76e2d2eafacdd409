"""What a delivery is, whether it is ready, and what lies in it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.sip.batch import BatchError, BatchRefused, batch, in_inbox, listing_digest, not_taken, place, ready, walk
from tasks.sip.description import LARGEST, Description, describe
from tasks.sip.naming import meant, shown, told

ROOT = Path(__file__).resolve().parents[3]


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


def test_a_description_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    root = made(tmp_path, "a.txt")
    (root.parent / "lô-1.toml").write_text('title = "Sổ"\n', encoding="utf-8-sig")
    assert describe(batch(root)) == Description(title="Sổ")


def test_a_description_with_a_typo_is_refused(tmp_path: Path) -> None:
    root = made(tmp_path, "a.txt")
    (root.parent / "lô-1.toml").write_text('langauges = "fra"\n')
    with pytest.raises(BatchError, match="langauges"):
        describe(batch(root))


def test_the_same_name_is_the_same_aip(tmp_path: Path) -> None:
    one, other = made(tmp_path / "x", "a.txt"), made(tmp_path / "y", "b.txt")
    assert batch(one).aip == batch(other).aip


def deepen(folder: Path, levels: int, *, file: str = "") -> None:
    """So many folders, one in the other, deeper than any path can name; with `file` an empty file in each."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        if file:
            os.close(os.open(file, os.O_CREAT | os.O_WRONLY, dir_fd=below))
        os.close(here)
        here = below
    os.close(here)


def test_a_delivery_may_be_deeper_than_pythons_stack_and_what_is_too_deep_to_name_is_told(tmp_path: Path) -> None:
    root = made(tmp_path)
    deepen(root, 2500, file="x")
    found = walk(batch(root))
    subprocess.run(["rm", "-rf", root], check=True)  # shutil recurses
    files = [e for e in found if not e.kind and not e.fault]
    assert len(files) > 1900
    assert max(len(e.raw) for e in files) > 3800
    assert {e.fault for e in found} == {"", "File name too long"}


def test_a_file_dated_in_the_future_keeps_no_batch_out_and_is_told(tmp_path: Path) -> None:
    root, warned = made(tmp_path, "b/a.txt", "c.txt"), []
    os.utime(root / "b" / "a.txt", (4_070_908_800, 4_070_908_800))  # 2099
    now = time.time()
    assert not ready(batch(root), quiet_s=60, now=now, warn=warned.append)
    assert ready(batch(root), quiet_s=60, now=now + 61, warn=warned.append)
    assert [w.split(" is ")[0] for w in warned] == ["lô-1/b/a.txt"] * 2


def test_an_archive_dated_in_the_future_is_ready_once_it_has_been_here_for_a_while(tmp_path: Path) -> None:
    path, warned = tmp_path / "a.zip", []
    path.write_bytes(b"x")
    os.utime(path, (4_070_908_800, 4_070_908_800))
    now = time.time()
    assert not ready(batch(path), quiet_s=60, now=now)
    assert ready(batch(path), quiet_s=60, now=now + 61, warn=warned.append)
    assert warned[0].startswith("a is dated in the future.")


def test_clocks_that_differ_a_little_are_no_reason_to_warn(tmp_path: Path) -> None:
    root, warned = made(tmp_path, "a.txt"), []
    ready(batch(root), quiet_s=60, now=time.time() - 30, warn=warned.append)
    assert warned == []


def test_a_change_deep_down_keeps_a_batch_out_however_deep_it_is(tmp_path: Path) -> None:
    root = made(tmp_path)
    deepen(root, 1300)
    now = time.time()
    assert (ready(batch(root), quiet_s=60, now=now), ready(batch(root), quiet_s=60, now=now + 61)) == (False, True)
    subprocess.run(["rm", "-rf", root], check=True)  # shutil recurses


def test_a_name_so_long_that_nothing_can_lie_beside_it_has_nothing_beside_it(tmp_path: Path) -> None:
    root = tmp_path / ("l" * 250)
    root.mkdir()
    (root / "a").write_bytes(b"")
    one = batch(root)
    assert describe(one) == Description()
    assert not ready(one, quiet_s=1e9, now=time.time())
    assert [b.name for b in in_inbox(tmp_path)] == [one.name]
    assert not_taken(tmp_path) == []


def fifo(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def elsewhere(path: Path) -> None:
    path.with_name(".other").write_text("")
    path.symlink_to(".other")


def huge(path: Path) -> None:
    path.write_bytes(b"#" * (LARGEST + 1))


def nested(path: Path) -> None:
    path.write_bytes(b"title = " + b"[" * 100_000)


def figure(path: Path) -> None:
    path.write_bytes(b"title = " + b"9" * 5000)


@pytest.mark.parametrize("lay", [fifo, endless, elsewhere, huge, nested, figure, Path.mkdir])
def test_a_description_that_is_no_small_plain_file_refuses_the_batch_and_is_never_waited_for(tmp_path, lay) -> None:
    root = made(tmp_path, "a.txt")
    lay(root.with_name("lô-1.toml"))
    with pytest.raises(BatchRefused, match=r"lô-1\.toml cannot be read: ") as caught:
        describe(batch(root))
    assert caught.value.code == "batch-unfit"
    assert len(str(caught.value)) < 500


def test_a_ready_mark_is_never_opened(tmp_path: Path) -> None:
    root = made(tmp_path, "a.txt")
    os.mkfifo(root.with_name("lô-1.ready"))
    assert ready(batch(root), quiet_s=1e9, now=time.time())


def test_a_name_that_is_not_utf8_is_shown_escaped_and_means_the_same_folder(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"v\xe3n")
    root.mkdir()
    (root / "a.txt").write_bytes(b"")
    (tmp_path / os.fsdecode(b"v\xe3n.toml")).write_text('title = "T"')
    (tmp_path / os.fsdecode(b"\xff.rar")).write_bytes(b"")
    (one,) = in_inbox(tmp_path)
    assert (one.name, one.path, one) == ("v%E3n", root, batch(root))
    assert describe(one) == Description(title="T")
    assert not_taken(tmp_path) == ["%FF.rar"]
    assert place(tmp_path, "v%E3n") == place(tmp_path, root.name) == place(tmp_path, f"{tmp_path}/v%E3n") == root
    assert str(one.aip)
    assert told(root).isprintable()
    assert meant(told(root)) == root


def test_a_path_that_is_text_is_told_as_it_is_whatever_it_looks_like(tmp_path: Path) -> None:
    for name in ("100%", "a%2Fb", "%2F", "v%E3n", "lô"):
        path = tmp_path / name
        assert told(path) == str(path)
        assert meant(told(path)) == path
        path.mkdir()
        assert place(tmp_path, name) == place(tmp_path, shown(name)) == path
    assert len({b.aip for b in in_inbox(tmp_path)}) == 5


def test_an_archive_of_the_inbox_answers_to_the_name_that_is_shown(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"")
    assert place(tmp_path, "a") == place(tmp_path, "a.tar.gz") == tmp_path / "a.tar.gz"


@pytest.mark.parametrize(
    ("first", "second"), [("x", "x.zip"), ("x.Zip", "x.Tar"), ("x.zip", "x.ZIP"), ("x.tar.gz", "x.TgZ")]
)
def test_of_two_deliveries_of_one_name_neither_is_taken(tmp_path: Path, first: str, second: str) -> None:
    for name in (first, second):
        (tmp_path / name).write_bytes(b"") if "." in name else (tmp_path / name).mkdir()
    assert [b.name for b in in_inbox(tmp_path)] == ["x", "x"]
    said = set()
    for name in (first, second):
        with pytest.raises(BatchRefused, match="are called the same") as caught:
            batch(tmp_path / name)
        assert caught.value.code == "batch-unfit"
        said.add(str(caught.value))
    assert len(said) == 1


def test_a_delivery_that_is_gone_when_it_is_listed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"")
    one = batch(path)
    path.unlink()
    with pytest.raises(BatchRefused, match="No such file"):
        walk(one)


LOOK = """
import ctypes, os, sys, time
from pathlib import Path
from tasks.sip.batch import batch, in_inbox, not_taken, ready
inbox = Path(sys.argv[1])
fuse = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fuse},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()}".encode()
if ctypes.CDLL(None).mount(b"dead", os.fsencode(inbox / "dead"), b"fuse", 0, options):
    sys.exit(77)
os.close(fuse)
print([b.name for b in in_inbox(inbox)], not_taken(inbox))
for one in in_inbox(inbox):
    for look in (lambda: batch(one.path).name, lambda: ready(one, quiet_s=0, now=time.time() + 1)):
        try:
            print(look())
        except Exception as e:
            print(type(e).__name__, str(e).splitlines()[0])
"""


def test_a_dead_mount_in_the_inbox_hides_no_other_delivery(tmp_path: Path) -> None:
    for name in ("dead", "good"):
        (tmp_path / name).mkdir()
    alone = ["unshare", "-m" if os.geteuid() == 0 else "-Urm", sys.executable, "-c", LOOK, tmp_path]
    done = subprocess.run(alone, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode in (1, 77) and "Error" not in done.stderr.replace("PermissionError", ""):
        pytest.skip(f"no file system can be mounted here: {done.stderr[-100:]}")
    listed, refused, broken, *good = done.stdout.splitlines()
    assert listed == "['dead', 'good'] []", done
    assert refused.startswith("BatchRefused The delivery cannot be taken: dead cannot be read: Transport endpoint")
    assert broken.startswith("OSError")
    assert good == ["good", "True"]
