"""A delivery for which there is no room is refused before a byte is written; its neighbours that fit are taken."""

from __future__ import annotations

import errno
import io
import os
import random
import subprocess
import sys
import tarfile
import uuid
import zipfile
from pathlib import Path

import pytest

from tasks.aip.plan import Scope
from tasks.aip.space import GB, Budget, Need, making, taking
from tasks.config.home import Home
from tasks.config.locks import aip_lock
from tasks.premis import log
from tasks.premis.model import Trouble, aip_id
from tasks.sip import parts
from tasks.sip.batch import batch
from tasks.sip.ingest import take_in
from tasks.sip.refusal import Refused
from tasks.sip.taking import Ingested
from tasks.store.ocfl import Store
from tasks.tools.machine import CORES
from tests.tasks.aip.pipeline import Pipeline
from tests.test_full import namespaces

TAKER = Path(__file__).resolve().parents[1] / "sip" / "taker.py"
HUGE = 1 << 43
"""Nearly the largest file that ext4 takes; holes cost nothing, and a copy would fill them."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").prepare()


def delivery(tmp_path: Path, name: str, size: int) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    with (folder / "a.bin").open("wb") as file:
        file.truncate(size)
    return folder


def below(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()]


@pytest.mark.provokes("space")
def test_a_file_with_holes_counts_with_all_its_bytes_and_nothing_is_written(tmp_path: Path, home: Home) -> None:
    store = Store(home.store)
    before = below(home.store)
    folders = [delivery(tmp_path, "lô-lớn", HUGE), delivery(tmp_path, "lô-nhỏ", 10)]
    budget = Budget(home)
    (refused,) = take_in(batch(folders[0]), home, store, uuid.uuid4(), budget)
    assert isinstance(refused, Refused)
    assert refused.code == "space"
    assert str(home.store) in refused.why
    assert "8192.5 GB" in refused.why
    assert below(home.store) == before
    assert list(log.read(home.log)) == []
    (taken,) = take_in(batch(folders[1]), home, store, uuid.uuid4(), budget)
    assert isinstance(taken, Ingested)
    assert taken.new == 1


def test_a_reserve_that_the_disk_has_not_refuses_whatever_comes_and_a_smaller_one_takes_it(
    tmp_path: Path, home: Home
) -> None:
    one, store = batch(delivery(tmp_path, "lô", 10)), Store(home.store)
    (home.root / "perenne.toml").write_text("reserve_gb = 1000000\n", encoding="utf-8")
    (refused,) = take_in(one, home, store, uuid.uuid4(), Budget(home))
    assert isinstance(refused, Refused)
    assert refused.code == "space"
    (home.root / "perenne.toml").write_text("reserve_gb = 0\n", encoding="utf-8")
    (taken,) = take_in(one, home, store, uuid.uuid4(), Budget(home))
    assert isinstance(taken, Ingested)


def test_what_was_promised_to_one_batch_is_not_there_for_the_next(home: Home) -> None:
    (home.root / "perenne.toml").write_text("reserve_gb = 0\n", encoding="utf-8")
    budget = Budget(home)
    room = budget._left[home.store.stat().st_dev][0]
    budget.take([Need(home.store, room // 2, 1)])
    with pytest.raises(Trouble) as caught:
        budget.take([Need(home.store, room // 4, 1), Need(home.work, room // 4 + (1 << 20), 1)])
    assert caught.value.code == "space"
    budget.take([Need(home.store, room // 4, 1)])  # nothing was taken by what was refused


def test_a_supplement_needs_room_for_what_is_new_alone(tmp_path: Path, home: Home) -> None:
    (home.root / "perenne.toml").write_text("reserve_gb = 0\n", encoding="utf-8")
    folder, store = delivery(tmp_path, "lô", 20 << 20), Store(home.store)
    take_in(batch(folder), home, store, uuid.uuid4(), Budget(home))
    (folder / "mới.bin").write_bytes(b"new")
    budget = Budget(home)
    budget._left = dict.fromkeys(budget._left, (10 << 20, 1000))
    (taken,) = take_in(batch(folder), home, store, uuid.uuid4(), budget)
    assert isinstance(taken, Ingested)
    assert (taken.version, taken.new) == (2, 1)


@pytest.mark.parametrize("size", [20 << 20, 21 << 20], ids=["as long", "longer"])
def test_a_file_that_changed_needs_room_like_a_new_one(tmp_path: Path, home: Home, size: int) -> None:
    (home.root / "perenne.toml").write_text("reserve_gb = 0\n", encoding="utf-8")
    folder, store = delivery(tmp_path, "lô", 20 << 20), Store(home.store)
    (folder / "b.bin").write_bytes(bytes(20 << 20))  # which stays as it is
    take_in(batch(folder), home, store, uuid.uuid4(), Budget(home))
    (folder / "a.bin").write_bytes(b"x" * size)
    budget = Budget(home)
    budget._left = dict.fromkeys(budget._left, (15 << 20, 1000))
    (refused,) = take_in(batch(folder), home, store, uuid.uuid4(), budget)
    assert isinstance(refused, Refused)
    assert refused.code == "space"
    budget._left = dict.fromkeys(budget._left, ((CORES + 2) * size, 1000))  # each core has it in hand
    (taken,) = take_in(batch(folder), home, store, uuid.uuid4(), budget)
    assert isinstance(taken, Ingested)
    assert (taken.version, taken.new) == (2, 1)


def test_the_last_listing_says_what_of_an_archive_changed_since(tmp_path: Path, home: Home) -> None:
    (home.root / "perenne.toml").write_text("reserve_gb = 0\n", encoding="utf-8")
    packed, store, content = tmp_path / "lô.zip", Store(home.store), b"content"
    for number in range(1, 12):  # so that there is a v10, which a sort by letters puts before v9
        with zipfile.ZipFile(packed, "w") as archive:
            changing = zipfile.ZipInfo("a.bin", (2020, 1, number, 0, 0, 0))
            archive.writestr(changing, content * number)
            archive.writestr(zipfile.ZipInfo("b.bin", (2020, 1, 1, 0, 0, 0)), content)
        (taken,) = take_in(batch(packed), home, store, uuid.uuid4())
        assert isinstance(taken, Ingested)
        assert (taken.version, taken.new) == (number, 2 if number == 1 else 1)
    (part,) = parts.stored("lô", store)
    assert part.listed["originals/a.bin"][0] == len(content) * 11
    assert part.known == part.listed.keys() == {"originals/a.bin", "originals/b.bin"}


def wrong_bag(tmp_path: Path, name: str, size: int) -> Path:
    """A bag of one file, whose digest is another one."""
    bag = tmp_path / "túi"
    (bag / "data").mkdir(parents=True)
    (bag / "data" / name).write_bytes(bytes(size))
    (bag / "bagit.txt").write_text("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n", encoding="utf-8")
    (bag / "manifest-sha256.txt").write_text(f"{'0' * 64}  data/{name}\n", encoding="utf-8")
    return bag


def test_a_bag_that_is_refused_leaves_its_room_to_the_next_delivery(tmp_path: Path, home: Home) -> None:
    (home.root / "perenne.toml").write_text("reserve_gb = 0\n", encoding="utf-8")
    bag, good, store = wrong_bag(tmp_path, "a.bin", 20 << 20), delivery(tmp_path, "lô", 20 << 20), Store(home.store)
    budget = Budget(home)
    budget._left = dict.fromkeys(budget._left, ((CORES + 1) * (20 << 20) + (5 << 20), 1000))
    (refused,) = take_in(batch(bag), home, store, uuid.uuid4(), budget)
    assert isinstance(refused, Refused)
    assert refused.code.startswith("bag-")
    (taken,) = take_in(batch(good), home, store, uuid.uuid4(), budget)
    assert isinstance(taken, Ingested)


def test_a_refused_delivery_leaves_the_room_for_its_masters_in_the_work_folder_too(tmp_path: Path, home: Home) -> None:
    (home.root / "perenne.toml").write_text("reserve_gb = 0\n", encoding="utf-8")
    bag, store, budget = wrong_bag(tmp_path, "a.jp2", 1 << 20), Store(home.store), Budget(home)
    # Each core may have 56 MiB of the picture in hand, but only 20 of each of the four that come after it.
    budget._left = dict.fromkeys(budget._left, ((CORES + 1) * (56 << 20) + (5 << 20), 1000))
    (refused,) = take_in(batch(bag), home, store, uuid.uuid4(), budget)
    assert isinstance(refused, Refused)
    assert refused.code.startswith("bag-")
    for number in range(4):
        (taken,) = take_in(batch(delivery(tmp_path, f"lô-{number}", 20 << 20)), home, store, uuid.uuid4(), budget)
        assert isinstance(taken, Ingested), taken


def test_a_delivery_that_finds_a_part_of_it_busy_leaves_its_room_to_the_next(tmp_path: Path, home: Home) -> None:
    (home.root / "perenne.toml").write_text("reserve_gb = 0\naip_max_files = 1\n", encoding="utf-8")
    folder, store, budget = delivery(tmp_path, "lô", 10), Store(home.store), Budget(home)
    take_in(batch(folder), home, store, uuid.uuid4())
    (folder / "b.bin").write_bytes(bytes(20 << 20))
    budget._left = dict.fromkeys(budget._left, ((CORES + 1) * (20 << 20) + (5 << 20), 1000))
    with aip_lock(home, aip_id("lô", 2), uuid.uuid4()):
        (busy,) = take_in(batch(folder), home, store, uuid.uuid4(), budget)
    assert isinstance(busy, Refused)
    assert busy.code == "store-busy"
    (taken,) = take_in(batch(delivery(tmp_path, "lô-2", 20 << 20)), home, store, uuid.uuid4(), budget)
    assert isinstance(taken, Ingested), taken


def test_a_delivery_of_which_a_part_is_stored_when_another_is_busy_keeps_its_room(tmp_path: Path, home: Home) -> None:
    (home.root / "perenne.toml").write_text("reserve_gb = 0\naip_max_files = 1\n", encoding="utf-8")
    folder, store, budget = delivery(tmp_path, "lô", 20 << 20), Store(home.store), Budget(home)
    (folder / "b.bin").write_bytes(b"b")
    budget._left = dict.fromkeys(budget._left, ((CORES + 1) * (20 << 20) + (5 << 20), 1000))
    with aip_lock(home, aip_id("lô", 2), uuid.uuid4()):
        (busy,) = take_in(batch(folder), home, store, uuid.uuid4(), budget)
    assert isinstance(busy, Refused)
    assert busy.code == "store-busy"
    (short,) = take_in(batch(delivery(tmp_path, "lô-2", 20 << 20)), home, store, uuid.uuid4(), budget)
    assert isinstance(short, Refused)
    assert short.code == "space"


def test_an_archive_that_its_disk_does_not_give_leaves_its_room_to_the_next(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.root / "perenne.toml").write_text("reserve_gb = 0\n", encoding="utf-8")
    bad, store, budget = home.inbox / "lô.zip", Store(home.store), Budget(home)
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.bin", bytes(20 << 20))
    opened, times = os.open, iter(range(100))

    def once(path: str | Path, flags: int, *more: int, **named: int) -> int:
        if os.fspath(path) == str(bad) and next(times):
            path = "/proc/self/mem"  # a regular file, of which the first byte cannot be read: EIO
            flags &= ~os.O_NOFOLLOW
        return opened(path, flags, *more, **named)

    budget._left = dict.fromkeys(budget._left, ((CORES + 1) * (20 << 20) + (5 << 20), 1000))
    monkeypatch.setattr(os, "open", once)
    (refused,) = take_in(batch(bad), home, store, uuid.uuid4(), budget)
    monkeypatch.undo()
    assert isinstance(refused, Refused)
    assert os.strerror(errno.EIO) in refused.why
    (taken,) = take_in(batch(delivery(tmp_path, "lô-2", 20 << 20)), home, store, uuid.uuid4(), budget)
    assert isinstance(taken, Ingested), taken


def test_of_room_that_has_a_turn_the_largest_counts_of_what_was_not_given_back(home: Home) -> None:
    (home.root / "perenne.toml").write_text("reserve_gb = 0\n", encoding="utf-8")
    budget = Budget(home)
    budget._left = dict.fromkeys(budget._left, (100, 100))
    large, small = ([Need(home.work, size, 1, lasting=False)] for size in (80, 50))
    for needs in (large, small, large):
        budget.take(needs)
    budget.give_back(large)
    with pytest.raises(Trouble, match="space"):
        budget.take([Need(home.store, 21, 1)])  # another one has as large a turn
    budget.give_back(large)
    with pytest.raises(Trouble, match="space"):
        budget.take([Need(home.store, 51, 1)])
    budget.take([Need(home.store, 50, 1)])


def test_a_supplement_writes_nothing_that_the_store_has(tmp_path: Path, home: Home) -> None:
    folder, store = delivery(tmp_path, "lô", 20 << 20), Store(home.store)
    (folder / "b.bin").write_bytes(b"old")
    (first,) = take_in(batch(folder), home, store, uuid.uuid4())
    (folder / "mới.bin").write_bytes(b"new")
    (folder / "b.bin").write_bytes(b"NEW")
    # A process that may not write a file of more than 1 MiB, while one of 20 MiB is delivered again.
    command = ["prlimit", f"--fsize={1 << 20}", sys.executable, str(TAKER), str(home.root), str(folder), "0"]
    taken = subprocess.run(command, capture_output=True, text=True, check=False)
    assert getattr(first, "version", 0) == 1
    assert (taken.stdout.split(), taken.stderr) == (["ready", "2"], "")
    inventory = store.inventory(aip_id("lô"))
    assert inventory is not None
    assert {"originals/a.bin", "originals/b.bin", "originals/mới.bin"} <= inventory.state().keys()
    assert inventory.state()["originals/b.bin"].path.read_bytes() == b"NEW"


def test_an_archive_is_measured_by_what_it_says_that_it_holds_before_anything_is_unpacked(
    tmp_path: Path, home: Home
) -> None:
    (home.root / "perenne.toml").write_text("reserve_gb = 0\n", encoding="utf-8")
    packed = tmp_path / "lô.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.bin", random.Random(1).randbytes(1 << 20) * 20)  # 20 MiB that deflate makes little smaller
        archive.writestr("b.bin", bytes(40 << 20))
    assert packed.stat().st_size < 30 << 20
    budget = Budget(home)
    budget._left = dict.fromkeys(budget._left, (120 << 20, 1000))
    (refused,) = take_in(batch(packed), home, Store(home.store), uuid.uuid4(), budget)
    assert isinstance(refused, Refused)
    assert refused.code == "space"
    assert below(home.work / "unpacked") == []
    budget._left = dict.fromkeys(budget._left, (400 << 20, 1000))
    (taken,) = take_in(batch(packed), home, Store(home.store), uuid.uuid4(), budget)
    assert isinstance(taken, Ingested)


SMALL = """
mkdir -p "$1/work" && mount -t tmpfs -o size="$2" tmpfs "$1/work" && shift 2 && exec "$@"
"""
TAKEN_BY_TWO = """
import sys, uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tasks.aip.space import Budget
from tasks.config.home import Home
from tasks.sip.batch import batch
from tasks.sip.ingest import take_in
from tasks.store.ocfl import Store
from tasks.tools import shared
home = Home(Path(sys.argv[1])).prepare()
store, run, budget = Store(home.store), uuid.uuid4(), Budget(home)
with ThreadPoolExecutor(2) as threads:
    for (done,) in threads.map(lambda path: take_in(batch(Path(path)), home, store, run, budget), sys.argv[2:]):
        print(done.batch, getattr(done, "code", "taken"))
