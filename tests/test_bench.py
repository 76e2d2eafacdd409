"""The measurements measure something: each runs on a small delivery and answers with figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import big
from bench import plan as planning

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_big_deliveries_are_measured_from_the_first_byte_to_the_last_page(tmp_path: Path) -> None:
    (tmp_path / "earlier").write_text('{"peak_pss_mb": 10, "seconds": 1000}')
    command = [sys.executable, "bench/big.py", "--files", "30", "--once", "--json", "--folder", str(tmp_path)]
    against = ["--against", str(tmp_path / "earlier"), "--seconds"]
    done = subprocess.run([*command, *against], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["delivery"]["files"] == 30
    assert found["state"].startswith("Done")
    assert {"ingest", "identify", "normalize", "package"} <= set(found["stages"])
    assert found["ui"]["page"]["asked"] > 0
    assert found["ui_failed"] == 0


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, ""),
        ({"task_runs": 1001}, "1001 task runs; 1000 are allowed"),
        ({"ui": {"page": {"worst_ms": 2001}}}, "the page's page took 2001 ms; 2000 are allowed"),
        ({"ui_failed": 1}, "a page did not answer 1 times"),
        ({"peak_pss_mb": 116}, "peak_pss_mb: 1.16 times"),
        ({"seconds": 31}, "seconds: 3.10 times"),
    ],
)
def test_a_figure_past_its_limit_is_told_and_ends_the_measurement_with_1(
    changed: dict[str, object], told: str, tmp_path: Path
) -> None:
    (tmp_path / "earlier").write_text('{"peak_pss_mb": 100, "seconds": 10}')
    given = big.parser().parse_args(["--against", str(tmp_path / "earlier"), "--memory", "--seconds"])
    fine = {"task_runs": 1000, "ui": {"page": {"worst_ms": 2000}}, "ui_failed": 0, "peak_pss_mb": 115, "seconds": 30}
    found = big.faults({**fine, **changed}, given)
    assert [one[: len(told)] for one in found] == ([told] if told else [])


@pytest.mark.slow
def test_a_plan_is_measured_against_the_run_that_follows_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    formats = ROOT / "fixtures" / "formats"
    command = [
        sys.executable,
        "bench/plan.py",
        str(formats),
        "--draw",
        "6",
        "--seed",
        "2",
        "--keep",
        str(home),
        "--json",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    did = {rule: some["files"] for rule, some in found["rules"].items()}
    assert did == {line["rule"]: line["files"] for line in found["plan"]["lines"]}
    assert found["files"] == found["plan"]["files"] == 6
    assert found["cpu_s"] > sum(some["cpu_s"] for some in found["rules"].values())
    assert json.loads((home / "spent.json").read_text())["files"] == 6
    assert done.returncode == bool(planning.faults(found)), done.stderr


@pytest.mark.parametrize(
    ("cpu_s", "made", "told"),
    [(15.1, 100, ["CPU: 1.51"]), (6.6, 126, ["CPU: 0.66", "bytes: 1.26"]), (14.9, 76, []), (10, 74, ["bytes: 0.74"])],
)
def test_a_plan_that_is_too_far_off_is_told(cpu_s: float, made: int, told: list[str]) -> None:
    found = {"plan": {"cpu_s": cpu_s, "bytes_out": made}, "cpu_s": 10.0, "bytes_out": 100}
    assert [one.partition(" times")[0] for one in planning.faults(found)] == told


@pytest.mark.slow
def test_verification_is_measured_against_sha512sum_and_accuses_nothing() -> None:
    command = [sys.executable, "bench/verify.py", "--files", "200", "--rounds", "1", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    assert (found["files"], found["accused"]) == (200, 0)
    assert done.returncode == (found["ratio"] < 0.8)
