"""Why a person asks for a run: one sentence that stands in the log for good."""

from __future__ import annotations

from tasks.words import text

LEAST, MOST = 8, 300
"""Letters."""


def checked(given: str) -> str:
    """The sentence without space around it. Raises ValueError for one that is too short or too long to be one."""
    said = " ".join(given.split())
    if not LEAST <= len(said) <= MOST:
        raise ValueError(text("reason-not-so", least=LEAST, most=MOST))
    return said
