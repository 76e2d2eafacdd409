"""Programs that lie, hang, flood and forge: each is stopped within its limits, told with its code, and the next works.

`fixtures/fakes/lying_resident.py` stands in the place of a resident, small scripts in the place of a program that a
job starts. Whatever they do, what is asked here is what comes out at our end.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.premis.model import Agent, Limits, Trouble
from tasks.tools import execute, programs, usage
from tasks.tools.door import Door
from tasks.tools.floor import Floor
from tasks.tools.programs import Tool
from tasks.tools.resident import kinds
from tasks.tools.resident.kinds import Options, Program
from tasks.tools.residents import Residents

MIB = 1 << 20
FAKE = Path(__file__).parents[3] / "fixtures" / "fakes" / "lying_resident.py"
LATE_S = 10.0
"""Beyond its limit a request may take what a start and an end of the program take on a busy machine."""


def liar(folder: Path, kind: str, greeting: str = "") -> Program:
    """The fake in the place of a resident of this kind, from a folder that every user may read."""
    folder = folder / "program"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    script, honest = folder / "lying_resident.py", folder / "honest.pdf"
    script.write_bytes(FAKE.read_bytes())
    honest.write_bytes(b"%PDF-1.7\n")
    argv = (sys.executable, "-I", str(script), kind, str(honest), *([greeting] if greeting else []))
    return Program(kinds.TOOLS[kind], argv, requests=1000, read=(folder,), memory_bytes=200 * MIB, heap_bytes=99)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory, floor: Floor) -> Iterator[Residents]:
    folder = tmp_path_factory.mktemp("liar")
    options = Options(instead={"verapdf": liar(folder, "verapdf")})
    with contextlib.closing(Residents(folder / "work", cores=1, options=options, floor=floor)) as pool:
        yield pool


def asked(pool: Residents, job: Path, text: str, *, wall_s: float = 20.0) -> dict[str, object]:
    (job / "in" / "a").write_text(text)
    request = {"files": ["in/a"], "path": "in/a"}
    return pool.ask("verapdf", job, request, wall_s=wall_s, memory_bytes=200 * MIB, output_bytes=8 * MIB).reply


def below(pid: int) -> list[str]:
    """The commands of all living processes below one."""
    commands = []
    for one in usage.below(pid):
        with contextlib.suppress(OSError):
            commands.append(Path(f"/proc/{one}/cmdline").read_text().replace("\0", " "))
    return commands


HONEST = {"ok": True, "valid": True, "clauses": []}


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        pytest.param("hang", "tool-timeout", marks=pytest.mark.slow),
        pytest.param("stubborn", "tool-timeout", marks=pytest.mark.slow),
        pytest.param("drip", "tool-timeout", marks=pytest.mark.slow),
        ("killed", "tool-crash"),
        ("exit_0", "tool-crash"),
        ("exit_1", "tool-crash"),
        ("exit_77", "tool-crash"),
        pytest.param("endless_stdout", "output-too-large", marks=pytest.mark.slow),
        pytest.param("endless_stderr", "output-too-large", marks=pytest.mark.slow),
        pytest.param("memory", "tool-memory", marks=pytest.mark.slow),
        ("ten_times", "output-too-large"),
        ("many_processes", "tool-processes"),
        ("empty", "tool-crash"),
        ("cut", "tool-crash"),
        ("binary", "tool-crash"),
        ("a_list", "tool-crash"),
        ("deep", "tool-crash"),
        ("not_a_number", "tool-crash"),
        ("half_a_letter", "tool-crash"),
        ("of_another", "tool-crash"),
        ("replay", "tool-crash"),
        ("link", "tool-crash"),
        ("device", "tool-crash"),
        ("pipe", "tool-crash"),
        ("folder", "tool-crash"),
        ("holes", "output-too-large"),
    ],
)
def test_a_resident_that_lies_is_told_by_its_code_and_the_next_file_works(
    pool: Residents, job: Path, lie: str, code: str
) -> None:
    assert asked(pool, job, "honest") == HONEST
    wall_s = 1.0 if code == "tool-timeout" else 20.0
    began = time.monotonic()
    with pytest.raises(Trouble) as caught:
        asked(pool, job, f"lie: {lie}", wall_s=wall_s)
    assert caught.value.code == code
    assert time.monotonic() - began < 2 * wall_s + LATE_S  # a used program that breaks has one more try
    assert list((job / "out").iterdir()) == []
    assert asked(pool, job, "honest") == HONEST


def test_an_answer_that_comes_twice_is_not_believed_of_the_next_file(pool: Residents, job: Path) -> None:
    assert asked(pool, job, "lie: twice") == HONEST
    with pytest.raises(Trouble) as caught:
        asked(pool, job, "lie: exit_1")
    assert caught.value.code == "tool-crash"


def test_an_input_cannot_be_linked_into_the_output(pool: Residents, job: Path) -> None:
    """The program's attempt is refused by the kernel, and it breaks down over that."""
    with pytest.raises(Trouble) as caught:
        asked(pool, job, "lie: hard_link")
    assert caught.value.code == "tool-crash"


