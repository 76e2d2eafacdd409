"""A batch that was received before is told as that everywhere a person looks, with what came from where this time."""

from __future__ import annotations

import re
import shutil
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.command import result
from flows.ui.markdown import Account, Inbox, markdown
from tasks.aip import ledger as ledgers
from tasks.aip.ledger import About, Ledger
from tasks.config.home import Home
from tasks.premis import log
from tasks.premis.model import aip_id
from tasks.report import phrases
from tasks.report.standing import Stands, standing
from tasks.report.summary import Summary, by_batch, summarize
from tasks.report.supplement import last_supplement
from tasks.sip import taking
from tasks.sip.batch import batch
from tasks.sip.ingest import ingest
from tasks.sip.taking import Ingested
from tasks.store.ocfl import Store
from tests.tasks.report.accounts import Read, page
from tests.tasks.report.standings import policy

RUNS = [uuid.UUID(int=n) for n in range(1, 4)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").prepare()


def deliver(home: Home, place: Path, run: uuid.UUID, **files: str) -> Ingested:
    place.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / name).write_text(text)
    (done,) = ingest(batch(place), home, Store(home.store), run)
    return done


def stands(home: Home, tmp_path: Path, one: Ingested) -> Summary:
    (summary,) = standing(home, [one.aip], policy(tmp_path))
    return summary


