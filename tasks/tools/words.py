"""Amounts and moments as people read them, for the holes of messages."""

from __future__ import annotations

from datetime import datetime


def seconds(amount: float) -> str:
    """A duration: "120 s", "0.5 s"."""
    return f"{amount:g} s"


def size(amount: int) -> str:
    """A number of bytes, a kilobyte being 1,024 of them: "512 bytes", "64.0 MB", "2.0 GB"."""
    value = float(amount)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            break
        value /= 1024
    return f"{amount} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


def moment(at: datetime) -> str:
    """`22 Nov 2026, 02:05 (UTC+07:00)`, in the machine's zone."""
    at = at.astimezone()
    offset = at.strftime("%z")
    return f"{at.day} {at:%b %Y, %H:%M} (UTC{offset[:3]}:{offset[3:]})"