shared.close()
"""


def taken_by_two(home: Home, mib: int, *batches: Path) -> list[str]:
    """What becomes of batches that two threads take, with a work folder on a small file system of its own."""
    (home.root / "perenne.toml").write_text("reserve_gb = 0\n", encoding="utf-8")
    alone = ["unshare", "-m" if os.geteuid() == 0 else "-Urm", "sh", "-c", SMALL, "sh", home.root, f"{mib}m"]
    done = subprocess.run(
        [*alone, sys.executable, "-c", TAKEN_BY_TWO, home.root, *batches],
        cwd=TAKER.parents[3], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def full_of_nothing(tmp_path: Path, name: str, *mib: int) -> Path:
    """A small archive of files that are so long."""
    with zipfile.ZipFile(tmp_path / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number, size in enumerate(mib):
            archive.writestr(f"{number}.bin", bytes(size << 20))
    return tmp_path / f"{name}.zip"


@pytest.mark.slow
@pytest.mark.skipif(not namespaces(), reason="no mount namespace can be made here")
def test_many_deliveries_need_no_more_work_room_than_those_in_hand_at_once(tmp_path: Path, home: Home) -> None:
    batches = [full_of_nothing(tmp_path, f"lô-{n}", 20) for n in range(5)]
    batches.insert(2, full_of_nothing(tmp_path, "lô-lớn", 300))  # which does not fit, even alone
    told = taken_by_two(home, max(160, 20 * CORES + 10), *batches)
    assert told == ["lô-0 taken", "lô-1 taken", "lô-lớn space", "lô-2 taken", "lô-3 taken", "lô-4 taken"]
    assert len(list(Store(home.store).aips())) == 5


@pytest.mark.slow
@pytest.mark.skipif(not namespaces(), reason="no mount namespace can be made here")
def test_a_delivery_that_fits_alone_waits_for_the_one_in_hand(tmp_path: Path, home: Home) -> None:
    batches = [full_of_nothing(tmp_path, f"lô-{n}", 20, 20, 20, 20) for n in range(3)]
    assert taken_by_two(home, max(155, 20 * CORES + 10), *batches) == ["lô-0 taken", "lô-1 taken", "lô-2 taken"]


@pytest.mark.slow
@pytest.mark.skipif(not namespaces(), reason="no mount namespace can be made here")
@pytest.mark.parametrize("readable", [False, True], ids=["copied", "shown where it lies"])
def test_an_archive_that_a_job_must_copy_needs_room_for_the_copy(tmp_path: Path, home: Home, readable: bool) -> None:
    folder = home.inbox if readable else tmp_path
    with zipfile.ZipFile(folder / "lô.zip", "w", zipfile.ZIP_STORED) as archive:  # too large to be copied in any case
        for number in range(20):
            archive.writestr(f"{number}.bin", bytes(15 << 20))
    told = taken_by_two(home, max(420, 15 * CORES + 10), folder / "lô.zip")
    assert told == (["lô taken"] if readable else ["lô space"])


@pytest.mark.slow
@pytest.mark.skipif(not namespaces(), reason="no mount namespace can be made here")
@pytest.mark.parametrize(("mib", "end"), [(350, "space"), (max(500, 20 * CORES + 10), "taken")])
def test_a_compressed_tar_needs_room_for_the_plain_one_too(tmp_path: Path, home: Home, mib: int, end: str) -> None:
    with tarfile.open(tmp_path / "lô.tar.gz", "w:gz") as archive:
        for number in range(10):
            member = tarfile.TarInfo(f"{number}.bin")
            member.size = 20 << 20
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    assert taken_by_two(home, mib, tmp_path / "lô.tar.gz") == [f"lô {end}"]


def test_of_what_aips_need_one_after_the_other_the_largest_counts_and_what_lasts_is_summed(home: Home) -> None:
    (home.root / "perenne.toml").write_text("reserve_gb = 0\n", encoding="utf-8")
    budget = Budget(home)
    budget._left = dict.fromkeys(budget._left, (100, 100))  # one file system
    for number in range(4):
        budget.take([Need(home.store, 10, 1), Need(home.work, 50 + number, 1, lasting=False)])
    with pytest.raises(Trouble, match="space"):
        budget.take([Need(home.store, 10, 1)])  # 40 + 53 + 10
    with pytest.raises(Trouble, match="space"):
        budget.take([Need(home.work, 61, 1, lasting=False)])
    with budget.holding([], [Need(home.work, 60, 1, lasting=False)]), pytest.raises(Trouble, match="space"):
        budget.take([Need(home.store, 8, 1)])
    budget.take([Need(home.store, 7, 1)])


def test_too_few_inodes_are_told_as_such(home: Home) -> None:
    (home.root / "perenne.toml").write_text("reserve_gb = 0\n", encoding="utf-8")
    with pytest.raises(Trouble) as caught:
        Budget(home).take([Need(home.store, 1, 1 << 63)])
    assert caught.value.detail["need"].endswith("inodes")


def test_an_estimate_has_originals_once_masters_by_ending_and_what_each_core_has_in_hand(home: Home) -> None:
    files = [("ảnh.JPG", GB), ("lạ.bin", GB)]
    store, work, _ = taking(files, home)
    again, _, _ = making(files, home)
    assert store.bytes - again.bytes == pytest.approx(2 * GB, rel=0.001)
    assert again.bytes == pytest.approx(21 * GB, rel=0.001)
    assert work.bytes >= 21 * GB
    assert not any(n.bytes or n.files for n in making([], home))


@pytest.mark.slow
def test_a_reprocessing_without_room_leaves_store_and_log_as_they_are(pipeline: Pipeline) -> None:
    summary = pipeline.run()
    before = {p: p.read_bytes() for folder in (pipeline.home.store, pipeline.home.log) for p in below(folder)}
    (pipeline.home.root / "perenne.toml").write_text("reserve_gb = 1000000\n", encoding="utf-8")
    pipeline.budget = Budget(pipeline.home)
    settled = pipeline.migrate(summary.aip)  # which needs nothing
    assert settled.version == summary.version
    with pytest.raises(Trouble) as caught:
        pipeline.migrate(summary.aip, Scope.ALL)
    assert caught.value.code == "space"
    assert {p: p.read_bytes() for folder in (pipeline.home.store, pipeline.home.log) for p in below(folder)} == before
