"""Formats told by their first bytes alone, for files that PRONOM's signatures do not know, or only as a ZIP.

Several of its signatures ask for a certain end or inside too (`%%EOF`, IEND, a version in the manifest), which a file
that was cut off, added to or locked does not have. Such a file is better opened by the rule for its format, which finds
out what is the matter, than kept as unknown. The identification says that it rests on the beginning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.premis.model import Basis, Identification
from tasks.pronom.fido import FidoAnswer

WARNING = "the beginning alone; the rest is not as its signature asks"
ZIP = "x-fmt/263"
WEAK = frozenset({Basis.NOTHING, Basis.EXTENSION})
_BYTES = frozenset({Basis.CONTAINER, Basis.SIGNATURE})


@dataclass(frozen=True, slots=True)
class _Head:
    pattern: re.Pattern[bytes]
    puid: str
    name: str
    version: str
    mime: str


def _head(pattern: bytes, puid: str, name: str, version: str, mime: str) -> _Head:
    return _Head(re.compile(pattern, re.DOTALL), puid, name, version, mime)


def _opendocument(kind: bytes, puid: str) -> _Head:
    """OpenDocument 1.2 part 3, section 3.3: the media type is the first member, not compressed."""
    mime = b"application/vnd.oasis.opendocument." + kind
    pattern = rb"PK\x03\x04.{26}mimetype.{0,64}" + re.escape(mime) + rb"PK"
    return _head(pattern, puid, f"OpenDocument {kind.decode()}", "1.2", mime.decode())


_PDF = {"1.0": 14, "1.1": 15, "1.2": 16, "1.3": 17, "1.4": 18, "1.5": 19, "1.6": 20, "1.7": 276, "2.0": 1129}
_UNKNOWN = (
    *(
        _head(rb"%PDF-" + re.escape(version.encode()), f"fmt/{number}", "Acrobat PDF", version, "application/pdf")
        for version, number in _PDF.items()
    ),
    _head(rb"\x89PNG\r\n\x1a\n", "fmt/11", "Portable Network Graphics", "1.0", "image/png"),
    _head(rb"\xff\xd8\xff", "fmt/41", "Raw JPEG Stream", "", "image/jpeg"),
    _head(rb"GIF87a", "fmt/3", "Graphics Interchange Format", "87a", "image/gif"),
    _head(rb"GIF89a", "fmt/4", "Graphics Interchange Format", "89a", "image/gif"),
)
_ZIPPED = (
    _opendocument(b"text", "fmt/291"),
    _opendocument(b"spreadsheet", "fmt/295"),
    _opendocument(b"presentation", "fmt/293"),
)


def by_head(found: Identification, fido: FidoAnswer) -> Identification | None:
    """What the first bytes say of a file that is known by no signature, or as a ZIP alone; else None."""
    heads: tuple[_Head, ...]
    if found.puid == ZIP:
        heads = _ZIPPED
    elif found.basis in WEAK and fido.basis not in _BYTES:
        heads = _UNKNOWN
    else:
        return None
    for head in heads:
        if head.pattern.match(fido.head):
            return Identification(
                head.puid, head.name, head.version, head.mime, Basis.SIGNATURE, WARNING, found.others, found.release
            )
    return None
