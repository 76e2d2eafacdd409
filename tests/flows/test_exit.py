"""What the machine cannot do ends with exit code 3, what a person must look at with 1, wrong use with 2."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.dataset
import pytest

from flows.command import run
from flows.ui import states
from tasks.aip.progress import board
from tasks.premis import codes, log
from tasks.report.stops import is_the_machines
from tasks.tools.job import WITHOUT_BUBBLEWRAP
from tests.test_full import namespaces

ROOT = Path(__file__).resolve().parents[2]
PERENNE = [sys.executable, "-c", "from flows.command import main; main()"]


def perenne(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PERENNE_HOME": str(home)}
    return subprocess.run([*PERENNE, *arguments], env=env, cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_stop_but_wrong_settings_and_rules_is_the_machines() -> None:
    stopped = {name for name in codes.CODES if codes.stops(name)}
    assert {name for name in codes.CODES if is_the_machines(name)} == stopped - {"policy-invalid", "settings-invalid"}
    assert not is_the_machines("")


def test_the_code_of_a_stopped_run_is_read_from_its_state() -> None:
    assert states.code_of(states.stopped("lô: no room", "space")) == "space"
    assert states.code_of(states.stopped("The ingest stopped.")) == ""


def test_a_run_that_the_machine_stopped_halfway_is_not_told_as_stopped_by_a_person() -> None:
    board.stop.set()  # so do the threads of a run whose disk is full
    try:
        assert run._code(states.stopped("/store is full", "disk-full"), ()) == 3
        assert run._code(states.stopped("The ingest stopped."), ()) == 1
    finally:
        board.stop.clear()


@pytest.mark.slow
def test_a_command_whose_batch_has_no_room_ends_with_3_and_the_next_one_takes_it(tmp_path: Path) -> None:
    home, one = tmp_path / "home", tmp_path / "lô-1"
    home.mkdir()
    one.mkdir()
    (one / "a.bin").write_bytes(b"a")
    ports = f"server_port = {25000 + os.getpid() % 5000}\n"
    (home / "perenne.toml").write_text(f"{ports}reserve_gb = 1000000\n")
    refused = perenne(home, "run", str(one))
    assert refused.returncode == 3, refused.stderr
    assert "Stopped: space: lô-1: " in refused.stderr
    assert not list((home / "log").rglob("*.parquet"))
    assert not list((home / "store" / "ocfl").rglob("inventory.json"))
    (home / "perenne.toml").write_text(ports)
    assert perenne(home, "run", str(one)).returncode == 0


@pytest.mark.slow
def test_a_broken_store_ends_with_3_and_wrong_settings_with_2(tmp_path: Path) -> None:
    (tmp_path / "store" / "ocfl").mkdir(parents=True)
    broken = perenne(tmp_path, "status")
    assert (broken.returncode, broken.stderr.split()[:2]) == (3, ["✕", "store-broken"])
    (tmp_path / "perenne.toml").write_text("colour = 3\n")
    assert perenne(tmp_path, "status").returncode == 2


@pytest.mark.slow
@pytest.mark.skipif(not namespaces(), reason="no mount namespace can be made here")
def test_programs_that_are_gone_end_with_3_before_a_file_is_touched(tmp_path: Path) -> None:
    home, one, programs = tmp_path / "home", tmp_path / "lô-1", ("tesseract", "soffice", "java")
    one.mkdir()
    (one / "a.bin").write_bytes(b"a")
    (tmp_path / "nothing").touch(mode=0o644)  # in its place lies what cannot be started
    found = [shutil.which(program, path="/usr/bin:/bin") for program in programs]
    assert None not in found
    places = " ".join(shlex.quote(str(Path(str(real)).resolve())) for real in found)
    script = f'for place in {places}; do mount --bind "$1" "$place" || exit 70; done; shift; exec "$@"'
    alone = ["unshare", "-m" if os.geteuid() == 0 else "-Urm", "sh", "-c", script, "sh", str(tmp_path / "nothing")]
    env = {**os.environ, "PERENNE_HOME": str(home)}
    done = subprocess.run(
        [*alone, *PERENNE, "run", str(one)], env=env, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert [program for program in programs if f"{program} is missing" not in done.stderr] == []
    assert "make install" in done.stderr
    assert not any((home / "store").iterdir())
    assert not any((home / "log").iterdir())


FILLED = """
mkdir -p "$PERENNE_HOME/prefect" && mount -t tmpfs -o size=40m tmpfs "$PERENNE_HOME/prefect"
"$1" -c 'from flows.command import main; main()' run "$2" &
until ls "$PERENNE_HOME"/log/events/open/*/* >/dev/null 2>&1; do sleep 0.05; kill -0 $! || break; done
head -c 1G /dev/zero > "$PERENNE_HOME/prefect/ballast"
wait $!; code=$?
rm "$PERENNE_HOME/prefect/ballast"; sleep 3
"$1" -c 'from flows.command import main; main()' run "$2" && exit $code
"""


@pytest.mark.slow
@pytest.mark.skipif(not namespaces(), reason="no mount namespace can be made here")
def test_a_disk_that_fills_up_under_prefects_server_ends_with_3_and_the_next_run_finishes(tmp_path: Path) -> None:
    home, one = tmp_path / "home", tmp_path / "lô-1"
    one.mkdir()
    for number in range(200):
        shutil.copy(ROOT / "fixtures/formats/fmt-11/bảng-màu.png", one / f"{number}.png")
    alone = ["unshare", "-m" if os.geteuid() == 0 else "-Urm", "sh", "-c", FILLED, "sh", sys.executable, str(one)]
    env = {**os.environ, "PERENNE_HOME": str(home)}
    done = subprocess.run(alone, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert f"disk-full  {home / 'prefect'} is full" in done.stderr
    endings = Counter(e.source.path for e in log.read(home / "log") if e.ending is not None and e.source)
    assert len(endings) == 200
    assert set(endings.values()) == {1}


@pytest.mark.slow
@pytest.mark.skipif(not namespaces(), reason="no mount namespace can be made here")
def test_a_full_folder_for_temporary_files_ends_with_3_and_is_named(tmp_path: Path) -> None:
    home, one, full = tmp_path / "home", tmp_path / "lô-1", tmp_path / "tmp"
    one.mkdir()
    full.mkdir()
    (one / "a.bin").write_bytes(b"a")
    (home / "prefect").mkdir(parents=True)
    (home / "prefect" / "prefect.db").touch()  # not ours, so the server makes its tables, for which it needs the folder
    script = 'mount -t tmpfs -o size=4k tmpfs "$TMPDIR" && head -c 4k /dev/zero > "$TMPDIR/ballast" && exec "$@"'
    alone = ["unshare", "-m" if os.geteuid() == 0 else "-Urm", "sh", "-c", script, "sh"]
    env = {**os.environ, "PERENNE_HOME": str(home), "TMPDIR": str(full)}
    done = subprocess.run(
        [*alone, *PERENNE, "run", str(one)], env=env, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert f"disk-full  {full} is full" in done.stderr
    assert not list((home / "store" / "ocfl").rglob("inventory.json"))


@pytest.mark.slow
def test_a_run_without_bubblewrap_is_done_behind_the_fence_and_every_event_of_a_job_says_so(tmp_path: Path) -> None:
    home, one, empty = tmp_path / "home", tmp_path / "lô-1", tmp_path / "bin"
    one.mkdir()
    empty.mkdir()
    for name in (
        "x-fmt-18/thống-kê.csv",
        "fmt-17/quét-một-trang.pdf",
        "fmt-11/bảng-màu.png",
        "fmt-353/rgb-16-bit.tif",
    ):
        shutil.copy(ROOT / "fixtures" / "formats" / name, one)
    (empty / "bwrap").write_text("#!/bin/sh\necho 'bwrap: Creating new namespace failed' >&2\nexit 1\n")
    (empty / "bwrap").chmod(0o755)
    env = {**os.environ, "PERENNE_HOME": str(home), "PATH": f"{empty}:{os.environ['PATH']}"}
    done = subprocess.run([*PERENNE, "run", str(one)], env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    events = pyarrow.dataset.dataset(home / "log").to_table(columns=["event_type", "agents"]).to_pylist()
    fenced = Counter(
        event["event_type"] for event in events for agent in event["agents"] if agent["name"] == WITHOUT_BUBBLEWRAP
    )
    made = Counter(event["event_type"] for event in events)
    assert made["normalization"] >= 3
    assert {kind: fenced[kind] for kind in ("normalization", "validation", "format identification")} == {
        kind: made[kind] for kind in ("normalization", "validation", "format identification")
    }


def test_a_command_loads_no_prefect_before_its_server_is_known() -> None:
    # Prefect would start a server of its own, and a kill of the command would leave it behind.
    asked = "import sys, flows.command.app, flows.command.run; print('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.slow
def test_a_run_of_the_inbox_or_of_a_folder_around_the_store_ends_with_2_and_takes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "inbox" / "lô-1").mkdir(parents=True)
    (home / "inbox" / "lô-1" / "a.bin").write_bytes(b"a")
    for path in (home / "inbox", home / "store", Path("/")):
        done = perenne(home, "run", str(path))
        assert (done.returncode, "Name one delivery" in done.stderr) == (2, True), done.stderr
    assert not any((home / "store").iterdir())
    assert not any((home / "log").iterdir())
