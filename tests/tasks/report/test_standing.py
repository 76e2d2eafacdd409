"""An AIP that is damaged stands as that, and the others as they are."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.aip import fixity
from tasks.aip.find import names
from tasks.aip.ledger import ABOUT
from tasks.config.home import Home
from tasks.premis.model import aip_id
from tasks.report.standing import refusals, standing
from tasks.sip.batch import batch
from tasks.sip.ingest import Refused, ingest, take_in
from tasks.store.ocfl import Store
from tests.tasks.report.standings import policy

BATCHES = ("lô-1", "lô-2", "lô-3")
HURT = aip_id("lô-2")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Three AIPs, and no names of them kept beside the store."""
    made = Home(tmp_path / "home").prepare()
    for name in BATCHES:
        folder = made.inbox / name
        folder.mkdir(parents=True)
        for n in range(3):
            (folder / f"{n}.txt").write_text(f"{name} {n}")
        ingest(batch(folder), made, Store(made.store), uuid.uuid4())
    return made


def written(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b'{"batch": "l')


ABOUT_IT = f"v1/content/{ABOUT}"
DAMAGE: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no inventory": (lambda o: (o / "inventory.json").unlink(), "inventory-damaged", "inventory.json"),
    "a torn inventory": (lambda o: written(o / "inventory.json"), "inventory-damaged", "inventory.json"),
    "no version": (lambda o: (o / "v1").rename(o / "w1"), "inventory-damaged", "inventory.json"),
    "no description": (lambda o: (o / ABOUT_IT).unlink(), "fixity-missing", ABOUT_IT),
    "a torn description": (lambda o: written(o / ABOUT_IT), "fixity-broken", ABOUT_IT),
    "no original": (
        lambda o: (o / "v1/content/originals/1.txt").unlink(),
        "fixity-missing",
        "v1/content/originals/1.txt",
    ),
}


@pytest.mark.provokes("inventory-damaged", "fixity-missing", "fixity-broken")
@pytest.mark.parametrize("what", DAMAGE)
def test_damage_in_one_aip_is_told_of_it_and_the_others_stand_as_they_are(
    home: Home, tmp_path: Path, what: str
) -> None:
    hurt, code, path = DAMAGE[what]
    hurt(Store(home.store).object_path(HURT))
    for _ in range(2):  # before it was verified, and after
        known = dict(names(home, gone=True))
        assert set(known) == {aip_id(name) for name in BATCHES}
        stands = {s.aip: s for s in standing(home, known, policy(tmp_path))}
        assert {aip: s.needing for aip, s in stands.items()} == {aip: int(aip == HURT) for aip in known}
        assert (code, path) in {(row.code, row.file) for row in stands[HURT].attention}
        assert [stands[aip_id(name)].batch for name in ("lô-1", "lô-3")] == ["lô-1", "lô-3"]
        assert [stands[aip_id(name)].files for name in ("lô-1", "lô-3")] == [3, 3]
        read = {aip: fixity.check(aip, name, home, uuid.uuid4()) for aip, name in known.items()}
        assert {aip for aip, one in read.items() if one.alarms} == {HURT}
    if what == "no original":
        assert (stands[HURT].batch, stands[HURT].files) == ("lô-2", 2)


def test_an_aip_that_was_never_stored_does_not_stand_at_all(home: Home, tmp_path: Path) -> None:
    assert standing(home, [uuid.uuid4()], policy(tmp_path)) == []


def checked(home: Home, *, ahead: timedelta = timedelta(0)) -> None:
    """A check by a clock that is ahead, as the next one after an act of that time would be dated."""
    fixity.check(HURT, "lô-2", home, uuid.uuid4(), after=datetime.now(UTC) + ahead if ahead else None)


def alarms(home: Home, tmp_path: Path) -> list[str]:
    (seen,) = standing(home, [HURT], policy(tmp_path))
    assert seen.needing == bool(seen.attention)
    return [row.code for row in seen.attention]


@pytest.mark.parametrize("days", [2, 3650])
def test_a_check_that_is_dated_ahead_of_the_clock_hides_neither_a_newer_alarm_nor_a_newer_clean_one(
    home: Home, tmp_path: Path, days: int
) -> None:
    original = Store(home.store).object_path(HURT) / "v1/content/originals/1.txt"
    good = original.read_bytes()
    checked(home, ahead=timedelta(days=days))
    assert alarms(home, tmp_path) == []
    written(original)
    checked(home)
    assert alarms(home, tmp_path) == ["fixity-broken"]
    checked(home, ahead=timedelta(days=days + 1))
    original.write_bytes(good)
    checked(home)
    assert alarms(home, tmp_path) == []


def test_an_alarm_of_a_clock_that_is_ahead_is_told_while_there_is_no_other_check(home: Home, tmp_path: Path) -> None:
    written(Store(home.store).object_path(HURT) / "v1/content/originals/1.txt")
    checked(home, ahead=timedelta(days=3650))
    assert alarms(home, tmp_path) == ["fixity-broken"]


@pytest.mark.provokes("fixity-broken")
@pytest.mark.parametrize("number", [1, 2])
def test_packed_events_that_are_damaged_are_told_before_anybody_verifies(
    home: Home, tmp_path: Path, number: int
) -> None:
    if number == 2:
        (home.inbox / "lô-2" / "4.txt").write_text("more")
        ingest(batch(home.inbox / "lô-2"), home, Store(home.store), uuid.uuid4())
    path = f"v{number}/content/metadata/events/v{number}.parquet"
    written(Store(home.store).object_path(HURT) / path)
    (seen,) = standing(home, [HURT], policy(tmp_path))
    assert [(row.code, row.file) for row in seen.attention] == [("fixity-broken", path)]
    assert (seen.batch, seen.needing, seen.files) == ("lô-2", 1, 2 + number)
    checked(home)
    assert alarms(home, tmp_path) == ["fixity-broken"]


def test_a_delivery_that_was_taken_after_it_was_refused_is_not_told_as_refused_although_the_log_is_older(
    home: Home, tmp_path: Path
) -> None:
    folder = home.inbox / "lô-4"
    folder.mkdir()
    (refused,) = take_in(batch(folder), home, Store(home.store), uuid.uuid4())
    assert isinstance(refused, Refused)
    assert refused.code == "batch-unfit"
    assert set(refusals(home, ["lô-4"])) == {"lô-4"}
    shutil.copytree(home.log, tmp_path / "backup")
    (folder / "a.txt").write_text("a")
    take_in(batch(folder), home, Store(home.store), uuid.uuid4())
    shutil.rmtree(home.log)
    shutil.copytree(tmp_path / "backup", home.log)
    assert refusals(home, ["lô-4"]) == {}
