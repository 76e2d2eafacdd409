"""A delivery too large for one AIP is cut into parts that stay the same whenever it comes again."""

from __future__ import annotations

import os
import shutil
import uuid
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.aip.find import UnknownAip, find_aip, find_aips, labels
from tasks.aip.ledger import ABOUT, ORIGINALS
from tasks.config.home import Home
from tasks.config.locks import aip_lock
from tasks.premis import log
from tasks.premis.model import Trouble, aip_id
from tasks.sip import taking as module
from tasks.sip.batch import Entry, batch
from tasks.sip.ingest import Refused, ingest, take_in
from tasks.sip.parts import SUBMISSION, Part, cut
from tasks.sip.taking import Ingested
from tasks.store.ocfl import Store

NAME = "lô-1"


def entries(numbers: list[int]) -> list[Entry]:
    return [Entry(f"{n:03d}".encode(), 1, 0) for n in sorted(numbers)]


def parts(groups: list[list[Entry]]) -> list[Part]:
    return [
        Part(n, uuid.UUID(int=n), 1, frozenset(ORIGINALS + e.raw.decode() for e in group))
        for n, group in enumerate(groups, start=1)
    ]


@given(
    st.sets(st.integers(0, 60)),
    st.sets(st.integers(0, 60)),
    st.integers(1, 9),
    st.integers(0, 9),
)
def test_what_came_before_stays_in_its_part_and_what_is_new_fills_up_the_last(
    first: set[int], more: set[int], most: int, stored: int
) -> None:
    before = cut(entries(list(first)), [], most)
    kept = before[:stored]  # a run that was killed had stored so many
    again = cut(entries(list(first)), parts(kept), most)
    assert again == before
    later = cut(entries(list(first | more)), parts(before), most)
    assert [e for group in later for e in group if int(e.raw) in first] == [e for g in before for e in g]
    assert all(len(group) <= most for group in later)
    assert sorted(e for group in later for e in group) == entries(list(first | more))
    assert all(len(group) == most for group in later[:-1])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home").prepare()
    (home.root / "perenne.toml").write_text("aip_max_files = 4\n", encoding="utf-8")
    return home


def deliver(home: Home, *names: str) -> None:
    for name in names:
        (home.inbox / NAME).mkdir(exist_ok=True)
        (home.inbox / NAME / name).write_bytes(name.encode())


def taken(home: Home) -> tuple[Ingested, ...]:
    return ingest(batch(home.inbox / NAME), home, Store(home.store), uuid.uuid4())


def originals(home: Home, number: int) -> list[str]:
    inventory = Store(home.store).inventory(aip_id(NAME, number))
    assert inventory is not None
    return [p.removeprefix(ORIGINALS) for p in sorted(inventory.state()) if p.startswith(ORIGINALS)]


def told(home: Home) -> Counter[tuple[str, str, str]]:
    return Counter((e.type.value, e.code, e.source.path) for e in log.read(home.log) if e.source)


def test_a_large_delivery_becomes_several_aips_that_answer_to_its_name(home: Home) -> None:
    deliver(home, *"abcdefghi")
    done = taken(home)
    assert [(i.aip, i.version, i.files, i.new) for i in done] == [
        (aip_id(NAME), 1, 4, 4),
        (aip_id(NAME, 2), 1, 4, 4),
        (aip_id(NAME, 3), 1, 1, 1),
    ]
    assert [originals(home, n) for n in (1, 2, 3)] == [list("abcd"), list("efgh"), ["i"]]
    assert list(find_aips(home, [NAME]).values()) == [f"{NAME} · part {n}" for n in (1, 2, 3)]
    assert find_aip(home, f"{NAME} · part 2") == find_aip(home, labels(home)[1]) == aip_id(NAME, 2)
    with pytest.raises(UnknownAip, match="has 3 parts"):
        find_aip(home, NAME)


def test_the_same_large_delivery_again_does_nothing(home: Home) -> None:
    deliver(home, *"abcdefghi")
    taken(home)
    events = told(home)
    assert [(i.version, i.new) for i in taken(home)] == [(1, 0), (1, 0), (1, 0)]
    (home.work / "seen" / f"{aip_id(NAME)}.json").unlink()
    assert [(i.version, i.new) for i in taken(home)] == [(1, 0), (1, 0), (1, 0)]
    assert told(home) == events


@pytest.mark.parametrize("supplement", ["new", "a"])
def test_what_a_store_lacks_that_was_put_back_to_an_older_state_is_taken_again(home: Home, supplement: str) -> None:
    deliver(home, *"ab")
    taken(home)
    for kept in ("store", "log"):
        shutil.copytree(home.root / kept, home.root / "backup" / kept)
    deliver(home, supplement)
    (home.inbox / NAME / supplement).write_bytes(b"later")
    taken(home)
    for kept in ("store", "log"):
        shutil.rmtree(home.root / kept)
        shutil.move(home.root / "backup" / kept, home.root / kept)
    assert [(i.version, i.new) for i in taken(home)] == [(2, 1)]


