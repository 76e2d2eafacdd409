from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.premis import columns, log, parts
from tasks.premis.model import Ending, EventType, LinkedObject, Outcome, object_id
from tests.tasks.premis.events import AIP, EVENTS, RUN, START, event, master

DAY = START.date()
ROOT = Path(__file__).parents[3]


@given(st.lists(EVENTS, min_size=1, max_size=5, unique_by=lambda e: e.id))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_is_what_was_appended(tmp_path_factory, written):
    root = tmp_path_factory.mktemp("log")
    part = log.append(written, root, name="any")
    assert list(log.read_part(part)) == written
    assert list(log.read(root)) == written
    packed = log.write_aip_events(written)
    assert list(log.read_part(packed)) == written
    assert log.ids_of(packed) == [event.id for event in written]


def test_a_part_lies_under_its_utc_day_and_names_aip_and_run(tmp_path):
    late = START.replace(hour=23, minute=59).astimezone(UTC)
    part = log.append([event(1, time=late)], tmp_path, name="normalize-0001")
    assert part.parent == tmp_path / "events" / "open" / "day=2024-11-21"
    assert part.name.startswith(f"{AIP}.{RUN}.normalize-0001.")
    mixed = log.append([event(1), event(2, aip=uuid.uuid4())], tmp_path, name="ingest")
    assert mixed.name.startswith(f"many.{RUN}.ingest.")


def test_the_same_events_give_the_same_part_once(tmp_path):
    first = log.append([event(1)], tmp_path, name="n")
    assert log.append([event(1)], tmp_path, name="n") == first
    assert len(list(log.read(tmp_path))) == 1


@pytest.mark.parametrize("name", ["", "../x", "a b", "A", "x.parquet"])
def test_a_name_that_is_no_plain_word_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="name"):
        log.append([event(1)], tmp_path, name=name)


def test_nothing_is_written_when_an_event_breaks_the_profile(tmp_path):
    for broken in (
        event(1, detail={"tên": "x"}),
        event(1, detail={"n": 1}),  # type: ignore[dict-item]
        event(1, time=datetime(2024, 11, 21)),
        event(1, path="originals/\udcff"),
    ):
        with pytest.raises(ValueError):  # noqa: PT011  UnicodeEncodeError among them
            log.append([broken], tmp_path, name="n")
    with pytest.raises(ValueError, match="needs an event"):
        log.append([], tmp_path, name="n")
    assert not list(tmp_path.rglob("*.parquet"))


def test_what_a_hostile_file_made_a_tool_say_does_not_cost_the_event(tmp_path):
    log.append([event(1, detail={"what": "bad \ud800 byte\x00"})], tmp_path, name="n")
    (found,) = log.read(tmp_path)
    assert found.detail == {"what": "bad \\ud800 byte\x00"}


def test_one_aip_is_read_without_the_others(tmp_path):
    other = uuid.uuid4()
    log.append([event(1)], tmp_path, name="a")
    log.append([event(2, aip=other)], tmp_path, name="b")
    log.append([event(3), event(4, aip=other)], tmp_path, name="c")
    assert [e.seq for e in log.read(tmp_path, aip=AIP)] == [1, 3]
    log.compact(tmp_path, DAY)
    assert [e.seq for e in log.read(tmp_path, aip=other)] == [2, 4]


def test_some_aips_are_read_in_one_pass_each_with_its_events_oldest_first(tmp_path):
    other, third, none = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    log.append([event(4, aip=other), event(3)], tmp_path, name="c")
    log.append([event(2, aip=other), event(1, aip=third)], tmp_path, name="a")

    def seen():
        return {aip: [e.seq for e in events] for aip, events in log.read_many(tmp_path, [AIP, other, none]).items()}

    assert seen() == {AIP: [3], other: [2, 4], none: []}
    log.compact(tmp_path, DAY)
    log.append([event(5)], tmp_path, name="late")
    assert seen() == {AIP: [3, 5], other: [2, 4], none: []}


def test_history_tells_of_a_file_as_source_and_as_product_oldest_first(tmp_path):
    made = master("masters/báo-cáo.doc/doc-2u.pdf")
    log.append([event(3, products=(made,)), event(2, path="originals/khác.doc")], tmp_path, name="b")
    log.append([event(1)], tmp_path, name="a")
    assert [e.seq for e in log.history(tmp_path, AIP, "originals/báo-cáo.doc")] == [1, 3]
    assert [e.seq for e in log.history(tmp_path, AIP, made.path)] == [3]
    assert log.history(tmp_path, uuid.uuid4(), made.path) == []


