"""A job from the outside: what it is given, what it answers, what is recorded of it."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.premis.model import Agent, Limits, Trouble
from tasks.tools import folders, kernel, programs, usage
from tasks.tools import job as jobs
from tasks.tools.door import Door, DoorClosed
from tasks.tools.floor import Floor
from tasks.tools.job import COPIED_BYTES, EXCERPT_BYTES, version
from tasks.tools.shared import begin, close, shared

CHECKOUT = Path(__file__).parents[3]
HOSTILE = CHECKOUT / "fixtures" / "fakes" / "hostile_jobs.py"
OWN = Agent("perenne/hostile_jobs", version())


def test_a_call_answers_what_the_function_returned(door: Door, floor: Floor):
    with door.job() as job:
        answer = job.call("hostile_jobs:echo", 1, "ế", None, key={"a": [True]})
    assert answer["values"] == [1, "ế", None]
    assert answer["named"] == {"key": {"a": [True]}}
    assert answer["cwd"] == ("/box/job" if floor is Floor.BUBBLEWRAP else str(job.folder))


def test_a_trouble_crosses_the_door_with_its_details(door: Door):
    with door.job() as job, pytest.raises(Trouble) as caught:
        job.call("hostile_jobs:held", "source-damaged", what="no\npages")
    assert (caught.value.code, caught.value.detail) == ("source-damaged", {"what": "no pages"})


@pytest.mark.parametrize("function", ["hostile_jobs", "os:system", "hostile_jobs:a.b", "tasks.sealed.nothing:f"])
def test_only_functions_of_sealed_modules_can_be_called(door: Door, function: str):
    with door.job() as job, pytest.raises((ValueError, LookupError)):
        job.call(function)


def test_an_input_is_a_copy_and_what_was_made_stays_for_the_next_call(door: Door, tmp_path: Path):
    source = tmp_path / "a"
    source.write_text("source")
    with door.job() as job:
        assert job.give(source, "source") == "in/source"
        assert job.call("hostile_jobs:read", "in/source") == "source"
        job.call("hostile_jobs:write", "out/master", "master")
        assert job.call("hostile_jobs:read", "out/master") == "master"
        job.call("hostile_jobs:write", "out/master", "better")
        assert job.digest("out/master") == (6, hashlib.sha256(b"better").hexdigest())
        assert job.digest("in/source") == (6, hashlib.sha256(b"source").hexdigest())
    assert not job.folder.exists()
    assert source.read_text() == "source"


def test_what_others_put_into_out_can_be_changed_by_a_call(door: Door):
    with door.job() as job:
        (job.folder / "out" / "resident").write_text("x")
        assert job.call("hostile_jobs:write", "out/resident", "changed") == 7


def test_links_folders_and_names_with_a_path_are_not_given(door: Door, tmp_path: Path):
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    with door.job() as job:
        for name in ("link", "pipe", ".", "missing"):
            with pytest.raises(OSError):  # noqa: PT011  any refusal of the system will do
                job.give(tmp_path / name, "source")
        for name in ("../out/x", "a/b", "..", ""):
            with pytest.raises(ValueError, match="not a file name"):
                job.give(tmp_path / "file", name)


def test_a_large_input_is_shown_where_it_lies_and_cannot_be_written(
    door: Door, sources: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "COPIED_BYTES", 4)
    large = sources / "large"
    large.write_text("large")
    large.chmod(0o644)
    with door.job() as job:
        job.give(large, "source")
        assert (job.folder / "in" / "source").lstat().st_blocks == 0
        assert job.call("hostile_jobs:read", "in/source") == "large"
        assert job.call("hostile_jobs:make", "in/source") == {"in/source": "EACCES"}
        assert job.digest("in/source")[0] == 5


def test_a_large_input_that_the_job_could_not_read_is_copied(
    door: Door, sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "COPIED_BYTES", 4)
    for folder, mode in ((sources, 0o600), (tmp_path, 0o644)):  # not for everybody; not below the door's sources
        source = folder / "private"
        source.write_text("private")
        source.chmod(mode)
        with door.job() as job:
            job.give(source, "source")
            assert job.call("hostile_jobs:read", "in/source") == "private"


def test_a_large_input_that_was_exchanged_is_not_shown(door: Door, sources: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "COPIED_BYTES", 4)
    for name in ("first", "second"):
        (sources / name).write_text(name)
        (sources / name).chmod(0o644)
    with door.job() as job:
        job.give(sources / "first", "source")
        (sources / "second").rename(sources / "first")
        with pytest.raises(Trouble) as caught:
            job.call("hostile_jobs:read", "in/source")
    assert caught.value.code == "tool-crash"
    assert "not the file that was given" in caught.value.detail["signal"]


@pytest.mark.provokes("product-missing", "output-too-large")
def test_a_missing_product_and_one_past_the_limit_are_told(door: Door):
    with door.job(Limits(output_bytes=1 << 20)) as job:
        job.call("hostile_jobs:echo")
        (job.folder / "out" / "big").write_bytes(bytes(2 << 20))
        with pytest.raises(Trouble) as missing:
            job.digest("out/nothing")
        with pytest.raises(Trouble) as large:
            job.digest("out/big")
        with pytest.raises(ValueError, match="not a name inside a job"):
            job.digest("out/../../x")
    assert (missing.value.code, large.value.code) == ("product-missing", "output-too-large")


def test_everything_that_acted_is_recorded_once_in_order(door: Door):
    with door.job() as job:
        job.call("hostile_jobs:executed", "tesseract", "--version", check=False)
        job.call("hostile_jobs:noted", "java", "tesseract")
        seen = job.agents
    tools = [programs.tool(name) for name in ("tesseract", "java")]
    seen = tuple(agent for agent in seen if agent.name != jobs.WITHOUT_BUBBLEWRAP)
    assert seen == (OWN, *(Agent(row.name, programs.probe(row) or "") for row in tools if row))
    assert [run.what for run in job.runs] == ["hostile_jobs:executed", "hostile_jobs:noted"]


@pytest.mark.slow
def test_the_libraries_of_a_sealed_module_are_recorded(door: Door, tmp_path: Path):
    module = tmp_path / "with_library.py"
    module.write_text("LIBRARIES = ('pikepdf',)\ndef f():\n    return 1\n")
    broken = tmp_path / "broken_module.py"
    broken.write_text("import a_library_that_nobody_has\n")
    with Door(tmp_path / "work", cores=1, extra_paths=(module, broken)) as own, own.job() as job:
        assert job.call("with_library:f") == 1
        assert [agent.name for agent in job.agents] == ["perenne/with_library", "pikepdf"]
        assert "a_library_that_nobody_has" in own.unloaded["broken_module"]
        with pytest.raises(Trouble) as caught:
            job.call("broken_module:f")
        assert caught.value.code == "tool-crash"


def test_what_a_job_says_is_kept_and_digested(door: Door):
    with door.job() as job:
        job.call("hostile_jobs:say", "a warning")
    (run,) = job.runs
    assert run.stderr_tail == "a warning\n"
    assert run.stderr_sha256 == hashlib.sha256(b"a warning\n").hexdigest()
    assert run.seconds > 0
    assert run.cpu_s > 0


def test_threads_share_the_door_and_wait_for_a_free_zygote(door: Door):
    def one(number: int) -> int:
        with door.job() as job:
            return int(job.call("hostile_jobs:echo", number)["values"][0])

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(one, range(30))) == list(range(30))


def test_the_layers_in_force_are_told(door: Door, floor: Floor):
    assert ("missing: bubblewrap" if floor is Floor.LANDLOCK else "bubblewrap") in door.layers
    assert "seccomp" in door.layers
    assert any(layer.startswith("Landlock ") for layer in door.layers)


@pytest.mark.slow
def test_leftovers_of_dead_owners_are_removed_and_those_of_living_ones_are_not(door: Door, tmp_path: Path):
    work = tmp_path / "work"
    left = work / "jobs" / "1234-dead" / "00000001" / "out"
    left.mkdir(parents=True)
    (left / "hostile").write_text("x")
    with Door(work, cores=1) as living, living.job() as job:
        assert not left.exists()
        with Door(work, cores=1):
            assert job.folder.exists()
    assert list((work / "jobs").iterdir()) == []


@pytest.mark.slow
def test_closing_the_door_ends_the_jobs_that_still_run(tmp_path: Path):
    door = Door(tmp_path / "work", cores=1, extra_paths=(Path(__file__).parents[3] / "fixtures/fakes/hostile_jobs.py",))
    caught: list[DoorClosed] = []

    def work() -> None:
        with door.job() as job, pytest.raises(DoorClosed) as closed:
            job.call("hostile_jobs:ignore_signals")
        caught.append(closed.value)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.5)
    door.close()
    thread.join(10)
    assert len(caught) == 1
    with pytest.raises(DoorClosed), door.job() as job:
        job.call("hostile_jobs:echo")


@pytest.mark.slow
def test_a_resident_program_answers_about_a_file_that_is_only_shown_to_the_job(
    door: Door, sources: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "COPIED_BYTES", 4)
    large = sources / "large.pdf"
    large.write_bytes(b"%PDF-1.4\n%%EOF\n")
    large.chmod(0o644)
    with door.job() as job:
        name = job.give(large, "large.pdf")
        reply = job.ask("siegfried", {"files": [name]})
        agents, (run,) = job.agents, job.runs
    assert reply["answers"][name][0]["puid"] == "fmt/18"
    assert any("siegfried" in agent.name.lower() for agent in agents)
    assert run.what == "siegfried"


@pytest.mark.slow
def test_a_door_that_was_begun_is_the_one_that_is_shared_later(tmp_path: Path):
    try:
        begin(tmp_path / "work")
        opened = shared(tmp_path / "work")
        assert opened is shared(tmp_path / "work")
        assert [path for path in (tmp_path / "work" / "jobs").iterdir() if path.is_dir()] == [opened._owned.path]
    finally:
        close()


@pytest.mark.slow
def test_what_is_started_ahead_serves_and_leaves_nothing_behind_when_the_door_is_closed_meanwhile(tmp_path: Path):
    before = set(usage.below(os.getpid()))
    with Door(tmp_path / "first", cores=2, extra_paths=(HOSTILE,)) as door:
        door.ahead(["siegfried"])
        assert all(slot.sandbox is not None for slot in door._slots)
        assert door._residents is not None
        assert door._residents._places["siegfried"] == 1
        with door.job() as job:
            assert job.call("hostile_jobs:echo", 1)["values"] == [1]
    door = Door(tmp_path / "second", cores=2, extra_paths=(HOSTILE,))
    thread = threading.Thread(target=door.ahead, args=(["siegfried", "verapdf"],))
    thread.start()
    door.close()
    thread.join()
    assert set(usage.below(os.getpid())) <= before


@pytest.mark.slow
def test_one_door_is_shared_by_the_process(tmp_path: Path):
    try:
        assert shared(tmp_path / "work") is shared(tmp_path / "work")
    finally:
        close()


@pytest.mark.slow
def test_without_bubblewrap_the_fence_holds_the_jobs_and_each_act_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    with Door(tmp_path / "work", cores=1, extra_paths=(HOSTILE,)) as door, door.job() as job:
        job.call("hostile_jobs:echo")
        assert Agent("sandbox without bubblewrap", f"Landlock {kernel.landlock_abi()}") in job.agents
    assert door.floor is Floor.LANDLOCK


FORBIDDING = """
import ctypes, json, os, struct, sys
sys.path.insert(0, sys.argv[1])
# As an old container runtime does: the system calls of Landlock do not exist.
steps = ((0x20, 0, 0, 0), (0x35, 0, 2, 444), (0x25, 1, 0, 446), (0x06, 0, 0, 0x50026), (0x06, 0, 0, 0x7FFF0000))
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
header = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
assert libc.prctl(22, 2, ctypes.c_char_p(header), 0, 0) == 0
from pathlib import Path
from tasks.premis.model import Trouble
from tasks.tools.door import Door
try:
    Door(Path(sys.argv[2]))
