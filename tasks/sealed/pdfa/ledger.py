"""The repair log: what a repair changed, clause by clause of ISO 19005-2, so that nothing is lost in silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["fix", "loss", "guess"]
"""`fix`: the document says the same as before. `loss`: something is gone. `guess`: something was chosen for it."""

MAX_NAMES = 20
"""A hostile file may repeat one defect a million times; the log names the first few and counts the rest."""


@dataclass(slots=True)
class _Line:
    count: int = 0
    names: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Ledger:
    """A growing repair log; equal (clause, what, kind) are one line with a count and the names touched."""

    _lines: dict[tuple[str, str, Kind], _Line] = field(default_factory=dict)

    def write(self, clause: str, what: str, kind: Kind = "fix", *, name: str = "", count: int = 1) -> None:
        """Adds `count` cases of `what`, which `clause` forced; `name` says which object it was."""
        line = self._lines.setdefault((clause, what, kind), _Line())
        line.count += count
        if name and name not in line.names and len(line.names) < MAX_NAMES:
            line.names.append(name[:120])

    def has(self, what: str) -> bool:
        """Says whether a line of that `what` was written."""
        return any(key[1] == what for key in self._lines)

    def entries(self) -> list[dict[str, object]]:
        """Returns the log as JSON: {"clause", "what", "count", "names", "kind"} each, in the order first written."""
        return [
            {"clause": clause, "what": what, "count": line.count, "names": list(line.names), "kind": kind}
            for (clause, what, kind), line in self._lines.items()
        ]
