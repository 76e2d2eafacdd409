"""kill -9 at every place: nothing is left behind, the trouble is told, and work goes on."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.premis.model import Limits, Trouble
from tasks.tools import kernel
from tasks.tools.door import Door, DoorClosed
from tasks.tools.fence import Fence
from tasks.tools.floor import Floor

pytestmark = pytest.mark.slow

GONE_S = 30
"""Never is what is looked for; on a quiet machine the last one has gone after 1.4 s."""

HOSTILE = Path(__file__).parents[3] / "fixtures" / "fakes" / "hostile_jobs.py"

PARENT = """
import os, sys, threading
from pathlib import Path
from tasks.tools.door import Door, DoorClosed
from tasks.tools.floor import Floor
door = Door(Path(sys.argv[1]), cores=2, extra_paths=(Path(sys.argv[2]),), floor=Floor[sys.argv[3]])
def work(function):
    with door.job() as job:
        job.call("hostile_jobs:" + function)
for function in ("ignore_signals", "leave_and_stay"):
    threading.Thread(target=work, args=(function,), daemon=True).start()
print("started", flush=True)
threading.Event().wait()
"""


def descendants(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [found for child in map(int, children) for found in (child, *descendants(child))]
    return []


def running(pids: list[int]) -> list[int]:
    alive = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                alive.append(pid)
    return alive


def gone_within(pids: list[int], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while running(pids) and time.monotonic() < end:
        time.sleep(0.02)
    return not running(pids)


def test_a_killed_parent_leaves_no_process_and_the_next_start_removes_its_folders(tmp_path: Path, floor: Floor):
    # Twice: bwrap, zygote, keeper and worker, or zygote, warden and worker; and one daemon.
    wanted = 9 if floor is Floor.BUBBLEWRAP else 7
    arguments = [sys.executable, "-c", PARENT, str(tmp_path), str(HOSTILE), floor.name]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "started\n"
        end = time.monotonic() + 20
        while len(below := _started_by(parent.pid)) < wanted and time.monotonic() < end:
            time.sleep(0.05)
        parent.kill()
    assert len(below) >= wanted
    assert gone_within(below, GONE_S)
    assert len(list((tmp_path / "jobs").iterdir())) == 1
    with Door(tmp_path, cores=1):
        assert len(list((tmp_path / "jobs").iterdir())) == 1


def _started_by(pid: int) -> list[int]:
    # Every thread of the parent has children of its own.
    with contextlib.suppress(OSError):
        tasks = [int(name) for name in os.listdir(f"/proc/{pid}/task")]
        return [
            found
            for task in tasks
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()
            for found in (int(child), *descendants(int(child)))
        ]
    return []


def _zygote(before: set[int]) -> int:
    # bubblewrap stays as the zygote's parent, and its only child is the zygote.
    new = [pid for pid in _started_by(os.getpid()) if pid not in before]
    (zygote,) = (pid for pid in new if Path(f"/proc/{pid}/exe").resolve().name.startswith("python"))
    return zygote


SLOW = """
import time
from pathlib import Path

def slow(seconds):
    made = Path("out/made")
    first = not made.exists()
    made.write_text("half")
    time.sleep(seconds)
    return first
