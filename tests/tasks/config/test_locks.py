"""One writer per AIP, whatever happens to its holder."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

from tasks.config.home import Home
from tasks.config.locks import PATIENCE_S, aip_lock, holder, holders

HOLD = """
import sys, time, uuid
from pathlib import Path
from tasks.config.home import Home
from tasks.config.locks import aip_lock
with aip_lock(Home(Path(sys.argv[1])), uuid.UUID(int=1), uuid.UUID(int=7)) as held:
    print(held, flush=True)
    time.sleep(60)
"""


def test_a_second_holder_is_refused_and_a_killed_one_frees_the_lock(tmp_path: Path) -> None:
    home, aip = Home(tmp_path), uuid.UUID(int=1)
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with aip_lock(home, aip, uuid.UUID(int=8)) as held:
            assert not held
        assert holders(home) == {str(aip): str(uuid.UUID(int=7))}
        found = holder(home, aip)
        assert found is not None
        assert found.run == str(uuid.UUID(int=7))
        assert abs(time.time() - found.since.timestamp()) < 30
    finally:
        other.kill()
        other.communicate()
    with aip_lock(home, aip, uuid.UUID(int=8)) as held:
        assert held


def test_a_run_that_only_looks_is_waited_for_and_one_at_work_is_not(tmp_path: Path) -> None:
    home, aip, mine, other = Home(tmp_path), uuid.UUID(int=1), uuid.UUID(int=8), uuid.UUID(int=7)
    has_it = threading.Event()

    def look(seconds: float) -> None:
        with aip_lock(home, aip, other):
            has_it.set()
            time.sleep(seconds)

    for seconds in (0.5, PATIENCE_S * 2):
        has_it.clear()
        looking = threading.Thread(target=look, args=[seconds])
        looking.start()
        has_it.wait()
        with aip_lock(home, aip, mine) as held:
            assert held is (seconds < PATIENCE_S)
        began = time.monotonic()
        with aip_lock(home, aip, mine) as held:  # by now it is known to be at work
            assert held is (seconds < PATIENCE_S)
        assert time.monotonic() - began < 1
        looking.join()


def test_a_lock_that_nobody_took_or_whose_file_is_damaged_has_no_holder(tmp_path: Path) -> None:
    home, aip = Home(tmp_path), uuid.UUID(int=1)
    assert holder(home, aip) is None
    for text in (b"", b"{", b"[]", b"7", b'{"run": "x"}', b'{"run": "x", "since": "y"}', b'{"run": 1, "since": 1e99}'):
        (home.work / "locks" / f"{aip}.lock").write_bytes(text)
        assert holder(home, aip) is None
