"""What must be known of a file before a rule is chosen: one module a family of formats.

A module has `VERSION`, `PUIDS` (the formats it reads) and `facts(name, job, /) -> dict[str, Fact]`; `name` is the
file's path in the job. A file that cannot be read raises Trouble, as everywhere.
"""

from __future__ import annotations

NAMES: dict[str, type] = {
    # every file
    "languages": str,  # of the batch's description, as Tesseract names them: "vie+eng"
    # PDF and office
    "encrypted": str,  # "none" | "owner" (opens without a password) | "open" (asks for one)
    "signed": bool,
    "pages": int,
    "words": int,
    # PDF
    "claims_pdfa": str,  # "" or the claimed flavour, "1b"
    "scanned": bool,  # every page is a picture and there is no text to speak of
    "has_text": bool,
    "xfa": bool,
    "javascript": bool,
    "attachments": int,
    "tagged": bool,
    "language": str,
    "producer": str,
    # pictures
    "width": int,
    "height": int,
    "bits": int,
    "channels": int,
    "frames": int,
    "dpi_x": int,
    "dpi_y": int,
    "icc": bool,
    "scanned_text": bool,  # looks like a page of text
    # office
    "kind": str,
    "macros": bool,
    "embedded": int,
    "comments": int,
    "tracked": int,
    "links": int,
    # text
    "encoding": str,
    "lines": int,
    "characters": int,
}
"""The closed list of facts with their types; a policy's `when` may name these and no others."""
