"""The record of what each action and validator does: its VERSION beside a digest of the code that shapes its results.

    .venv/bin/python -m tests.versions --same-output [NAME…]   the code changed, its results did not
    .venv/bin/python -m tests.versions --bumped [NAME…]        the results changed, and VERSION was raised

A NAME is `actions.keep` or `validators.text`; none: all that changed. VERSION is a part of the settled-work key:
without a new one, files that the old code settled are not done again. Comments, docstrings and layout do not count.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import pkgutil
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = Path(__file__).with_name("versions.toml")
KINDS = ("actions", "validators")
SEALED = "tasks.sealed"
TARGET = re.compile(r"(tasks\.sealed(?:\.\w+)+):\w+")
DATA = re.compile(r"[\w.-]+\.(toml|json|txt|csv|icc|css|xml)")
HEADER = "# Written by `python -m tests.versions`; tests/test_contracts.py says when.\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """What is recorded of one module."""

    version: str
    digest: str


def names(root: Path = ROOT) -> list[str]:
    """`actions.keep`, `validators.text` …: every module that carries a VERSION of its own."""
    return [f"{kind}.{m.name}" for kind in KINDS for m in pkgutil.iter_modules([str(root / "tasks" / kind)])]


def present(root: Path = ROOT) -> dict[str, Entry]:
    """Every module as it is now. Raises ValueError for one without a VERSION."""
    return {name: Entry(version(name, root), digest(name, root)) for name in names(root)}


def version(name: str, root: Path = ROOT) -> str:
    """The VERSION in the text of a module, which is not imported."""
    for node in ast.parse(_file(f"tasks.{name}", root).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "VERSION" for t in node.targets):
            return str(ast.literal_eval(node.value))
    raise ValueError(f"tasks/{name.replace('.', '/')}.py has no VERSION")


def digest(name: str, root: Path = ROOT) -> str:
    """SHA-256 over the module, the sealed modules that it calls with all they import there, and their data files."""
    found: dict[str, str] = {}
    waiting = [_file(f"tasks.{name}", root)]
    while waiting:
        path = waiting.pop()
        key = path.relative_to(root).as_posix()
        if key in found:
            continue
        if path.suffix != ".py":
            found[key] = hashlib.sha256(path.read_bytes()).hexdigest()
            continue
        code = _code(path.read_text(encoding="utf-8"))
        found[key] = code.digest
        waiting += [_file(module, root) for module in code.calls]
        waiting += [file for module in code.imports if (file := _found(module, root)) is not None]
        waiting += [path.parent / data for data in code.data if (path.parent / data).is_file()]
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Code:
    """What one file of code says: a digest without comments, docstrings and layout; sealed modules that it calls
    through the door and imports; names that may be data files beside it."""

    digest: str
    calls: frozenset[str]
    imports: frozenset[str]
    data: frozenset[str]


@cache
def _code(text: str) -> _Code:
    tree = ast.parse(text)
    texts: set[str] = set()
    imports: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imports |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
    return _Code(
        digest=hashlib.sha256(_bare(tree).encode()).hexdigest(),
        calls=frozenset(match[1] for one in texts if (match := TARGET.fullmatch(one))),
        imports=frozenset(one for one in imports if one.startswith(SEALED + ".")),
        data=frozenset(one for one in texts if DATA.fullmatch(one)),
    )


def _bare(tree: ast.Module) -> str:
    """The code without comments, docstrings and layout; changes the tree."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    return ast.dump(tree)


def _file(module: str, root: Path) -> Path:
    """The file of a module or package. Raises FileNotFoundError: what the door is asked for must be there."""
    found = _found(module, root)
    if found is None:
        raise FileNotFoundError(f"{module} is named in the code, and there is no such module")
    return found


def _found(module: str, root: Path) -> Path | None:
    base = root.joinpath(*module.split("."))
    return next((p for p in (base.with_name(base.name + ".py"), base / "__init__.py") if p.is_file()), None)


def recorded(table: Path = TABLE) -> dict[str, Entry]:
    """What the table says."""
    given = tomllib.loads(table.read_text(encoding="utf-8")) if table.exists() else {}
    return {f"{kind}.{name}": Entry(**row) for kind, rows in given.items() for name, row in rows.items()}


def faults(now: Mapping[str, Entry], then: Mapping[str, Entry]) -> dict[str, str]:
    """Module name → what to do, for each module that is not as recorded."""
    found = {}
    for name in sorted({*now, *then}):
        if name not in now:
            found[name] = "is recorded and no longer there; run: python -m tests.versions --same-output " + name
        elif name not in then:
            found[name] = "is new; run: python -m tests.versions --same-output " + name
        elif now[name].version != then[name].version:
            found[name] = (
                f"went from VERSION {then[name].version} to {now[name].version}; "
                f"run: python -m tests.versions --bumped {name}"
            )
        elif now[name].digest != then[name].digest:
            found[name] = (
                "or the sealed code that it calls changed. If the same file can now give another result, raise VERSION "
                f"in tasks/{name.replace('.', '/')}.py and run: python -m tests.versions --bumped {name}\n"
                f"    If it cannot, run: python -m tests.versions --same-output {name}"
            )
    return found


def accept(
    now: Mapping[str, Entry], then: Mapping[str, Entry], *, bumped: bool, only: Sequence[str] = ()
) -> dict[str, Entry]:
    """The new table. Raises ValueError when what was said does not fit what is there; the table stays as it is then."""
    if unknown := set(only) - {*now, *then}:
        raise ValueError(f"no such module: {', '.join(sorted(unknown))}")
    table = dict(then)
    for name in only or sorted({*now, *then}):
        if name not in now:
            table.pop(name)
            continue
        raised = name in then and now[name].version != then[name].version
        changed = name in then and now[name].digest != then[name].digest
        if bumped and changed and not raised:
            raise ValueError(f"{name}: VERSION is still {now[name].version}; raise it first.")
        if not bumped and raised:
            raise ValueError(f"{name}: VERSION changed, so the results did; use --bumped.")
        table[name] = now[name]
    return table


def write(table: Mapping[str, Entry], path: Path = TABLE) -> None:
    """Write the table, sorted."""
    rows = [
        f'[{name}]\nversion = "{entry.version}"\ndigest = "{entry.digest}"\n' for name, entry in sorted(table.items())
    ]
    path.write_text(HEADER + "\n" + "\n".join(rows), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Record; returns 0, or 1 when what was said does not fit what is there."""
    parser = argparse.ArgumentParser(prog="python -m tests.versions", description=(__doc__ or "").split("\n", 1)[0])
    said = parser.add_mutually_exclusive_group(required=True)
    said.add_argument("--same-output", action="store_true", help="the code changed, its results did not")
    said.add_argument("--bumped", action="store_true", help="the results changed, and VERSION was raised")
    parser.add_argument("names", nargs="*", metavar="NAME")
    given = parser.parse_args(arguments)
    now, then = present(), recorded()
    try:
        table = accept(now, then, bumped=given.bumped, only=given.names)
    except ValueError as e:
        sys.stderr.write(f"{e}\n")
        return 1
    write(table)
    changed = sorted(name for name in {*table, *then} if table.get(name) != then.get(name))
    sys.stdout.write("".join(f"recorded {name}\n" for name in changed) or "nothing changed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
