"""Export gives a version back, and nothing else."""

from __future__ import annotations

import pytest

from tasks.store.errors import DigestMismatch, StoreError
from tasks.store.export import export
from tasks.store.names import logical_path


def test_each_version_can_be_exported_as_it_was(store, aip, commit, tmp_path):
    commit(store, aip, {"folder/a": b"one"})
    commit(store, aip, {"folder/a": b"two", "b": b""})
    export(store, aip, 1, tmp_path / "1")
    export(store, aip, 2, tmp_path / "2")
    assert (tmp_path / "1/folder/a").read_bytes() == b"one"
    assert sorted(path.name for path in (tmp_path / "2").rglob("*")) == ["a", "b", "folder"]


def test_a_name_that_leads_out_stays_inside_under_its_escaped_form(store, aip, commit, tmp_path):
    commit(store, aip, {logical_path(b"../../evil"): b"x", logical_path(b"/etc/evil"): b"y"})
    export(store, aip, 1, tmp_path / "out")
    assert (tmp_path / "out/%2E%2E/%2E%2E/evil").read_bytes() == b"x"
    assert (tmp_path / "out/%2Fetc/evil").read_bytes() == b"y"


def test_nothing_is_overwritten(store, aip, commit, tmp_path):
    commit(store, aip, {"a": b"one"})
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        export(store, aip, 1, tmp_path)
    assert (tmp_path / "a").read_bytes() == b"mine"


def test_rotten_bytes_are_not_given_out(store, aip, commit, tmp_path):
    commit(store, aip, {"a": b"one"})
    content = store.inventory(aip).state()["a"].path
    content.chmod(0o644)
    content.write_bytes(b"0ne")
    with pytest.raises(DigestMismatch):
        export(store, aip, 1, tmp_path / "out")
    assert not (tmp_path / "out/a").exists()


@pytest.mark.parametrize("version", [0, 2])
def test_a_version_that_is_not_there_is_refused(store, aip, commit, tmp_path, version):
    commit(store, aip, {"a": b"one"})
    with pytest.raises(StoreError, match="no version"):
        export(store, aip, version, tmp_path / "out")
