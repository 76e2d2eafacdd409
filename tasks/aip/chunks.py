"""Work cut into pieces, one for each task run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest

from tasks.aip.estimate import default
from tasks.aip.plan import Task

PLAIN_S = 0.3
"""Seconds of CPU of a plain conversion: so much counts as one file."""
LEAST = 6.0
"""Plain files that are worth a task run of their own, which costs Prefect and the log some 0.1 s."""
PIECES_A_CORE = 4
_NOTHING = 0.05

Chunk = tuple[str, list[Task]]
"""What people read of it, and the work."""


def chunks(tasks: Iterable[Task], size: int, cores: int) -> list[Chunk]:
    """The work grouped by action, across AIPs, in pieces of about equal expected cost, in the order to be done.

    `size`: so many plain files make a piece; fewer where every core would not get some. Dear pieces come first, so
    that no core is left alone with one at the end, and those of different actions in turn, so that as few as possible
    wait for the same program.
    """
    by_action: dict[str, list[tuple[float, Task]]] = {}
    for task in tasks:
        by_action.setdefault(task.work.rule.action, []).append((_weight(task), task))
    total = sum(weight for group in by_action.values() for weight, _ in group)
    most = min(float(size), max(LEAST, total / (cores * PIECES_A_CORE)))
    lines = [_pieces(group, most) for _, group in sorted(by_action.items())]
    lines.sort(key=lambda line: sum(weight for weight, _ in line), reverse=True)
    return [(_name(piece), piece) for _, piece in filter(None, chain.from_iterable(zip_longest(*lines)))]


def _pieces(group: Sequence[tuple[float, Task]], most: float) -> list[tuple[float, list[Task]]]:
    """One action's work in pieces with their weights, the dearest first; a piece is full at `most`."""
    pieces: list[tuple[float, list[Task]]] = []
    piece: list[Task] = []
    weight = 0.0
    for each, task in group:
        if piece and weight + each > most:
            pieces.append((weight, piece))
            piece, weight = [], 0.0
        piece.append(task)
        weight += each
    if piece:
        pieces.append((weight, piece))
    return sorted(pieces, key=lambda one: one[0], reverse=True)


def _weight(task: Task) -> float:
    """The expected cost in plain files; what is merely kept costs a little, too."""
    return max(_NOTHING, default().expected(task.work).cpu_s / PLAIN_S)


def _name(piece: Sequence[Task]) -> str:
    count = sum(1 + len(task.work.twins) for task in piece)
    return f"{piece[0].work.rule.action} {count} file{'s' if count != 1 else ''}"
