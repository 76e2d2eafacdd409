"""An AIP that another run holds: who, and since when."""

from __future__ import annotations

import uuid

from tasks.config.home import Home
from tasks.config.locks import holder
from tasks.premis import codes
from tasks.premis.model import Trouble
from tasks.tools.words import moment

BUSY = "store-busy"


def busy(home: Home, aip: uuid.UUID) -> Trouble:
    """Why this AIP cannot be worked on now; to be asked at once after its lock was refused."""
    found = holder(home, aip)
    return Trouble(BUSY, run=found.run, since=moment(found.since)) if found else Trouble(BUSY)


def sentence(trouble: Trouble) -> str:
    """A trouble's message and advice, for people."""
    return f"{codes.message(trouble.code, trouble.detail)} {codes.advice(trouble.code, trouble.detail)}"