def spanned(root: Path) -> uuid.UUID:
    """An AIP of which only a late part tells, while a sealed day holds AIPs on both sides of it."""
    for aip in (uuid.UUID(int=1), uuid.UUID(int=2**128 - 1)):
        log.append([event(1, aip=aip)], root, name="n")
    log.compact(root, DAY)
    log.append([event(2), event(3, aip=uuid.UUID(int=3))], root, name="n")
    return AIP


def test_history_is_told_past_a_day_that_holds_only_aips_on_both_sides_of_this_one(tmp_path):
    assert [e.seq for e in log.history(tmp_path, spanned(tmp_path), "originals/báo-cáo.doc")] == [2]
    assert log.history(tmp_path, uuid.UUID(int=2), "originals/báo-cáo.doc") == []


def test_of_a_day_without_the_aip_nothing_is_read_but_the_ids_of_its_aips(tmp_path):
    aip = spanned(tmp_path)
    sealed = tmp_path / "events" / "day" / "2024-11-21.parquet"
    group, data = pq.read_metadata(sealed).row_group(0), bytearray(sealed.read_bytes())
    for leaf in (group.column(n) for n in range(group.num_columns)):
        if leaf.path_in_schema != "aip_id":
            start = leaf.dictionary_page_offset or leaf.data_page_offset
            data[start : start + leaf.total_compressed_size] = b"\xff" * leaf.total_compressed_size
    sealed.write_bytes(data)
    assert [e.seq for e in log.read(tmp_path, aip=aip)] == [2]
    assert [e.seq for e in log.history(tmp_path, aip, "originals/báo-cáo.doc")] == [2]


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=5), max_size=5),
    st.sets(st.integers(0, 7)),
    st.booleans(),
    st.sampled_from([None, EventType.INGESTION]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_of_some_aips_is_what_the_whole_log_has_of_them(tmp_path_factory, parts_, some, sealed, kind):
    root, numbers, kinds = tmp_path_factory.mktemp("log"), iter(range(100)), itertools.cycle(EventType)
    for rows in parts_:
        days = {day: [a for a, d in rows if d == day] for day in range(3)}
        for day, aips in days.items():
            if aips:
                at = START + timedelta(days=day)
                acts = [event(next(numbers), aip=uuid.UUID(int=a), time=at, kind=next(kinds)) for a in aips]
                log.append(acts, root, name="n")
    for day in log.open_days(root)[:2] if sealed else ():
        log.compact(root, day)
    asked = {uuid.UUID(int=a) for a in some}
    everything = sorted(log.read(root), key=lambda e: (e.time, e.seq))
    wanted = [e for e in everything if kind in (None, e.type)]
    assert log.read_many(root, asked, kind) == {aip: [e for e in wanted if e.aip == aip] for aip in asked}


# --- settled --------------------------------------------------------------------
KEY = ("originals/báo-cáo.doc", "doc-2u", "q")


def waits(number: int, **other):
    return event(number, asked="q", ending=Ending.WAITING, outcome=Outcome.FAIL, code="tool-timeout", **other)


def test_the_last_ending_of_each_piece_of_work_settles_it():
    events = [
        event(2, asked="q", ending=Ending.DONE, code="same"),
        event(1, asked="q", ending=Ending.HELD, code="text-lost"),
        event(3, asked="q"),
        event(4, asked="other", ending=Ending.KEPT),
    ]
    found = log.settled(events)
    assert {key: e.ending for key, e in found.items()} == {KEY: Ending.DONE, (*KEY[:2], "other"): Ending.KEPT}


def test_waiting_is_settled_as_failed_only_the_third_time_in_a_row():
    assert KEY not in log.settled([waits(1), waits(2)])
    third = log.settled([waits(1), waits(2), waits(3)])[KEY]
    assert (third.ending, third.code) == (Ending.FAILED, "tool-timeout")
    broken_row = [waits(1), waits(2), event(3, asked="q", ending=Ending.HELD), waits(4), waits(5)]
    assert KEY not in log.settled(broken_row)


def test_waiting_for_other_bytes_under_the_same_path_starts_the_count_again():
    assert KEY not in log.settled([waits(1), waits(2), waits(3, sha256="cd" * 32)])


def test_work_that_waits_again_after_it_was_done_is_open_again():
    assert KEY not in log.settled([event(1, asked="q", ending=Ending.DONE), waits(2)])


# --- sealing --------------------------------------------------------------------
def seal_me(root: Path) -> list[uuid.UUID]:
    for number in range(12):
        log.append([event(number, path=f"originals/{number % 5}")], root, name=f"n-{number}")
    return sorted(e.id for e in log.read(root))


def ids(root: Path) -> list[uuid.UUID]:
    return sorted(e.id for e in log.read(root))


def test_a_sealed_day_holds_the_same_events_sorted_with_a_bloom_filter_and_no_part_is_left(tmp_path):
    before = seal_me(tmp_path)
    sealed = log.compact(tmp_path, DAY)
    assert sealed == tmp_path / "events" / "day" / "2024-11-21.parquet"
    assert ids(tmp_path) == before
    assert log.open_days(tmp_path) == []
    told = [(object_id(e.aip, e.objects[0].path, e.objects[0].sha256), e.time) for e in log.read_part(sealed)]
    assert told == sorted(told)
    here, nowhere = told[0][0], uuid.uuid4()
    probe = "select bool_and(bloom_filter_excludes) from parquet_bloom_probe(?, 'object_id', ?::uuid)"
    assert duckdb.execute(probe, [str(sealed), str(here)]).fetchone() == (False,)
    assert duckdb.execute(probe, [str(sealed), str(nowhere)]).fetchone() == (True,)


def test_late_parts_join_a_sealed_day_and_a_repeated_part_does_not(tmp_path):
    before = seal_me(tmp_path)
    log.compact(tmp_path, DAY)
    log.append([event(3, path="originals/3")], tmp_path, name="n-3")
    assert ids(tmp_path) == before
    log.append([event(99)], tmp_path, name="late")
    assert len(ids(tmp_path)) == len(before) + 1
    log.compact(tmp_path, DAY)
    assert len(ids(tmp_path)) == len(before) + 1
    assert log.open_days(tmp_path) == []


@given(
    parts_=st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), min_size=1, max_size=6), max_size=6),
    again=st.lists(st.integers(0, 5)),
    sealing=st.sets(st.integers(0, 12)),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parts_that_come_late_or_twice_are_in_the_sealed_day_once_each_in_its_order(
    tmp_path_factory, parts_, again, sealing
):
    root, numbers = tmp_path_factory.mktemp("log"), iter(range(100))
    written = [[event(next(numbers), f"originals/{o}", aip=uuid.UUID(int=a)) for a, o in some] for some in parts_]
    for number, some in enumerate([*written, *(written[n] for n in again if n < len(written))]):
        log.append(some, root, name="n")
        if number in sealing:
            log.compact(root, DAY)
    sealed = log.compact(root, DAY)
    found = list(log.read_part(sealed)) if sealed else []
    everything = [e for some in written for e in some]
    assert found == sorted(everything, key=lambda e: (e.aip, object_id(e.aip, e.objects[0].path, "ab" * 32), e.time))
    assert log.open_days(root) == []


