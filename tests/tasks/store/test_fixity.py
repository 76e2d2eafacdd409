"""Fixity tells rot, loss and strangers apart."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tasks.store.errors import StoreBroken
from tasks.store.fixity import Faults, verify_object


@pytest.fixture
def obj(store, aip, commit) -> Path:
    commit(store, aip, {"a": b"one", "b": b"two"})
    commit(store, aip, {"c": b"three"})
    return store.object_path(aip)


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_sound_object_has_no_faults(store, aip, obj):
    assert not verify_object(store, aip)


def test_rot_missing_and_extra_are_told_apart(store, aip, obj):
    overwrite(obj / "v1/content/a", b"0ne")
    (obj / "v1/content/b").unlink()
    (obj / "v2/content/stranger").write_bytes(b"")
    found = verify_object(store, aip)
    assert found == Faults(rot=("v1/content/a",), missing=("v1/content/b",), extra=("v2/content/stranger",))


def test_the_inventory_of_an_old_version_is_checked_too(store, aip, obj):
    overwrite(obj / "v1/inventory.json", b"{}")
    assert verify_object(store, aip).rot == ("v1/inventory.json",)


def test_a_link_in_the_place_of_a_file_is_rot_even_if_it_leads_to_the_bytes(store, aip, obj, tmp_path):
    (obj / "v1/content/a").rename(tmp_path / "a")
    (obj / "v1/content/a").symlink_to(tmp_path / "a")
    assert verify_object(store, aip).rot == ("v1/content/a",)


def test_a_linked_folder_is_a_stranger(store, aip, obj, tmp_path):
    (obj / "v1/content/folder").symlink_to(tmp_path)
    assert verify_object(store, aip).extra == ("v1/content/folder",)


def test_a_pipe_in_the_place_of_a_file_is_rot(store, aip, obj):
    (obj / "v1/content/a").unlink()
    os.mkfifo(obj / "v1/content/a")
    assert verify_object(store, aip).rot == ("v1/content/a",)


def test_a_broken_object_is_an_alarm_not_a_list(store, aip, obj):
    shutil.rmtree(obj / "v1")
    with pytest.raises(StoreBroken):
        verify_object(store, aip)


def test_an_object_that_is_not_there_cannot_be_verified(store, aip):
    with pytest.raises(StoreBroken, match="no finished object"):
        verify_object(store, aip)