def test_a_batch_that_comes_from_another_folder_is_told_as_received_before(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "sở-nội-vụ" / "lô-1", tmp_path / "sở-tài-chính" / "lô-1"
    deliver(home, first, RUNS[0], a="1", b="2", c="3")
    done = deliver(home, second, RUNS[1], b="2", c="other", d="4", e="5")
    seen = stands(home, tmp_path, done)
    assert seen.supplement is not None
    told = seen.supplement.as_json()
    assert told["files"] == {"new": 2, "changed": 1, "same": 1}
    assert (told["version"], told["from"], told["received_before_from"]) == (2, str(second), str(first))
    assert told["received_before"] < told["time"]
    assert seen.as_json()["supplements"] == [told]
    said = phrases.supplement(seen)
    assert re.fullmatch(
        rf"Received before on .* from {first}\. Supplement on .* from {second}: 2 new, 1 changed, 1 the same, "
        r"in version 2\.",
        said,
    )
    there = Stands(Ledger(seen.aip, About(seen.batch), 2, {}, ()), {}, seen)
    assert said in Read(page(tmp_path, there, policy(tmp_path))).text
    now = replace(seen, supplement=replace(seen.supplement, now=True), worked=True)
    for summary, times in ((now, 1), (seen, 0)):  # a run that was about something else does not tell it again
        result.result(home, [summary], worked=True, seconds=1)
        assert capsys.readouterr().out.count(f"Supplement  lô-1: {phrases.supplement(summary)}\n") == times
        told = Account((summary,), (), Inbox(), night=False, policy="p", seconds=1, reports="", page="")
        assert markdown(told).count("Received before") == times


def test_a_batch_that_came_once_is_no_supplement_nor_is_the_same_again(home: Home, tmp_path: Path) -> None:
    done = deliver(home, tmp_path / "one" / "lô-1", RUNS[0], a="1")
    assert stands(home, tmp_path, done).supplement is None
    done = deliver(home, tmp_path / "other" / "lô-1", RUNS[1], a="1")
    seen = stands(home, tmp_path, done)
    assert (seen.version, seen.supplement, phrases.supplement(seen)) == (1, None, "")
    assert seen.as_json()["supplements"] == []


def test_the_last_of_several_deliveries_is_told_against_the_one_before_it(home: Home, tmp_path: Path) -> None:
    for number, run in enumerate(RUNS):
        done = deliver(home, tmp_path / str(number) / "lô-1", run, a="1", **{f"b{number}": "2"})
    events = log.read_many(home.log, [done.aip])[done.aip]
    for run, now in ((RUNS[2], True), (RUNS[1], False), (None, False)):
        found = last_supplement(events, (), run)
        assert found is not None
        assert (found.new, found.same, found.version, found.now) == (1, 1, 3, now)
        assert found.before_place == str(tmp_path / "1" / "lô-1")


def test_a_batch_whose_first_delivery_left_no_place_in_the_log_is_told_with_its_time(
    home: Home, tmp_path: Path
) -> None:
    done = deliver(home, tmp_path / "one" / "lô-1", RUNS[0], a="1")
    (arrived,) = (e.time for e in log.read(home.log) if e.source and e.code == "" and e.type.value == "ingestion")
    deliver(home, tmp_path / "other" / "lô-1", RUNS[1], b="2")
    events = log.read_many(home.log, [done.aip])[done.aip]
    older = [
        replace(e, detail={k: v for k, v in e.detail.items() if not k.startswith("before")})
        for e in events
        if e.run != RUNS[0] or "delivery" not in e.detail
    ]
    found = last_supplement(older, (), RUNS[1])
    assert found is not None
    assert (found.before, found.before_place) == (arrived.isoformat(), "")
    said = phrases.supplement(replace(stands(home, tmp_path, done), supplement=found))
    assert ", the log does not say from where. Supplement from " in said


def test_the_supplements_of_a_batch_in_several_aips_stand_beside_each_other(home: Home, tmp_path: Path) -> None:
    deliver(home, tmp_path / "one" / "lô-1", RUNS[0], a="1")
    seen = stands(home, tmp_path, deliver(home, tmp_path / "other" / "lô-1", RUNS[1], b="2"))
    parts = [seen, replace(seen, batch="lô-1 · part 2"), replace(seen, batch="lô-1 · part 3", supplement=None)]
    (told,) = by_batch(parts)
    assert len(told["supplements"]) == 2


@pytest.fixture
def parted(home: Home) -> Home:
    (home.root / "perenne.toml").write_text("aip_max_files = 2\n", encoding="utf-8")
    return home


def parts(home: Home, place: Path, run: uuid.UUID, *names: str) -> list[Ingested]:
    place.mkdir(parents=True, exist_ok=True)
    for name in names:
        (place / name).write_text(name)
    return list(ingest(batch(place), home, Store(home.store), run))


def test_another_delivery_whose_files_all_go_to_a_new_part_is_told_as_received_before(
    parted: Home, tmp_path: Path
) -> None:
    first, other = tmp_path / "inbox" / "lô-1", tmp_path / "other" / "lô-1"
    parts(parted, first, RUNS[0], "a", "b")
    one, two = (stands(parted, tmp_path, part) for part in parts(parted, other, RUNS[1], "x", "y"))
    assert one.supplement is None
    assert two.supplement is not None
    assert (two.version, two.supplement.place, two.supplement.before_place) == (1, str(other), str(first))
    (arrived,) = (e for e in log.read(parted.log) if e.detail.get("delivery") == str(first))
    assert two.supplement.before == arrived.time.isoformat()


def test_a_large_delivery_is_not_told_as_received_before_also_when_a_kill_came_between_its_parts(
    parted: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, pack = tmp_path / "inbox" / "lô-1", taking.pack

    def killed(store: Store, ledger: Ledger, *given: Any, **named: Any) -> int:
        if ledger.id == aip_id("lô-1", 2):
            raise KeyboardInterrupt
        return pack(store, ledger, *given, **named)

    monkeypatch.setattr(taking, "pack", killed)
    with pytest.raises(KeyboardInterrupt):
        parts(parted, place, RUNS[0], *"abcde")
    monkeypatch.setattr(taking, "pack", pack)
    done = parts(parted, place, RUNS[1], *"abcde") and parts(parted, place, RUNS[2])
    assert [(one.version, stands(parted, tmp_path, one).supplement) for one in done] == [(1, None)] * 3


@pytest.mark.parametrize("kills", [1, 2])
def test_the_run_that_makes_what_killed_runs_left_in_the_log_tells_it_and_the_log_has_it_once(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    place, pack = tmp_path / "sở-nội-vụ" / "lô-1", taking.pack
    deliver(home, place, RUNS[0], a="1")

    def killed(*given: object, **named: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(taking, "pack", killed)
    dead = [uuid.UUID(int=n) for n in range(10, 10 + kills)]
    for run in dead:
        with pytest.raises(KeyboardInterrupt):
            deliver(home, place, run, b="2")
    monkeypatch.setattr(taking, "pack", pack)
    done = deliver(home, place, RUNS[2], b="2")
    told = [(e.detail["version"], e.run) for e in log.read(home.log) if "delivery" in e.detail]
    assert told == [("1", RUNS[0]), ("2", dead[0])]
    seen = as_seen_by(RUNS[2], home, tmp_path, done)
    assert seen.worked
    assert seen.supplement is not None
    assert (seen.supplement.now, seen.supplement.version, seen.supplement.new) == (True, 2, 1)
    later = as_seen_by(uuid.uuid4(), home, tmp_path, deliver(home, place, uuid.uuid4()))
    assert later.supplement is not None
    assert (later.worked, later.supplement.now) == (False, False)


def as_seen_by(run: uuid.UUID, home: Home, tmp_path: Path, one: Ingested) -> Summary:
    ledger = ledgers.read(Store(home.store), home.log, one.aip)
    assert ledger is not None
    return summarize(ledger, {}, policy(tmp_path), "", run)


@pytest.mark.parametrize("described", [False, True], ids=["same version", "after a version of its own"])
def test_with_a_store_older_than_the_log_no_supplement_is_told_until_it_is_made_again(
    home: Home, tmp_path: Path, described: bool
) -> None:
    place, other = tmp_path / "one" / "lô-1", tmp_path / "other" / "lô-1"
    deliver(home, place, RUNS[0], a="1")
    shutil.copytree(home.store, tmp_path / "backup")
    deliver(home, other, RUNS[1], b="2")
    shutil.rmtree(home.store)
    shutil.move(tmp_path / "backup", home.store)
    (place.parent / "lô-1.toml").write_text('producer = "Sở Nội vụ"\n' * described)
    before = deliver(home, place, uuid.uuid4())
    assert (before.version, as_seen_by(RUNS[1], home, tmp_path, before).supplement) == (1 + described, None)
    shutil.copy(place.parent / "lô-1.toml", other.parent)
    done = deliver(home, other, RUNS[2])
    seen = as_seen_by(RUNS[2], home, tmp_path, done)
    assert (done.version, seen.worked) == (2 + described, True)
    assert seen.supplement is not None
    assert (seen.supplement.now, seen.supplement.version) == (True, done.version)
    assert (seen.supplement.place, seen.supplement.before_place) == (str(other), str(place))
