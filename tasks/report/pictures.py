"""Small pictures of source and product for the pages, drawn in sealed jobs where there is something to see.

Whatever cannot be drawn has no picture: no trouble of a file or of a tool keeps a report from being written.
"""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.aip.ledger import Ledger
from tasks.config.home import Home
from tasks.premis.model import Limits, Trouble
from tasks.report import png
from tasks.report.sights import sights
from tasks.report.summary import Row
from tasks.tools.door import Door
from tasks.tools.job import Job

WIDTH, HEIGHT = 446, 640
"""Pixels of a picture at most: an A4 page is 446 by 632; of a page that is taller still all is shown, smaller."""
MOST_CARDS = 20
"""So many files of a page have pictures at most."""
PATIENCE_S = 120.0
"""An album makes no further picture when so much time went by, so that no batch of slow files holds up its report."""
LIMITS = Limits(wall_s=20.0, memory_bytes=1 << 30, output_bytes=16 << 20, processes=64)
"""Of one call. What takes more has no picture."""
MOST_PAGES = 1_000_000

HARMLESS = (Trouble, OSError)
"""A file, a tool or a disk that fails here costs a picture."""
MISSHAPEN = (KeyError, TypeError, ValueError)
"""What reading an answer of another shape ends with."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One page, drawn: a PNG of 16 greys, its size in pixels, which page it is (from 1), of how many."""

    png: bytes
    width: int
    height: int
    page: int
    pages: int

    @property
    def uri(self) -> str:
        """The picture as a `data:` URI, whose letters need no escaping in HTML."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclass(frozen=True, slots=True)
class Pair:
    """The same page of source and product; None for what cannot be drawn or has no such page."""

    source: Picture | None
    product: Picture | None


def picture(door: Door, path: Path, page: int = 1) -> Picture | None:
    """A page of a PDF or picture, counted from 1; None for what cannot be drawn and for a page that is not there."""
    with contextlib.suppress(*HARMLESS), door.job(LIMITS) as job:
        return _drawn(job, job.give(path, "file"), page)
    return None


def pair(door: Door, source: Path, product: Path, page: int | None = None) -> Pair:
    """A page of a source and the same of its product; without `page` the one where they differ most, or the first.

    A source that cannot be drawn (office, text) leaves the product alone.
    """
    with contextlib.suppress(*HARMLESS), door.job(LIMITS) as job:
        return _pair(job, _given(job, source, "source"), _given(job, product, "product"), page)
    return Pair(None, None)


class Album:
    """The pictures of the pages of one run. Its patience is for all of them together."""

    def __init__(self, home: Home, door: Door, *, patience_s: float = PATIENCE_S) -> None:
        """`door`: one that knows the store as a source, so that large originals are shown to it without a copy."""
        self._home, self._door, self._end = home, door, time.monotonic() + patience_s

    def pairs(self, ledger: Ledger, rows: Sequence[Row]) -> dict[Row, Pair]:
        """Of rows of the summary of this AIP, in their order, those of at most MOST_CARDS files with their pictures.

        A row has none when no product waits or is published, when nothing can be drawn, or when patience ran out.
        """
        found: dict[Row, Pair] = {}
        for row, sight in sights(self._home, ledger, rows):
            if len(found) >= MOST_CARDS or time.monotonic() > self._end:
                break
            made = pair(self._door, sight.source, sight.product, sight.page)
            if made.source is not None or made.product is not None:
                found[row] = made
        return found


def _given(job: Job, path: Path, name: str) -> str:
    """The file's name in the job; "" when it cannot be read."""
    with contextlib.suppress(*HARMLESS):
        return job.give(path, name)
    return ""


def _pair(job: Job, source: str, product: str, page: int | None) -> Pair:
    found = Pair(_drawn(job, source, page or 1), _drawn(job, product, page or 1))
    if page is not None or found.source is None or found.product is None:
        return found
    before, after = found.source.pages, found.product.pages
    unlike = _unlike(job, source, product, max(before, after)) if max(before, after) > 1 else 1
    unlike = unlike or (1 if before == after else min(before, after) + 1)
    return found if unlike == 1 else Pair(_drawn(job, source, unlike), _drawn(job, product, unlike))


def _unlike(job: Job, source: str, product: str, pages: int) -> int:
    """A page that is blank in the product alone, else the one that is least like its source; 0 when there is none."""
    with contextlib.suppress(*HARMLESS, *MISSHAPEN):
        answer = job.call("tasks.sealed.look:compare", source, product)
        rows = sorted((float(score), number) for number, _, score in answer["differing"])
        page = [*answer["blank"], *(number for _, number in rows), 0][0]
        return page if type(page) is int and 0 <= page <= pages else 0
    return 0


def _drawn(job: Job, name: str, page: int) -> Picture | None:
    """A page as a job drew it, when its answer is a picture of the one form: its word is checked like any other."""
    if not name:
        return None
    with contextlib.suppress(*HARMLESS, *MISSHAPEN):
        answer = job.call("tasks.sealed.thumbnail:draw", name, page, width=WIDTH, height=HEIGHT)
        data, pages = answer["png"], answer["pages"]
        if type(pages) is int and 1 <= page <= pages <= MOST_PAGES:
            content = base64.b64decode(data, validate=True)
            return Picture(content, *png.size(content, WIDTH, HEIGHT), page, pages)
    return None
