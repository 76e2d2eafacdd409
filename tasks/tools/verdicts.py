"""What judges said in one job: a program that makes nothing is not asked again what it said of the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from tasks.tools.answers import Json
from tasks.tools.resident.kinds import JUDGES
from tasks.tools.residents import Answer

Question = tuple[str, ...]
"""The program, the request, and the SHA-256 of each file that it is about."""


class Verdicts:
    """The answers of judges by their question, the bytes included."""

    def __init__(self) -> None:
        self._said: dict[Question, Answer] = {}

    def question(
        self, kind: str, request: Mapping[str, Json], digest: Callable[[str], tuple[int, str]]
    ) -> Question | None:
        """A request as a question; None where the program also makes things. Raises Trouble like `digest`.

        To be taken right before the program gets its copies, while no process of the job runs: then the bytes that were
        digested are those that it sees.
        """
        named = request.get("files")
        if kind not in JUDGES or not isinstance(named, list | tuple):
            return None
        return (kind, json.dumps(request, sort_keys=True), *(digest(str(name))[1] for name in named))

    def said(self, question: Question | None) -> Answer | None:
        """The answer that was given, if any."""
        return None if question is None else self._said.get(question)

    def keep(self, question: Question | None, answer: Answer) -> None:
        """Remember a verdict; an error may pass, so it is asked again."""
        if question is not None and "error" not in answer.reply:
            self._said[question] = answer
