"""A delivery refused as a whole has a code and one event; a night does not read it again until something changes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.config.home import Home
from tasks.premis import log
from tasks.premis.model import EventType, Outcome, aip_id
from tasks.report.standing import refusals
from tasks.sip.batch import Batch, BatchRefused, at, batch
from tasks.sip.ingest import take_in
from tasks.sip.refusal import Refused, refuse
from tasks.sip.taking import Ingested
from tasks.store.ocfl import Store
from tasks.tools import shared
from tasks.tools.job import COPIED_BYTES
from tests.tasks.sip import dying_disk, dying_work
from tests.tasks.sip.test_bag import made as made_bag

NAME = "lô"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    yield Home(tmp_path / "home").prepare()
    shared.close()


def take(home: Home, path: Path, *, night: bool = False) -> Ingested | Refused:
    (done,) = take_in(batch(path), home, Store(home.store), uuid.uuid4(), night=night)
    return done


def events(home: Home) -> list[tuple[str, Outcome]]:
    return [(e.code, e.outcome) for e in log.read_many(home.log, [aip_id(NAME)])[aip_id(NAME)]]


def empty(root: Path) -> None:
    (root / "folder").mkdir()


def misdescribed(root: Path) -> None:
    (root / "a").write_bytes(b"a")
    root.with_name(f"{NAME}.toml").write_text("title = ")


def oversized_count(root: Path) -> None:
    made_bag(root)
    (root / "bag-info.txt").write_text(f"Payload-Oxum: {'9' * 5000}.1\n")


def linked_tag(root: Path) -> None:
    made_bag(root)
    (root / "bag-info.txt").rename(root.with_name(".elsewhere"))
    (root / "bag-info.txt").symlink_to("../.elsewhere")


def empty_bag(root: Path) -> None:
    made_bag(root, {})


@pytest.mark.provokes("batch-unfit")
@pytest.mark.parametrize("lay", [empty, misdescribed, oversized_count, linked_tag, empty_bag])
def test_whatever_is_wrong_with_a_delivery_as_a_whole_has_a_code_and_one_event(
    home: Home, lay: Callable[[Path], None]
) -> None:
    root = home.inbox / NAME
    root.mkdir()
    lay(root)
    first, second = take(home, root), take(home, root)
    assert isinstance(first, Refused)
    assert first.code in {"batch-unfit", "bag-invalid", "bag-mismatch"}
    assert (first.known, second.known) == (False, True)
    assert events(home) == [(first.code, Outcome.FAIL)]
    assert refusals(home, [NAME])[NAME].code == first.code


def test_a_delivery_that_could_not_be_looked_at_is_recorded_like_any_other(home: Home) -> None:
    one = Batch(NAME, home.inbox / NAME)
    error = OSError(5, os.strerror(5), str(one.path / "sub" / "a"))
    done = [refuse(one, error, home, uuid.uuid4(), began=time.time()) for _ in range(2)]
    assert [(d.code, d.known) for d in done] == [("batch-unfit", False), ("batch-unfit", True)]
    assert "sub/a cannot be read: Input/output error" in done[0].why
    assert events(home) == [("batch-unfit", Outcome.FAIL)]


def test_a_file_is_refused_again_after_it_was_taken_and_taken_again_after_it_was_refused(home: Home) -> None:
    root = home.inbox / NAME
    root.mkdir()
    file = root / "a"
    told = []
    for kept in (False, True, False, False, True, True):
        file.unlink(missing_ok=True)
        if kept:
            file.write_bytes(b"a")
        else:
            file.symlink_to("nowhere")
        (root / "b").write_bytes(b"b")
        take(home, root)
        told.append([e.code for e in log.read_many(home.log, [aip_id(NAME)])[aip_id(NAME)]
                     if e.source and e.source.path == "originals/a" and e.type is EventType.INGESTION])  # fmt: skip
    refused = "not-a-file"
    assert told == [
        [refused],
        [refused, ""],
        [refused, "", refused],
        [refused, "", refused],
        [refused, "", refused, ""],
        [refused, "", refused, ""],
    ]


def test_a_repaired_file_of_the_same_size_and_date_is_taken(home: Home) -> None:
    root = home.inbox / NAME
    root.mkdir()
    for data in (b"rotten", b"mended"):
        (root / "a").unlink(missing_ok=True)
        (root / "a").write_bytes(data)
        os.utime(root / "a", (1_000_000_000, 1_000_000_000))
        done = take(home, root)
    assert (done.version, done.new) == (2, 1)


def test_a_delivery_that_is_again_what_the_store_has_is_no_longer_refused(home: Home) -> None:
    root, other = home.inbox / NAME, home.inbox / f"{NAME}.zip"
    root.mkdir()
    (root / "a").write_bytes(b"a")
    assert take(home, root).version == 1
    other.write_bytes(b"")
    for _ in range(2):
        with pytest.raises(BatchRefused) as caught:
            batch(root)
        refuse(at(root), caught.value, home, uuid.uuid4(), began=time.time())
    assert refusals(home, [NAME])[NAME].code == "batch-unfit"
    other.unlink()
    for _ in range(2):
        done = take(home, root, night=True)
        assert (done.version, done.new) == (1, 0)
        assert refusals(home, [NAME]) == {}
    assert [code for code, _ in events(home)].count("batch-unfit") == 1


def forget(home: Home) -> None:
    for path in (home.work / "seen").iterdir():
        path.unlink()


def read() -> int:
    """How many bytes this process has read so far."""
    return int(Path("/proc/self/io").read_text().split()[1])


def test_a_refused_bag_is_not_read_again_by_night_and_always_by_name(home: Home) -> None:
    large = 8 << 20
    root = made_bag(home.inbox / NAME, {"a": bytes(large)})
    (root / "data" / "a").write_bytes(b"x" * large)
    first = take(home, root, night=True)
    assert (first.code, first.known) == ("bag-mismatch", False)
    before = read()
    again = take(home, root, night=True)
    assert read() - before < large
    assert (again.code, again.why, again.known) == (first.code, first.why, True)
    before = read()
    assert take(home, root) == again
    assert read() - before >= large
    assert events(home) == [("bag-mismatch", Outcome.FAIL)]


def test_a_refused_bag_is_judged_again_by_night_once_it_is_mended(home: Home) -> None:
    root = made_bag(home.inbox / NAME)
    wrong = root / "data" / "100%.txt"
    before = wrong.stat()
    wrong.write_bytes(b"thrxx")
    os.utime(wrong, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert take(home, root, night=True).code == "bag-mismatch"
    wrong.write_bytes(b"three")
    os.utime(wrong, ns=(before.st_atime_ns, before.st_mtime_ns))  # the time of change tells it
    assert take(home, root, night=True).version == 1


def test_a_memory_that_is_lost_costs_a_reading_and_makes_no_news(home: Home) -> None:
    root = made_bag(home.inbox / NAME)
    (root / "data" / "100%.txt").write_bytes(b"thrxx")
    first = take(home, root, night=True)
    forget(home)
    again = take(home, root, night=True)
    assert (first.known, again.known, again.why) == (False, True, first.why)
    assert len(events(home)) == 1


def test_other_limits_judge_a_refused_delivery_again(home: Home) -> None:
    root = made_bag(home.inbox / NAME)
    (root / "data" / "100%.txt").write_bytes(b"thrxx")
    take(home, root, night=True)
    (memory,) = (home.work / "seen").iterdir()
    before = json.loads(memory.read_text())["judged"]
    (home.root / "perenne.toml").write_text("archive_max_gb = 9\n")
    take(home, root, night=True)
    assert json.loads(memory.read_text())["judged"] != before


def harmed(path: Path, *, every: bool) -> Path:
    """A ZIP whose members, or the first of them, are damaged."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in ("a.txt",) if every else ("a.txt", "b.txt"):
            archive.writestr(name, f"content of {name}")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"content of a", b"contest of a", 1))
    return path