def test_nothing_outside_its_folders_can_be_written(pool: Residents, job: Path) -> None:
    tried = asked(pool, job, "lie: outside")["tried"]
    assert isinstance(tried, dict)
    assert "written" not in tried.values(), tried


def test_no_network_no_name_and_no_socket_of_the_machine_can_be_reached(pool: Residents, job: Path) -> None:
    name = f"perenne-lying-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        place = job / "s"
        for address in (str(place), "\0" + name):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(address)
            listener.listen()
        reply = asked(pool, job, f"lie: network {tcp.getsockname()[1]} {place} {name}")
    tried = reply["tried"]
    assert isinstance(tried, dict)
    assert len(tried) == 5
    assert all(str(told).startswith("refused") for told in tried.values()), tried


@pytest.mark.slow
def test_a_daemon_ends_with_its_program(tmp_path: Path, job: Path) -> None:
    options = Options(instead={"verapdf": liar(tmp_path / "liar", "verapdf")})
    with contextlib.closing(Residents(tmp_path / "work", cores=1, options=options)) as pool:
        assert asked(pool, job, "lie: daemon") == HONEST
        end = time.monotonic() + 5  # it answers at once, and its daemon may still be on its way
        while not (seen := [c for c in below(os.getpid()) if "87654" in c]) and time.monotonic() < end:
            time.sleep(0.02)
        assert seen
    assert not [command for command in below(os.getpid()) if "87654" in command]


@pytest.mark.parametrize(
    ("greeting", "code"),
    [
        ("silence", "tool-crash"),
        ("no agents", "tool-crash"),
        ("no version", "tool-crash"),
        ("empty version", "tool-crash"),
        ("long version", "tool-crash"),
        ("binary version", "tool-crash"),
        ("numbers", "tool-crash"),
        ("many", "tool-crash"),
        pytest.param("memory", "tool-memory", marks=pytest.mark.slow),
    ],
)
def test_a_resident_that_does_not_say_who_it_is_is_not_asked(
    tmp_path: Path, job: Path, greeting: str, code: str
) -> None:
    options = Options(instead={"verapdf": liar(tmp_path / "liar", "verapdf", greeting)})
    with contextlib.closing(Residents(tmp_path / "work", cores=1, options=options)) as pool:
        with pytest.raises(Trouble) as caught:
            asked(pool, job, "honest")
        assert caught.value.code == code
        assert not [command for command in below(os.getpid()) if str(tmp_path) in command]


# --- programs that a job starts --------------------------------------------------------------------------------------

TIGHT = Limits(wall_s=20, memory_bytes=512 * MIB, output_bytes=16 * MIB, processes=20)


def lied(door: Door, body: str, *, timeout_s: float | None = None, limits: Limits = TIGHT) -> object:
    """What comes of a job that starts this script in tesseract's place; the next job is an honest one."""
    try:
        with door.job(limits) as job:
            return job.call("hostile_jobs:run_script", textwrap.dedent(body), timeout_s=timeout_s)
    finally:
        with door.job(limits) as job:
            assert job.call("hostile_jobs:executed", "tesseract", "--version")[0] == 0


LIES = {
    "hang": ("import time; time.sleep(1000)", "tool-timeout"),
    "ignores signals": ("import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(1000)", "tool-timeout"),
    "slow drip": ("import time\nwhile True: print('.', end='', flush=True); time.sleep(0.02)", "tool-timeout"),
    "signal": ("import os; os.kill(os.getpid(), 11)", "tool-crash"),
    "exit 1": ("raise SystemExit(1)", "tool-crash"),
    "exit 77": ("raise SystemExit(77)", "tool-crash"),
    "ten times the output": ("open('out/big', 'wb').write(bytes(160 << 20))", "output-too-large"),
    "holes": ("open('out/big', 'wb').truncate(1 << 40)", "tool-crash"),
    "endless stdout": ("import os\nwhile True: os.write(1, b'x' * 65536)", "output-too-large"),
    "endless stderr": ("import os\nwhile True: os.write(2, b'x' * 65536)", "output-too-large"),
    "memory of many": (
        "import os, time\nfor _ in range(9): os.fork() or (globals().update(k=bytearray(90 << 20)), time.sleep(1000))\n"
        "time.sleep(1000)",
        "tool-memory",
    ),
    "processes": ("import os, time\nfor _ in range(99): os.fork() or time.sleep(1000)", "tool-crash"),
}


