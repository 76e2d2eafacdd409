"""`perenne verify`: what is gone or damaged is told, all else is read, and one Ctrl-C ends it inside an AIP."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from flows.verify import _state
from tasks.aip.coverage import coverage
from tasks.config.home import Home
from tasks.premis import log
from tasks.premis.model import EventType, aip_id
from tasks.sip.batch import batch
from tasks.sip.ingest import ingest
from tasks.store.ocfl import Store
from tests.flows import kills
from tests.tasks.premis.events import event

NOTHING = coverage([], days=30, now=event(0).time)
LARGE = 2_000_000_000


def test_strangers_are_told_in_words_that_fit_their_number() -> None:
    assert "1 stranger lies in the store: a" in _state([], ["a"], NOTHING, left=0).message
    assert "2 strangers lie in the store: a" in _state([], ["a", "b"], NOTHING, left=0).message


def taken(home: Home, name: str, size: int = 5) -> uuid.UUID:
    folder = home.inbox / name
    folder.mkdir(parents=True)
    with (folder / "a.bin").open("wb") as file:
        file.truncate(size)
    (found,) = ingest(batch(folder), home, Store(home.store), uuid.uuid4())
    return found.aip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    root = tmp_path / "home"
    kills.environment(root)
    return Home(root).prepare()


def perenne(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PERENNE_HOME": str(home.root)}
    return subprocess.run(
        [*kills.PERENNE, *arguments], env=env, cwd=kills.ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_what_is_gone_and_what_is_damaged_is_told_and_all_else_is_read(home: Home) -> None:
    gone, hurt, sound = (taken(home, f"lô-{n}") for n in (1, 2, 3))
    store = Store(home.store)
    shutil.rmtree(store.object_path(gone))
    (store.object_path(hurt) / "inventory.json").unlink()
    (store.object_path(hurt) / "v1/content/metadata/aip.json").write_text("{")
    stands = perenne(home, "status", "--json")
    assert stands.returncode == 1, stands.stderr
    told = {one["batch"]: [row["code"] for row in one["attention"]] for one in json.loads(stands.stdout)["batches"]}
    assert told == {"lô-1": ["fixity-missing"], "lô-2": ["inventory-damaged"], "lô-3": []}
    done = perenne(home, "verify", "--json")
    assert done.returncode == 1, done.stderr
    read = json.loads(done.stdout)
    assert read["message"].startswith("ALARM. 2 AIPs read, ")
    assert "2 not as stored. lô-1: missing: . (the whole AIP)" in read["message"]
    faults = {one["aip"]: one["faults"] for one in read["aips"]}
    assert faults[str(gone)] == ["missing: . (the whole AIP)"]
    assert len(faults[str(hurt)]) >= 2
    assert faults[str(sound)] == []
    assert read["verification"]["gone"] == 1
    assert perenne(home, "verify", "lô-3").returncode == 0
    assert perenne(home, "verify", "lô-1").returncode == 1


@pytest.mark.slow
def test_a_damaged_file_that_was_put_back_is_good_again_with_the_next_check_and_the_log_keeps_its_alarm(
    home: Home,
) -> None:
    aip = taken(home, "lô-1")
    original = Store(home.store).object_path(aip) / "v1/content/originals/a.bin"
    good = original.read_bytes()
    original.chmod(0o644)
    original.write_bytes(b"rotten")
    assert [perenne(home, *verb).returncode for verb in (["verify"], ["status"])] == [1, 1]
    original.write_bytes(good)
    assert perenne(home, "status").returncode == 1  # nobody has read it since
    done = perenne(home, "verify", "lô-1", "--json")
    assert (done.returncode, json.loads(done.stdout)["verification"]["alarms"]) == (0, 0)
    stands = perenne(home, "status", "--json")
    (told,) = json.loads(stands.stdout)["batches"]
    assert (stands.returncode, told["attention"]) == (0, [])
    events = log.read_many(home.log, [aip])[aip]
    assert [e.code for e in events if e.type is EventType.FIXITY] == ["fixity-broken", "", ""]


def reading(run: subprocess.Popen[str], name: str) -> bool:
    """Whether the command has that file open."""
    for descriptor in Path(f"/proc/{run.pid}/fd").iterdir():
        try:
            if str(descriptor.readlink()).endswith(name):
                return True
        except OSError:
            continue
    return False


def interrupted(home: Home) -> tuple[str, str]:
    """What a verification says that is asked to end as soon as it reads an original."""
    env = {**os.environ, "PERENNE_HOME": str(home.root)}
    command = [*kills.PERENNE, "verify"]
    run = subprocess.Popen(command, env=env, cwd=kills.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while run.poll() is None and not reading(run, "a.bin"):
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    said, why = run.communicate(timeout=60)
    assert run.returncode == 130, (said, why)
    return said, why


@pytest.mark.slow
def test_one_ctrl_c_ends_inside_a_large_aip_which_the_next_run_reads_first(home: Home) -> None:
    small = taken(home, "lô-1")
    assert perenne(home, "verify", "lô-1").returncode == 0
    for attempt in range(4):  # on a busy machine the file may be read before we ask: that proves nothing
        large = taken(home, f"lớn-{attempt}", LARGE)
        said, why = interrupted(home)
        if log.read_many(home.log, [large])[large][-1].type is not EventType.FIXITY:
            break
    assert said.startswith("Stopped after the files in hand. 0 AIPs read, "), why
    assert log.read_many(home.log, [large])[large][-1].type is not EventType.FIXITY
    done = perenne(home, "verify", "--json")
    assert done.returncode == 0
    assert [one["aip"] for one in json.loads(done.stdout)["aips"]][:2] == [str(large), str(small)]


BESIDE = """
import json, sys, uuid
from pathlib import Path
from tasks.aip import fixity
from tasks.aip.find import names
from tasks.aip.coverage import holdings
from tasks.config.home import Home
from tasks.store.ocfl import Store
from tasks.store.strangers import strangers
home = Home(Path(sys.argv[1]))
print("ready", flush=True)
looks, told = 0, []
while not (home.root / "over").exists():
    run = uuid.uuid4()
    for aip, name in names(home, gone=True):
        told += fixity.check(aip, name, home, run).alarms
    told += [str(one.aip) for one in holdings(home, Store(home.store)) if one.gone or not one.good]
    told += strangers(Store(home.store))
    looks += 1
print(json.dumps([looks, told]))
"""


@pytest.mark.slow
def test_two_checks_beside_a_run_that_adds_aips_and_versions_and_holds_their_locks_accuse_nobody(home: Home) -> None:
    command = [sys.executable, "-c", BESIDE, home.root]
    checks = [subprocess.Popen(command, cwd=kills.ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for check in checks:
        assert check.stdout.readline() == "ready\n"
    for number in range(60):
        folder = home.inbox / f"lô-{number % 20}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.bin").write_bytes(os.urandom(1000))
        ingest(batch(folder), home, Store(home.store), uuid.uuid4())
    (home.root / "over").touch()
    for check in checks:
        looks, told = json.loads(check.communicate(timeout=120)[0])
        assert check.returncode == 0
        assert looks > 1
        assert told == []
    events = log.read_many(home.log, [aip_id("lô-0")])[aip_id("lô-0")]
    checked = [e for e in events if e.type is EventType.FIXITY and "bytes" in e.detail]
    assert len({e.run for e in checked}) == len(checked) > 2