"""


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    (tmp_path / "slow_jobs.py").write_text(SLOW)
    return tmp_path / "slow_jobs.py"


def _kill_later(pid: Callable[[], int], after_s: float) -> None:
    threading.Timer(after_s, lambda: os.kill(pid(), signal.SIGKILL)).start()


def test_the_call_of_a_killed_zygote_is_tried_once_more_from_the_beginning(tmp_path: Path, slow: Path):
    before = set(_started_by(os.getpid()))
    with Door(tmp_path / "work", cores=1, extra_paths=(slow,)) as door, door.job() as job:
        zygote = _zygote(before)
        _kill_later(lambda: zygote, 0.5)
        assert job.call("slow_jobs:slow", 1.5) is True
    assert len(job.runs) == 1


def test_the_call_of_a_job_that_something_else_killed_is_tried_once_more(tmp_path: Path, slow: Path, floor: Floor):
    before = set(_started_by(os.getpid()))
    with Door(tmp_path / "work", cores=1, extra_paths=(slow,), floor=floor) as door, door.job() as job:
        zygote = _zygote(before)
        _kill_later(lambda: descendants(zygote)[-1], 0.5)
        assert job.call("slow_jobs:slow", 1.5) is True


@pytest.mark.parametrize("killed", ["zygote", "warden"])
def test_a_job_whose_guardian_was_killed_leaves_nothing_and_is_tried_once_more(tmp_path: Path, killed: str):
    before = set(_started_by(os.getpid()))
    left: list[int] = []

    def kill(zygote: int) -> None:
        end = time.monotonic() + 20
        while len(below := descendants(zygote)) < 3 and time.monotonic() < end:  # warden, worker, daemon
            time.sleep(0.02)
        left.extend(below)
        os.kill(zygote if killed == "zygote" else below[0], signal.SIGKILL)

    with Door(tmp_path, cores=1, extra_paths=(HOSTILE,), floor=Floor.LANDLOCK) as door:
        zygote = _zygote(before)
        with door.job(Limits(wall_s=2)) as job:
            killer = threading.Thread(target=kill, args=(zygote,))
            killer.start()
            with pytest.raises(Trouble) as caught:
                job.call("hostile_jobs:leave_and_stay")
            killer.join()
            assert caught.value.code == "tool-timeout"  # of the second try
            assert len(left) >= 3
            assert gone_within(left, GONE_S)
            assert job.call("hostile_jobs:echo", "again")["values"] == ["again"]


def test_a_call_whose_zygote_is_killed_twice_is_told_and_the_zygote_replaced(tmp_path: Path, floor: Floor):
    before = set(_started_by(os.getpid()))
    with Door(tmp_path, cores=1, extra_paths=(HOSTILE,), floor=floor) as door, door.job() as job:
        killer = threading.Thread(target=_kill_two_at_work, args=(before,), daemon=True)
        killer.start()
        with pytest.raises(Trouble) as caught:
            job.call("hostile_jobs:ignore_signals")
        killer.join()
        assert (caught.value.code, caught.value.detail["tool"]) == ("tool-crash", "zygote")
        assert job.call("hostile_jobs:echo", "again")["values"] == ["again"]


def _kill_two_at_work(before: set[int]) -> None:
    """Kill two zygotes, one after the other, each once a job runs in it."""
    killed: set[int] = set()
    end = time.monotonic() + 100
    while len(killed) < 2 and time.monotonic() < end:
        new = [pid for pid in _started_by(os.getpid()) if pid not in before and _is_python(pid)]
        # A zygote is a Python that no other Python of ours started; its worker is one that it did.
        zygotes = [pid for pid in new if _stat(pid)[1] not in ("0", "1", *map(str, new)) and pid not in killed]
        for pid in zygotes[:1]:
            # What a zygote starts while it loads its libraries leads no session.
            if any(_is_python(child) and _stat(child)[3] == str(child) for child in descendants(pid)):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        time.sleep(0.02)


def _stat(pid: int) -> list[str]:
    """State, parent, group and session of a process, of one that is gone zeros (proc_pid_stat(5))."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:4]
    return ["0"] * 4


def _is_python(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/exe").resolve().name.startswith("python")
    return False


def test_a_zygote_killed_between_two_jobs_is_not_noticed(tmp_path: Path):
    before = set(_started_by(os.getpid()))
    with Door(tmp_path, cores=1, extra_paths=(HOSTILE,)) as door:
        zygote = _zygote(before)
        os.kill(zygote, signal.SIGKILL)
        assert gone_within([zygote], GONE_S)
        with door.job() as job:
            assert job.call("hostile_jobs:echo", 1)["values"] == [1]


def test_a_closed_door_leaves_no_process(tmp_path: Path):
    before = set(_started_by(os.getpid()))
    door = Door(tmp_path, cores=1, extra_paths=(HOSTILE,))
    mine = [pid for pid in _started_by(os.getpid()) if pid not in before]
    assert mine
    door.close()
    assert running(mine) == []


def test_a_zygote_that_something_else_killed_while_it_started_is_started_once_more(tmp_path: Path):
    before, killed = set(_started_by(os.getpid())), []

    def kill_the_first() -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            new = [pid for pid in _started_by(os.getpid()) if pid not in before and _is_python(pid)]
            if new:
                killed.append(new[0])
                os.kill(new[0], signal.SIGKILL)
                return
            time.sleep(0.005)

    threading.Thread(target=kill_the_first, daemon=True).start()
    with Door(tmp_path, cores=1, extra_paths=(HOSTILE,)) as door, door.job() as job:
        assert job.call("hostile_jobs:echo", 1)["values"] == [1]
    assert killed


def test_what_is_in_hand_when_the_door_is_closed_ends_at_once_and_is_no_trouble_of_the_file(tmp_path: Path, slow: Path):
    door = Door(tmp_path / "work", cores=1, extra_paths=(slow,))
    threading.Timer(0.5, door.close).start()
    began = time.monotonic()
    with pytest.raises(DoorClosed), door.job() as job:
        job.call("slow_jobs:slow", 60)
    assert time.monotonic() - began < 10
    with pytest.raises(DoorClosed), door.job():
        pass


def test_a_warden_that_cannot_hold_its_job_says_why_before_the_job_begins(tmp_path: Path):
    heard, stderr = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(heard)
        # Without a uid or Landlock 6 nothing tells the job's processes from others.
        kernel.landlock_abi = lambda: kernel.SCOPING_ABI - 1
        fence = Fence(None, plain=False, jobs=str(tmp_path), sources=(), extra=(), alive=stderr)
        fence._guard((stderr, stderr, stderr), stderr, stderr, lambda: os._exit(0))
    os.close(stderr)
    os.waitpid(pid, 0)
    with open(heard, "rb") as said:
        assert b"PermissionError: without a uid of its own or Landlock 6 a process cannot be held" in said.read()
