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

from tasks.tools.floor import Floor
from tasks.tools.footing import CAP_DAC_READ_SEARCH

CHECKOUT = Path(__file__).parents[3]
SYSTEM_PYTHON = Path("/usr/bin/python3")
NOBODY = 65534
STOPPED = {"ENOENT", "EACCES", "EPERM", "EROFS", "ESRCH", "ENOSYS"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else"),
]

SCRIPT = """
import json, os, subprocess, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tasks.premis.model import Limits, Trouble
from tasks.tools.door import Door
from tasks.tools.floor import Floor
here = Path(sys.argv[1])
def told(function, *arguments, limits=Limits(wall_s=10, memory_bytes=512 << 20, output_bytes=64 << 20, processes=20)):
    with door.job(limits) as job:
        try:
            return job.call("hostile_jobs:" + function, *arguments)
        except Trouble as trouble:
            return trouble.code
kept = here / "work" / "kept"
kept.parent.mkdir(exist_ok=True)
kept.write_text("kept")
before = kept.stat()
neighbour = subprocess.Popen(["/bin/sleep", "60"])
with Door(here / "work", cores=1, extra_paths=(here / "hostile_jobs.py",), floor=Floor[sys.argv[2]]) as door:
    print(json.dumps({
        "layers": door.layers,
        "look": told("look", "/etc/shadow", "/host/jobs", str(here / "work"), "/proc/1/root/host", "/proc/1/environ"),
        "make": told("make", "in/x", "/usr/x", "/tmp/x", "/dev/shm/x", str(here / "x"), "/x",
                     "/proc/self/comm", "/proc/sys/kernel/shmmax", "/proc/sys/net/ipv4/ip_forward"),
        "out": told("make", "out/x", "tmp/x" if door.floor is Floor.LANDLOCK else "/box/tmp/x"),
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
        "daemon": len(told("leave_a_daemon") or ()),
        "changed": told("change_file", str(kept)),
        "others": told("harm_others", neighbour.pid),
        "beside": told("hidden_names", str(kept)),
        "parent": [told("a_child_of_the_parent")],
        "mapped": told("mapped_deleted_files"),
        "headless": told("headless_memory", 8, 100),
        "neighbour": neighbour.poll(),
        "kept": [kept.read_text(), kept.stat().st_mode == before.st_mode, kept.stat().st_mtime == before.st_mtime],
        "segfault": told("segfault"),
        "locked": told("plant", "locked"),
        "left": [path.name for path in (here / "work" / "jobs").glob("*/*")],
    }))
neighbour.kill()
"""