@pytest.mark.parametrize("lie", sorted(LIES))
def test_a_program_that_lies_is_told_by_its_code_and_the_next_job_works(door: Door, lie: str) -> None:
    body, code = LIES[lie]
    began = time.monotonic()
    with pytest.raises(Trouble) as caught:
        lied(door, body, timeout_s=1.0 if code == "tool-timeout" else None)
    assert caught.value.code == code
    assert time.monotonic() - began < TIGHT.wall_s


def test_a_program_that_says_well_done_and_writes_nothing_has_no_product(door: Door) -> None:
    with door.job(TIGHT) as job:
        assert job.call("hostile_jobs:run_script", "print('well done')") == [0, "well done\n", ""]
        with pytest.raises(Trouble) as caught:
            job.digest("out/master.pdf")
    assert caught.value.code == "product-missing"


def test_what_a_program_leaves_running_is_gone_with_the_job(door: Door) -> None:
    body = """
        import os
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execv("/bin/sleep", ["sleep", "76543"])
            os._exit(0)
        os.wait()
        """
    lied(door, body)
    assert not [command for command in below(os.getpid()) if "76543" in command]


def test_a_program_reaches_no_network_and_writes_nowhere_else(door: Door) -> None:
    body = """
        import socket
        for family, kind in ((2, 1), (2, 2), (1, 1), (10, 1)):
            try: socket.socket(family, kind).connect(("127.0.0.1", 9) if family != 1 else "/tmp/s"); print("reached")
            except OSError as problem: print(problem.errno)
        try: socket.getaddrinfo("localhost.example", 80); print("reached")
        except OSError: print("no name")
        for path in ("/etc/x", "/usr/x", "in/x", "x", "/tmp/x", "/dev/shm/x", "/proc/sys/kernel/core_pattern"):
            try: open(path, "w"); print("written", path)
            except OSError: pass
        """
    code, out, _ = lied(door, body)  # type: ignore[misc]
    assert code == 0
    assert out.split("\n") == ["1", "1", "1", "1", "no name", ""]  # 1: EPERM


# --- programs that are asked for their version -----------------------------------------------------------------------


def tool(folder: Path, body: str, *, version: str = r"fake (\S+)") -> Tool:
    script = folder / "fake"
    script.write_text(f"#!{sys.executable}\n" + textwrap.dedent(body))
    script.chmod(0o755)
    return Tool("fake", str(script), (), version, "fake")


@pytest.mark.parametrize(
    "body",
    [
        "print('no version at all')",
        "print('fake', '1' * 5000)",
        "import os; os.write(1, b'fake 1\\x00\\xff\\x1b[31m')",
        "import os; os.write(1, os.urandom(200_000))",
        "import os\nwhile True: os.write(1, b'x' * 65536)",
        "import os\nwhile True: os.write(2, b'x' * 65536)",
        "import os; os.kill(os.getpid(), 11)",
        "",
    ],
    ids=["other words", "long", "control characters", "noise", "endless stdout", "endless stderr", "crash", "nothing"],
)
def test_a_program_that_lies_about_its_version_has_none_and_is_recorded_so(tmp_path: Path, body: str) -> None:
    row = tool(tmp_path, body)
    assert programs.probe(row) is None
    assert programs.used(row) == programs.UNTOLD


def test_a_version_is_believed_whatever_the_exit_code(tmp_path: Path) -> None:
    assert programs.probe(tool(tmp_path, "print('fake 1.2'); raise SystemExit(1)")) == "1.2"


def test_a_program_that_was_updated_is_asked_anew(tmp_path: Path) -> None:
    assert programs.probe(tool(tmp_path, "print('fake 1.2')")) == "1.2"
    assert programs.probe(tool(tmp_path, "print('fake 1.2.1')")) == "1.2.1"


def test_asking_for_a_version_leaves_no_process(tmp_path: Path) -> None:
    body = """
        import os, time
        print("fake 3", flush=True)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execv("/bin/sleep", ["sleep", "65432"])
        """
    assert programs.probe(tool(tmp_path, body)) == "3"
    running = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists()]
    assert not [command for command in running if b"65432" in command]


def test_a_program_that_is_not_there_is_recorded_nowhere(tmp_path: Path) -> None:
    assert programs.used(Tool("x", str(tmp_path / "nothing"), (), "(.*)", "x")) is None


def test_only_programs_with_a_row_are_noted() -> None:
    with pytest.raises(LookupError):
        execute.note("/box/tmp/curl")
    assert Agent("tesseract", "1") != Agent("tesseract", programs.UNTOLD)
