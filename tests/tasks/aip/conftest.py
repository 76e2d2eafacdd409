"""A pipeline with a home of its own for each test of this folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tasks.tools.door import Door
from tests.tasks.aip.pipeline import Pipeline

FORMATS = Path(__file__).parents[3] / "fixtures" / "formats"


@pytest.fixture
def pipeline(tmp_path: Path, door: Door) -> Pipeline:
    made = Pipeline(tmp_path, door)
    folder = made.inbox / "lô-1" / "ảnh"
    folder.mkdir(parents=True)
    for name in ("fmt-116/biểu-đồ.bmp", "fmt-11/màu-8-bit.png", "fmt-43/ảnh-kho.jpg", "fmt-141/chuông.wav"):
        shutil.copy(FORMATS / name, folder)
    return made
