"""An AIP that the log tells of and the store has no more is missed; one that never was is not."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.aip import fixity
from tasks.aip.coverage import coverage, due, holdings
from tasks.aip.find import UnknownAip, find_aips, names
from tasks.aip.gone import called, check_store, gone, opened
from tasks.config.home import Home
from tasks.premis import log
from tasks.premis.model import EventType, Outcome, Trouble, aip_id
from tasks.report import phrases
from tasks.report.standing import standing
from tasks.sip.batch import batch
from tasks.sip.ingest import Refused, ingest, take_in
from tasks.store.ocfl import Store
from tests.flows.test_exit import perenne
from tests.tasks.premis.events import event
from tests.tasks.report.standings import policy

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").prepare()


def delivered(home: Home, name: str, files: int = 2) -> Path:
    folder = home.inbox / name
    folder.mkdir(parents=True)
    for n in range(files):
        (folder / f"{n}.txt").write_text(f"{name} {n}")
    return folder


def taken(home: Home, name: str) -> uuid.UUID:
    (found, *_) = ingest(batch(delivered(home, name)), home, Store(home.store), uuid.uuid4())
    return found.aip


def lose(home: Home, aip: uuid.UUID, *, parents: bool) -> Path:
    """Move an object away, its empty parents too if told; returns where it was."""
    obj = Store(home.store).object_path(aip)
    obj.rename(home.root / "elsewhere")
    for folder in list(obj.parents)[:3] if parents else ():
        with contextlib.suppress(OSError):
            folder.rmdir()
    return obj


def missed(home: Home) -> list[uuid.UUID]:
    store = Store(home.store)
    return gone(home, store, list(store.aips()))


@pytest.mark.provokes("fixity-missing")
@pytest.mark.parametrize("parents", [True, False])
@pytest.mark.parametrize("sealed", [True, False])
def test_an_aip_that_is_gone_is_missed_alarms_and_answers_to_its_name(
    home: Home, tmp_path: Path, *, parents: bool, sealed: bool
) -> None:
    aip, other = taken(home, "lô-1"), taken(home, "lô-2")
    assert missed(home) == []
    if sealed:
        (day,) = log.open_days(home.log)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(log, "datetime", Tomorrow)
            log.compact(home.log, day)
    lose(home, aip, parents=parents)
    assert missed(home) == [aip]
    assert dict(names(home, gone=True)) == {aip: "lô-1", other: "lô-2"}
    assert find_aips(home, ["lô-1"], gone=True) == {aip: "lô-1"}
    with pytest.raises(UnknownAip, match="gone from the store"):
        find_aips(home, ["lô-1"])
    stands = {s.aip: s for s in standing(home, [aip, other], policy(tmp_path))}
    assert [(r.code, r.file) for r in stands[aip].attention] == [("fixity-missing", ". (the whole AIP)")]
    assert (stands[aip].needing, stands[aip].batch, stands[other].needing) == (1, "lô-1", 0)
    read = fixity.check(aip, "lô-1", home, uuid.uuid4())
    assert read.alarms == ("missing: . (the whole AIP)",)
    assert [e.code for e in log.read_many(home.log, [aip])[aip][-2:]] == ["fixity-missing", ""]
    held = {one.aip: one for one in holdings(home, Store(home.store))}
    assert (held[aip].gone, held[aip].good, held[other].gone) == (True, False, False)
    told = coverage(list(held.values()), days=30, now=event(0).time)
    assert (told.aips, told.gone, told.bad) == (2, 1, 1)
    assert phrases.covered(told).endswith("1 AIP is gone.")
    (seen,) = standing(home, [aip], policy(tmp_path))
    assert len(seen.attention) == 1


class Tomorrow(log.datetime):  # type: ignore[name-defined, misc]
    """A clock that is a day ahead, for a day that is over."""

    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + timedelta(days=1)


def test_an_aip_that_came_back_is_the_first_to_be_read_and_its_alarm_ends_then(home: Home, tmp_path: Path) -> None:
    aip, other = taken(home, "lô-1"), taken(home, "lô-2")
    fixity.check(aip, "lô-1", home, uuid.uuid4())
    obj = lose(home, aip, parents=False)
    fixity.check(aip, "lô-1", home, uuid.uuid4())
    (home.root / "elsewhere").rename(obj)
    fixity.check(other, "lô-2", home, uuid.uuid4())
    assert missed(home) == []
    first, _ = due(holdings(home, Store(home.store)))
    assert (first.aip, first.good, first.size > 0) == (aip, False, True)
    assert standing(home, [aip], policy(tmp_path))[0].needing == 1
    assert fixity.check(aip, "lô-1", home, uuid.uuid4()).faults == ()
    assert standing(home, [aip], policy(tmp_path))[0].needing == 0


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("at", ["build", "read back", "rename", "rename in folders"])
def test_an_aip_that_was_killed_before_its_first_version_is_not_accused(home: Home, at: str) -> None:
    def step(name: str) -> None:
        if name == at:
            raise Killed

    one = batch(delivered(home, "lô-1"))
    with pytest.raises(Killed):
        ingest(one, home, Store(home.store, step=step), uuid.uuid4())
    events = log.read_many(home.log, [one.aip])[one.aip]
    assert {e.outcome for e in events if e.type is EventType.INGESTION} == {Outcome.SUCCESS}
    assert missed(home) == []
    ingest(one, home, Store(home.store), uuid.uuid4())
    assert missed(home) == []
    lose(home, one.aip, parents=True)
    assert missed(home) == [one.aip]


def test_a_delivery_that_was_refused_made_no_aip_to_be_missed(home: Home) -> None:
    folder = delivered(home, "lô-1", 0)
    (folder / "bagit.txt").write_text("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    (folder / "manifest-sha256.txt").write_text(f"{'0' * 64}  data/a\n")
    (folder / "data").mkdir()
    (folder / "data" / "a").write_bytes(b"a")
    one = batch(folder)
    (refused,) = take_in(one, home, Store(home.store), uuid.uuid4())
    assert isinstance(refused, Refused)
    assert log.read_many(home.log, [one.aip])[one.aip]
    assert missed(home) == []


def test_an_aip_whose_files_were_identified_is_missed_although_its_next_version_waits_in_the_stage(home: Home) -> None:
    aip = taken(home, "lô-1")
    log.append([event(0, kind=EventType.IDENTIFICATION, aip=aip)], home.log, name="identify")
    Store(home.store).stage(aip, uuid.uuid4()).put_bytes(b"more", "originals/more")
    lose(home, aip, parents=True)
    assert missed(home) == [aip]


def test_a_part_that_is_gone_is_told_by_its_number(home: Home) -> None:
    (home.root / "perenne.toml").write_text("aip_max_files = 2\n")
    parts = ingest(batch(delivered(home, "lô-1", 5)), home, Store(home.store), uuid.uuid4())
    assert len(parts) == 3
    lose(home, parts[1].aip, parents=True)
    assert missed(home) == [aip_id("lô-1", 2)]
    assert called(home, [parts[1].aip]) == {parts[1].aip: "lô-1 · part 2"}
    (refused,) = take_in(batch(home.inbox / "lô-1"), home, Store(home.store), uuid.uuid4())
    assert isinstance(refused, Refused)
    assert "part 2 of lô-1 is gone" in refused.why
    assert len(list(Store(home.store).aips())) == 2  # and nothing was stored twice


LOOK = """
import sys, uuid
from pathlib import Path
from tasks.aip import fixity
from tasks.aip.find import names
from tasks.config.home import Home
from tasks.store.ocfl import Store
from tasks.store.strangers import strangers
from tasks.tools import kernel
kernel.drop_capabilities()  # root too may read only what its mode allows
home = Home(Path(sys.argv[1]))
for aip, name in names(home, gone=True):
    print(name, *fixity.check(aip, name, home, uuid.uuid4()).alarms)
