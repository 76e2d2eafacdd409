"""The measurements measure something: each runs on a small delivery and answers with figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_big_deliveries_are_measured_from_the_first_byte_to_the_last_page(tmp_path: Path) -> None:
    command = [sys.executable, "bench/big.py", "--files", "30", "--once", "--json", "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["delivery"]["files"] == 30
    assert found["state"].startswith("Done")
    assert {"ingest", "identify", "normalize", "package"} <= set(found["stages"])
    assert found["ui"]["page"]["asked"] > 0
    assert found["ui_failed"] == 0
