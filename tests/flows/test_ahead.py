"""What a run starts early."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flows.command.ahead import programs
from tests.tasks.sip.test_batch import deepen


@pytest.fixture
def deliveries(tmp_path: Path) -> Path:
    for name in ("a/b/c.txt", "letters/thư.DOCX", "table.ods"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def test_names_of_office_documents_ask_for_the_office_in_any_spelling_and_depth(deliveries: Path) -> None:
    assert programs([deliveries / "a"]) == ("siegfried", "verapdf")
    assert programs([deliveries / "a", deliveries / "letters"]) == ("siegfried", "verapdf", "office")
    assert programs([deliveries / "table.ods"]) == ("siegfried", "verapdf", "office")


def test_where_there_is_no_file_nothing_is_started(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert programs([tmp_path]) == ()
    assert programs([tmp_path / "none"]) == ()


def test_a_delivery_deeper_than_any_path_and_one_that_cannot_be_opened_promise_nothing_and_harm_nothing(
    deliveries: Path,
) -> None:
    (deliveries / "a" / "deep").mkdir()
    deepen(deliveries / "a" / "deep", 1300)
    try:
        assert programs([deliveries / "a", Path("/proc/1/task/none")]) == ("siegfried", "verapdf")
    finally:
        subprocess.run(["rm", "-rf", deliveries / "a" / "deep"], check=True)  # shutil recurses