print(*strangers(Store(home.store)))
"""


def test_an_aip_into_whose_folders_nobody_may_look_is_unreadable_and_not_gone(home: Home) -> None:
    aip, _ = taken(home, "lô-1"), taken(home, "lô-2")
    folder = Store(home.store).object_path(aip).parents[2]
    folder.chmod(0)
    try:
        said = subprocess.run(
            [sys.executable, "-c", LOOK, home.root], cwd=ROOT, capture_output=True, text=True, check=True
        )
    finally:
        folder.chmod(0o755)
    assert said.stdout.splitlines() == ["lô-1 unreadable: . (Permission denied)", "lô-2", f"{folder.name}/"]


def test_a_home_whose_store_is_gone_misses_every_aip(home: Home) -> None:
    aips = sorted(taken(home, f"lô-{n}") for n in range(3))
    shutil.rmtree(home.store)
    assert missed(home) == aips


@pytest.mark.provokes("store-missing")
def test_a_store_that_is_not_mounted_is_missed_by_all_who_ask_and_is_not_made_anew(home: Home, tmp_path: Path) -> None:
    taken(home, "lô-1")
    (home.store / "ocfl").rename(home.root / "not-mounted")
    asked = (check_store, opened, lambda h: dict(names(h, gone=True)), lambda h: standing(h, [], policy(tmp_path)))
    for ask in asked:
        with pytest.raises(Trouble) as caught:
            ask(home)
        assert (caught.value.code, caught.value.detail["aips"]) == ("store-missing", "1")
    assert not (home.store / "ocfl").exists()
    (home.root / "not-mounted").rename(home.store / "ocfl")
    check_store(home)


def test_a_store_is_made_where_the_log_is_empty_or_tells_of_refusals_alone(home: Home) -> None:
    check_store(home)
    refused = event(1, kind=EventType.INGESTION, outcome=Outcome.FAIL, code="batch-unfit", detail={"batch": "lô-1"})
    log.append([refused], home.log, name="refused")
    assert list(opened(home).aips()) == []
    assert (home.store / "ocfl").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("verb", [["run"], ["reprocess", "lô-1", "--reason", "new fonts"], ["verify"], ["status"]])
def test_the_command_ends_with_3_when_the_store_is_not_mounted(home: Home, verb: list[str]) -> None:
    taken(home, "lô-1")
    (home.store / "ocfl").rename(home.root / "not-mounted")
    before = sorted(home.log.rglob("*"))
    done = perenne(home.root, *verb)
    assert (done.returncode, done.stderr.split()[:2]) == (3, ["✕", "store-missing"]), done.stderr
    assert not (home.store / "ocfl").exists()
    assert sorted(home.log.rglob("*")) == before
