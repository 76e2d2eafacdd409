"""Nights with something wrong in the inbox: each delivery answers for itself, and a night tells a thing once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tasks.premis import log
from tasks.premis.model import EventType, aip_id
from tasks.store.ocfl import Store
from tests.flows import kills, scans
from tests.tasks.sip.test_bag import made as made_bag
from tests.tasks.sip.test_batch import deepen

pytestmark = pytest.mark.slow

MOUNT = """
import ctypes, os, sys
try:
    fuse = os.open("/dev/fuse", os.O_RDWR)
except OSError:
    sys.exit(77)
options = f"fd={fuse},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()}".encode()
if ctypes.CDLL(None).mount(b"dead", os.fsencode(sys.argv[1]), b"fuse", 0, options):
    sys.exit(77)
os.close(fuse)
os.execvp(sys.argv[2], sys.argv[2:])
"""
NOT_UTF8 = os.fsdecode(b"v\xe3n")
REFUSED = {
    **dict.fromkeys(("dead", "deep-toml", "empty", "pipe", "twin"), "batch-unfit"),
    **dict.fromkeys(("linked", "oxum"), "bag-invalid"),
}
LONG = "l" * 250


def perenne(home: Path, *arguments: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    env = {**kills.environment(home), "PYTHONIOENCODING": "utf-8"}
    command = [*before, *kills.PERENNE, *arguments]
    return subprocess.run(command, env=env, cwd=kills.ROOT, capture_output=True, text=True, check=False, timeout=300)


def lay(home: Path) -> None:
    """A good delivery, marked as ready, beside others; what has no mark was touched a moment ago."""
    inbox = home / "inbox"
    for name in ("good", "dead", "empty", "pipe", "twin", "deep-toml", NOT_UTF8, LONG, "deep"):
        (inbox / name).mkdir(parents=True)
    for name in ("good", "pipe", "twin", "deep-toml", NOT_UTF8, LONG):
        (inbox / name / "a.bin").write_bytes(name.encode("utf-8", "surrogateescape"))
        (inbox / name / ".ready").touch()
    (inbox / "empty" / ".ready").touch()
    (inbox / "twin.Zip").write_bytes(b"")
    (inbox / "twin.ready").touch()
    os.mkfifo(inbox / "pipe.toml")
    (inbox / "deep-toml.toml").write_text("title = " + "[" * 100_000)
    made_bag(inbox / "linked")
    (inbox / "linked" / "bag-info.txt").unlink()
    (inbox / "linked" / "bag-info.txt").symlink_to("/etc/passwd")
    made_bag(inbox / "oxum")
    (inbox / "oxum" / "bag-info.txt").write_text(f"Payload-Oxum: {'9' * 5000}.1\n")
    for name in ("linked", "oxum"):
        (inbox / f"{name}.ready").touch()
    deepen(inbox / "deep", 1300)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("inbox") / "home"
    made.mkdir()
    lay(made)
    yield made
    subprocess.run(["rm", "-rf", made / "inbox" / "deep"], check=True)  # shutil recurses


def night(home: Path) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """A night in the inbox, one folder of which is the mount point of a file system that has died; and its answer."""
    alone = ["unshare", "-m" if os.geteuid() == 0 else "-Urm", sys.executable, "-c", MOUNT]
    done = perenne(home, "run", "--json", before=[*alone, str(home / "inbox" / "dead")])
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no file system can be mounted here")
    return done, json.loads(done.stdout)


def recorded(home: Path) -> dict[str, list[str]]:
    """The refusals that the log has, by name of the delivery."""
    found: dict[str, list[str]] = {}
    for event in log.read(home / "log"):
        if event.type is EventType.INGESTION and event.source is None and event.code:
            found.setdefault(event.detail["batch"], []).append(event.code)
    return found


def test_bad_deliveries_are_refused_each_with_its_code_and_the_good_ones_are_taken(home: Path) -> None:
    done, answer = night(home)
    assert done.returncode == 1, done.stderr
    assert answer["state"] == "Needs a person"
    store = Store(home / "store")
    for name in ("good", "v%E3n", LONG):
        assert store.inventory(aip_id(name)) is not None, (name, answer["message"])
    codes = recorded(home)
    assert codes == {name: [code] for name, code in REFUSED.items()}
    for name, code in REFUSED.items():
        assert f"{name}: {code}: " in answer["message"]
    assert {r["batch"]: r["code"] for r in answer["refused"] if r["batch"] in REFUSED} == REFUSED
    assert "deep" not in codes
    assert store.inventory(aip_id("deep")) is None


def test_the_next_night_is_green_and_says_what_is_still_refused(home: Path) -> None:
    before = recorded(home)
    done, answer = night(home)
    assert (done.returncode, answer["state"]) == (0, "Nothing to do"), done.stderr
    assert "8 deliveries are still refused: " in answer["message"]
    assert {r["batch"]: r["known"] for r in answer["refused"] if r["batch"] in REFUSED} == dict.fromkeys(REFUSED, True)
    assert recorded(home) == before
    assert scans.states(home, [answer["run"]]) == {"COMPLETED"}


def test_a_command_that_names_a_refused_delivery_answers_for_it(home: Path) -> None:
    done = perenne(home, "run", "empty")
    assert done.returncode == 1
    assert "it holds no file" in done.stdout


def test_a_name_that_is_not_utf8_is_no_trouble_on_the_command_line_nor_in_the_form(home: Path) -> None:
    for named in ("v%E3n", NOT_UTF8):
        done = perenne(home, "run", named)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    told = perenne(home, "status")
    assert "v%E3n" in told.stdout
    assert "Traceback" not in told.stderr
    for named in (os.fsdecode(b"\xe3"), "v%00"):
        for verb in ("run", "status"):
            wrong = perenne(home, verb, named)
            assert (wrong.returncode, "Traceback" in wrong.stderr) == (2, False), wrong.stderr
    form = "import flows.batch, json; print(json.dumps(flows.batch.INBOX, ensure_ascii=False))"
    env = {**os.environ, "PERENNE_HOME": str(home), "PREFECT_SERVER_EPHEMERAL_ENABLED": "false"}
    listed = subprocess.run([sys.executable, "-c", form], env=env, cwd=kills.ROOT, capture_output=True, check=True)
    names = json.loads(listed.stdout)
    assert {"v%E3n", "good", "twin"} < set(names)
    assert len(names) == len(set(names))
