"""Which AIPs a day reads, so that everything is read in time, and what is told of it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.aip import fixity
from tasks.aip.coverage import Holding, coverage, due, holdings, share, within
from tasks.aip.ledger import About, Ledger
from tasks.aip.progress import PutDown, board
from tasks.config.home import Home
from tasks.premis import log
from tasks.premis.model import Ending, EventType, Outcome
from tasks.report import phrases
from tasks.report.summary import summarize
from tasks.store.ocfl import Store
from tasks.verify import verify as verify_some
from tests.tasks.premis.events import event
from tests.tasks.report.standings import policy

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 11, 27, tzinfo=UTC)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=60), st.integers(1, 40))
def test_by_the_days_share_everything_is_read_once_in_its_days(sizes: list[int], days: int) -> None:
    held = {n: Holding(uuid.UUID(int=n), size, None) for n, size in enumerate(sizes)}
    for day in range(days):
        for one in share(list(held.values()), days=days, now=NOW + timedelta(days=day)):
            held[one.aip.int] = Holding(one.aip, one.size, NOW + timedelta(days=day))
    whole = coverage(list(held.values()), days=days, now=NOW + timedelta(days=days))
    read = [one for one in held.values() if one.read is not None]
    if sum(sizes):
        assert sum(one.size for one in read) == sum(sizes)
        assert whole.bytes_read == whole.bytes
    assert len(read) >= min(days, len(sizes))


@pytest.mark.parametrize("off", [(), (5, 6)], ids=["every day", "no weekends"])
def test_in_a_growing_store_nothing_is_older_than_its_days_after_any_run(off: tuple[int, ...]) -> None:
    held: dict[int, Holding] = {}
    for day in range(120):
        now = NOW + timedelta(days=day)
        for n in range(20 * day, 20 * day + 20):
            held[n] = Holding(uuid.UUID(int=n), 5, None, stored=now)
        if day % 7 in off:
            continue
        for one in share(list(held.values()), days=30, now=now):
            held[one.aip.int] = Holding(one.aip, one.size, now)
        oldest = min(one.read or one.stored or now for one in held.values())
        assert now - oldest < timedelta(days=29)


def test_what_was_never_read_comes_first_then_what_was_not_read_for_longest() -> None:
    one, two, three = (Holding(uuid.UUID(int=n), 5, NOW - timedelta(days=n)) for n in (1, 2, 3))
    never = Holding(uuid.UUID(int=9), 5, None)
    assert due([one, never, three, two]) == [never, three, two, one]
    assert list(within([never, three, two, one], 11)) == [never, three, two]


def test_coverage_counts_what_was_read_within_its_days() -> None:
    held = [
        Holding(uuid.UUID(int=1), 70, NOW - timedelta(days=1)),
        Holding(uuid.UUID(int=2), 20, NOW - timedelta(days=31), good=False),
        Holding(uuid.UUID(int=3), 10, None),
    ]
    told = coverage(held, days=30, now=NOW)
    assert told.as_json() == {
        "days": 30, "aips": 3, "aips_read": 1, "bytes": 100, "bytes_read": 70, "never_read": 1, "oldest_read": None,
        "alarms": 1, "gone": 0,
    }  # fmt: skip
    assert phrases.covered(told) == "70% of 100 B read within 30 days; 1 AIP never."


class Killed(Exception):  # noqa: N818  it is what happened
    """The process ends here."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").prepare()


def stored(home: Home, **files: bytes) -> uuid.UUID:
    store, aip = Store(home.store), uuid.uuid4()
    stage = store.stage(aip, uuid.uuid4())
    for name, data in files.items():
        stage.put_bytes(data, f"originals/{name}")
    store.commit(aip, stage, expected_head=0, message="t", user=("t", "urn:t"), created=NOW)
    return aip


