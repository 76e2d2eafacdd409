"""Mistakes in a file that a person wrote, `perenne.toml` or a policy: all at once, each with its line and its mend.

They are written in English and told in the language in force by the rows of `texts/details.toml`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.words import detail, text

BRIEF = 3
"""So many faults are told where there is one line; all of them stand in the log of the run."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake: where it stands, what was read, and what to write instead. `rule` is "" outside of policies."""

    line: int
    rule: str
    seen: str
    mend: str


def told(name: str | Path, faults: Iterable[Fault]) -> str:
    """All faults of a file for a person, and that no file was touched."""
    rows = sorted(faults, key=lambda fault: fault.line)
    lines = [text("faults-found", n=len(rows), file=str(name))]
    places = [text("fault-line", line=str(row.line)) if row.line else "" for row in rows]
    rules = [text("fault-rule", rule=row.rule) if row.rule else "" for row in rows]
    wide, wider = max(map(len, places), default=0), max(map(len, rules), default=0)
    for row, place, rule in zip(rows, places, rules, strict=True):
        start = "  ".join([*([place.ljust(wide)] if wide else []), *([rule.ljust(wider)] if wider else [])])
        lines += [f"{start}  {detail(row.seen)}".lstrip(), f"{'':{wide}}  → {detail(row.mend)}"]
    return "\n".join(lines)


def briefly(name: str | Path, faults: Iterable[Fault]) -> str:
    """The first faults of a file in one line without a full stop, for a sentence that says the rest."""
    rows = sorted(faults, key=lambda fault: fault.line)
    said = [_said(_where(row), f"{detail(row.seen)} → {detail(row.mend)}".rstrip(".")) for row in rows[:BRIEF]]
    more = [text("and-more", n=len(rows) - BRIEF)] if len(rows) > BRIEF else []
    return _said(Path(name).name, " · ".join([*said, *more]))


def _said(where: str, what: str) -> str:
    return text("fault-in-line", where=where, what=what) if where else what


def _where(fault: Fault) -> str:
    line = text("fault-line", line=str(fault.line)) if fault.line else ""
    rule = text("fault-rule", rule=fault.rule) if fault.rule else ""
    return ", ".join(filter(None, (line, rule)))


def near(seen: str, allowed: Iterable[str]) -> str:
    """What may stand there, and first what was probably meant."""
    names = sorted(allowed)
    all_of_them = ", ".join(f'"{name}"' for name in names) or "none"
    close = difflib.get_close_matches(seen, names, 1)
    return f'Write "{close[0]}". Allowed: {all_of_them}.' if close else f"Allowed: {all_of_them}."


def written(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {written(one)}' for key, one in value.items())} }}" if value else "{}"
    return str(value)