except Trouble as trouble:
    print(json.dumps([trouble.code, trouble.detail]))
"""


@pytest.mark.provokes("no-sandbox")
@pytest.mark.parametrize("bubblewrap", ["missing", "forbidden"])
def test_where_neither_bubblewrap_nor_landlock_may_work_no_door_opens(tmp_path: Path, bubblewrap: str):
    if bubblewrap == "forbidden":
        fake = tmp_path / "bwrap"
        fake.write_text("#!/bin/sh\necho 'bwrap: Creating new namespace failed: Operation not permitted' >&2\nexit 1\n")
        fake.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", FORBIDDING, str(CHECKOUT), str(tmp_path / "work")],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": str(tmp_path)},
    )
    code, detail = json.loads(done.stdout)
    assert (code, detail["landlock"]) == ("no-sandbox", "not in this kernel, or not allowed here")
    told = {"missing": "not installed", "forbidden": "bwrap: Creating new namespace failed: Operation not permitted"}
    assert detail["bubblewrap"] == told[bubblewrap]
    assert not (tmp_path / "work").exists()


def test_of_a_file_too_large_to_copy_an_excerpt_shows_both_ends_at_their_places(door: Door, tmp_path: Path):
    source = tmp_path / "large"
    length = COPIED_BYTES + EXCERPT_BYTES
    with source.open("wb") as file:
        for at, text in ((0, b"head"), (length // 2, b"middle"), (length - 4, b"tail")):
            file.seek(at)
            file.write(text)
    with door.job() as job:
        excerpt = job.folder / job.give_excerpt(source, "large")
        assert excerpt.stat().st_size == length
        assert excerpt.stat().st_blocks * 512 <= 2 * EXCERPT_BYTES + (1 << 20)
        with excerpt.open("rb") as seen:
            assert seen.read(4) == b"head"
            seen.seek(length // 2)
            assert seen.read(6) == bytes(6)
            seen.seek(length - 4)
            assert seen.read() == b"tail"


def test_an_excerpt_of_a_file_that_can_be_copied_is_the_file(door: Door, tmp_path: Path):
    source = tmp_path / "small"
    source.write_bytes(b"whole")
    with door.job() as job:
        assert (job.folder / job.give_excerpt(source, "small")).read_bytes() == b"whole"


@pytest.mark.parametrize("cloned", [True, False])
def test_an_input_that_its_disk_does_not_give_is_named_by_the_error(
    door: Door, cloned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    if cloned:
        monkeypatch.setattr(os, "copy_file_range", broken)
    with door.job() as job, pytest.raises(OSError, match="mem") as caught:
        job.give(Path("/proc/self/mem"), "source")  # a regular file, of which the first byte cannot be read
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, "/proc/self/mem")


def test_a_job_whose_copy_its_disk_does_not_give_any_more_says_so_of_its_folder(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").write_bytes(b"a")
    with door.job() as job:
        name = job.give(tmp_path / "source", "source")
        job.look(name)
        assert [path.name for path in job.folder.iterdir() if path.name not in ("in", "out")] == []
        with monkeypatch.context() as patch:
            patch.setattr(folders, "open_regular", lambda *_: os.fdopen(os.open("/proc/self/mem", 0), "rb"))
            with pytest.raises(OSError, match="Input/output") as caught:
                job.look(name)
        assert (caught.value.errno, caught.value.filename) == (errno.EIO, str(job.folder))
        with pytest.raises(Trouble, match="product-missing"):  # which is the job's fault
            job.look("out/none")
