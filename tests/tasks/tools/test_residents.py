"""The pool of resident programs and its hold on them, tried with a small program that does as it is told."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.premis.model import Agent, Trouble
from tasks.tools import residents as module
from tasks.tools import usage
from tasks.tools.floor import Floor
from tasks.tools.footing import PLAIN_UID
from tasks.tools.resident import kinds, slot
from tasks.tools.resident.kinds import Options, Program
from tasks.tools.residents import Answer, Residents

OBEDIENT = textwrap.dedent(
    """
    import json, os, pathlib, resource, signal, socket, sys, time
    say = lambda reply: print(json.dumps(reply), flush=True)
    def opens(path):
        try: os.close(os.open(path, os.O_RDONLY)); return True
        except OSError: return False
    say({"agents": [["obedient", "1"]]})
    served = 0
    for line in sys.stdin:
        request = json.loads(line)
        served += 1
        do = request.get("do")
        reply = {"ok": True, "served": served, "pid": os.getpid(), "uid": os.getuid(), "id": request.get("id")}
        if do == "sleep": time.sleep(60)
        if do == "nap": time.sleep(0.3)
        if do == "spin":
            while time.process_time() < 0.5: pass
        if do == "eat": kept = bytearray(400 << 20); time.sleep(60)
        if do == "segfault" or do == "segfault if used" and served > 1: os.kill(os.getpid(), signal.SIGSEGV)
        if do == "kill": os.kill(os.getpid(), signal.SIGKILL)
        if do == "fork":
            for _ in range(100):
                if not os.fork(): time.sleep(60)
            time.sleep(60)
        if do == "daemon" and not os.fork():
            os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)
        if do == "flood":
            with open("out/big", "wb") as big:
                while True: big.write(bytes(1 << 20))
        if do == "write": pathlib.Path("out/made").write_bytes(pathlib.Path(request["files"][0]).read_bytes()[::-1])
        if do == "link": os.symlink("/etc/hostname", "out/made")
        if do == "talk": sys.stderr.write("x" * 300000 + "the end"); sys.stderr.flush()
        if do == "two answers": say(reply)
        if do == "nonsense": print("hello", flush=True); continue
        if do == "own limit": reply = {"error": "memory", "id": request.get("id")}
        if do == "look":
            reply["seen"] = {path: opens(path) for path in request["paths"]}
            reply["files"] = sorted(os.listdir("in")) + sorted(os.listdir("out"))
            try: open("in/new", "w"); reply["in"] = "writable"
            except OSError as problem: reply["in"] = problem.strerror
            try: socket.create_connection(("127.0.0.1", request["port"]), 1); reply["net"] = "reached"
            except OSError as problem: reply["net"] = "refused"
        say(reply)
    """
)
MEMORY = 200 << 20


@pytest.fixture
def obedient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    script = tmp_path / "program" / "obedient.py"
    script.parent.mkdir()
    script.write_text(OBEDIENT)
    program = Program("Obedient", (sys.executable, "-I", str(script)), requests=4, read=(script.parent,), heap_bytes=99)
    monkeypatch.setattr(kinds, "program", lambda kind, cache, options: program)
    monkeypatch.setattr(module, "TOOLS", {"obedient": "Obedient"})
    return program


@pytest.fixture
def job(job: Path) -> Path:
    (job / "in" / "a").write_bytes(b"abc")
    return job


def command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def is_obedient(pid: int) -> bool:
    return "obedient.py" in command(pid)


def is_program(pid: int) -> bool:
    return is_obedient(pid) and not any(keeper in command(pid) for keeper in ("keeper.py", "resident.fenced"))


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@contextlib.contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def ask(pool: Residents, job: Path, do: str = "", *, wall_s: float = 20, output_bytes: int = 1 << 30, **more) -> Answer:
    request = {"files": ["in/a"], "do": do, **more}
    return pool.ask("obedient", job, request, wall_s=wall_s, memory_bytes=MEMORY, output_bytes=output_bytes)


@pytest.fixture
def pool(tmp_path: Path, obedient: Program, floor: Floor):
    with_pool = Residents(tmp_path / "work", cores=2, floor=floor, start_s=0)
    yield with_pool
    with_pool.close()


@pytest.fixture
def patient(tmp_path: Path, obedient: Program):
    with_pool = Residents(tmp_path / "work", cores=2, floor=Floor.BUBBLEWRAP, start_s=1.0)
    yield with_pool
    with_pool.close()


def test_a_request_costs_what_the_program_used_meanwhile_and_not_what_it_used_before(pool, job):
    spun, idle = ask(pool, job, "spin"), ask(pool, job)
    assert spun.cpu_s > 0.3  # of the half second, its start took a little
    assert idle.cpu_s < spun.cpu_s


def test_one_program_answers_request_after_request_and_is_known_by_name_and_version(pool, job):
    first, second = ask(pool, job), ask(pool, job)
    assert (first.reply["served"], second.reply["served"]) == (1, 2)
    assert first.agents == (Agent("obedient", "1"),)
    assert 0 < second.seconds < 5


def test_what_the_program_writes_lands_in_the_job_and_its_inputs_do_not_come_back(pool, job):
    (job / "out" / "b").write_bytes(b"12")
    ask(pool, job, "write", files=["out/b", "in/a"])
    assert (job / "out" / "made").read_bytes() == b"21"
    assert sorted(os.listdir(job / "out")) == ["b", "made"]
    assert (job / "out" / "b").stat().st_nlink == 1


def test_the_program_sees_the_job_at_hand_and_nothing_else(pool, job, tmp_path, floor):
    secret = tmp_path / "secret"
    secret.write_text("x")
    ask(pool, job, "write")
    (job / "in" / "b").write_bytes(b"b")
    (job / "in" / "not named").write_bytes(b"c")
    with listening() as port:
        look = {"paths": [str(secret), "/etc/shadow", "/usr"], "port": port}
        reply = ask(pool, job, "look", files=["in/b"], **look).reply
    assert reply["seen"] == {str(secret): False, "/etc/shadow": False, "/usr": True}
    assert reply["files"] == ["b"]
    assert reply["in"] == ("Read-only file system" if floor is Floor.BUBBLEWRAP else "Permission denied")
    assert reply["net"] == "refused"
    if floor.takes_plain_uid():
        assert reply["uid"] == PLAIN_UID or (floor is Floor.LANDLOCK and reply["uid"] > PLAIN_UID)


@pytest.mark.slow
@pytest.mark.provokes("tool-timeout")
def test_a_program_that_takes_too_long_is_killed_and_the_next_request_is_answered(pool, job):
    start = time.monotonic()
    with pytest.raises(Trouble) as caught:
        ask(pool, job, "sleep", wall_s=0.5)
    assert (caught.value.code, caught.value.detail) == ("tool-timeout", {"tool": "Obedient", "limit": "0.5 s"})
    assert time.monotonic() - start < 5
    assert ask(pool, job).reply["served"] == 1


@pytest.mark.parametrize(
    ("do", "code"),
    [
        pytest.param("eat", "tool-memory", marks=pytest.mark.slow),
        ("fork", "tool-processes"),
        ("flood", "output-too-large"),
        ("segfault", "tool-crash"),
        ("nonsense", "tool-crash"),
        ("link", "tool-crash"),
        ("own limit", "tool-memory"),
    ],
)
@pytest.mark.provokes("tool-memory", "tool-processes", "output-too-large", "tool-crash")
def test_what_passes_its_bounds_ends_with_its_code_and_the_next_request_is_answered(pool, job, do, code):
    with pytest.raises(Trouble) as caught:
        ask(pool, job, do, output_bytes=8 << 20)
    assert caught.value.code == code
    assert os.listdir(job / "out") == []
    assert ask(pool, job).reply["served"] == 1


def test_a_crash_names_its_signal(pool, job):
    with pytest.raises(Trouble) as caught:
        ask(pool, job, "segfault")
    assert caught.value.detail == {"tool": "Obedient", "signal": "SIGSEGV"}


def test_a_file_on_which_a_used_program_crashes_is_tried_once_more_with_a_fresh_one(pool, job):
    ask(pool, job)
    assert ask(pool, job, "segfault if used").reply["served"] == 1


def test_a_fresh_program_that_something_else_killed_does_not_count_against_the_file(pool, job):
    def kill_the_first() -> None:
        while not (found := [pid for pid in usage.below(os.getpid()) if is_obedient(pid) and is_program(pid)]):
            time.sleep(0.02)
        time.sleep(0.5)
        os.kill(found[0], signal.SIGKILL)

    threading.Thread(target=kill_the_first, daemon=True).start()
    with pytest.raises(Trouble) as caught:
        ask(pool, job, "sleep", wall_s=2)
    assert caught.value.code == "tool-timeout", "the second try had its full time"


def test_a_program_that_something_else_killed_while_it_started_is_started_once_more(pool, job, obedient):
    script = Path(obedient.argv[-1])
    script.write_text(OBEDIENT.replace("say({", "time.sleep(1); say({", 1))

    def kill_the_first() -> None:
        while not (found := [pid for pid in usage.below(os.getpid()) if is_program(pid)]):
            time.sleep(0.02)
        os.kill(found[0], signal.SIGKILL)

    threading.Thread(target=kill_the_first, daemon=True).start()
    assert ask(pool, job).reply["served"] == 1


def test_a_program_that_never_starts_is_told(pool, job, obedient):
    Path(obedient.argv[-1]).write_text("raise SystemExit('no license')")
    with pytest.raises(Trouble) as caught:
        ask(pool, job)
    assert (caught.value.code, caught.value.detail["signal"]) == ("tool-crash", "no license")


def test_a_file_whose_fresh_program_is_killed_twice_is_told(pool, job):
    with pytest.raises(Trouble) as caught:
        ask(pool, job, "kill")
    assert caught.value.detail == {"tool": "Obedient", "signal": "SIGKILL"}


def test_a_program_that_speaks_unasked_is_replaced(pool, job):
    ask(pool, job, "two answers")
    assert ask(pool, job).reply["served"] == 1


def test_a_program_that_died_between_two_requests_is_replaced(pool, job, obedient):
    ask(pool, job)
    for pid in usage.below(os.getpid()):
        if is_program(pid):
            os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    assert ask(pool, job).reply["served"] == 1


def test_a_program_is_recycled_after_its_number_of_requests(pool, job, obedient):
    assert [ask(pool, job).reply["served"] for _ in range(obedient.requests + 2)] == [1, 2, 3, 4, 1, 2]


def test_the_last_64_kib_of_standard_error_are_kept(pool, job):
    ask(pool, job, "talk")
    tail = ask(pool, job).stderr_tail
    assert len(tail) == 64 << 10
    assert tail.endswith("the end")


def naps(pool: Residents, job: Path, count: int) -> tuple[list[int], set[int]]:
    """How often each of `count` naps at once was served by its program, and the programs."""

    def asker(number: int) -> None:
        own = job.parent / f"job-{number}"
        for folder in ("in", "out"):
            (own / folder).mkdir(parents=True, exist_ok=True)
        (own / "in" / "a").write_bytes(b"%d" % number)
        answers.append(ask(pool, own, "nap"))

    answers: list[Answer] = []
    threads = [threading.Thread(target=asker, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == count
    return sorted(answer.reply["served"] for answer in answers), {answer.reply["pid"] for answer in answers}


@pytest.mark.slow
def test_threads_share_the_programs_of_which_there_is_one_for_each_core(pool, job):
    served, _ = naps(pool, job, 6)
    assert served == [1, 1, 2, 2, 3, 3]


@pytest.mark.slow
def test_a_second_program_is_started_only_when_waiting_has_cost_as_much_as_a_start(patient, job):
    ask(patient, job)
    assert naps(patient, job, 2)[0] == [2, 3]  # one waited 0.3 s for the other
    served, _ = naps(patient, job, 6)
    assert 1 in served  # they waited more than a second all together


@pytest.mark.slow
def test_waiting_costs_nothing_while_every_core_has_a_job(tmp_path, obedient, job):
    busy = Residents(tmp_path / "work", cores=2, floor=Floor.BUBBLEWRAP, start_s=0.5, jobs=lambda: 1)
    with contextlib.closing(busy):
        assert naps(busy, job, 6)[0] == [1, 1, 2, 2, 3, 4]  # one program, recycled after its four requests


def test_a_program_that_is_started_ahead_serves_the_first_request(pool, job):
    pool.ahead("obedient")
    before = {pid for pid in usage.below(os.getpid()) if is_program(pid)}
    assert len(before) == 1
    pool.ahead("obedient")
    assert ask(pool, job).reply["served"] == 1
    assert {pid for pid in usage.below(os.getpid()) if is_program(pid)} == before


@pytest.mark.slow
def test_another_process_gets_the_only_place_when_its_holder_is_idle(tmp_path, obedient, job):
    first, second = (Residents(tmp_path / "work", cores=1) for _ in range(2))
    try:
        assert ask(first, job).reply["served"] == 1
        assert ask(second, job).reply["served"] == 1
        assert ask(first, job).reply["served"] == 1
    finally:
        first.close()
        second.close()


def test_closing_ends_programs_at_work(pool, job):
    caught: list[Trouble] = []

    def asker() -> None:
        try:
            ask(pool, job, "sleep")
        except Trouble as trouble:
            caught.append(trouble)

    thread = threading.Thread(target=asker)
    thread.start()
    while not pool._owned["obedient"]:  # it has started
        time.sleep(0.02)
    time.sleep(0.5)
    pool.close()
    thread.join(30)
    assert [trouble.code for trouble in caught] == ["tool-crash"]
    with pytest.raises(RuntimeError):
        ask(pool, job)


def test_closing_leaves_no_process_and_no_file(pool, job):
    ask(pool, job, "daemon")
    before = [pid for pid in usage.below(os.getpid()) if is_obedient(pid)]
    assert len(before) >= 3  # bubblewrap, the keeper, the program and its daemon
    pool.close()
    assert not [pid for pid in before if alive(pid)]
    assert not [path for path in pool._root.rglob("*") if path.is_file() and path.suffix not in (".lock", ".waiting")]


@pytest.mark.slow
def test_kill_9_of_the_parent_leaves_no_process_and_the_next_owner_finds_the_place_clean(tmp_path, obedient, job, pool):
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            f"""
            from pathlib import Path
            from tasks.tools import residents
            from tasks.tools.resident import kinds
            program = kinds.Program("Obedient", {obedient.argv!r}, 9, read=(Path({str(tmp_path / "program")!r}),))
            kinds.program = lambda kind, cache, options: program
            residents.TOOLS = {{"obedient": "Obedient"}}
            pool = residents.Residents(Path({str(tmp_path / "work")!r}), cores=2)
            for do in ("daemon", "sleep"):
                request = {{"files": ["in/a"], "do": do}}
                print("asking", flush=True)
                pool.ask("obedient", Path({str(job)!r}), request, wall_s=60, memory_bytes=1 << 30)
            """
        )
    )
    root = str(Path(module.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        for _ in range(2):
            assert parent.stdout.readline() == b"asking\n"
        time.sleep(0.3)
        started = [pid for pid in usage.below(parent.pid) if is_obedient(pid)]
        assert len(started) >= 3  # bubblewrap, the keeper, the program and its daemon
        parent.kill()
    time.sleep(0.3)
    assert not [pid for pid in started if alive(pid)]
    assert ask(pool, job, "look", paths=[], port=9).reply["files"] == ["a"]


@pytest.mark.parametrize("name", ["in/../x", "/etc/passwd", "in/a/b", "a", "in/..", 'in/"', "in/\n"])
def test_a_name_that_is_not_a_file_of_the_job_is_refused(pool, job, name):
    with pytest.raises(ValueError, match="not a file of a job"):
        ask(pool, job, files=[name])


def test_a_link_in_the_job_is_not_followed(pool, job):
    (job / "out" / "x").symlink_to("/etc/hostname")
    with pytest.raises(Trouble) as caught:
        ask(pool, job, files=["out/x"])
    assert caught.value.code == "tool-crash"


def test_an_unknown_kind_is_refused(tmp_path, job):
    pool = Residents(tmp_path / "work", cores=1)
    with pytest.raises(KeyError):
        pool.ask("typewriter", job, {"files": []}, wall_s=1, memory_bytes=1)


def test_a_veraPDF_that_is_not_there_is_missing(tmp_path, job):  # noqa: N802
    pool = Residents(tmp_path / "work", cores=1, options=Options(verapdf_jar=tmp_path / "none.jar"))
    with pytest.raises(Trouble) as caught:
        pool.ask("verapdf", job, {"files": []}, wall_s=1, memory_bytes=1)
    assert caught.value.code == "tool-missing"


def test_the_environment_names_another_veraPDF(monkeypatch):  # noqa: N802
    monkeypatch.setenv(kinds.ENGINE_VARIABLE, "/opt/verapdf.jar")
    assert Options.of_environment().verapdf_jar == Path("/opt/verapdf.jar")


def test_a_hole_of_a_file_stays_a_hole_on_its_way_to_a_program(tmp_path: Path, job: Path):
    with (job / "in" / "large").open("wb") as large:
        large.write(b"head")
        large.seek((1 << 30) - 4)
        large.write(b"tail")
    place = slot.take(tmp_path, "obedient", 1, Floor.BUBBLEWRAP)
    assert place is not None
    with contextlib.closing(place):
        place.fill(job, ["in/large", "in/a"])
        copy = place.inputs / "large"
        assert copy.stat().st_size == 1 << 30
        assert copy.stat().st_blocks * 512 < 1 << 20
        with copy.open("rb") as seen:
            assert seen.read(4) == b"head"
            seen.seek((1 << 30) - 4)
            assert seen.read() == b"tail"
        assert (place.inputs / "a").read_bytes() == b"abc"
