"""The page that shows a new migration path shows one that works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import shutil, sys
from pathlib import Path
from tasks.tools.door import Door
from tests.tasks.aip.pipeline import Pipeline
root, work = Path.cwd(), Path(sys.argv[1])
with Door(work / "door", cores=1) as door:
    pipeline = Pipeline(work, door, (root / "tasks/policy/default.toml").read_text())
    (pipeline.inbox / "lô").mkdir()
    for page in (root / "fixtures/formats").glob("fmt-*/*.html"):
        shutil.copy(page, pipeline.inbox / "lô")
    summary = pipeline.run("lô")
    print({ending.value: count for ending, count in summary.ended.items()}, summary.masters)
"""


@pytest.mark.slow
def test_the_change_on_the_page_makes_masters_of_web_pages(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("flows", "tasks", "tests", "fixtures", "packages.txt"):
        source = ROOT / name
        shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy)
    change = re.search(r"```diff\n(.*?)```", (ROOT / "docs/new-path.md").read_text(encoding="utf-8"), re.DOTALL)
    assert change is not None
    applied = subprocess.run(
        ["git", "apply", "-"], input=change[1], text=True, cwd=copy, capture_output=True, check=False
    )
    assert applied.returncode == 0, applied.stderr
    env = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path)], cwd=copy, env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout == "{'done': 2} 2\n", done.stderr
