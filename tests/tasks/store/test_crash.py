"""Kill -9 at any moment leaves an object whole, or unfinished in the one way that `repair` finishes."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tasks.store.errors import StoreBusy
from tasks.store.fixity import verify_object
from tasks.store.ocfl import Store
from tasks.store.reader import INVENTORY, SIDECAR
from tasks.store.repair import Repair, Repaired, repair
from tasks.store.stage import Stage

COMMITTER = Path(__file__).with_name("committer.py")
BEFORE_RENAME = [("build", 1), ("move", 1), ("move", 3), ("sync", 1), ("read back", 1), ("rename", 1)]
AFTER_RENAME = [("flush rename", 1), ("switch inventory", 1), ("switch sidecar", 1)]
AT_THE_END = [("flush switch", 1), ("clear", 1)]
FILES = 5


def committer(store: Store, aip: uuid.UUID, head: int, *, files: int = FILES, step: str = "", times: int = 1):
    arguments = [store.root, str(aip), str(head), str(files), step, str(times)]
    return subprocess.Popen([sys.executable, COMMITTER, *arguments], stdout=subprocess.PIPE)


def die(store: Store, aip: uuid.UUID, head: int, step: str, times: int) -> None:
    with committer(store, aip, head, step=step, times=times) as process:
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL


def head_of(store: Store, aip: uuid.UUID) -> int:
    inventory = store.inventory(aip)
    return inventory.head if inventory else 0


@pytest.fixture
def first(store, aip, commit) -> int:
    return commit(store, aip, {"v0/kept": b"kept"})


@pytest.mark.parametrize(("step", "times"), BEFORE_RENAME)
def test_killed_before_the_rename_a_new_aip_is_absent_and_its_stage_complete(store, aip, validate, step, times):
    die(store, aip, 0, step, times)
    assert store.inventory(aip) is None
    assert validate(store.ocfl) == ""
    assert len(store.stage(aip, uuid.uuid4()).entries()) == FILES


def test_killed_between_making_folders_and_the_rename_repair_leaves_no_empty_folder(store, aip, validate):
    die(store, aip, 0, "rename in folders", 1)
    assert repair(store) == (Repaired(aip, Repair.COMMIT_UNDONE),)
    assert validate(store.ocfl) == ""
    assert len(store.stage(aip, uuid.uuid4()).entries()) == FILES


@pytest.mark.parametrize(("step", "times"), [("flush rename", 1), ("clear", 1)])
def test_killed_after_the_rename_a_new_aip_is_whole(store, aip, validate, step, times):
    die(store, aip, 0, step, times)
    assert (head_of(store, aip), len(store.inventory(aip).state())) == (1, FILES)
    assert validate(store.ocfl) == ""
    repair(store)
    assert list(store.stages.iterdir()) == []


@pytest.mark.parametrize(("step", "times"), BEFORE_RENAME)
def test_killed_before_the_rename_the_old_head_stands_and_the_next_commit_needs_no_new_put(
    store, aip, first, commit, validate, step, times
):
    die(store, aip, 1, step, times)
    assert validate(store.ocfl) == ""
    assert (head_of(store, aip), store.inventory(aip).whole) == (1, True)
    undone = [done.what for done in repair(store)]
    assert undone == ([] if step == "build" else [Repair.COMMIT_UNDONE])
    assert commit(store, aip, {}) == 2
    assert len(store.inventory(aip).state()) == FILES + 1
    assert validate(store.ocfl) == ""


@pytest.mark.parametrize(("step", "times"), AFTER_RENAME)
def test_killed_after_the_rename_the_old_head_is_served_until_repair_makes_the_new_one_the_head(
    store, aip, first, validate, step, times
):
    die(store, aip, 1, step, times)
    before = store.inventory(aip)
    assert (before.head, before.whole, list(before.state())) == (1, False, ["v0/kept"])
    assert repair(store) == (Repaired(aip, Repair.ROLLED_FORWARD),)
    assert (head_of(store, aip), store.inventory(aip).whole) == (2, True)
    assert not verify_object(store, aip)
    assert validate(store.ocfl) == ""
    assert repair(store) == ()


@pytest.mark.parametrize(("step", "times"), AT_THE_END)
def test_killed_at_the_end_the_new_version_is_the_head(store, aip, first, validate, step, times):
    die(store, aip, 1, step, times)
    assert (head_of(store, aip), store.inventory(aip).whole) == (2, True)
    assert validate(store.ocfl) == ""


def test_opening_the_stage_of_an_unfinished_aip_finishes_it(store, aip, first):
    die(store, aip, 1, "switch sidecar", 1)
    assert dict(store.stage(aip, uuid.uuid4()).entries()) == {}
    assert head_of(store, aip) == 2


def test_a_commit_on_an_unfinished_aip_finishes_it_and_is_refused(store, aip, first, commit):
    stage = store.stage(aip, uuid.uuid4())
    die(store, aip, 1, "flush rename", 1)
    with pytest.raises(StoreBusy):
        store.commit(
            aip, stage, expected_head=1, message="", user=("a", ""), created=store.inventory(aip).versions[0].created
        )
    assert head_of(store, aip) == 2


def test_the_leavings_of_a_kill_after_a_commit_never_undo_a_later_removal(store, aip, commit):
    commit(store, aip, {"v1/0": b"1 0"})
    die(store, aip, 1, "clear", 1)
    commit(store, aip, {"other": b"x"}, remove=["v1/0"])
    assert "v1/0" not in store.inventory(aip).state()


def test_a_repair_killed_halfway_can_be_repaired(store, aip, first):
    die(store, aip, 1, "switch inventory", 1)
    obj = store.object_path(aip)
    (obj / INVENTORY).write_bytes((obj / "v2" / INVENTORY).read_bytes())
    assert (obj / SIDECAR).read_bytes() != (obj / "v2" / SIDECAR).read_bytes()
    assert [done.what for done in repair(store)] == [Repair.ROLLED_FORWARD]
    assert head_of(store, aip) == 2


def test_repair_leaves_a_live_commit_alone(store, aip, first):
    die(store, aip, 1, "flush rename", 1)
    with Stage(store.stages / str(aip), uuid.uuid4()).locked():
        assert repair(store) == ()
    assert not store.inventory(aip).whole


def test_a_broken_aip_is_told_and_does_not_keep_others_from_being_repaired(store, aip, first, commit):
    other = uuid.uuid4()
    commit(store, other, {"v0/kept": b"kept"})
    for each in (aip, other):
        die(store, each, 1, "flush rename", 1)
    content = next((store.object_path(aip) / "v2/content/v1").iterdir())
    content.chmod(0o644)
    content.write_bytes(b"rot")
    told = {done.aip: done for done in repair(store)}
    assert told[other] == Repaired(other, Repair.ROLLED_FORWARD)
    assert told[aip].what is Repair.LEFT_BROKEN
    assert "damaged" in told[aip].broken
    assert (head_of(store, aip), store.inventory(aip).whole) == (1, False)


@pytest.mark.slow
def test_sixty_kills_at_random_moments_leave_only_whole_or_repairable_objects(store, validate):
    chance = random.Random(20261124)
    aips = [uuid.UUID(int=chance.getrandbits(128), version=4) for _ in range(60)]
    with committer(store, uuid.uuid4(), 0, files=300) as process:
        process.stdout.readline()
        start = time.monotonic()
        process.stdout.read()
        usual = time.monotonic() - start
    for number, aip in enumerate(aips):
        head = number % 2
        if head:
            with committer(store, aip, 0, files=3) as process:
                process.communicate(timeout=30)
                assert process.returncode == 0
        with committer(store, aip, head, files=300) as process:
            process.stdout.readline()
            time.sleep(chance.uniform(0, 1.3 * usual))
            process.kill()
        assert head_of(store, aip) in {head, head + 1}
    repair(store)
    heads = {aip: head_of(store, aip) for aip in aips}
    assert all(not verify_object(store, aip) for aip, head in heads.items() if head)
    assert {heads[aip] - number % 2 for number, aip in enumerate(aips)} == {0, 1}
    assert validate(store.ocfl) == ""
    for aip in aips:
        stage = store.stage(aip, uuid.uuid4())
        assert len(stage.entries()) in {0, 300}