def test_a_day_that_is_not_over_is_not_sealed(tmp_path):
    with pytest.raises(ValueError, match="not over"):
        log.compact(tmp_path, datetime.now(UTC).date())
    assert log.compact(tmp_path, date(2020, 2, 2)) is None


def test_a_broken_part_is_named_and_nothing_is_removed(tmp_path):
    seal_me(tmp_path)
    broken = tmp_path / "events" / "open" / "day=2024-11-21" / "many.many.x.0.parquet"
    broken.write_bytes(b"PAR1 no")
    with pytest.raises(log.LogError, match=r"many\.many\.x"):
        log.compact(tmp_path, DAY)
    assert len(list(broken.parent.glob("*.parquet"))) == 13
    with pytest.raises(log.LogError, match=r"many\.many\.x"):
        list(log.read(tmp_path))


def test_a_sealed_day_whose_rows_are_damaged_is_named_by_whoever_reads_or_seals_it(tmp_path):
    seal_me(tmp_path)
    sealed = log.compact(tmp_path, DAY)
    column, data = pq.read_metadata(sealed).row_group(0).column(0), bytearray(sealed.read_bytes())
    data[column.data_page_offset : column.data_page_offset + column.total_compressed_size] = bytes(
        column.total_compressed_size
    )
    sealed.write_bytes(data)
    part = log.append([event(99)], tmp_path, name="late")
    for ask in (log.read(tmp_path), log.read(tmp_path, aip=AIP)):
        with pytest.raises(log.LogError, match=r"2024-11-21\.parquet"):
            list(ask)
    with pytest.raises(log.LogError, match=r"2024-11-21\.parquet"):
        log.compact(tmp_path, DAY)
    assert part.exists()
    assert sealed.read_bytes() == data


