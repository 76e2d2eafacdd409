"""What a command's exit code says; the same words stand in `perenne --help` and docs/operate.md."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes that scripts can go by."""

    GOOD = 0
    PERSON = 1
    USE = 2
    MACHINE = 3
    INTERRUPTED = 130
