"""One writer per AIP, whatever happens to its holder."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import IO

import pytest

from tasks.config.home import Home
from tasks.config.locks import PATIENCE_S, aip_lock, holder, holders
from tests.test_full import namespaces

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


SLOW = """
import sys, time
def slow(event, _):
    if event == "os.truncate":  # it has the lock, and not yet written its name
        print("taken", flush=True)
        time.sleep(1)
sys.addaudithook(slow)
""" + HOLD.replace("sleep(60)", "sleep(0.2)")

LOOK = """
import sys
from pathlib import Path
from tasks.config.home import Home
from tasks.config.locks import holders
print("looking", flush=True)
while True:
    holders(Home(Path(sys.argv[1])))
"""


def _left_by_a_former_run(home: Home, aip: uuid.UUID) -> None:
    """What a run that was killed an hour ago wrote."""
    with aip_lock(home, aip, uuid.UUID(int=5)):
        pass
    (home.work / "locks" / f"{aip}.lock").write_text(f'{{"run": "former", "since": {time.time() - 3600:.0f}}}')


def test_a_holder_that_has_not_yet_written_its_name_is_not_taken_for_the_former_one(tmp_path: Path) -> None:
    home, aip = Home(tmp_path), uuid.UUID(int=1)
    _left_by_a_former_run(home, aip)
    other = subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "taken\n"
        assert holders(home) in ({str(aip): str(uuid.UUID(int=7))}, {})  # {} when it has ended by now
        with aip_lock(home, aip, uuid.UUID(int=8)) as held:
            assert held
    finally:
        other.kill()
        other.communicate()


def test_whoever_asks_who_holds_what_is_in_nobodys_way(tmp_path: Path) -> None:
    home, aip = Home(tmp_path), uuid.UUID(int=1)
    _left_by_a_former_run(home, aip)
    other = subprocess.Popen([sys.executable, "-c", LOOK, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "looking\n"
        for _ in range(300):
            _left_by_a_former_run(home, aip)
            with aip_lock(home, aip, uuid.UUID(int=8)) as held:
                assert held
        assert other.poll() is None  # it was asking all the time
    finally:
        other.kill()
        other.communicate()


def test_locks_are_taken_and_asked_for_where_a_lock_wants_a_descriptor_of_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, aip, flock = Home(tmp_path), uuid.UUID(int=1), fcntl.flock

    def as_on_nfs(file: int | IO[str], operation: int) -> None:
        way = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE
        if way == (os.O_RDONLY if operation & fcntl.LOCK_EX else os.O_WRONLY):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", as_on_nfs)
    with aip_lock(home, aip, uuid.UUID(int=7)) as held:
        assert held
        assert holders(home) == {str(aip): str(uuid.UUID(int=7))}


READ_ONLY = """
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"
"""
ASK = """
import sys
from pathlib import Path
from tasks.config.home import Home
from tasks.config.locks import holders
print(holders(Home(Path(sys.argv[1]))))
"""


@pytest.mark.skipif(not namespaces(), reason="no mount namespace can be made here")
def test_who_holds_what_is_told_where_nothing_can_be_written(tmp_path: Path) -> None:
    home, aip = Home(tmp_path), uuid.UUID(int=1)
    alone = ["unshare", "-m" if os.geteuid() == 0 else "-Urm", "sh", "-c", READ_ONLY, "sh", str(tmp_path)]
    with aip_lock(home, aip, uuid.UUID(int=7)):
        done = subprocess.run(
            [*alone, sys.executable, "-c", ASK, str(tmp_path)], capture_output=True, text=True, check=False
        )
    assert (done.stdout.strip(), done.stderr) == (str({str(aip): str(uuid.UUID(int=7))}), "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_member_of_the_group_takes_locks_beside_whoever_took_the_first_one(tmp_path: Path) -> None:
    _left_by_a_former_run(Home(tmp_path), uuid.UUID(int=2))
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o770 if path.is_dir() else 0o640)
    become = "import os\nos.setgroups([])\nos.setuid(65534)\nwith aip_lock"
    code = HOLD.replace("with aip_lock", become).replace("sleep(60)", "sleep(0)")
    other = subprocess.run([sys.executable, "-c", code, "."], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (other.stdout, other.stderr) == ("True\n", "")


def test_a_lock_that_nobody_took_or_whose_file_is_damaged_has_no_holder(tmp_path: Path) -> None:
    home, aip = Home(tmp_path), uuid.UUID(int=1)
    assert holder(home, aip) is None
    for text in (b"", b"{", b"[]", b"7", b'{"run": "x"}', b'{"run": "x", "since": "y"}', b'{"run": 1, "since": 1e99}'):
        (home.work / "locks" / f"{aip}.lock").write_bytes(text)
        assert holder(home, aip) is None