@pytest.mark.slow
def test_readers_see_each_event_once_while_a_day_is_sealed(tmp_path):
    before = seal_me(tmp_path)
    wrong: list[int] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            found = ids(tmp_path)
            if [i for i in found if i in before] != before or len(set(found)) != len(found):
                wrong.append(len(found))

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(100, 120):
        log.append([event(number)], tmp_path, name=f"n-{number}")
        log.compact(tmp_path, DAY)
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert len(ids(tmp_path)) == len(before) + 20


# --- kills ----------------------------------------------------------------------
VICTIM = """
import os, signal, sys
from pathlib import Path
import pyarrow.parquet as pq
from tasks.premis import log
from tests.tasks.premis.events import START, event

root, what, where = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
def after(call):
    def wrapped(*arguments, **names):
        call(*arguments, **names)
        die()
    return wrapped
if where == "written":
    os.fsync = die
elif where == "merging":
    pq.ParquetWriter.write_table = after(pq.ParquetWriter.write_table)
elif where == "synced":
    Path.rename = die
elif where == "renamed":
    Path.rename = after(Path.rename)
elif where == "removing":
    Path.unlink = after(Path.unlink)
if what == "append":
    log.append([event(n, path=f"originals/{n}") for n in range(1000, 1040)], root, name="victim")
else:
    log.compact(root, START.date())
"""


