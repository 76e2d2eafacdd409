"""A full or read-only disk stops a run clearly, leaves nothing half published, and costs nothing once it is mended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def namespaces() -> bool:
    flags = ["-m"] if os.geteuid() == 0 else ["-Urm"]
    return subprocess.run(["unshare", *flags, "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.provokes("disk-full", "read-only")
@pytest.mark.skipif(not namespaces(), reason="no mount namespace can be made here")
def test_a_run_whose_disk_fails_is_stopped_with_its_code_and_ends_as_ever_once_it_is_mended() -> None:
    command = [sys.executable, "-m", "tests.full", "--points", "3", "--only", "full", "locked"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
