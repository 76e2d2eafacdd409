"""Every code that a person may read is provoked by a test: something real goes wrong, and this is what comes out.

A test says so with `@pytest.mark.provokes("source-empty")`, or with `marks=pytest.mark.provokes("…")` on a case. The
marks are read from the source, so that this costs no run of them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.premis import codes

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {"tasks/premis/codes.py", "tasks/tools/answers.py"}
"""Where codes are named without being given: the table's reader, and the list of what a job may not say."""

UNREACHED = {
    "accepted": "no act of Perenne gives it yet: a person's decision needs the review",
    "rejected": "no act of Perenne gives it yet: a person's decision needs the review",
    "product-lost": "no act of Perenne gives it yet: a lost product is made again and not told",
    "extension-differs": "no act of Perenne gives it yet: extensions are not compared with formats",
}
"""Code → why no test can provoke it. A code that the source names does not belong here."""


def marks() -> Iterator[tuple[str, str]]:
    """(place, code) of each mark in the tests."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "provokes" in text else ():
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "provokes"
                and ast.unparse(node.func).endswith("mark.provokes")
            ):
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                if node.keywords or not node.args:
                    yield place, "a mark that names no code"
                for code in node.args:
                    yield place, str(code.value) if isinstance(code, ast.Constant) else ast.unparse(code)


@pytest.fixture(scope="module")
def named() -> set[str]:
    """Every text in the source that is exactly a code."""
    files = [p for folder in ("tasks", "flows") for p in (ROOT / folder).rglob("*.py")]
    return {
        node.value
        for path in files
        if path.relative_to(ROOT).as_posix() not in OUTSIDE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in codes.CODES
    }


@pytest.fixture(scope="module")
def marked() -> list[tuple[str, str]]:
    return list(marks())


def test_a_mark_names_codes_of_the_table(marked: list[tuple[str, str]]) -> None:
    unknown = [f"{place} {code}" for place, code in marked if code not in codes.CODES]
    assert not unknown, "\n".join(unknown)


@pytest.mark.parametrize("code", sorted(set(codes.CODES) - set(UNREACHED)))
def test_every_code_is_provoked_by_a_test(marked: list[tuple[str, str]], code: str) -> None:
    assert code in {one for _, one in marked}, f"no test carries @pytest.mark.provokes({code!r})"


@pytest.mark.parametrize("code", sorted(UNREACHED))
def test_a_code_that_nothing_provokes_is_given_nowhere(
    marked: list[tuple[str, str]], named: set[str], code: str
) -> None:
    assert code in codes.CODES
    assert code not in named, f"the source gives {code}: write its test and take it off the list"
    assert code not in {one for _, one in marked}, f"a test provokes {code}: take it off the list"
