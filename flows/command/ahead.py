"""What a run will need, guessed from the names of its files: a program that is started early costs no time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

FIRST, JUDGE, OFFICE = "siegfried", "verapdf", "office"
_WRITER, _CALC, _IMPRESS = "doc docm docx dot dotx odt rtf", "ods xls xlsm xlsx", "odp pps ppsx ppt pptm pptx"
_OFFICE_NAMES = frozenset(f".{name}" for kind in (_WRITER, _CALC, _IMPRESS) for name in kind.split())
_MOST = 5000
"""So many names are read; a guess is not worth more."""


def programs(deliveries: Iterable[Path]) -> tuple[str, ...]:
    """The resident programs for the files below these folders, in the order of need; none where there is no file.

    What cannot be looked at promises nothing: the run itself will tell it.
    """
    kinds = {Path(name).suffix.lower() for name in islice(_names(deliveries), _MOST) if name}
    if not kinds:
        return ()
    return (FIRST, JUDGE, *([OFFICE] if not _OFFICE_NAMES.isdisjoint(kinds) else []))


def _names(places: Iterable[Path]) -> Iterator[str]:
    """Of the files there, "" for each folder: a delivery may be deeper than Python's own walk can go."""
    waiting = deque(map(str, places))
    while waiting:
        place = waiting.popleft()
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if folder := entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    yield "" if folder else entry.name
        except NotADirectoryError:
            yield place
        except OSError:
            continue
