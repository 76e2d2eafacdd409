"""A run leaves its report however it ends, and a verification those of what it found damaged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.config.home import Home
from tasks.premis.model import aip_id
from tasks.report import runs
from tasks.report.places import aip_page
from tests.flows.test_exit import perenne


@pytest.mark.slow
def test_a_night_a_stopped_run_and_a_reprocessing_leave_their_reports_and_a_verification_the_alarm(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path / "home").prepare()
    batch, settings = home.inbox / "lô-1", home.root / "perenne.toml"
    batch.mkdir()
    (batch / "a.bin").write_bytes(bytes(range(256)))
    (batch / ".ready").touch()
    ports = f"server_port = {26000 + os.getpid() % 3000}\n"

    settings.write_text(ports)
    night = perenne(home.root, "run")
    assert night.returncode == 0, night.stderr
    (one,) = runs.runs(home, 5)
    assert (one.kind, one.whole, one.files, one.needing) == ("night", True, 1, 0)
    assert runs.last_good_night(home) == one
    page = (home.reports / f"runs/{one.id}.html").read_text(encoding="utf-8")
    assert f'href="../{aip_page(aip_id("lô-1"))}"' in page

    settings.write_text(ports + "reserve_gb = 900000000\n")
    (batch / "b.bin").write_bytes(b"b")
    stopped = perenne(home.root, "run", "lô-1", "--reason", "once more")
    assert stopped.returncode == 3, stopped.stderr
    last = runs.runs(home, 5)[0]
    assert (last.kind, last.state, last.code) == ("batch", "Stopped", "space")
    assert "Nothing that was done is lost" in (home.reports / f"runs/{last.id}.html").read_text(encoding="utf-8")

    settings.write_text(ports)
    again = perenne(home.root, "reprocess", "lô-1", "--reason", "new tools came", "--which", "all")
    assert again.returncode == 0, again.stderr
    last = runs.runs(home, 5)[0]
    assert last.kind == "reprocess"
    told = (home.reports / f"runs/{last.id}.html").read_text(encoding="utf-8")
    assert "new tools came" in told

    (original,) = (home.store / "ocfl").rglob("a.bin")
    original.chmod(0o644)
    original.write_bytes(b"rotten")
    assert perenne(home.root, "verify", "lô-1").returncode == 1
    assert "ALARM: 1 AIP is not as stored." in (home.reports / aip_page(aip_id("lô-1"))).read_text(encoding="utf-8")
    index = (home.reports / "index.html").read_text(encoding="utf-8")
    assert "ALARM: 1 AIP is not as stored." in index
    assert [run for run in runs.runs(home, 5) if f"runs/{run.id}.html" not in index] == []
