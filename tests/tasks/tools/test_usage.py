"""What a job maps of its own counts; what it has from the process that it was forked from does not."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.tools import usage


def mapped(path: Path) -> mmap.mmap:
    path.write_bytes(bytes(8192))
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)


def seen(folder: Path, do: Callable[[], object]) -> bool:
    """What is said of a fork of this process that has done something."""
    ready, told = os.pipe()
    pid = os.fork()
    if not pid:
        kept = do()
        os.write(told, b"x" if kept is not pid else b"")
        os.read(os.pipe()[0], 1)
        os._exit(0)
    try:
        os.read(ready, 1)
        return usage.maps_deleted([pid], str(folder))
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(told)


@pytest.mark.parametrize("own", [False, True])
def test_a_deleted_file_that_was_mapped_before_the_fork_is_not_the_jobs(tmp_path: Path, *, own: bool) -> None:
    fonts = mapped(tmp_path / "cache-8")
    (tmp_path / "cache-8").unlink()  # as `fc-cache` does when a package with fonts is installed

    def hide() -> mmap.mmap | None:
        if not own:
            return None
        kept = mapped(tmp_path / "hidden")
        (tmp_path / "hidden").unlink()
        return kept

    assert seen(tmp_path, hide) is own
    fonts.close()
