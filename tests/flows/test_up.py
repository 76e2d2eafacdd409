"""`perenne up` whatever happens to it: cancelled runs, second starts, killed servers, damaged databases."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flows import kills, scans, test_history

pytestmark = pytest.mark.slow
WITHIN_S = 10.0


@dataclass(frozen=True)
class Up:
    """`perenne up` at work in a home."""

    home: Path
    process: subprocess.Popen[bytes]


def asked_to_end(home: Path, run: str) -> None:
    """What the button of Prefect's page does."""
    kills.api(home, f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})


def true_states(home: Path, run: str) -> set[str]:
    """The states of a run and of all below it, as soon as none of them says that it goes on. TimeoutError."""
    end = time.monotonic() + WITHIN_S
    while (found := scans.states(home, [run])) & scans.UNTRUE:
        if time.monotonic() > end:
            raise TimeoutError(str(found))
        time.sleep(0.2)
    return found


def said(home: Path) -> str:
    """All that the home's commands wrote."""
    return (home / "out.log").read_text()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """`perenne up` for all the tests that leave it running; when it ends, nothing of any of them is left."""
    home = tmp_path_factory.mktemp("up") / "home"
    with kills.stack_up(home) as process:
        yield Up(home, process)
    assert process.returncode == 0
    assert kills.quiet(home)
    assert kills.leftovers(home) == []
    assert not scans.states(home) & scans.UNTRUE


def begun(home: Path, name: str, lines: int = 25) -> str:
    """A run of a new batch of scans, triggered as its form would, whose first page is being read; returns its id."""
    scans.batch(home, name, lines)
    offered(home, name)
    run = kills.trigger(home, "batch/batch", {"batch": name})
    scans.reading(home)
    return run


def offered(home: Path, name: str) -> None:
    """Return when the form lets one choose the batch."""
    end = time.monotonic() + 60
    while name not in json.dumps(kills.api(home, "/deployments/name/batch/batch"), ensure_ascii=False):
        assert time.monotonic() < end
        time.sleep(0.2)


def again(home: Path, name: str) -> str:
    """How the same run ends when it is asked for once more."""
    return kills.final(home, kills.trigger(home, "batch/batch", {"batch": name}))


def test_a_second_up_of_one_home_is_refused_at_once_and_the_first_lives_on(up: Up) -> None:
    began = time.monotonic()
    assert kills.start(up.home, "up").wait(20) == 3
    print(f"refused after {time.monotonic() - began:.1f} s")
    (line,) = [line for line in said(up.home).splitlines() if "already runs" in line]
    assert f"`perenne up` already runs for {up.home} (process {up.process.pid}, since " in line
    assert up.process.poll() is None


def test_a_run_cancelled_on_the_page_ends_with_all_its_jobs_and_the_next_one_finishes(up: Up) -> None:
    run = begun(up.home, "hủy")
    mine = scans.jobs(up.home)
    began = time.monotonic()
    asked_to_end(up.home, run)
    assert kills.gone(mine, WITHIN_S)
    gone = time.monotonic() - began
    assert kills.final(up.home, run, 60) == "CANCELLED"
    told = time.monotonic() - began
    left = true_states(up.home, run)
    print(f"{len(mine)} jobs gone after {gone:.1f} s, cancelled after {told:.1f} s, "
          f"all below after {time.monotonic() - began:.1f} s")  # fmt: skip
    assert not left & {"CRASHED", "FAILED"}
    assert again(up.home, "hủy") == "COMPLETED"
    scans.settled_once(up.home, "hủy")


def test_a_batch_whose_name_is_not_utf8_is_chosen_in_the_form_as_it_is_shown(up: Up) -> None:
    folder = up.home / "inbox" / os.fsdecode(b"v\xe3n")
    folder.mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"a")
    offered(up.home, "v%E3n")
    assert again(up.home, "v%E3n") == "COMPLETED"
    assert len(kills.left(up.home, "v%E3n").endings) == 1


@pytest.mark.provokes("store-busy")
def test_two_runs_of_one_batch_at_once_double_nothing_and_the_second_tells_who_works(up: Up) -> None:
    first = begun(up.home, "hai-lần", lines=50)
    began = time.monotonic()
    second = kills.start(up.home, "run", "hai-lần")
    assert second.wait(60) == 1
    took = time.monotonic() - began
    assert kills.state_of(up.home, first) == "RUNNING"
    (told,) = [line for line in said(up.home).splitlines() if line.startswith("Stopped: ")]
    print(f"refused after {took:.1f} s: {told}")
    assert told.startswith(f"Stopped: store-busy: hai-lần: Another run ({first}) is working on this AIP since ")
    assert "?" not in told
    assert scans.last(up.home) == ("FAILED", "Stopped")
    assert kills.final(up.home, first) == "COMPLETED"
    scans.settled_once(up.home, "hai-lần")
    assert kills.left(up.home, "hai-lần").waited == 0
    assert kills.start(up.home, "run", "hai-lần").wait(60) == 0


