"""The fuzz campaign itself: it is repeatable, it measures, and a small one finds nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests import fuzz
from tests.mutations import COMPOUND, GENERIC, PDF, PICTURE, TEXT, ZIP, mutated

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
SAMPLES = {
    "pdf": FIXTURES / "formats/fmt-18/bordereau.pdf",
    "zip": next((FIXTURES / "formats/fmt-412").iterdir()),
    "picture": next((FIXTURES / "formats/fmt-43").iterdir()),
    "compound": next((FIXTURES / "formats/fmt-40").iterdir()),
    "text": FIXTURES / "formats/x-fmt-111/ghi-chú-utf-8.txt",
}
SPECIAL = {"pdf": PDF, "zip": ZIP, "picture": PICTURE, "compound": COMPOUND, "text": TEXT}


def test_the_same_seed_and_number_give_the_same_bytes() -> None:
    folders = [FIXTURES / "formats", FIXTURES / "hostile"]
    made = [[fuzz.Source(folders, 5).number(n)[1] for n in range(30)] for _ in range(2)]
    assert made[0] == made[1]
    assert fuzz.Source(folders, 6).number(3)[1] != made[0][3]


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_every_mutation_changes_a_file_of_its_kind(kind: str) -> None:
    data = SAMPLES[kind].read_bytes()
    for name, mutation in {**GENERIC, **SPECIAL[kind]}.items():
        assert any(mutation(data, Random(seed), data[::-1]) != data for seed in range(12)), name


def test_a_mutation_takes_any_bytes() -> None:
    every = {**GENERIC, **PDF, **ZIP, **PICTURE, **COMPOUND, **TEXT}
    for data in (b"", b"x", b"%PDF-1.7", b"PK\3\4", b"\xff\xd8", b"II*\0", bytes(600)):
        for mutation in every.values():
            assert isinstance(mutation(data, Random(1), b""), bytes)
    assert len(mutated(1, 2, "x" * 300, b"", b"").name.encode()) < 255


def test_memory_that_grows_is_a_fault_and_memory_that_settles_is_none() -> None:
    mib = 1 << 20
    assert fuzz.growth([100 * mib, 120 * mib, 131 * mib]) == []
    assert fuzz.growth([100 * mib, 120 * mib, 140 * mib]) != []


def test_shares_add_up() -> None:
    one = fuzz.Result(files=2, endings=Counter(done=2), worst={"late": "-3.10 x"}, rss=[1])
    other = fuzz.Result(files=3, endings=Counter(done=1, kept=2), worst={"late": "0.20 y"}, rss=[2], faults=["z"])
    total = fuzz.Result()
    for share in (one, other):
        total.add(json.loads(json.dumps(vars(share))))
    assert (total.files, total.endings, total.worst) == (5, Counter(done=3, kept=2), {"late": "0.20 y"})
    assert (total.rss, total.faults) == ([1, 2], ["z"])


def test_a_call_past_its_limits_is_told() -> None:
    fine = fuzz.Call("x", 61.9, 60.0, 1.19, 1.0, "timeout")
    assert fine.excess == ""
    for late in (
        fuzz.Call("x", 62.1, 60.0, 0, 0, ""),
        fuzz.Call("x", 1, 60, 1.21, 0, ""),
        fuzz.Call("x", 1, 60, 0, 2, ""),
    ):
        assert late.excess.startswith("x: ")


@pytest.mark.slow
def test_a_small_campaign_over_the_fixtures_finds_nothing(tmp_path: Path) -> None:
    folders = [FIXTURES / "formats", FIXTURES / "hostile"]
    result = fuzz.campaign(folders, tmp_path / "found", count=26, seed=2026, batch=13)
    assert result.faults == []
    assert result.files == 26
    assert sum(result.endings.values()) >= 26
