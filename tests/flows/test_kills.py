"""Kill -9 at any moment: the same command afterwards, or the run itself, ends as an undisturbed run does.

These are five of the nine kinds; `python -m tests.flows.kills` does all of them sixty times.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows import kills

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kills.variety(tmp_path_factory.mktemp("delivery") / "lô-giết")


@pytest.fixture(scope="module")
def reference(batch: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[kills.Left, float]:
    return kills.undisturbed(tmp_path_factory.mktemp("reference") / "home", batch)


@pytest.mark.parametrize(
    ("kind", "share"),
    [
        ("worker", 0.5),
        ("everything", 0.7),
        ("server", 0.4),
        ("store", 0.2),
        ("job", 0.5),
    ],
)
def test_after_a_kill_all_ends_as_if_nothing_had_been(
    kind: str, share: float, batch: Path, reference: tuple[kills.Left, float], tmp_path: Path
) -> None:
    wanted, seconds = reference
    assert kills.judged(kind, tmp_path / "home", batch, share * seconds, wanted).wrong == ()
