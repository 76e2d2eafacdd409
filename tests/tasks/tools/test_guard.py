"""When a guard's reason to live is gone, the service and all it started are gone."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.tools import service

SERVICE = "import subprocess, time; subprocess.Popen(['sleep', '{n}'], start_new_session=True); time.sleep(1000)"
PARENT = """
import os, sys, time
from pathlib import Path
from tasks.tools import service
service.bound([sys.executable, "-c", sys.argv[1]], env=dict(os.environ), log=Path(sys.argv[2]), cwd=Path("."))
print("ready", flush=True)
time.sleep(1000)
"""


def running(sleep: str) -> bool:
    return subprocess.run(["pgrep", "-f", f"sleep {sleep}$"], capture_output=True, check=False).returncode == 0


def until(wanted: bool, sleep: str, limit_s: float) -> bool:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if running(sleep) is wanted:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_kill_9_of_the_parent_ends_the_service_and_its_runaway_child(tmp_path: Path) -> None:
    number = f"9{os.getpid()}1"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, SERVICE.format(n=number), str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    assert until(True, number, 20)
    parent.kill()
    parent.communicate()
    assert until(False, number, 10)


@pytest.mark.slow
def test_the_last_user_of_a_shared_service_ends_it(tmp_path: Path) -> None:
    number, users = f"9{os.getpid()}2", tmp_path / "users.lock"
    with users.open("a") as one, users.open("a") as other:
        fcntl.flock(one, fcntl.LOCK_SH)
        fcntl.flock(other, fcntl.LOCK_SH)
        guard = service.shared(
            [sys.executable, "-c", SERVICE.format(n=number)],
            users=users,
            env=dict(os.environ),
            log=tmp_path / "log",
            cwd=Path(),
        )
        assert until(True, number, 20)
        fcntl.flock(one, fcntl.LOCK_UN)
        time.sleep(1.0)
        assert running(number)
    assert until(False, number, 15)
    assert guard.wait(10) == 0
