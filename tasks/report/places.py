"""Where each page lies below `reports/`, as a relative address: nobody else puts one together."""

from __future__ import annotations

import hashlib
from uuid import UUID

INDEX = "index.html"


def aip_page(aip: UUID) -> str:
    """The report of an AIP; beside it lies the same as `.json`."""
    return f"{aip}.html"


def file_page(aip: UUID, file: str) -> str:
    """The page of one file that needs a person, by its path as pages show it. Names of files are no names of pages."""
    return f"{aip}/{hashlib.sha256(file.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}.html"


def run_page(run: UUID) -> str:
    """The report of a run; beside it lies the same as `.json`."""
    return f"runs/{run}.html"
