"""`perenne config show`: every setting with its value and where it comes from; a broken file with all its faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOW = [sys.executable, "-c", "from flows.command import main; main()", "config", "show"]


def show(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PERENNE_HOME": str(home)}
    return subprocess.run([*SHOW, *options], env=env, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_value_is_shown_with_its_line_its_default_and_what_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "perenne.toml").write_text("# less work at once\nchunk_files = 8\n")
    told = show(tmp_path).stdout
    assert "chunk_files          8   (line 2; default 64)\n" in told
    assert "  allowed: 1 to 100,000\n" in told
    assert 'languages            "vie+eng"   (default)\n' in told
    rows = {row["name"]: row for row in json.loads(show(tmp_path, "--json").stdout)["settings"]}
    assert (rows["chunk_files"]["value"], rows["chunk_files"]["source"]) == (8, "perenne.toml")
    assert (rows["chunk_files"]["line"], rows["chunk_files"]["most"]) == (2, 100_000)
    assert (rows["lang"]["source"], rows["lang"]["one_of"]) == ("default", ["en", "vi", "fr"])


@pytest.mark.slow
def test_a_broken_file_ends_with_2_and_all_its_faults_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "perenne.toml").write_text('chunk_files = 0\nlanguage = "fra"\n')
    done = show(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "perenne.toml has 2 faults. No file was touched.\nline 1  chunk_files = 0\n" in done.stderr
    assert '→ Write "languages". Allowed: ' in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["perenne.toml"]
