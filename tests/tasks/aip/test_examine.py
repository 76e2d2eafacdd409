"""What goes wrong while facts are read is that file's result and stops nothing else."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tasks.aip import examine
from tasks.premis.model import Identification, Trouble
from tasks.tools.job import Job


def wrong_shape(*_: object) -> dict[str, Any]:
    return {"colour": 3}


def broken(*_: object) -> dict[str, Any]:
    raise ValueError("a fault of ours")


def damaged(*_: object) -> dict[str, Any]:
    raise Trouble("source-damaged", what="cut")


@pytest.mark.parametrize(
    ("reader", "code"), [(wrong_shape, "tool-crash"), (broken, "unexpected"), (damaged, "source-damaged")]
)
def test_facts_that_cannot_be_had_are_the_files_trouble(
    monkeypatch: pytest.MonkeyPatch, reader: Callable[..., dict[str, Any]], code: str
) -> None:
    monkeypatch.setattr(examine, "families", lambda: {"fmt/1": SimpleNamespace(facts=reader)})
    facts, trouble = examine._facts(Identification("fmt/1"), "in/x", cast(Job, None))
    assert facts == {}
    assert trouble is not None
    assert trouble.code == code


def test_a_full_disk_is_no_files_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> dict[str, Any]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(examine, "families", lambda: {"fmt/1": SimpleNamespace(facts=full)})
    with pytest.raises(OSError, match="No space"):
        examine._facts(Identification("fmt/1"), "in/x", cast(Job, None))
