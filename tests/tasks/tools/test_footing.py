"""The door opened by others than the user of the tests: an ordinary user, root without CAP_SYS_ADMIN, from a clone
below /tmp. Each opens its own door in a process of its own, with a copy of the code that it can read.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
SYSTEM_PYTHON = Path("/usr/bin/python3")
NOBODY = 65534
STOPPED = {"ENOENT", "EACCES", "EPERM", "EROFS", "ESRCH", "ENOSYS"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else"),
]

SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tasks.premis.model import Limits, Trouble
from tasks.tools.door import Door
here = Path(sys.argv[1])
def told(function, *arguments, limits=Limits(wall_s=10, memory_bytes=512 << 20, output_bytes=64 << 20, processes=20)):
    with door.job(limits) as job:
        try:
            return job.call("hostile_jobs:" + function, *arguments)
        except Trouble as trouble:
            return trouble.code
with Door(here / "work", cores=1, extra_paths=(here / "hostile_jobs.py",)) as door:
    print(json.dumps({
        "layers": door.layers,
        "look": told("look", "/etc/shadow", "/host/jobs", str(here / "work"), "/proc/1/root/host", "/proc/1/environ"),
        "make": told("make", "in/x", "/usr/x", "/tmp/x", "/dev/shm/x", str(here / "x"), "/x",
                     "/proc/self/comm", "/proc/sys/kernel/shmmax", "/proc/sys/net/ipv4/ip_forward"),
        "out": told("make", "out/x", "/box/tmp/x"),
        "processes": told("processes"),
        "network": told("connect", 1, "/run/x", "x"),
        "namespaces": told("namespaces"),
        "unmount": told("unmount"),
        "capabilities": told("capabilities"),
        "group": told("interrupt_the_group"),
        "timeout": told("ignore_signals", limits=Limits(wall_s=0.5)),
        "forks": told("fork_bomb"),
        "tree": told("tree_memory", 10, 100),
        "files": told("many_big_files"),
        "hidden": told("hidden_files"),
        "deleted": told("deleted_files"),
        "daemon": len(told("leave_a_daemon")),
        "segfault": told("segfault"),
        "locked": told("plant", "locked"),
        "left": [path.name for path in (here / "work" / "jobs").glob("*/*")],
    }))
"""


@pytest.fixture
def clone() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="clone-", dir="/tmp"))
    for part in ("premis", "tools"):
        shutil.copytree(CHECKOUT / "tasks" / part, folder / "tasks" / part)
    (folder / "tasks" / "sealed").mkdir()
    for package in ("tasks", "tasks/sealed"):
        shutil.copy(CHECKOUT / package / "__init__.py", folder / package)
    shutil.copy(CHECKOUT / "fixtures" / "fakes" / "hostile_jobs.py", folder)
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def told(command: list[str], clone: Path, user: int | None = None) -> dict[str, object]:
    done = subprocess.run(
        [*command, "-c", SCRIPT, str(clone)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout)
    return result


def check(result: dict[str, object]) -> None:
    for key in ("look", "make", "network", "namespaces", "unmount"):
        tried = result[key]
        assert isinstance(tried, dict)
        assert set(tried.values()) <= STOPPED, (key, tried)
    for key, expected in (
        ("processes", [1, 2]),
        ("group", None),
        ("timeout", "tool-timeout"),
        ("forks", "tool-processes"),
        ("tree", "tool-memory"),
        ("files", "output-too-large"),
        ("hidden", "output-too-large"),
        ("deleted", "output-too-large"),
        ("daemon", 3),
        ("segfault", "tool-crash"),
        ("left", []),
    ):
        assert result[key] == expected, key
    capabilities, out = result["capabilities"], result["out"]
    assert isinstance(capabilities, dict)
    assert isinstance(out, dict)
    assert {capabilities[f"Cap{kind}:"] for kind in ("Prm", "Eff", "Bnd")} == {"0000000000000000"}
    assert all(value.startswith("open") for value in out.values())


@pytest.mark.skipif(not SYSTEM_PYTHON.exists(), reason="needs a Python that everybody can read")
def test_an_ordinary_user_has_the_same_door(clone: Path):
    (clone / "work").mkdir()
    os.chown(clone / "work", NOBODY, NOBODY)
    result = told([str(SYSTEM_PYTHON)], clone, user=NOBODY)
    check(result)
    assert "plain uid" in str(result["layers"])
    assert "missing" not in str(result["layers"])


def test_root_without_cap_sys_admin_has_the_door_and_tells_what_is_missing(clone: Path):
    result = told(["setpriv", "--bounding-set=-sys_admin", sys.executable], clone)
    check(result)
    assert "missing: plain uid" in str(result["layers"])


def test_root_with_a_clone_below_tmp_has_the_door(clone: Path):
    check(told([sys.executable], clone))