def test_a_supplement_goes_where_its_files_are_or_to_the_end(home: Home) -> None:
    deliver(home, *"abcdefghi")
    taken(home)
    (home.inbox / NAME / "b").write_bytes(b"changed")
    deliver(home, "A", "B", "C", "D")
    assert [(i.version, i.new) for i in taken(home)] == [(2, 1), (1, 0), (2, 3), (1, 1)]
    assert originals(home, 3) == ["A", "B", "C", "i"]
    assert originals(home, 4) == ["D"]


def test_an_empty_folder_takes_no_room_in_a_part(home: Home) -> None:
    deliver(home, "a")
    for number in range(5):
        (home.inbox / NAME / f"empty {number}").mkdir()
    taken(home)
    for name in "bcd":
        deliver(home, name)
        taken(home)
    assert originals(home, 1) == list("abcd")


def test_a_batch_that_was_whole_keeps_its_name_when_a_supplement_needs_a_second_part(home: Home) -> None:
    deliver(home, *"abc")
    taken(home)
    deliver(home, *"defg")
    assert [(i.version, i.new) for i in taken(home)] == [(2, 1), (1, 3)]
    assert list(find_aips(home, [NAME]).values()) == [NAME, f"{NAME} · part 2"]


def test_a_kill_between_two_parts_changes_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(home, *"abcdefghi")
    (home.inbox / NAME / "link").symlink_to("nowhere")
    commits = 0

    def killed(*given: object, **named: object) -> int:
        nonlocal commits
        commits += 1
        if commits == 2:
            raise KeyboardInterrupt
        return pack(*given, **named)  # type: ignore[arg-type]

    pack = module.pack
    monkeypatch.setattr(module, "pack", killed)
    with pytest.raises(KeyboardInterrupt):
        taken(home)
    done = taken(home)
    assert [i.version for i in done] == [1, 1, 1]
    assert [originals(home, n) for n in (1, 2, 3)] == [list("abcd"), list("efgh"), ["i"]]
    assert set(told(home).values()) == {1}
    assert [t.code for i in done for t in i.troubles] == ["not-a-file"]


def test_what_was_refused_belongs_to_its_part_and_is_told_once(home: Home) -> None:
    deliver(home, *"bcdefgh")
    os.mkfifo(home.inbox / NAME / "a")
    taken(home)
    deliver(home, "i")
    taken(home)
    assert [originals(home, n) for n in (1, 2, 3)] == [list("bcd"), list("efgh"), ["i"]]
    assert told(home)["ingestion", "not-a-file", "originals/a"] == 1


def test_a_part_of_which_nothing_could_be_stored_takes_no_number(home: Home) -> None:
    deliver(home, *"efg")
    for name in "abcd":
        os.mkfifo(home.inbox / NAME / name)
    assert [(i.aip, i.version) for i in taken(home)] == [(aip_id(NAME), 0), (aip_id(NAME), 1)]
    assert originals(home, 1) == list("efg")


def test_a_part_that_another_run_holds_is_told_and_the_rest_comes_next_time(home: Home) -> None:
    deliver(home, *"abcdef")
    with aip_lock(home, aip_id(NAME, 2), uuid.uuid4()) as held:
        assert held
        with pytest.raises(Trouble, match="store-busy"):
            taken(home)
    assert [(i.version, i.new) for i in taken(home)] == [(1, 0), (1, 2)]


@pytest.mark.parametrize("damage", [None, b"[{", b"{}"])
@pytest.mark.parametrize("name", [f"{SUBMISSION}v1.json", ABOUT, "metadata/events/v1.parquet"])
def test_a_damaged_aip_refuses_its_own_batch_and_the_other_is_taken(
    tmp_path: Path, name: str, damage: bytes | None
) -> None:
    home = Home(tmp_path / "home").prepare()
    store = Store(home.store)
    hurt, sound = (tmp_path / n for n in ("lô-1", "lô-2"))
    for folder in (hurt, sound):
        folder.mkdir()
        (folder / "a.txt").write_text(folder.name)
    ingest(batch(hurt), home, store, uuid.uuid4())
    (hurt / "b.txt").write_text("more")
    path = store.object_path(aip_id("lô-1")) / "v1" / "content" / name
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    (refused,), (taken,) = (take_in(batch(folder), home, store, uuid.uuid4()) for folder in (hurt, sound))
    assert isinstance(refused, Refused)
    assert str(path) in refused.why
    assert isinstance(taken, Ingested)
    assert taken.version == 1