def test_a_run_whose_process_is_killed_is_told_as_crashed_with_all_below_and_the_next_one_finishes(up: Up) -> None:
    run = begun(up.home, "chết")
    mine = scans.jobs(up.home)
    began = time.monotonic()
    (flow,) = [p for p in kills.descendants(up.process.pid) if b"prefect.engine" in kills.cmdline(p)]
    os.kill(flow, signal.SIGKILL)
    assert kills.gone(mine, WITHIN_S)
    gone = time.monotonic() - began
    assert kills.final(up.home, run, 60) == "CRASHED"
    true_states(up.home, run)
    told = time.monotonic() - began
    assert again(up.home, "chết") == "COMPLETED"
    print(f"jobs gone after {gone:.1f} s, all told after {told:.1f} s, finished by the next after "
          f"{time.monotonic() - began:.1f} s")  # fmt: skip
    scans.settled_once(up.home, "chết")


def test_a_server_killed_below_up_comes_back_at_its_port_and_the_run_goes_on(up: Up) -> None:
    before, restarts = ours(up.home), said(up.home).count("it is started again")
    run = begun(up.home, "máy-chủ")
    began = time.monotonic()
    kill_server(up.home, "server")
    back(up.home, began)
    print(f"back after {time.monotonic() - began:.1f} s")
    assert ours(up.home)["port"] == before["port"]
    first = kills.final(up.home, run)
    below = true_states(up.home, run)
    print(f"the run ended {first}, below it {sorted(below)}")
    assert again(up.home, "máy-chủ") == "COMPLETED"
    scans.settled_once(up.home, "máy-chủ")
    assert said(up.home).count("it is started again") == restarts + 1
    assert first == "COMPLETED"


def test_of_two_commands_begun_together_one_does_the_work_and_nothing_is_doubled(tmp_path: Path) -> None:
    home = tmp_path / "home"
    scans.batch(home)
    both = [kills.start(home, "run", "quét") for _ in range(2)]
    codes = sorted(run.wait(kills.LIMIT_S) for run in both)
    print(codes, [line for line in said(home).splitlines() if line.startswith("Stopped: ")])
    assert codes[0] == 0
    assert codes[1] in (0, 1)
    scans.settled_once(home)
    assert kills.quiet(home)
    assert kills.leftovers(home) == []


def small(home: Path, name: str = "lô-nhỏ") -> Path:
    """A batch that is done as soon as it is begun."""
    kills.environment(home)
    batch = home / "inbox" / name
    batch.mkdir(parents=True)
    (batch / "ghi-chú.bin").write_bytes(os.urandom(100))
    return batch


@contextlib.contextmanager
def taken(port: int) -> Iterator[None]:
    """Another program has the port."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


def settings(home: Path) -> dict[str, int]:
    kills.environment(home)
    return tomllib.loads((home / "perenne.toml").read_text())


def ours(home: Path) -> dict[str, object]:
    """Where the home's server is, and whose it is."""
    return dict(json.loads((home / "prefect" / "server.json").read_text()))


def test_a_servers_port_that_is_taken_is_told_in_one_line_and_another_one_serves(tmp_path: Path) -> None:
    home = tmp_path / "home"
    small(home)
    port = settings(home)["server_port"]
    with taken(port):
        assert kills.start(home, "run", "lô-nhỏ").wait(90) == 0
        (line,) = [line for line in said(home).splitlines() if "is taken" in line]
        assert line == (
            f"Port {port} is taken by another program; Prefect's server is at {ours(home)['port']} this time."
        )
    assert kills.quiet(home)


