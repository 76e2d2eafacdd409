"""A source inside a job behind the real door, for tests of the parent halves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tasks.premis.model import Fact, Identification, Product, Role, Source, SourceFile
from tasks.tools.job import Job


def source(job: Job, path: Path, *, puid: str = "fmt/18", facts: Mapping[str, Fact] | None = None) -> Source:
    """Gives a file to the job as its source."""
    data = path.read_bytes()
    file = SourceFile(path.name, len(data), hashlib.sha256(data).hexdigest())
    return Source(file, job.give(path, f"source{path.suffix}"), Identification(puid), dict(facts or {}))


def product(job: Job, path: Path, *, puid: str = "fmt/477") -> Product:
    """Lays a file into the job as the master that an action made."""
    target = job.folder / "out" / f"master{path.suffix}"
    target.write_bytes(path.read_bytes())
    return Product(Role.MASTER, f"out/{target.name}", puid, *job.digest(f"out/{target.name}"))
