"""The English that the sources put into details, read from the sources themselves: literals and f-strings.

Looked at are the arguments of whatever makes a detail (`MAKERS`), what the functions in `TELLERS` return or yield, and
the tables in `TABLES`. An f-string becomes its text with a sample in each hole.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SAMPLE = "77"
"""Stands in the holes: a name or a number, the same in every language."""

MAKERS = {
    "Trouble", "BatchRefused", "Note", "Verdict", "Fault", "unfit", "_unfit", "foreign", "_fault", "_refused", "Unfit",
    "BadZipFile", "ReadError", "ExtractError", "EOFError", "NotImplementedError", "_invalid", "StoreBroken",
    "unreadable", "_unknown", "near", "say", "fault",
}  # fmt: skip
"""What is called to make a detail, or to raise what becomes one."""
CHOSEN = {"loss", "guess"}
"""A line of the repair log of this kind is told to people; its text is the argument before the kind."""
TELLERS = {
    "tasks/sip/listing.py": {"*"},
    "tasks/sealed/zips.py": {"*"},
    "tasks/sealed/tars.py": {"*"},
    "tasks/tools/floor.py": {"*"},
    "tasks/tools/programs.py": {"fault"},
    "tasks/tools/box.py": {"layers"},
    "tasks/tools/fence.py": {"layers"},
    "tasks/policy/load.py": {"*"},
    "tasks/config/settings.py": {"_wrong"},
    "tasks/config/faults.py": {"near"},
}
"""Functions that return or yield details; `*` is all of a module."""
TABLES = {
    "tasks/sealed/tars.py": {"_KINDS"},
    "tasks/sip/batch.py": {"KINDS", "EMPTY"},
    "tasks/report/stops.py": {"_EXHAUSTED"},
    "tasks/store/fixity.py": {"WHOLE"},
    "tasks/config/settings.py": {"MENDS"},
}
"""Tables and names that hold details."""


@functools.cache
def said() -> tuple[tuple[str, str], ...]:
    """(place, text) of all English that may stand in a detail."""
    return tuple(_said())


def _said() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "tasks").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield from ((f"{name}:{found.lineno}", _text(found)) for found in _of(node, name))


def _of(node: ast.AST, name: str) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call) and any(isinstance(a, ast.Constant) and a.value in CHOSEN for a in node.args):
        yield from (s for a in node.args if not isinstance(a, ast.Constant) or " " in str(a.value) for s in _strings(a))
    elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in MAKERS:
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            yield from _strings(argument)
    elif isinstance(node, ast.FunctionDef) and TELLERS.get(name, set()) & {"*", node.name}:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Return | ast.Yield) and inner.value is not None:
                yield from _strings(inner.value)
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if {ast.unparse(target) for target in targets} & TABLES.get(name, set()):
            yield from _strings(node.value)


def _strings(node: ast.AST) -> Iterator[ast.expr]:
    """Every text below, f-strings whole."""
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        assert isinstance(node, ast.expr)
        yield node
        return
    for child in ast.iter_child_nodes(node):
        yield from _strings(child)


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr)
    return "".join(str(part.value) if isinstance(part, ast.Constant) else SAMPLE for part in node.values)


ENGLISH = re.compile(r"[a-z]{2,}")


def is_sentence(text: str) -> bool:
    """Whether a person would read it as English: two words or more, one of them in small letters."""
    words = text.replace(SAMPLE, "").split()
    return len(text.split()) > 1 and any(ENGLISH.fullmatch(word.strip(".,:;()")) for word in words)
