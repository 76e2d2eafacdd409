"""Stores, AIPs and the independent OCFL validator for the tests of the store."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.store.ocfl import Store

VALIDATOR = Path(__file__).parents[3] / ".venv-ocfl" / "bin" / "ocfl-validate.py"
GOOD = re.compile(r"INFO:|OCFL v1\.1 Object at .* is VALID$")
VALIDATING = Path(__file__).with_name("validating.py")
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


@pytest.fixture(scope="package")
def validator() -> Iterator[subprocess.Popen[str]]:
    """Answers for one storage root after the other, each in a process of its own."""
    command = [VALIDATOR.with_name("python"), VALIDATING, VALIDATOR]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


@pytest.fixture
def validate(validator: subprocess.Popen[str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """What ocfl-py finds wrong or doubtful in a storage root and its objects; empty: valid, without a warning.

    Asked for a root alone it calls it valid whatever its objects are, so that each object is named. Its absence is a
    failure: without it nothing but ourselves would say that the store is OCFL.
    """
    told = tmp_path_factory.mktemp("validated") / "told"

    def run(root: Path) -> str:
        assert validator.stdin
        assert validator.stdout
        objects = [str(path.parent) for path in root.rglob("0=ocfl_object_1.1")]
        validator.stdin.write(json.dumps([str(told), str(root), *objects]) + "\n")
        validator.stdin.flush()
        code = int(validator.stdout.readline())
        lines = [line for line in told.read_text().splitlines() if not GOOD.match(line)]
        return "\n".join(lines) if lines or code == 0 else f"exit {code}"

    return run
