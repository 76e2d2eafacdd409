"""What is wrong with a delivery, told as far as anyone reads, and counted to the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

MOST = 1000
"""So many faults are kept. A hostile list could hold millions, and the log takes no more."""
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: what, and the file it is about, if any. `structure` tells a broken bag from a lost file."""

    what: str
    name: str = ""
    structure: bool = True

    def __str__(self) -> str:
        """Bounded, since both are a producer's words."""
        return f"{self.name[:_LONGEST]}: {self.what[:_LONGEST]}" if self.name else self.what[:_LONGEST]


@dataclass(slots=True)
class Faults:
    """The first faults in order, how many there are, and whether one of all is about the structure."""

    told: list[Fault] = field(default_factory=list)
    count: int = 0
    broken: bool = False

    def add(self, fault: Fault) -> None:
        """Count one, and keep it while there is room."""
        self.count += 1
        self.broken |= fault.structure
        if len(self.told) < MOST:
            self.told.append(Fault(fault.what[:_LONGEST], fault.name[:_LONGEST], fault.structure))

    def extend(self, faults: Iterable[Fault]) -> Faults:
        """Add all, and return self."""
        for fault in faults:
            self.add(fault)
        return self

    def words(self) -> list[str]:
        """The faults that were kept, as text."""
        return [str(fault) for fault in self.told]


def shown(raw: bytes) -> str:
    """A name as text that can be printed, whatever its bytes."""
    return raw[:_LONGEST].decode("utf-8", "backslashreplace")
