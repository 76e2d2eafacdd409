"""The verb `plan`, and `reprocess --dry-run`: what would be done is told, and nothing is written."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.flows import kills

pytestmark = pytest.mark.slow


def perenne(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**kills.environment(home), "PYTHONIOENCODING": "utf-8"}
    command = [*kills.PERENNE, *arguments]
    return subprocess.run(command, env=env, cwd=kills.ROOT, capture_output=True, text=True, check=False, timeout=300)


def kept(home: Path) -> dict[str, str]:
    """Everything below store and log, with digests."""
    folders = (home / "store", home / "log", home / "review", home / "reports")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one AIP: a text and a file that no rule is for; and a damaged PDF."""
    home = tmp_path_factory.mktemp("home")
    batch = home / "inbox" / "lô-1"
    batch.mkdir(parents=True)
    (batch / "thư.txt").write_text("Kính gửi ông Trưởng phòng.\n" * 20, encoding="utf-8")
    (batch / "lạ.bin").write_bytes(bytes(range(256)))
    (batch / "hỏng.pdf").write_bytes(b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n")
    assert perenne(home, "run", "lô-1").returncode == 1
    return home


def test_a_delivery_that_nobody_took_in_is_planned_by_rule_and_nothing_is_written(tmp_path: Path) -> None:
    delivery = tmp_path / "lô-2"
    delivery.mkdir()
    (delivery / "a.txt").write_text("Thư.\n" * 100, encoding="utf-8")
    (delivery / "b.bin").write_bytes(bytes(100))
    home = tmp_path / "home"
    done = perenne(home, "plan", str(delivery), "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["plans"]
    assert found["files"] == 2
    assert {line["rule"]: line["files"] for line in found["lines"]} == {"text-2u": 1, "any": 1}
    assert found["lines"][0]["because"] == {"new file": 1}
    assert found["cpu_s"] > 0
    assert found["bytes_out"] > 0
    told = perenne(home, "plan", str(delivery))
    assert told.stdout.startswith("2 of 2 files would be worked on: about ")
    assert f"Nothing was written. Do it: perenne run {delivery}\n" in told.stdout
    assert kept(home) == {}


def test_a_settled_aip_has_nothing_planned_and_the_files_with_a_code_are_planned_when_asked_for(taken: Path) -> None:
    before = kept(taken)
    settled = perenne(taken, "plan", "lô-1")
    assert (settled.returncode, settled.stdout) == (0, "Nothing would be done: all 3 files are settled.\n\n")
    coded = perenne(taken, "plan", "lô-1", "--code", "source-damaged")
    assert coded.stdout.startswith("1 of 3 files would be worked on: ")
    assert "code asked for" in coded.stdout
    assert 'Do it: perenne reprocess lô-1 --code source-damaged --reason "…"\n' in coded.stdout
    assert kept(taken) == before


def test_a_dry_run_writes_nothing_and_reprocessing_by_code_does_what_it_said(taken: Path) -> None:
    before = kept(taken)
    asked = ("reprocess", "lô-1", "--reason", "the producer sent a key", "--code", "source-damaged")
    dry = perenne(taken, *asked, "--dry-run", "--json")
    assert dry.returncode == 0, dry.stderr
    (planned,) = json.loads(dry.stdout)["plans"]
    assert [(line["rule"], line["files"]) for line in planned["lines"]] == [("pdf-2b", 1)]
    told = perenne(taken, *asked, "--dry-run").stdout.splitlines()[-1]
    assert told.startswith("Nothing was written. Do it: perenne ")
    assert tuple(shlex.split(told.partition(": perenne ")[2])) == ("reprocess", "lô-1", *asked[4:], *asked[2:4])
    assert kept(taken) == before
    done = perenne(taken, *asked)
    assert done.returncode == 1
    assert done.stdout.startswith("1 of 3 files would be worked on: ")
    history = json.loads(perenne(taken, "history", "lô-1", "hỏng.pdf", "--json").stdout)
    assert [e["code"] for e in history if e["ended"]] == ["source-damaged"] * 2
    told = perenne(taken, "history", "lô-1", "hỏng.pdf").stdout
    assert told.count("reason: the producer sent a key\n") == 1
    untouched = json.loads(perenne(taken, "history", "lô-1", "thư.txt", "--json").stdout)
    assert len([e for e in untouched if e["ended"]]) == 1


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["lô-1", "--code", "source-damagd"], "Did you mean source-damaged"),
        (["lô-1", "--rule", "nobody"], "has no rule nobody"),
        (["lô-9"], "lô-9"),
    ],
)
def test_a_code_a_rule_or_a_name_that_is_not_there_is_wrong_use(taken: Path, asked: list[str], told: str) -> None:
    done = perenne(taken, "plan", *asked)
    assert done.returncode == 2
    assert told in done.stderr


@pytest.mark.parametrize("reason", ["", "  x    ", "a" * 301])
def test_reprocessing_wants_a_reason_that_is_a_sentence_and_writes_nothing_without(taken: Path, reason: str) -> None:
    before = kept(taken)
    done = perenne(taken, "reprocess", "lô-1", "--code", "source-damaged", "--reason", reason)
    assert done.returncode == 2
    assert "--reason" in done.stderr
    assert "one sentence of 8 to 300 letters" in done.stderr
    assert kept(taken) == before


def test_a_delivery_that_would_be_refused_is_told_with_its_code(tmp_path: Path) -> None:
    (tmp_path / "rỗng").mkdir()
    done = perenne(tmp_path / "home", "plan", str(tmp_path / "rỗng"), "--json")
    assert done.returncode == 1
    assert [one["code"] for one in json.loads(done.stdout)["refused"]] == ["batch-unfit"]
