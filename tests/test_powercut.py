"""Nothing that had been reported is lost when the power goes; `python -m tests.powercut` does the whole campaign."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from tests import powercut
from tests import powercut_model as model

pytestmark = pytest.mark.slow


def missing(why: str) -> None:
    if os.environ.get("CI") or os.environ.get("REQUIRE_TOOLS"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.mark.parametrize("kind", powercut.KINDS)
def test_no_state_that_a_disk_may_be_in_lacks_what_was_reported(kind: str, tmp_path: Path):
    if shutil.which("strace") is None:
        missing("no strace")
    assert powercut.modelled(kind, 60, 20261127, tmp_path, validate=False) == []


@pytest.mark.parametrize("kind", powercut.KINDS)
def test_after_a_power_cut_a_real_file_system_holds_what_was_reported(kind: str, tmp_path: Path):
    try:
        image = powercut.image(tmp_path)
        found = [fault for n in range(4) for fault in powercut.cut(kind, image, tmp_path / "disk", n)]
    except powercut.CannotMount as why:
        pytest.skip(f"a file system cannot be mounted and shut down here: {why}")
    assert found == []


def played(home: Path, *calls: model.Call) -> model.Disk:
    disk = model.Disk(home)
    for call in calls:
        disk.play(call)
    return disk


def states(disk: model.Disk, folder: Path) -> set[tuple[tuple[str, bytes], ...]]:
    """All files of many states that the disk may be in."""
    found = set()
    for seed in range(60):
        place = folder / f"state-{seed}"
        model.left(disk, model.HARSH[seed % len(model.HARSH)], random.Random(seed), place)
        found.add(tuple((p.name, p.read_bytes()) for p in sorted(place.rglob("*")) if p.is_file()))
    return found


def test_the_model_believes_no_name_and_no_byte_that_was_not_flushed(tmp_path: Path):
    home = tmp_path / "home"
    name = os.fsencode(home / "a")
    opened = model.Call("openat", (name,), ("AT_FDCWD", '""', "O_WRONLY|O_CREAT"), 3)
    written = model.Call("write", (b"bytes",), ("3", '""', "5"), 5)
    flushed = model.Call("fsync", (), ("3",), 0)
    root = model.Call("openat", (os.fsencode(home),), ("AT_FDCWD", '""', "O_RDONLY"), 4)
    folder = model.Call("fsync", (), ("4",), 0)
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    (tmp_path / "3").mkdir()
    assert {(), (("a", b""),), (("a", b"bytes"),)} <= states(played(home, opened, written), tmp_path / "1")
    assert states(played(home, opened, written, flushed), tmp_path / "2") == {(), (("a", b"bytes"),)}
    done = played(home, opened, written, flushed, root, folder)
    assert states(done, tmp_path / "3") == {(("a", b"bytes"),)}
