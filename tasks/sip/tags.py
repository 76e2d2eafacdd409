"""The tag files of a bag: a producer's text, read with bounds."""

from __future__ import annotations

import io
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks.store import disk

LARGEST_TEXT = 4 << 20
"""Bytes of `bagit.txt` and `bag-info.txt`, which are read as a whole; real ones have some hundred."""
LARGEST_LIST = 512 << 20
"""Bytes of a manifest: two million files by SHA-512, with names of a hundred bytes. It is read line by line."""
LONGEST_LINE = 64 << 10
"""Letters: a digest and a name, or an address and a name."""
ENCODINGS = frozenset(
    ["utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "latin-1", "latin1"]
    + [f"iso-8859-{part}" for part in (*range(1, 12), *range(13, 17))]
    + [f"windows-{page}" for page in range(1250, 1259)]
)
"""What a bag may say that its tag files are written in. Python knows more, some of them no encodings of text."""

_ESCAPE = re.compile("%(0[AaDd]|25)")


class Unfit(Exception):  # noqa: N818  it is what the file is
    """A tag file cannot be used; the message says why."""


def text(path: Path, encoding: str) -> str:
    """A small tag file, its lines ended by LF alone; bytes that are no letters are replaced. Raises Unfit."""
    try:
        with open(disk.open_regular(path), "rb") as file:
            data = file.read(LARGEST_TEXT + 1)
    except OSError as e:
        raise Unfit(_unreadable(e)) from e
    if len(data) > LARGEST_TEXT:
        raise Unfit(f"it is larger than {LARGEST_TEXT >> 20} MB")
    return data.decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n")


def lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """The lines of a list that are not empty, with their numbers. Raises Unfit when there is no going on."""
    try:
        with (
            open(disk.open_regular(path), "rb") as file,
            io.TextIOWrapper(file, encoding=encoding, errors="strict") as reader,
        ):
            if os.fstat(file.fileno()).st_size > LARGEST_LIST:
                raise Unfit(f"it is larger than {LARGEST_LIST >> 20} MB")
            yield from _numbered(reader)
    except UnicodeError as e:
        raise Unfit(f"it cannot be read as {encoding}: {e}") from e
    except OSError as e:
        raise Unfit(_unreadable(e)) from e


def _numbered(reader: io.TextIOWrapper) -> Iterator[tuple[int, str]]:
    number = 0
    while line := reader.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise Unfit(f"line {number} is longer than {LONGEST_LINE} letters")
        if number == 1:
            line = line.removeprefix("\ufeff")
        if line.strip():
            yield number, line.removesuffix("\n")


def _unreadable(error: OSError) -> str:
    return f"it cannot be read: {error.strerror or error}"


def unescaped(name: str) -> str:
    """RFC 8493, 2.1.3: only CR, LF and the percent sign are escaped."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), name)


class Spelled:
    """Finds the file that a tag file means: its name as it is, or the only one that is the same after NFC."""

    def __init__(self, names: Iterable[bytes]) -> None:
        self.exact = frozenset(names)
        folded = Counter(_folded(name) for name in self.exact)
        self._alike = {_folded(name): name for name in self.exact if folded[_folded(name)] == 1}

    def real(self, name: str) -> bytes | None:
        """The file's name, or None."""
        raw = name.encode("utf-8", "surrogateescape")
        return raw if raw in self.exact else self._alike.get(_folded(raw))


def _folded(raw: bytes) -> str:
    return unicodedata.normalize("NFC", raw.decode("utf-8", "surrogateescape"))