@pytest.fixture
def clone() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="clone-", dir="/tmp"))
    for part in ("premis", "tools", "words"):
        shutil.copytree(CHECKOUT / "tasks" / part, folder / "tasks" / part)
    (folder / "tasks" / "sealed").mkdir()
    for package in ("tasks", "tasks/sealed"):
        shutil.copy(CHECKOUT / package / "__init__.py", folder / package)
    shutil.copy(CHECKOUT / "fixtures" / "fakes" / "hostile_jobs.py", folder)
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def told(command: list[str], clone: Path, floor: Floor, user: int | None = None) -> dict[str, object]:
    done = subprocess.run(
        [*command, "-c", SCRIPT, str(clone), floor.name],
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


def check(result: dict[str, object], floor: Floor) -> None:
    boxed = floor is Floor.BUBBLEWRAP
    for key in ("look", "make", "network", "namespaces", "unmount", "changed", "others", "beside", "parent"):
        tried = result[key]
        assert isinstance(tried, dict | list)
        assert set(tried.values() if isinstance(tried, dict) else tried) <= STOPPED | {"EXDEV", "ENOTSUP"}, (key, tried)
    for key, expected in (
        ("processes", [1, 2] if boxed else None),
        ("group", None),
        ("timeout", "tool-timeout"),
        ("forks", "tool-processes"),
        ("tree", "tool-memory"),
        ("files", "output-too-large"),
        ("hidden", "output-too-large"),
        ("deleted", "output-too-large"),
        ("mapped", "output-too-large"),
        ("headless", "tool-memory"),
        ("daemon", 3 if boxed else 0),
        ("neighbour", None),
        ("kept", ["kept", True, True]),
        ("segfault", "tool-crash"),
        ("left", []),
    ):
        assert result[key] == expected, key
    capabilities, out = result["capabilities"], result["out"]
    assert isinstance(capabilities, dict)
    assert isinstance(out, dict)
    # Who may have none cannot give up the right to get one, which no new privileges take anyway.
    kinds = ("Prm", "Eff", "Bnd") if boxed else ("Prm", "Eff", "Inh", "Amb")
    # A Python that is closed to others, as a clone's may be, is reached by the one that walks through closed folders.
    kept = 1 << CAP_DAC_READ_SEARCH if "walk through closed folders" in str(result["layers"]) else 0
    assert {capabilities[f"Cap{kind}:"] for kind in kinds} == {f"{kept:016x}"}
    assert capabilities["NoNewPrivs:"] == "1"
    assert all(value.startswith("open") for value in out.values())


def missing(result: dict[str, object]) -> list[str]:
    layers = result["layers"]
    assert isinstance(layers, list)
    return [layer for layer in layers if layer.startswith("missing")]


PUBLIC = pytest.mark.skipif(not SYSTEM_PYTHON.exists(), reason="needs a Python that everybody can read")
FENCE = ["missing: bubblewrap", "missing: own processes, mounts and ipc"]
DOCKER = "chown,dac_override,fsetid,fowner,mknod,net_raw,setgid,setuid,setfcap,setpcap,net_bind_service,sys_chroot,kill"


@PUBLIC
def test_an_ordinary_user_has_the_same_door(clone: Path, floor: Floor):
    (clone / "work").mkdir()
    os.chown(clone / "work", NOBODY, NOBODY)
    result = told([str(SYSTEM_PYTHON)], clone, floor, user=NOBODY)
    check(result, floor)
    assert "plain uid" in str(result["layers"])
    assert missing(result) == ([] if floor is Floor.BUBBLEWRAP else FENCE)


def test_root_without_cap_sys_admin_has_the_door_and_tells_what_is_missing(clone: Path):
    result = told(["setpriv", "--bounding-set=-sys_admin", sys.executable], clone, Floor.BUBBLEWRAP)
    check(result, Floor.BUBBLEWRAP)
    assert "missing: plain uid" in missing(result)


@PUBLIC
def test_root_with_the_rights_that_a_container_gives_has_the_fence_and_a_plain_uid(clone: Path):
    rights = ",".join(f"+{right}" for right in DOCKER.split(","))
    result = told(["setpriv", f"--bounding-set=-all,{rights}", str(SYSTEM_PYTHON)], clone, Floor.LANDLOCK)
    uncounted = "missing: count of files that are deleted while open"
    for kind in ("deleted", "mapped"):  # another user's open files are not this root's to see
        assert result[kind] == "tool-timeout"
        result[kind] = "output-too-large"
    check(result, Floor.LANDLOCK)
    assert missing(result) == [*FENCE, uncounted]


@PUBLIC
def test_root_without_any_right_has_the_fence_and_tells_that_it_stays_root(clone: Path):
    result = told(["setpriv", "--bounding-set=-all", str(SYSTEM_PYTHON)], clone, Floor.LANDLOCK)
    check(result, Floor.LANDLOCK)
    assert missing(result) == ["missing: plain uid", *FENCE]


def test_root_of_a_user_namespace_that_has_no_other_uid_stays_root_and_tells_it(clone: Path, floor: Floor):
    result = told(["unshare", "-r", sys.executable], clone, floor)
    check(result, floor)
    assert "missing: plain uid" in missing(result)


def test_root_with_a_clone_below_tmp_has_the_door(clone: Path, floor: Floor):
    check(told([sys.executable], clone, floor), floor)
