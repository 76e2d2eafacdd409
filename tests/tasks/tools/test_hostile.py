"""What a captured parser tries, and what comes of it: the hostile jobs of the design, one by one.

Each on both floors: in bubblewrap's box, and behind the fence of Landlock. Runs with the rights that the tests are
started with; test_footing.py repeats the gravest of them as an ordinary user and as root without CAP_SYS_ADMIN.
"""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.premis.model import Limits, Trouble
from tasks.tools.door import Door
from tasks.tools.floor import Floor
from tasks.tools.footing import CAP_DAC_READ_SEARCH
from tasks.tools.job import Job

MIB = 1 << 20
TIGHT = Limits(wall_s=20, memory_bytes=512 * MIB, output_bytes=64 * MIB, processes=20)
STOPPED = {"ENOENT", "EACCES", "EPERM", "EROFS", "ESRCH", "ENOSYS"}


@pytest.fixture
def job(door: Door) -> Iterator[Job]:
    with door.job(TIGHT) as job:
        yield job


@pytest.fixture
def temporary(job: Job, floor: Floor) -> str:
    """The job's folder for temporary files, as the job names it."""
    return "/box/tmp" if floor is Floor.BUBBLEWRAP else str(job.folder / "tmp")


def trouble(job: Job, function: str, *arguments: object) -> Trouble:
    with pytest.raises(Trouble) as caught:
        job.call(f"hostile_jobs:{function}", *arguments)
    return caught.value


# --- seeing and touching -----------------------------------------------------


def test_another_jobs_files_cannot_be_seen_read_or_written(door: Door, job: Job):
    with door.job() as other:
        (other.folder / "in" / "secret").write_text("secret")
        name = other.folder.name
        paths = (f"/host/jobs/{name}/in/secret", f"../{name}/in/secret", str(other.folder / "in" / "secret"))
        seen = job.call("hostile_jobs:look", *paths)
        made = job.call("hostile_jobs:make", f"/host/jobs/{name}/out/x", f"../{name}/out/x")
    assert set(seen.values()) | set(made.values()) <= STOPPED


def test_the_store_the_home_and_secrets_of_the_system_cannot_be_read(job: Job, sources: Path):
    (sources / "original").write_text("an original")
    paths = (str(sources), str(sources / "original"), "/host/sources/0", "/host/sources/0/original", "/etc/shadow",
             "/etc/passwd", "/home", "/var/log", "/root/.ssh", "/proc/1/root/host/jobs", "/dev/shm/x")  # fmt: skip
    disks = [str(path) for path in Path("/dev").iterdir() if path.is_block_device()]
    assert set(job.call("hostile_jobs:look", *paths, *disks).values()) <= STOPPED


def test_nothing_but_out_and_the_temporary_folder_can_be_written(job: Job, temporary: str):
    (job.folder / "in" / "source").write_text("source")
    refused = (
        "in/x",
        "in/source",
        "x",
        "/usr/x",
        "/etc/x",
        "/tmp/x",
        "/dev/shm/x",
        "/dev/x",
        "/x",
        "/box/x",
        "/proc/self/comm",
        "/proc/sys/kernel/shmmax",
        "/proc/sys/net/ipv4/ip_forward",
    )
    assert set(job.call("hostile_jobs:make", *refused).values()) <= STOPPED
    allowed = job.call("hostile_jobs:make", "out/x", f"{temporary}/x", "/dev/null")
    assert all(result.startswith("open") for result in allowed.values())


def test_a_job_sees_its_own_two_processes_only_and_no_descriptor_of_the_zygote(job: Job, floor: Floor):
    # Behind the fence it cannot list any, its own included.
    assert job.call("hostile_jobs:processes") == ([1, 2] if floor is Floor.BUBBLEWRAP else None)
    left = job.call("hostile_jobs:descriptors")
    assert [name for name in left.values() if not name.startswith(("/memfd:answer", "/proc/"))] == []


def test_the_memory_of_pid_1_is_closed(job: Job):
    assert set(job.call("hostile_jobs:memory_of_others").values()) <= STOPPED


def test_temporary_files_of_one_call_are_gone_in_the_next(job: Job, temporary: str):
    job.call("hostile_jobs:write", f"{temporary}/left", "x")
    assert job.call("hostile_jobs:look", f"{temporary}/left") == {f"{temporary}/left": "ENOENT"}


