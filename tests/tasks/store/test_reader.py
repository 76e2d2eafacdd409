"""The reader's three states: whole, unfinished, broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tasks.store.errors import StoreBroken
from tasks.store.reader import INVENTORY, SIDECAR, read_object


@pytest.fixture
def obj(store, aip, commit) -> Path:
    commit(store, aip, {"a": b"one"})
    commit(store, aip, {"a": b"two"})
    return store.object_path(aip)


def take_from(obj: Path, version: str, *names: str) -> None:
    for name in names:
        shutil.copy(obj / version / name, obj / name)


@pytest.mark.parametrize("behind", [(INVENTORY, SIDECAR), (SIDECAR,), (INVENTORY,)])
def test_a_version_that_is_not_the_head_yet_is_unfinished_and_the_old_head_is_served(aip, obj, behind):
    take_from(obj, "v1", *behind)
    inventory = read_object(aip, obj)
    assert (inventory.head, inventory.whole) == (1, False)
    assert inventory.state()["a"].path.read_bytes() == b"one"


def test_an_object_without_an_unfinished_version_is_whole(aip, obj):
    assert read_object(aip, obj).whole


def rot(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "harm",
    [
        lambda obj: rot(obj / INVENTORY),
        lambda obj: rot(obj / SIDECAR),
        lambda obj: (obj / INVENTORY).unlink(),
        lambda obj: (obj / SIDECAR).unlink(),
        lambda obj: (obj / SIDECAR).write_bytes(b""),
        lambda obj: (obj / "0=ocfl_object_1.1").unlink(),
        lambda obj: shutil.rmtree(obj / "v2"),
        lambda obj: shutil.rmtree(obj / "v1"),
        lambda obj: (obj / "v3").mkdir(),
        lambda obj: shutil.copytree(obj / "v2", obj / "v3"),
        lambda obj: (take_from(obj, "v1", INVENTORY, SIDECAR), rot(obj / "v2" / INVENTORY)),
    ],
)
def test_anything_else_is_broken_and_names_its_place(aip, obj, harm):
    harm(obj)
    with pytest.raises(StoreBroken) as alarm:
        read_object(aip, obj)
    assert alarm.value.path == obj


def test_an_object_of_another_aip_is_broken(store, aip, obj):
    other = type(aip)(int=5)
    store.object_path(other).parent.mkdir(parents=True)
    shutil.copytree(obj, store.object_path(other))
    with pytest.raises(StoreBroken):
        store.inventory(other)
