"""A job whose residents and sealed functions answer what a test wants: for the parent halves without a sandbox."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from tasks.premis.model import Limits
from tasks.tools.job import Job


class Answering:
    """Answers calls and requests from a table: the last part of a function's name, or a resident's, to its answer."""

    limits = Limits()

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.folder = Path("/nonexistent")

    def call(self, function: str, /, *args: Any, **named: Any) -> Any:
        return self._answer(function.rpartition(".")[2], {"args": args, **named})

    def ask(self, resident: str, request: Mapping[str, Any]) -> Any:
        return self._answer(resident, dict(request))

    def digest(self, name: str) -> tuple[int, str]:
        return len(name), hashlib.sha256(name.encode()).hexdigest()

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(name.encode())

    def _answer(self, name: str, request: dict[str, Any]) -> Any:
        self.asked.append((name, request))
        return self._answers[name]


def job(answers: Mapping[str, Any]) -> tuple[Job, Answering]:
    """The job for the code under test, and the same object for the test to look into."""
    made = Answering(answers)
    return cast(Job, made), made