# --- reaching out ------------------------------------------------------------


def test_no_network_and_no_socket_of_any_kind(job: Job, tmp_path: Path):
    path, name = str(tmp_path / "s"), f"perenne-test-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for address in (path, "\0" + name):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(address)
            listener.listen()
        tried = job.call("hostile_jobs:connect", tcp.getsockname()[1], path, name)
    assert set(tried.values()) == {"EPERM"}


def test_neighbours_and_the_parent_can_neither_be_signalled_nor_traced(job: Job):
    neighbour = subprocess.Popen(["sleep", "60"])
    try:
        tried = job.call("hostile_jobs:harm", neighbour.pid, os.getpid(), 1)
        assert neighbour.poll() is None
    finally:
        neighbour.kill()
        neighbour.wait()
    assert set(tried[:-3]) <= STOPPED
    assert set(tried[-2:]) <= STOPPED  # a signal to pid 1 is not refused: the kernel ignores it


def test_no_file_outside_can_be_changed_not_even_its_attributes(job: Job, sources: Path):
    kept = sources / "kept"
    kept.write_text("kept")
    kept.chmod(0o666)  # all that its mode could forbid is allowed
    before = kept.stat()
    assert set(job.call("hostile_jobs:change_file", str(kept))) <= STOPPED | {"EXDEV"}
    after = kept.stat()
    assert (after.st_mode, after.st_mtime_ns, after.st_uid) == (before.st_mode, before.st_mtime_ns, before.st_uid)
    assert (kept.read_text(), os.listxattr(kept)) == ("kept", [])


def test_how_others_run_cannot_be_changed_and_a_signal_to_everybody_reaches_nobody(job: Job):
    neighbour = subprocess.Popen(["sleep", "60"])
    try:
        assert set(job.call("hostile_jobs:harm_others", neighbour.pid)) <= STOPPED
        assert neighbour.poll() is None
        assert job.call("hostile_jobs:echo")["values"] == []
    finally:
        neighbour.kill()
        neighbour.wait()


def test_a_signal_to_the_own_group_does_not_reach_the_zygote(job: Job):
    job.call("hostile_jobs:interrupt_the_group")
    assert job.call("hostile_jobs:echo")["values"] == []


def test_no_child_can_be_left_to_the_zygote(job: Job):
    assert job.call("hostile_jobs:a_child_of_the_parent") == "EPERM"


def test_nothing_kept_beside_a_file_can_be_read_or_changed(job: Job, sources: Path, tmp_path: Path):
    kept = sources / "beside"
    kept.write_text("kept")
    os.setxattr(kept, "user.kept", b"secret")
    assert set(job.call("hostile_jobs:hidden_names", str(kept))) <= STOPPED | {"ENOTSUP"}
    job.give(kept, "source")
    given = job.folder / "in" / "source"
    before = given.stat()
    tried = job.call("hostile_jobs:flags", "in/source")
    assert set(tried[:2]) <= STOPPED
    assert (given.stat().st_mode, os.listxattr(given)) == (before.st_mode, [])


def test_no_new_namespace_and_no_mount(job: Job):
    assert set(job.call("hostile_jobs:namespaces").values()) <= STOPPED
    assert set(job.call("hostile_jobs:unmount").values()) <= STOPPED