def unpacked(home: Home) -> int:
    """When an archive was last unpacked: the folder changes with each."""
    return (home.work / "unpacked").stat().st_mtime_ns


@pytest.mark.slow
@pytest.mark.parametrize("every", [False, True])
def test_an_archive_with_a_damaged_member_is_unpacked_once_and_not_each_night(home: Home, every: bool) -> None:
    path = harmed(home.inbox / f"{NAME}.zip", every=every)
    first = take(home, path, night=True)
    once, told = unpacked(home), events(home)
    second = take(home, path, night=True)
    assert unpacked(home) == once
    assert events(home) == told
    assert "member-damaged" in [code for code, _ in told]
    if every:
        assert (first.code, first.known) == ("member-damaged", False)
        assert (second.code, second.known) == ("member-damaged", True)
        assert take(home, path).known
        assert unpacked(home) > once
    else:
        assert (first.version, second.version, second.new) == (1, 1, 0)


@pytest.mark.parametrize("failing", [1, 2, 3], ids=["to be listed", "to be unpacked", "to be digested"])
@pytest.mark.slow
def test_an_archive_that_its_disk_does_not_give_is_refused_and_the_others_are_taken(
    home: Home, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = home.inbox / f"{NAME}.zip", home.inbox / "other.zip"
    for path in (bad, good):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", b"a")
    opened, times = os.open, iter(range(1, 100))

    def sometimes(path: str | Path, flags: int, *more: int, **named: int) -> int:
        if os.fspath(path) == str(bad) and next(times) >= failing:
            path = "/proc/self/mem"  # a regular file, of which the first byte cannot be read: EIO
            flags &= ~os.O_NOFOLLOW
        return opened(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", sometimes)
    refused = take(home, bad)
    assert isinstance(refused, Refused)
    assert (refused.code, os.strerror(errno.EIO) in refused.why) == ("batch-unfit", True)
    assert events(home) == [("batch-unfit", Outcome.FAIL)]
    assert isinstance(take(home, good), Ingested)
    monkeypatch.undo()
    assert isinstance(take(home, bad, night=True), Ingested)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["its list of files", "the middle of a file"])
def test_an_archive_too_large_to_copy_that_its_disk_does_not_give_is_not_told_as_damaged(
    tmp_path: Path, where: str
) -> None:
    path = tmp_path / f"{NAME}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", b"a")
        with archive.open("large.bin", "w") as file:
            for _ in range((COPIED_BYTES >> 20) + 1):
                file.write(bytes(1 << 20))
    size = path.stat().st_size
    first, last = (size - 100, size) if where == "its list of files" else (size >> 1, (size >> 1) + 1)
    path.with_name(f"{path.name}.dead").write_text(f"{first} {last}")
    alone = ["unshare", "-m" if os.geteuid() == 0 else "-Urm", sys.executable, "-m", dying_disk.__name__]
    done = subprocess.run(
        [*alone, str(tmp_path / "home"), str(path)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no file system can be mounted here")
    dead, still_dead, mended = json.loads(done.stdout)
    for code, why in (dead, still_dead):
        assert (code, os.strerror(errno.EIO) in why) == ("batch-unfit", True)
    assert mended == ["", "2"]  # the night had not kept it in mind against the delivery
    assert [code for code, _ in events(Home(tmp_path / "home"))][:1] == ["batch-unfit"]


@pytest.mark.slow
def test_a_disk_of_ours_that_fails_while_an_archive_is_unpacked_is_not_told_as_the_deliverys(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.bin", bytes(300 << 20))
    home = tmp_path / "home"
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-m", dying_work.__name__, str(home), str(path)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no file system can be mounted and shut down here")
    assert json.loads(done.stdout) == ["disk-failing", str(home / "work"), 0]
