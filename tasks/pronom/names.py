"""Short names for the formats that Perenne makes, as people say them."""

from __future__ import annotations

TARGETS = {
    "fmt/95": "PDF/A-1a",
    "fmt/354": "PDF/A-1b",
    "fmt/476": "PDF/A-2a",
    "fmt/477": "PDF/A-2b",
    "fmt/478": "PDF/A-2u",
    "fmt/479": "PDF/A-3a",
    "fmt/480": "PDF/A-3b",
    "fmt/481": "PDF/A-3u",
    "fmt/353": "TIFF",
    "x-fmt/111": "plain text",
}


def name(puid: str) -> str:
    """The short name of a target format; the PUID itself where there is none."""
    return TARGETS.get(puid, puid or "file")
