"""What a run will need, guessed from the names of its files: a program that is started early costs no time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

FIRST, JUDGE, OFFICE = "siegfried", "verapdf", "office"
_WRITER, _CALC, _IMPRESS = "doc docm docx dot dotx odt rtf", "ods xls xlsm xlsx", "odp pps ppsx ppt pptm pptx"
_OFFICE_NAMES = frozenset(f".{name}" for kind in (_WRITER, _CALC, _IMPRESS) for name in kind.split())
_MOST = 5000
"""So many names are read; a guess is not worth more."""


def programs(deliveries: Iterable[Path]) -> tuple[str, ...]:
    """The resident programs for the files below these folders, in the order of need; none where there is no file."""
    kinds = [Path(name).suffix.lower() for name in islice(_names(deliveries), _MOST)]
    if not kinds:
        return ()
    return (FIRST, JUDGE, *([OFFICE] if not _OFFICE_NAMES.isdisjoint(kinds) else []))


def _names(folders: Iterable[Path]) -> Iterator[str]:
    for folder in folders:
        if folder.is_file():
            yield folder.name
        for _, _, names in os.walk(folder):
            yield from names
