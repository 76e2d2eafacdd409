"""The comparison with the plain script and the bare tools adds up what the kernel counted, and judges by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import compare, plain, tree
from bench.compare import Found
from bench.tree import Cost

ROOT = Path(__file__).resolve().parents[1]
FORMATS = ROOT / "fixtures" / "formats"
COST = Cost(code=0, wall_s=10.0, whole_s=12.0, cpu_s=15.0, pss_mb=1000.0, samples=20, watching_s=0.5)
FINE = Found(
    files=20,
    ours=COST,
    script=replace(COST, wall_s=80.0, cpu_s=75.0),
    bare=replace(COST, wall_s=11.0, cpu_s=10.0),
    parts={"verapdf": 4.0, "tesseract": 6.0},
    tools={"fido": {"runs": 20, "failed": 0, "wall_s": 20.0, "cpu_s": 18.0}},
    load=(0.5, 1.5),
)


def test_speed_is_by_wall_and_overhead_by_cpu() -> None:
    assert (FINE.speed, FINE.thrift, FINE.overhead, FINE.files_a_s) == (8.0, 5.0, 1.5, 2.0)
    told = compare.table(FINE)
    assert "| Perenne | 10.0 | 2.00 | 15.0 | 1000 |" in told
    assert "| overhead, times the bare tools' CPU | 1.50 | ≤ 1.5 |" in told
    assert compare.parts(FINE).index("tesseract") < compare.parts(FINE).index("verapdf")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, []),
        ({"script": replace(COST, wall_s=79.0)}, ["7.9 times the plain script's speed; 8 are wanted"]),
        ({"files": 14}, ["1.40 files/s; 1.42 are wanted"]),
        ({"bare": replace(COST, cpu_s=9.0)}, ["1.67 times the CPU of the bare tools; 1.5 are allowed"]),
        ({"ours": replace(COST, pss_mb=3072.0)}, ["3072 MiB; less than 3072 are allowed"]),
    ],
)
def test_a_limit_that_is_passed_is_told(changed: dict[str, object], told: list[str]) -> None:
    assert compare.faults(replace(FINE, **changed)) == told


def test_pss_is_read_from_its_own_line_alone() -> None:
    rollup = b"7f00-7fff ---p 00000000 00:00 0 [rollup]\nRss: 900 kB\nPss: 321 kB\nPss_Anon: 300 kB\nSwapPss: 5 kB\n"
    assert tree.pss_of(rollup) == 321
    assert tree.pss_of(b"") == 0
    assert tree.pss_kb([os.getpid()]) > 0
    assert tree.pss_kb([2**22 + 1]) == 0


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("fmt/18|application/pdf\n", ("fmt/18", "application/pdf")),
        ("fmt/40|application/msword\nfmt/111|None\n", ("fmt/111", "")),
        ("UNKNOWN|\n", ("UNKNOWN", "")),
        ("", ("UNKNOWN", "")),
    ],
)
def test_the_plain_script_takes_fidos_last_line(told: str, found: tuple[str, str]) -> None:
    assert plain.answer_of(told) == found


@pytest.mark.parametrize(
    ("mime", "name"),
    [
        ("text/plain", "writer_pdf_Export"),
        ("application/vnd.ms-excel", "calc_pdf_Export"),
        ("application/vnd.oasis.opendocument.spreadsheet", "calc_pdf_Export"),
        ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "impress_pdf_Export"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "writer_pdf_Export"),
        ("audio/x-wav", ""),
    ],
)
def test_the_plain_script_chooses_the_export_by_mime_type(mime: str, name: str) -> None:
    assert plain.office_filter(mime) == name


def test_a_tree_counts_the_cpu_and_the_wait_for_a_process_that_outlived_the_command(tmp_path: Path) -> None:
    spin = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    left = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {spin!r}], start_new_session=True)"
    files = {name: tmp_path / name for name in ("told", "out", "err")}
    cost = tree.measured(
        [sys.executable, "-c", f"{left}; sys.exit(3)"],
        files["told"],
        env=os.environ,
        cwd=tmp_path,
        out=files["out"],
        err=files["err"],
    )
    assert cost.code == 3
    assert cost.cpu_s >= 0.5
    assert cost.whole_s >= cost.wall_s + 0.2


def test_a_measuring_process_that_dies_is_told(tmp_path: Path) -> None:
    with pytest.raises(tree.Lost):
        tree.measured(
            ["/nonexistent"], tmp_path / "t", env={}, cwd=tmp_path, out=tmp_path / "out", err=tmp_path / "err"
        )


@pytest.mark.slow
def test_a_batch_is_compared_in_one_go(tmp_path: Path) -> None:
    batch = tmp_path / "batch"
    for name in ("fmt-11/xám-16-bit.png", "fmt-20/có-mã-lệnh.pdf", "x-fmt-111/ghi-chú-utf-8.txt", "fmt-141/chuông.wav"):
        (batch / name).parent.mkdir(parents=True)
        (batch / name).write_bytes((FORMATS / name).read_bytes())
    command = [sys.executable, "bench/compare.py", "--json", str(batch)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)
    assert found["files"] == 4
    assert found["tools"]["fido"]["runs"] == 4
    assert found["tools"]["soffice"]["runs"] == 1
    assert {"verapdf", "siegfried", "raster.convert", "plain_text"} <= set(found["parts"])
    for side in ("ours", "script", "bare"):
        assert 0 < found[side]["wall_s"] <= found[side]["whole_s"]
        assert found[side]["cpu_s"] > 1
        assert found[side]["pss_mb"] > 50
    assert sum(found["parts"].values()) <= found["bare"]["cpu_s"]
    assert found["overhead"] == round(found["ours"]["cpu_s"] / found["bare"]["cpu_s"], 3)