def test_a_check_is_recorded_and_is_what_coverage_rests_on(home: Home) -> None:
    first, second = stored(home, a=b"one", b=b"two"), stored(home, c=b"three")
    before = {one.aip: one for one in holdings(home, Store(home.store))}
    assert {aip: one.read for aip, one in before.items()} == {first: None, second: None}
    read = fixity.check(first, "lô-1", home, uuid.uuid4())
    assert (read.faults, read.files) == ((), 3)
    after = {one.aip: one for one in holdings(home, Store(home.store))}
    assert after[first].size == read.bytes
    assert after[first].read is not None
    assert after[second].read is None
    assert after[second].stored is not None


@pytest.fixture
def asked_to_stop() -> Iterator[None]:
    board.stop.set()
    yield
    board.stop.clear()


@pytest.mark.usefixtures("asked_to_stop")
def test_an_aip_that_is_put_down_half_read_is_not_recorded_and_is_still_the_first_to_read(home: Home) -> None:
    first, second = (stored(home, a=os.urandom(3 << 20)) for _ in range(2))
    board.stop.clear()
    fixity.check(first, "lô-1", home, uuid.uuid4())
    looked = iter([None, None])

    def go_on() -> None:
        next(looked, board.stop.set())
        board.go_on()

    with pytest.raises(PutDown):
        fixity.check(second, "lô-2", home, uuid.uuid4(), go_on)
    assert log.read_many(home.log, [second])[second] == []
    assert [one.aip for one in due(holdings(home, Store(home.store)))] == [second, first]
    assert verify_some.fn("lô-2", [(second, "lô-2", None), (first, "lô-1", None)], home, uuid.uuid4(), None) == []
    board.stop.clear()
    read = verify_some.fn("lô-2", [(second, "lô-2", None)], home, uuid.uuid4(), None)
    assert [(one.aip, one.faults) for one in read] == [(second, ())]


KINDS: dict[str, Callable[[Path], object]] = {
    "fixity-broken": lambda f: (f.chmod(0o644), f.write_bytes(b"0ne")),
    "fixity-missing": lambda f: f.unlink(),
    "fixity-renamed": lambda f: f.rename(f.with_name("z")),
    "fixity-extra": lambda f: f.with_name("z").write_bytes(b"z"),
    "fixity-unreadable": lambda f: f.chmod(0),
    "inventory-damaged": lambda f: (f.parents[3] / "inventory.json.sha512").unlink(),
}
CHECK = """
import sys, uuid
from pathlib import Path
from tasks.aip import fixity
from tasks.config.home import Home
from tasks.tools import kernel
kernel.drop_capabilities()  # root too may read only what its mode allows
print(len(fixity.check(uuid.UUID(sys.argv[2]), "batch", Home(Path(sys.argv[1])), uuid.uuid4()).alarms))
"""