def test_reports_whose_port_is_taken_end_up_with_3_and_nothing_is_left(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with taken(settings(home)["reports_port"]):
        assert kills.start(home, "up").wait(60) == 3
    assert "is taken by another program. Set reports_port in perenne.toml." in said(home)
    assert kills.processes(home) == []


def test_another_homes_server_is_never_taken_for_ours(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    small(one)
    small(other)
    with kills.stack_up(one):
        (other / "prefect").mkdir(exist_ok=True)
        # As after a restart of the machine: other's server had this port once, and now one's has it.
        (other / "prefect" / "server.json").write_text(json.dumps(ours(one)))
        assert kills.start(other, "run", "lô-nhỏ").wait(90) == 0
        assert ours(other)["home"] == str(other)
        assert ours(other)["port"] != ours(one)["port"]
        assert scans.last(other) == ("COMPLETED", "Done")
        assert scans.states(one) == set()
    assert kills.quiet(one)
    assert kills.quiet(other)


def test_two_homes_of_one_port_begun_together_get_a_server_each(tmp_path: Path) -> None:
    homes = [tmp_path / "one", tmp_path / "other"]
    for home in homes:
        small(home)
    same = (homes[0] / "perenne.toml").read_text()
    both = []
    for home in homes:
        (home / "perenne.toml").write_text(same)
        env = {**os.environ, "PERENNE_HOME": str(home)}
        with (home / "out.log").open("wb") as out:
            command = [*kills.PERENNE, "run", "lô-nhỏ"]
            both.append(subprocess.Popen(command, env=env, cwd=kills.ROOT, stdout=out, stderr=out))
    assert [run.wait(120) for run in both] == [0, 0]
    assert ours(homes[0])["port"] != ours(homes[1])["port"]
    assert [scans.last(home) for home in homes] == [("COMPLETED", "Done")] * 2
    assert all(kills.quiet(home) for home in homes)


def test_a_killed_up_takes_worker_flows_and_jobs_with_it_and_the_next_one_sweeps_and_finishes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    scans.batch(home)
    up = kills.start(home, "up")
    ready(home)
    run = kills.trigger(home, "batch/batch", {"batch": "quét"})
    scans.reading(home)
    server = [p for p in kills.processes(home) if b"flows.command.serve" in kills.cmdline(p)]
    mine = kills.descendants(up.pid) - set(server)
    assert scans.jobs(home) <= mine
    began = time.monotonic()
    up.kill()
    up.wait()
    assert kills.gone(mine, WITHIN_S)
    gone = time.monotonic() - began
    assert kills.quiet(home)
    print(f"{len(mine)} processes gone after {gone:.1f} s, the server after {time.monotonic() - began:.1f} s")
    (home / "out.log").write_text("")
    with kills.stack_up(home):
        assert kills.state_of(home, run) == "CRASHED"
        assert not scans.states(home, [run]) & scans.UNTRUE
        assert kills.final(home, kills.trigger(home, "batch/batch", {"batch": "quét"})) == "COMPLETED"
        scans.settled_once(home)
    assert kills.quiet(home)
    assert kills.leftovers(home) == []


def test_a_killed_up_is_swept_also_where_a_command_keeps_the_server_and_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    scans.batch(home)
    other = kills.start(home, "run", "quét")
    scans.reading(home)
    for job in (held := scans.jobs(home)):
        os.kill(job, signal.SIGSTOP)
    scans.batch(home, "khác")
    up = kills.start(home, "up")
    ready(home)
    run = kills.trigger(home, "batch/batch", {"batch": "khác"})
    while kills.state_of(home, run) != "RUNNING":
        time.sleep(0.2)
    up.kill()
    up.wait()
    assert other.poll() is None
    for job in held:
        os.kill(job, signal.SIGCONT)
    (home / "out.log").write_text("")
    with kills.stack_up(home):
        assert kills.state_of(home, run) == "CRASHED"
        assert not scans.states(home, [run]) & scans.UNTRUE
        assert other.wait(kills.LIMIT_S) == 0
        assert kills.final(home, kills.trigger(home, "batch/batch", {"batch": "khác"})) == "COMPLETED"
    assert kills.quiet(home)
    assert kills.leftovers(home) == []
    assert not scans.states(home) & scans.UNTRUE
    for name in ("quét", "khác"):
        scans.settled_once(home, name)


def test_a_damaged_history_of_runs_is_moved_aside_and_told_and_the_run_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    small(home)
    assert kills.start(home, "run", "lô-nhỏ").wait(90) == 0
    assert kills.quiet(home)
    test_history.truncate(home / "prefect" / "prefect.db")
    small(home, "lô-hai")
    assert kills.start(home, "run", "lô-hai").wait(90) == 0
    (line,) = [line for line in said(home).splitlines() if "was damaged" in line]
    (aside,) = [p for p in (home / "prefect").glob("prefect.db.damaged-*") if not p.name.endswith(("-wal", "-shm"))]
    assert str(aside) in line
    assert scans.last(home) == ("COMPLETED", "Done")
    assert kills.quiet(home)
    assert sum(kills.left(home).endings.values()) == 2


def test_a_server_that_goes_again_and_again_ends_up_with_3(tmp_path: Path) -> None:
    home = tmp_path / "home"
    small(home)
    up = kills.start(home, "up")
    try:
        ready(home)
        while up.poll() is None:
            began = time.monotonic()
            kill_server(home, "guard")
            back(home, began, up)
        assert up.returncode == 3
    finally:
        up.kill()
        up.wait()
    assert "Prefect's server has gone 4 times." in said(home)
    assert kills.quiet(home)


def kill_server(home: Path, which: str) -> None:
    """Kill -9 the home's server, or the guard above it."""
    guard = int(str(ours(home)["guard"]))
    below = [p for p in kills.descendants(guard) if b"flows.command.serve" in kills.cmdline(p)]
    os.kill(guard if which == "guard" else below[0], signal.SIGKILL)


def back(home: Path, since: float, up: subprocess.Popen[bytes] | None = None) -> None:
    """Return when another server than before answers, or `up` has ended."""
    told = home / "prefect" / "server.json"
    begun = time.time() - (time.monotonic() - since)
    while told.stat().st_mtime < begun:
        assert time.monotonic() - since < 120
        if up is not None and up.poll() is not None:
            return
        time.sleep(0.1)


def ready(home: Path) -> None:
    """Return when `perenne up` has told its addresses."""
    end = time.monotonic() + 120
    while "Every night" not in said(home):
        assert time.monotonic() < end
        time.sleep(0.2)
