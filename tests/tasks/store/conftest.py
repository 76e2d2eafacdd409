"""Stores, AIPs and the independent OCFL validator for the tests of the store."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.store.ocfl import Store

VALIDATOR = Path(__file__).parents[3] / ".venv-ocfl" / "bin" / "ocfl-validate.py"
Commit = Callable[..., int]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def aip() -> uuid.UUID:
    return uuid.uuid4()


@pytest.fixture
def commit() -> Commit:
    """Stage some bytes and commit them: `commit(store, aip, {"logical": b"bytes"}, remove=…)`."""

    def run(store: Store, aip: uuid.UUID, files: Mapping[str, bytes], **options) -> int:
        stage = store.stage(aip, uuid.uuid4())
        for logical, data in files.items():
            stage.put_bytes(data, logical, durable=False)
        inventory = store.inventory(aip)
        options = {"expected_head": inventory.head if inventory else 0, **options}
        return store.commit(
            aip,
            stage,
            message="test",
            user=("Perenne", "https://example.org/perenne"),
            created=datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC),
            **options,
        )

    return run


@pytest.fixture
def validate() -> Callable[[Path], str]:
    """What ocfl-py finds wrong or doubtful in a storage root; empty when it is valid without a warning.

    Its absence is a failure: without it nothing but ourselves would say that the store is OCFL.
    """

    def run(root: Path) -> str:
        done = subprocess.run([VALIDATOR, root], capture_output=True, text=True, check=False)
        told = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("INFO:")]
        return "\n".join(told) if told or done.returncode == 0 else f"exit {done.returncode}"

    return run
