"""Letters that are obeyed instead of seen, made visible: no name moves a cursor, turns a line or hides its end."""

from __future__ import annotations

from tasks.words.numbers import NARROW

SPACES = f" \u00a0{NARROW}"
"""Spaces that our own sentences hold: French puts the narrow one into numbers and before signs."""


def visible(text: str, *, but: str = "") -> str:
    """The text with every letter spelled out that cannot be seen, as `\\u000a`, but for spaces and those of `but`."""
    return "".join(c if c.isprintable() or c in SPACES or c in but else f"\\u{ord(c):04x}" for c in text)