@pytest.mark.provokes(
    "fixity-broken", "fixity-missing", "fixity-renamed", "fixity-extra", "inventory-damaged", "fixity-unreadable"
)
@pytest.mark.parametrize("code", KINDS)
def test_each_fault_is_an_event_and_an_alarm_until_a_check_is_clean(home: Home, tmp_path: Path, code: str) -> None:
    aip = stored(home, a=b"one", b=b"two")
    KINDS[code](Store(home.store).object_path(aip) / "v1/content/originals/a")
    told = subprocess.run(
        [sys.executable, "-c", CHECK, home.root, str(aip)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(told.stdout) >= 1
    events = log.read_many(home.log, [aip])[aip]
    assert {e.code for e in events[:-1]} == {code}
    assert (events[-1].outcome, events[-1].code) == (Outcome.FAIL, "")
    ledger = Ledger(aip, About("lô-1"), 1, {}, tuple(events))
    summary = summarize(ledger, {}, policy(tmp_path), "", None)
    assert {(row.code, row.ending, bool(row.file)) for row in summary.attention} == {(code, Ending.FAILED, True)}
    assert summary.needing == 1
    clean = event(99, kind=EventType.FIXITY, detail={"bytes": "1"}, aip=aip, time=NOW + timedelta(days=400))
    mended = Ledger(aip, About("lô-1"), 1, {}, (*events, clean))
    assert summarize(mended, {}, policy(tmp_path), "", None).attention == ()


@pytest.mark.provokes("version-unfinished")
def test_an_unfinished_version_is_a_note_and_no_alarm(home: Home) -> None:
    aip = stored(home, a=b"one")

    def step(_: str) -> None:
        if Store(home.store).object_path(aip).joinpath("v2").exists():
            raise Killed

    store = Store(home.store, step=step)
    stage = store.stage(aip, uuid.uuid4())
    stage.put_bytes(b"two", "originals/b")
    with pytest.raises(Killed):
        store.commit(aip, stage, expected_head=1, message="t", user=("t", "urn:t"), created=NOW)
    read = fixity.check(aip, "lô-1", home, uuid.uuid4())
    assert read.alarms == ()
    assert [e.code for e in log.read_many(home.log, [aip])[aip]] == ["version-unfinished", ""]


def test_the_last_check_of_each_aip_is_found_among_parts_and_sealed_days(tmp_path: Path) -> None:
    other = uuid.uuid4()
    checks = [event(n, kind=EventType.FIXITY, detail={"bytes": str(n)}) for n in (1, 3)]
    log.append([event(0), checks[0]], tmp_path, name="a")
    log.append([checks[1], event(5, kind=EventType.FIXITY, code="fixity-broken")], tmp_path, name="b")
    log.append([event(4, aip=other)], tmp_path, name="c")
    for _ in range(2):
        found = log.latest(tmp_path, EventType.FIXITY, closing="bytes")
        assert {aip: e.detail["bytes"] for aip, e in found.items()} == {checks[0].aip: "3"}
        log.compact(tmp_path, checks[0].time.date())


def test_when_an_aip_was_last_checked_is_found_without_its_files_and_agents_being_read(tmp_path: Path) -> None:
    check = event(1, kind=EventType.FIXITY, detail={"bytes": "7"})
    log.append([event(0), check], tmp_path, name="a")
    sealed = log.compact(tmp_path, check.time.date())
    assert sealed is not None
    group, data = pq.read_metadata(sealed).row_group(0), bytearray(sealed.read_bytes())
    for leaf in (group.column(n) for n in range(group.num_columns)):
        if leaf.path_in_schema.startswith(("agents", "objects", "measures")):
            start = leaf.dictionary_page_offset or leaf.data_page_offset
            data[start : start + leaf.total_compressed_size] = b"\xff" * leaf.total_compressed_size
    sealed.write_bytes(data)
    (found,) = log.latest(tmp_path, EventType.FIXITY, closing="bytes").values()
    assert (found.aip, found.time, found.seq, found.outcome, found.detail) == (
        check.aip,
        check.time,
        check.seq,
        check.outcome,
        check.detail,
    )


@pytest.mark.parametrize("ahead", [timedelta(hours=20), timedelta(days=3650)])
def test_rot_that_is_found_is_an_alarm_although_a_clean_check_is_dated_ahead_of_the_clock(
    home: Home, ahead: timedelta
) -> None:
    aip = stored(home, a=b"one")
    clean = event(1, kind=EventType.FIXITY, detail={"bytes": "3"}, aip=aip, time=datetime.now(UTC) + ahead)
    log.append([clean], home.log, name="verify")
    KINDS["fixity-broken"](Store(home.store).object_path(aip) / "v1/content/originals/a")
    (held,) = holdings(home, Store(home.store))
    (read,) = verify_some.fn("lô-1", [(aip, "lô-1", held.checked)], home, uuid.uuid4(), None)
    assert len(read.alarms) == 1
    (held,) = holdings(home, Store(home.store))
    assert (held.good, coverage([held], days=30, now=datetime.now(UTC)).bad) == (False, 1)


def test_a_check_far_ahead_of_the_clock_is_no_reading(home: Home) -> None:
    aip = stored(home, a=b"one")
    checks = [
        event(n, kind=EventType.FIXITY, detail={"bytes": "3"}, aip=aip, time=datetime.now(UTC) + timedelta(days=days))
        for n, days in enumerate((-40, 3650))
    ]
    log.append(checks[:1], home.log, name="a")
    log.append(checks[1:], home.log, name="b")
    (held,) = holdings(home, Store(home.store))
    assert held.read == checks[0].time
