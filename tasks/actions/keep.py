"""Keep a file as it is: the original is the master. Makes nothing, so it needs no job and no tool."""

from __future__ import annotations

from tasks.actions import Migration
from tasks.premis.model import Product, Role, Source
from tasks.tools.job import Job

VERSION = "1"


def migrate(source: Source, job: Job, /) -> Migration:  # noqa: ARG001  every action has the same shape
    """Say that the original is the master."""
    return Migration((Product(Role.MASTER, source.name, source.identification.puid or ""),))
