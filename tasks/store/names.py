"""Names: from the bytes a producer's file system held to logical paths, and from these to paths inside the store.

A logical path is the only name used outside `store/` and the ingest. It is the received name unchanged wherever
OCFL 1.1 (section 3.5.3.2, logical paths) and JSON can say it, so NFC and NFD stay apart; the rest becomes `%XX`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

ELEMENT_BYTES = 200
"""The longest element of a content path. File systems take 255; copies, encryption and packages add to names."""
PATH_BYTES = 1024
"""The longest content path as a whole, far below what Linux takes, so that a store can be moved deeper."""

# A slash that would leave an empty element is part of the name, as are the elements "." and "..".
_EMPTY_ELEMENT = re.compile(r"\A/|(?<=/)/|/\Z")
_UNSAYABLE = re.compile("[%\\\\\x00-\x1f\x7f-\x9f\udc80-\udcff]")
# What Windows cannot hold: a store must survive a copy to any file system.
_UNPORTABLE = re.compile(r'[<>:"|?*%]|[. ](?:/|\Z)')
_DEVICE = re.compile(r"(?:\A|/)(?:con|prn|aux|nul|com\d|lpt\d)(?:\.[^/]*)?(?:/|\Z)", re.IGNORECASE)

_NUMBERED = "numbered"


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogateescape"))


def logical_path(raw: bytes) -> str:
    """The logical path of a received name; `raw_path` gives the same bytes back.

    Clean UTF-8 stays as it is. Percent signs, backslashes, control characters (C0, DEL, C1), bytes that are not
    UTF-8, the elements `.` and `..`, and slashes that would leave an empty element become `%XX`.
    Raises ValueError for the empty name.
    """
    if not raw:
        raise ValueError("an empty name is no path")
    text = _UNSAYABLE.sub(lambda found: _percent(found.group()), raw.decode("utf-8", "surrogateescape"))
    text = _EMPTY_ELEMENT.sub("%2F", text)
    return "/".join(_percent(element) if element in {".", ".."} else element for element in text.split("/"))


def raw_path(logical: str) -> bytes:
    """The bytes that `logical_path` was given."""
    return unquote_to_bytes(logical)


def safe_raw_path(logical: str) -> bytes:
    """The received name as a relative path that stays inside its folder.

    An element that means another place once decoded (`..`, or one holding a slash or NUL) keeps its escaped form.
    """
    elements = []
    for element in logical.split("/"):
        raw = unquote_to_bytes(element)
        escapes = raw in {b"", b".", b".."} or b"/" in raw or b"\0" in raw
        elements.append(element.encode() if escapes else raw)
    return b"/".join(elements)


def checked(logical: str) -> str:
    """The logical path itself; raises ValueError when it is not one (see `logical_path`)."""
    try:
        same = logical_path(raw_path(logical)) == logical
    except UnicodeEncodeError:
        same = False
    if not same:
        raise ValueError(f"not a logical path: {logical!r}")
    return logical


@dataclass(slots=True)
class Taken:
    """The content paths of one version so far, as a file system that ignores case and normalization sees them."""

    spellings: dict[str, str] = field(default_factory=dict)
    numbered: int = 0


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def _prefixes(path: str) -> Iterator[tuple[str, str]]:
    """Each folder of the path and the path itself, folded, with the spelling; a folder's ends with a slash."""
    at = path.find("/")
    while at >= 0:
        yield _folded(path[:at]), path[: at + 1]
        at = path.find("/", at + 1)
    yield _folded(path), path


def _is_clean(logical: str) -> bool:
    if _UNPORTABLE.search(logical) or _DEVICE.search(logical) or _folded(logical.partition("/")[0]) == _NUMBERED:
        return False
    raw = logical.encode()
    return len(raw) <= PATH_BYTES and all(len(element) <= ELEMENT_BYTES for element in raw.split(b"/"))


def _take(path: str, taken: Taken) -> bool:
    prefixes = dict(_prefixes(path))
    *folders, (file, _) = prefixes.items()
    if file in taken.spellings or any(taken.spellings.get(key, spelt) != spelt for key, spelt in folders):
        return False
    taken.spellings.update(prefixes)
    return True


def content_path(logical: str, taken: Taken) -> str:
    """Where a version keeps the bytes of a logical path, relative to its content folder; entered into `taken`.

    The logical path itself while every file system can hold it: elements of at most `ELEMENT_BYTES`, no character or
    name that Windows refuses, no clash of case or normalization with another path or folder of the same version.
    Else a number, `numbered/000123`; the inventory holds the name either way.
    """
    if _is_clean(logical) and _take(logical, taken):
        return logical
    taken.numbered += 1
    return f"{_NUMBERED}/{taken.numbered:06d}"