def killed(root: Path, what: str, where: str) -> None:
    done = subprocess.run([sys.executable, "-c", VICTIM, str(root), what, where], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize(("where", "whole"), [("written", 0), ("synced", 0), ("renamed", 40)])
def test_a_kill_during_append_leaves_nothing_or_a_whole_part(tmp_path, where, whole):
    log.append([event(1)], tmp_path, name="first")
    killed(tmp_path, "append", where)
    assert len(ids(tmp_path)) == 1 + whole
    log.append([event(2)], tmp_path, name="after")
    log.compact(tmp_path, DAY)
    assert len(ids(tmp_path)) == 2 + whole


@pytest.mark.slow
@pytest.mark.parametrize("where", ["merging", "written", "synced", "renamed", "removing"])
def test_a_kill_during_sealing_loses_and_doubles_nothing(tmp_path, where):
    before = seal_me(tmp_path)
    killed(tmp_path, "compact", where)
    assert ids(tmp_path) == before
    # What was put down to be merged is gone with its process; what the next day is written to is swept by its name.
    left = {file.name for file in (tmp_path / "events").glob("day/*")}
    assert all(name in (".lock", "2024-11-21.parquet") or name.endswith(".tmp") for name in left)
    log.compact(tmp_path, DAY)
    assert ids(tmp_path) == before
    assert log.open_days(tmp_path) == []


@pytest.mark.slow
def test_kills_at_random_moments_never_leave_half_a_part(tmp_path):
    endless = (
        "import sys; from pathlib import Path; from tasks.premis import log\n"
        "from tests.tasks.premis.events import event\n"
        "log.append([event(k) for k in range(8)], Path(sys.argv[1]), name='n')\n"
        "print('go', flush=True)\n"
        "for n in range(10**6): log.append([event(k, path=f'{n}/{k}') for k in range(8)], Path(sys.argv[1]), name='n')"
    )
    for round_ in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", endless, str(tmp_path / str(round_))], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        threading.Event().wait(0.05 + 0.037 * round_)
        child.kill()
        child.communicate()
        found = list(log.read(tmp_path / str(round_)))
        assert found
        assert len(found) % 8 == 0


def test_old_leftovers_of_killed_writers_are_removed_and_fresh_ones_spared(tmp_path):
    part = log.append([event(1)], tmp_path, name="n")
    old, fresh = part.parent / ".x.parquet.1.tmp", part.parent / ".x.parquet.2.tmp"
    sealing = tmp_path / "events" / "day" / ".2024-11-21.parquet.3.tmp"
    sealing.parent.mkdir()
    for file in (old, fresh, sealing):
        file.write_bytes(b"half")
    for file in (old, sealing):
        os.utime(file, (1, 1))
    log.compact(tmp_path, DAY)
    assert (old.exists(), fresh.exists(), sealing.exists()) == (False, True, False)
    assert len(ids(tmp_path)) == 1


# --- other releases, other readers ----------------------------------------------
def test_the_log_of_release_1_is_read():
    root = ROOT / "fixtures" / "logs" / "v1"
    found = list(log.read(root))
    assert len(found) == 24
    assert {e.ending for e in found} == {None, *Ending}
    assert all(e.source and e.agents for e in found)
    assert log.settled(found)


def test_a_part_with_columns_of_a_later_release_is_read_and_an_older_one_without_joins_it(tmp_path):
    rows = columns.table([event(1)])
    later = rows.append_column("object_seq", pa.array([7]))
    earlier = rows.drop_columns(["measures", "duration_ms"]).append_column("duration_ms", rows["duration_ms"])
    assert next(columns.events(later)) == event(1)
    assert next(columns.events(earlier)).measures == ()
    both = columns.together([later, earlier])
    for number, rows in enumerate((both, earlier)):
        part = tmp_path / "events" / "open" / "day=2024-11-21" / f"many.many.x.{number}.parquet"
        parts.publish(parts.encode(rows), part)
    assert [e.seq for e in log.read(tmp_path)] == [1, 1, 1]
    sealed = pq.read_table(log.compact(tmp_path, DAY))
    assert sorted(sealed["object_seq"].to_pylist(), key=str) == [7, None, None]
    assert [e.seq for e in log.read(tmp_path)] == [1, 1, 1]


def test_other_readers_see_uuids_times_in_utc_and_lists_of_elements(tmp_path):
    part = log.append([event(1, detail={"lost": "3"}, products=(master("masters/x"),))], tmp_path, name="n")
    schema = pq.ParquetFile(part).schema
    assert "objects.list.element.object_id" in [schema.column(n).path for n in range(len(schema))]
    query = (
        "select object_id, objects[2].object_id, aip_id, epoch_us(event_datetime), outcome_detail->>'lost', "
        "typeof(event_id), schema_version from read_parquet(?, hive_partitioning = false)"
    )
    row = duckdb.execute(query, [str(part)]).fetchone()
    assert row == (
        object_id(AIP, "originals/báo-cáo.doc", "ab" * 32),
        object_id(AIP, "masters/x", "cd" * 32),
        AIP,
        int((START + timedelta(seconds=1)).timestamp() * 1e6),
        "3",
        "UUID",
        columns.SCHEMA_VERSION,
    )


def test_an_event_about_a_whole_aip_has_no_object(tmp_path):
    whole = event(1)
    whole = type(whole)(**{f: getattr(whole, f) for f in whole.__slots__} | {"objects": ()})
    part = log.append([whole], tmp_path, name="n")
    assert pq.ParquetFile(part).read(["object_id", "object_path"]).to_pylist() == [
        {"object_id": None, "object_path": None}
    ]
    assert list(log.read_part(part)) == [whole]


def test_a_file_without_digest_keeps_none(tmp_path):
    unread = LinkedObject("source", "originals/x", "", 0)
    whole = event(1)
    whole = type(whole)(**{f: getattr(whole, f) for f in whole.__slots__} | {"objects": (unread,)})
    log.append([whole], tmp_path, name="n")
    assert next(log.read(tmp_path)).objects == (unread,)


def test_a_stray_name_among_the_days_is_no_day_and_stops_nobody(tmp_path):
    log.append([event(1)], tmp_path, name="a")
    (tmp_path / "events" / "open" / "day=copy-of-it").mkdir()
    (tmp_path / "events" / "open" / "day=2026-13-99").mkdir()
    (tmp_path / "events" / "day").mkdir()
    (tmp_path / "events" / "day" / "2026-02-30.parquet").touch()
    assert log.open_days(tmp_path) == [DAY]
    assert [e.seq for e in log.read(tmp_path)] == [1]