def test_no_capability_is_left_and_no_other_uid_can_be_had(job: Job, door: Door):
    left = job.call("hostile_jobs:capabilities")
    # Behind the fence of a checkout or a work folder that is closed to others; what it reads is Landlock's to say.
    walks = any("walk through closed folders" in layer for layer in door.layers)
    kept = 1 << CAP_DAC_READ_SEARCH if walks else 0
    assert {left[f"Cap{kind}:"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {f"{kept:016x}"}
    assert (left["NoNewPrivs:"], left["Seccomp:"]) == ("1", "2")
    if os.geteuid() == 0:
        assert set(job.call("hostile_jobs:become_root").values()) == {"EPERM"}


def test_memory_outside_the_limits_and_dangerous_system_calls_are_refused(job: Job):
    assert set(job.call("hostile_jobs:system_calls").values()) == {"EPERM"}


# --- using everything up -----------------------------------------------------


@pytest.mark.provokes("tool-timeout")
def test_a_job_that_ignores_signals_is_killed_at_its_time_limit(door: Door):
    started = time.monotonic()
    with door.job(Limits(wall_s=0.5)) as job:
        caught = trouble(job, "ignore_signals")
    assert (caught.code, caught.detail) == ("tool-timeout", {"tool": "perenne/hostile_jobs", "limit": "0.5 s"})
    assert time.monotonic() - started < 3


def test_an_endless_loop_is_killed_at_its_time_limit(door: Door):
    with door.job(Limits(wall_s=0.3)) as job:
        assert trouble(job, "spin").code == "tool-timeout"


@pytest.mark.provokes("tool-processes")
def test_a_fork_bomb_meets_the_limit_of_processes(job: Job):
    caught = trouble(job, "fork_bomb")
    assert (caught.code, caught.detail["limit"]) == ("tool-processes", "20")


@pytest.mark.slow
def test_one_jobs_processes_do_not_count_for_another(door: Door):
    few, many = Limits(processes=3, wall_s=20), Limits(processes=20, wall_s=1)
    with door.job(many) as bomb, door.job(few) as calm, contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(1))
        running = pool.submit(trouble, bomb, "quiet_fork_bomb")
        time.sleep(0.3)
        assert calm.call("hostile_jobs:executed", "tesseract", "--version", check=False)[0] == 0
        assert running.result().code in ("tool-timeout", "tool-processes")


@pytest.mark.provokes("tool-memory")
def test_a_memory_bomb_is_refused_by_its_address_space(job: Job):
    caught = trouble(job, "memory_bomb")
    assert (caught.code, caught.detail["limit"]) == ("tool-memory", "512.0 MB")


@pytest.mark.parametrize("function", ["tree_memory", "shared_memory", "headless_memory"])
def test_memory_of_a_tree_of_processes_is_counted_together(job: Job, function: str):
    assert trouble(job, function, 8, 100).code == "tool-memory"


@pytest.mark.slow
def test_memory_shared_with_the_zygote_is_not_counted_once_for_each_child(door: Door):
    with door.job(Limits(wall_s=1.5, memory_bytes=512 * MIB)) as job:  # 16 zygotes are more, 16 MiB are not
        assert trouble(job, "tree_memory", 15, 1).code == "tool-timeout"


@pytest.mark.parametrize("place", ["out", "temporary"])
@pytest.mark.provokes("output-too-large")
def test_one_endless_file_ends_at_the_limit(job: Job, place: str, temporary: str):
    name = f"{temporary if place == 'temporary' else place}/big"
    assert trouble(job, "big_file", name).code == "output-too-large"
    assert sum(path.stat().st_size for path in (job.folder / "out").iterdir()) <= TIGHT.output_bytes


def test_a_program_that_writes_an_endless_file_ends_at_the_limit(job: Job):
    assert trouble(job, "big_file_by_program").code in ("output-too-large", "tool-crash")
    assert (job.folder / "out" / "big").stat().st_size <= TIGHT.output_bytes


MANY = [
    "many_big_files",
    "deleted_files",
    "mapped_deleted_files",
    "headless_deleted_files",
    "hidden_files",
    pytest.param("many_names", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("function", MANY)
def test_many_files_are_counted_together(job: Job, function: str):
    assert trouble(job, function).code == "output-too-large"


@pytest.mark.slow
def test_too_many_files_made_between_two_looks_are_found_at_the_end(job: Job):
    assert trouble(job, "quick_names", 10_001).code == "output-too-large"


def test_a_tree_too_deep_to_be_walked_is_too_much_and_can_be_removed(door: Door):
    with door.job(Limits(wall_s=5)) as job:
        assert trouble(job, "deep_folders", 3000).code == "output-too-large"
    assert not job.folder.exists()


def test_the_temporary_folder_and_endless_output_have_their_limits(job: Job):
    assert trouble(job, "fill_temporary").code == "output-too-large"
    caught = trouble(job, "endless_stdout")
    assert (caught.code, caught.detail["limit"]) == ("output-too-large", "64.0 MB")


# --- ending badly ------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "arguments", "signal"),
    [
        ("segfault", (), "SIGSEGV"),
        ("abort", (), "SIGABRT"),
        ("vanish", (), "vanished without an answer"),
        ("vanish", (7,), "exit 7"),
        ("exit_politely", (), "SystemExit: 3"),
        ("refuse", ("no\n\x1b[31mgood",), "ValueError: no [31mgood"),
    ],
)
@pytest.mark.provokes("tool-crash")
def test_a_crash_is_told_by_its_true_name(job: Job, function: str, arguments: tuple[object, ...], signal: str):
    caught = trouble(job, function, *arguments)
    assert (caught.code, caught.detail) == ("tool-crash", {"tool": "perenne/hostile_jobs", "signal": signal})


def test_a_daemon_dies_with_its_job(job: Job, floor: Floor):
    seconds = f"98765{os.getpid()}"  # other tests leave daemons at the same time
    seen = job.call("hostile_jobs:leave_a_daemon", seconds)
    assert floor is Floor.LANDLOCK or len(seen) == 3
    assert subprocess.run(["pgrep", "-f", f"sleep {seconds}"], check=False, stdout=subprocess.DEVNULL).returncode == 1


@pytest.mark.slow
def test_orphans_are_buried_and_do_not_use_up_the_limit_of_processes(job: Job):
    assert job.call("hostile_jobs:orphans", 60) is None


def test_a_forged_answer_is_checked_like_any_other(job: Job):
    assert trouble(job, "forge", '{"ok": 1').code == "tool-crash"
    assert trouble(job, "forge", '{"trouble": ["fixity-broken", {}], "programs": []}').code == "tool-crash"
    assert trouble(job, "forge", '{"ok": "\\ud800", "programs": []}').code == "tool-crash"
    assert trouble(job, "forge", '{"ok": NaN, "programs": []}').code == "tool-crash"
    assert trouble(job, "forge", '{"ok": 1, "programs": 1}').code == "tool-crash"
    assert trouble(job, "forge", '{"trouble": ["source-damaged", []], "programs": []}').code == "tool-crash"
    assert trouble(job, "forge", '{"trouble": ["source-damaged", {"<b>": 1}], "programs": []}').code == "tool-crash"
    assert trouble(job, "forge", '{"ok": ' + "[" * 100_000 + '"programs": []}').code == "tool-crash"
    assert trouble(job, "forge", "\udcff").code == "tool-crash"
    agents = job.agents
    assert job.call("hostile_jobs:forge", '{"ok": 1, "programs": ["a forged agent"]}') == 1
    assert job.agents == agents


def test_a_flood_of_an_answer_ends_at_its_file(job: Job):
    assert trouble(job, "flood_answer").code == "tool-crash"


def test_an_answer_longer_than_allowed_is_told(job: Job):
    assert trouble(job, "long_answer").detail == {"limit": "8.0 MB"}


@pytest.mark.parametrize("kind", ["set", "nan", "deep"])
def test_an_answer_that_is_not_json_is_told(job: Job, kind: str):
    assert trouble(job, "strange_answer", kind).code == "tool-crash"


def test_half_a_character_does_not_pass(job: Job):
    assert job.call("hostile_jobs:strange_answer", "surrogate") == "?"


# --- what it leaves behind ---------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"),
    [("link", "master.pdf"), ("folder link", "sub/passwd"), ("pipe", "master.pdf"), ("folder", "master.pdf")],
)
def test_what_is_no_regular_file_is_no_product(job: Job, kind: str, name: str, floor: Floor):
    refused = kind == "pipe" and floor is Floor.LANDLOCK  # there no special file can be made at all
    with pytest.raises(Trouble) if refused else contextlib.nullcontext():
        job.call("hostile_jobs:plant", kind)
    with pytest.raises(Trouble) as caught:
        job.digest(f"out/{name}")
    assert caught.value.code == ("product-missing" if refused else "tool-crash")


def test_an_input_cannot_be_hard_linked_into_the_output(job: Job, tmp_path: Path):
    (tmp_path / "a").write_text("a")
    job.give(tmp_path / "a", "source")
    assert job.call("hostile_jobs:plant", "hard link") in ("EXDEV", "EPERM", "EACCES")


def test_a_locked_folder_is_removed_with_its_job(door: Door):
    with door.job() as job:
        job.call("hostile_jobs:plant", "locked")
    assert not job.folder.exists()


@pytest.mark.slow
def test_a_call_after_a_hostile_one_works_as_ever(job: Job):
    for function in ("segfault", "fork_bomb", "memory_bomb"):
        trouble(job, function)
        assert job.call("hostile_jobs:echo", 1)["values"] == [1]
