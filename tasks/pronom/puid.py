"""PRONOM's identifiers."""

from __future__ import annotations

import re
from typing import TypeGuard

_PUID = re.compile(r"(?:x-)?fmt/\d{1,6}")


def is_puid(value: object) -> TypeGuard[str]:
    """Whether this is a PRONOM unique identifier: `fmt/354`, `x-fmt/111`."""
    return isinstance(value, str) and _PUID.fullmatch(value) is not None
