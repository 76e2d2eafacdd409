"""Fixity tells what is wrong with a stored object and where, and never accuses a sound one."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.store.fixity import WHOLE, Fault, Kind, verify_object
from tasks.store.ocfl import Store
from tasks.store.strangers import strangers

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def obj(store, aip, commit) -> Path:
    commit(store, aip, {"a": b"one", "b": b"two"})
    commit(store, aip, {"c": b"three"})
    return store.object_path(aip)


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_sound_object_has_no_faults_and_its_bytes_are_counted(store, aip, obj):
    found = verify_object(store, aip)
    assert not found
    assert found.files == 5  # three files of content, two inventories
    assert found.bytes == 11 + sum((obj / f"v{n}/inventory.json").stat().st_size for n in (1, 2))


PLANTED: dict[str, tuple[Callable[[Path], object], tuple[Fault, ...]]] = {
    "a flipped byte": (lambda o: overwrite(o / "v1/content/a", b"0ne"), (Fault(Kind.ROT, "v1/content/a"),)),
    "a file cut short": (lambda o: overwrite(o / "v1/content/a", b"on"), (Fault(Kind.ROT, "v1/content/a"),)),
    "a missing file": (lambda o: (o / "v1/content/b").unlink(), (Fault(Kind.MISSING, "v1/content/b"),)),
    "an extra file": (
        lambda o: (o / "v2/content/stranger").write_bytes(b""),
        (Fault(Kind.EXTRA, "v2/content/stranger"),),
    ),
    "a renamed file": (
        lambda o: (o / "v1/content/b").rename(o / "v1/content/z"),
        (Fault(Kind.RENAMED, "v1/content/b", "v1/content/z"),),
    ),
    "a file moved to another version": (
        lambda o: (o / "v1/content/b").rename(o / "v2/content/b"),
        (Fault(Kind.RENAMED, "v1/content/b", "v2/content/b"),),
    ),
    "an old inventory changed": (
        lambda o: overwrite(o / "v1/inventory.json", b"{}"),
        (Fault(Kind.INVENTORY, "v1/inventory.json"),),
    ),
    "an old inventory missing": (
        lambda o: (o / "v1/inventory.json").unlink(),
        (Fault(Kind.INVENTORY, "v1/inventory.json", "missing"),),
    ),
    "the declaration changed": (
        lambda o: overwrite(o / "0=ocfl_object_1.1", b"ocfl_object_9.9\n"),
        (Fault(Kind.INVENTORY, "0=ocfl_object_1.1", "not the declaration of OCFL 1.1"),),
    ),
    "a linked folder": (
        lambda o: (o / "v1/content/folder").symlink_to("/etc"),
        (Fault(Kind.EXTRA, "v1/content/folder"),),
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_each_planted_fault_is_told_apart_and_located(store, aip, obj, planted):
    plant, expected = PLANTED[planted]
    plant(obj)
    assert verify_object(store, aip).faults == expected


def test_several_faults_are_all_told(store, aip, obj):
    for plant in ("a flipped byte", "a missing file", "an extra file"):
        PLANTED[plant][0](obj)
    assert {fault.kind for fault in verify_object(store, aip).faults} == {Kind.ROT, Kind.MISSING, Kind.EXTRA}


@pytest.mark.parametrize("make", [lambda p: p.symlink_to(p.parent / "kept"), os.mkfifo])
def test_what_is_no_file_in_the_place_of_one_is_rot_even_if_it_leads_to_the_bytes(store, aip, obj, make):
    shutil.copy(obj / "v1/content/a", obj / "v1/content/kept")
    (obj / "v1/content/a").unlink()
    make(obj / "v1/content/a")
    assert [(f.kind, f.path) for f in verify_object(store, aip).faults] == [
        (Kind.ROT, "v1/content/a"),
        (Kind.EXTRA, "v1/content/kept"),
    ]


@pytest.mark.parametrize("name", ["inventory.json", "inventory.json.sha512", "0=ocfl_object_1.1"])
def test_a_damaged_head_does_not_stop_the_content_from_being_judged(store, aip, obj, name):
    (obj / name).unlink()
    overwrite(obj / "v2/content/c", b"thr33")
    found = verify_object(store, aip).faults
    assert {f.kind for f in found} == {Kind.INVENTORY, Kind.ROT}
    assert Fault(Kind.ROT, "v2/content/c") in found


def test_content_that_no_inventory_proves_any_more_is_told_as_not_judged(store, aip, obj):
    for folder in (obj, obj / "v2"):
        overwrite(folder / "inventory.json", b"damaged")
    found = verify_object(store, aip).faults
    assert Fault(Kind.INVENTORY, "v2", "its content cannot be judged") in found
    assert {f.kind for f in found} == {Kind.INVENTORY}
    overwrite(obj / "v1/inventory.json", b"damaged")
    assert [f.kind for f in verify_object(store, aip).faults] == [Kind.INVENTORY]


def test_a_missing_version_is_missing_files_and_an_alarm(store, aip, obj):
    shutil.rmtree(obj / "v1")
    kinds = {f.kind for f in verify_object(store, aip).faults}
    assert kinds == {Kind.INVENTORY, Kind.MISSING}


def test_an_object_that_is_not_there_is_missing(store, aip):
    assert verify_object(store, aip).faults == (Fault(Kind.MISSING, ".", WHOLE),)


LOOK = """
import json, sys, uuid
from pathlib import Path
from tasks.store.fixity import verify_object
from tasks.store.ocfl import Store
from tasks.tools import kernel
kernel.drop_capabilities()  # root too may read only what its mode allows
found = verify_object(Store(Path(sys.argv[1])), uuid.UUID(sys.argv[2]))
print(json.dumps([(f.kind, f.path, f.what) for f in found.faults]))
"""
DENIED = "Permission denied"


@pytest.mark.parametrize(
    ("closed", "told"),
    [
        ("v1/content", [("unreadable", "v1/content", DENIED)]),
        ("v1/content/b", [("unreadable", "v1/content/b", DENIED)]),
        ("inventory.json", [("unreadable", "inventory.json", DENIED)]),
        ("v2/inventory.json", [("unreadable", "v2/inventory.json", DENIED)]),
        ("v1/inventory.json.sha512", [("unreadable", "v1/inventory.json.sha512", DENIED)]),
        ("0=ocfl_object_1.1", [("unreadable", "0=ocfl_object_1.1", DENIED)]),
        (".", [("unreadable", ".", DENIED)]),
        ("..", [("unreadable", ".", DENIED)]),
    ],
)
def test_what_nobody_may_look_into_is_told_as_unreadable_and_never_as_missing(store, aip, obj, closed, told):
    folder, mode = obj / closed, (obj / closed).stat().st_mode
    folder.chmod(0)
    try:
        said = subprocess.run(
            [sys.executable, "-c", LOOK, store.root, str(aip)], cwd=ROOT, capture_output=True, text=True, check=True
        )
    finally:
        folder.chmod(mode)
    assert [tuple(fault) for fault in json.loads(said.stdout)] == told
    assert not verify_object(store, aip)


def test_a_pipe_in_the_place_of_an_inventory_is_damage_and_is_not_waited_for(store, aip, obj):
    for name in ("inventory.json", "v1/inventory.json.sha512", "0=ocfl_object_1.1"):
        (obj / name).unlink()
        os.mkfifo(obj / name)
    assert {(f.kind, f.path) for f in verify_object(store, aip).faults} == {
        (Kind.INVENTORY, name) for name in ("inventory.json", "v1/inventory.json.sha512")
    } | {(Kind.INVENTORY, "0=ocfl_object_1.1")}


class Stopped(Exception):  # noqa: N818  it is what happened
    """Asked to stop."""


def test_the_reading_of_one_object_can_be_stopped_inside_a_large_file(store, aip, commit):
    commit(store, aip, {"large": os.urandom(16 << 20)})
    looks = 0

    def go_on() -> None:
        nonlocal looks
        looks += 1
        if looks > 4:
            raise Stopped

    with pytest.raises(Stopped):
        verify_object(store, aip, go_on)
    assert looks < 8  # of the seventeen that the whole file takes
    assert not verify_object(store, aip)


class Killed(Exception):  # noqa: N818  it is what happened
    """The process ends here."""


@pytest.mark.parametrize("at", range(1, 12))
def test_an_unfinished_version_is_told_as_that_and_is_no_rot(tmp_path, aip, commit, at):
    steps = 0

    def step(_: str) -> None:
        nonlocal steps
        steps += 1
        if steps == at:
            raise Killed

    commit(Store(tmp_path / "store"), aip, {"a": b"one"})
    store = Store(tmp_path / "store", step=step)
    with contextlib.suppress(Killed):
        commit(store, aip, {"b": b"two"})
    assert {f.kind for f in verify_object(Store(tmp_path / "store"), aip).faults} <= {Kind.UNFINISHED}


def test_strangers_in_the_storage_root_are_told(store, aip, obj):
    assert list(strangers(store)) == []
    (store.ocfl / "notes.txt").write_bytes(b"")
    (store.ocfl / "abc" / "def" / "012").mkdir(parents=True)
    moved = obj.with_name(obj.name[:-1] + ("1" if obj.name.endswith("0") else "0"))
    obj.rename(moved)
    told = set(strangers(store))
    assert {"notes.txt", "abc/def/012/"} < told
    assert any(path.startswith(str(moved.relative_to(store.ocfl))) for path in told)


def test_what_a_run_beside_us_is_just_putting_into_the_root_is_no_stranger(tmp_path, commit):
    seen: list[list[str]] = []

    def step(_: str) -> None:
        seen.append(list(strangers(Store(tmp_path / "store"))))

    store = Store(tmp_path / "store", step=step)
    for _ in range(3):
        commit(store, uuid.uuid4(), {"a": b"one"})
    assert len(seen) > 20
    assert not any(seen)


@pytest.mark.slow
def test_first_versions_that_come_while_the_root_is_looked_through_are_no_strangers(store, commit):
    done = threading.Event()

    def grow() -> None:
        for n in range(150):
            commit(store, uuid.uuid4(), {"a": b"%d" % n})
        done.set()

    thread = threading.Thread(target=grow)
    thread.start()
    told, looks = [], 0
    while not done.is_set():
        told += strangers(store)
        looks += 1
    thread.join()
    assert looks > 3
    assert told == []


files = st.dictionaries(st.text("abcdefgh/é", min_size=1, max_size=8), st.binary(max_size=64), min_size=1, max_size=5)


def clean(names: dict[str, bytes]) -> dict[str, bytes]:
    """Names that can stand beside each other."""
    return {f"{n}-{name.replace('/', '_')}": data for n, (name, data) in enumerate(names.items())}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(versions=st.lists(files, min_size=1, max_size=3), seed=st.integers(0, 2**32))
def test_a_sound_object_is_never_accused_and_one_fault_is_always_found(
    tmp_path_factory, commit, versions: list[dict[str, bytes]], seed: int
):
    store, aip, chance = Store(tmp_path_factory.mktemp("s")), uuid.uuid4(), random.Random(seed)
    for names in versions:
        commit(store, aip, clean(names))
    assert not verify_object(store, aip)
    obj = store.object_path(aip)
    content = sorted(p for p in obj.rglob("content/*") if p.is_file())
    victim = chance.choice(content)
    path = str(victim.relative_to(obj))
    how = chance.choice(["flip", "append", "delete", "rename", "add"])
    data = victim.read_bytes()
    if how in ("flip", "append"):
        at = chance.randrange(len(data)) if data and how == "flip" else len(data)
        overwrite(victim, data[:at] + bytes([(data[at] ^ 1) if at < len(data) else 7]) + data[at + 1 :])
        expected = [Fault(Kind.ROT, path)]
    elif how == "delete":
        victim.unlink()
        expected = [Fault(Kind.MISSING, path)]
    elif how == "rename":
        victim.rename(victim.with_name("new"))
        expected = [Fault(Kind.RENAMED, path, str(victim.with_name("new").relative_to(obj)))]
    else:
        victim.with_name("new").write_bytes(data)
        expected = [Fault(Kind.EXTRA, str(victim.with_name("new").relative_to(obj)))]
    assert list(verify_object(store, aip).faults) == expected


@pytest.mark.slow
def test_an_object_that_grows_while_it_is_read_is_never_accused(store, aip, commit):
    commit(store, aip, {f"{n}": os.urandom(2000) for n in range(300)})
    done = threading.Event()

    def grow() -> None:
        for n in range(40):
            commit(store, aip, {f"new {n} {m}": os.urandom(100) for m in range(5)})
        done.set()

    thread = threading.Thread(target=grow)
    thread.start()
    seen = []
    while not done.is_set():
        seen.append(verify_object(store, aip))
    thread.join()
    assert len(seen) > 3
    assert {f.kind for one in seen for f in one.faults} <= {Kind.UNFINISHED}
    assert not verify_object(store, aip)
