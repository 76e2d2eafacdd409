"""Kill -9 at any moment: the same command afterwards ends as an undisturbed run does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows import kills

pytestmark = pytest.mark.slow
FIXTURES = Path(__file__).parents[2] / "fixtures"
FILES = ("formats/fmt-116/biểu-đồ.bmp", "formats/fmt-18/bordereau.pdf", "formats/fmt-412/quyết-định-147.docx",
         "formats/fmt-11/quét-thông-báo.png", "formats/x-fmt-111/ghi-chú-utf-8.txt", "formats/fmt-141/chuông.wav",
         "hostile/source-encrypted/hợp-đồng-2011.pdf")  # fmt: skip


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("delivery") / "lô-giết"
    folder.mkdir()
    for name in FILES:
        shutil.copy(FIXTURES / name, folder)
    return folder


@pytest.fixture(scope="module")
def reference(batch: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[kills.Left, float]:
    return kills.undisturbed(tmp_path_factory.mktemp("reference") / "home", batch)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    assert kills.quiet(tmp_path / "home"), "a process of the home is left"


@pytest.mark.parametrize(("kind", "share"), [("flow", 0.3), ("worker", 0.5), ("everything", 0.7)])
def test_after_a_kill_the_same_command_ends_as_if_nothing_had_been(
    kind: str, share: float, batch: Path, reference: tuple[kills.Left, float], home: Path
) -> None:
    wanted, seconds = reference
    assert kills.killed(kind, home, batch, share * seconds), "a process outlived what was killed"
    kills.finish(home, batch)
    found = kills.left(home)
    assert found.endings == wanted.endings
    assert set(found.endings.values()) == {1}
    assert found.identical(wanted) >= 0.9
    assert kills.valid(home)
