"""What an archive says that it holds, and whether it may be a delivery; nothing is unpacked for that.

The lines come from a job that read hostile bytes. So each is bounded, and so is what is kept of all of them.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO

from tasks.config.home import Settings
from tasks.sip.batch import BatchRefused, Entry
from tasks.sip.faults import Fault, Faults, shown
from tasks.tools.words import size as words

SMALL_BYTES = 1 << 30
"""An archive that unpacks to less is no bomb, whatever its ratio."""
LONGEST_NAME = 4096
"""Bytes of a name, as Linux takes them in a path."""
LONGEST_ELEMENT = 765
"""Bytes between two slashes: 255 letters, as Windows counts them, of three bytes each. Linux takes fewer."""
DEEPEST = 100
"""Folders, one in another."""
NAMES_BYTES = 256 << 20
"""Of all names together: each is kept in memory."""

_LINE = 16 << 10  # a name is written with two digits a byte
_LARGEST = 1 << 62
_LONGEST_PACKING = 40
_PACKINGS_TOLD = 5
# Not every `~` nor `a:`: Office writes `~$report.docx`, and an old Macintosh any letter before a colon.
_OUTSIDE = re.compile(rb"\A(?:~|[A-Za-z]:)?[/\\]|(?:\A|[/\\])\.\.(?:[/\\]|\Z)")
_HERE = re.compile(rb"\A(?:\./+)+(?=.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Member:
    """One member as the archive claims it, and where it does so (`at`).

    `received` is its name there when that begins with `./`, else b""; `packing` how it is packed when that cannot be
    undone here, else "".
    """

    number: int
    at: int
    entry: Entry
    encrypted: bool
    received: bytes = b""
    packing: str = ""


def foreign(signal: str = "an answer in a foreign shape") -> BatchRefused:
    """What to raise when the job's answer is none of ours."""
    return BatchRefused("tool-crash", [], tool="perenne/container", signal=signal)


def read(lines: BinaryIO, settings: Settings) -> list[Member]:
    """The members of a listing. Raises BatchRefused when it is in a foreign shape."""
    found: list[Member] = []
    while line := lines.readline(_LINE):
        if len(found) >= settings.archive_max_files:
            raise foreign()
        found.append(_member(line))
    return found


def _member(line: bytes) -> Member:
    try:
        number, said = json.loads(line)
        name, kind = bytes.fromhex(said["name"]), str(said["kind"])
        at, length, mtime = said["at"], said["size"], said["mtime"]
        if not all(isinstance(n, int) for n in (number, at, length, mtime)) or min(at, length) < 0:
            raise TypeError
        raw = _HERE.sub(b"", name)  # `tar -C folder .` names a file ./a that the folder itself would name a
        seconds = min(max(mtime, 0), 1 << 40)
        entry = Entry(raw, min(length, _LARGEST), seconds * 10**9, kind, "", str(number).encode())
        received = name if name != raw else b""
        return Member(number, at, entry, bool(said["encrypted"]), received, str(said["packing"])[:_LONGEST_PACKING])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise foreign() from None


def cut(of: object, settings: Settings) -> BatchRefused:
    """What to raise when the listing was broken off, there being too much `of` something."""
    if of == "bytes":
        return BatchRefused("bomb-suspected", [], ratio="many", size=f"more than {settings.archive_max_gb} GB")
    if of == "files":
        return _unfit(f"it holds more than {settings.archive_max_files} files and folders (archive_max_files)")
    return _unfit(f"the names in it are longer than {words(NAMES_BYTES)} together") if of == "names" else foreign()


def _unfit(why: str) -> BatchRefused:
    return BatchRefused("archive-unfit", [why], count="1", first=why)


def judge(found: Sequence[Member], unlisted: Iterable[str], packed: int, settings: Settings) -> None:
    """Whether a file of `packed` bytes may be unpacked; `unlisted` is what it holds besides its members.

    Raises BatchRefused when it may not, the gravest reason first and all others with it.
    """
    total = sum(m.entry.size for m in found)
    ratio = total / max(1, packed)
    if total > settings.archive_max_gb * 1e9 or (total > SMALL_BYTES and ratio > settings.archive_max_ratio):
        raise BatchRefused("bomb-suspected", [], ratio=f"{ratio:.0f}", size=words(total))
    outside = [m for m in found if _OUTSIDE.search(m.entry.raw)]
    hidden = [m for m in found if m.encrypted]
    strange = Faults().extend(map(Fault, unlisted)).extend(_strange(found))
    faults = Faults()
    faults.extend(Fault("names a place outside", _shown(m)) for m in outside)
    faults.extend(Fault("asks for a password", _shown(m)) for m in hidden)
    for fault in strange.told:
        faults.add(fault)
    packed_otherwise = [m for m in found if m.packing]
    faults.extend(Fault(f"packed with {m.packing}", _shown(m)) for m in packed_otherwise)
    count = len(outside) + len(hidden) + strange.count + len(packed_otherwise)
    if outside:
        raise BatchRefused("name-unsafe", faults.words(), count, name=_shown(outside[0]))
    if hidden:
        raise BatchRefused("source-encrypted", faults.words(), count)
    if strange.count:
        first = str(strange.told[0])
        raise BatchRefused("archive-unfit", faults.words(), count, count=str(strange.count), first=first)
    if packed_otherwise:
        how = ", ".join(sorted({m.packing for m in packed_otherwise})[:_PACKINGS_TOLD])
        detail = {"how": how, "count": str(len(packed_otherwise)), "first": _shown(packed_otherwise[0])}
        raise BatchRefused("packing-unknown", faults.words(), count, **detail)


def _shown(member: Member) -> str:
    return shown(member.received or member.entry.raw)


def _strange(found: Sequence[Member]) -> Iterator[Fault]:
    """What cannot be both a delivery and one thing only."""
    if not found:
        yield Fault("it holds no file")
    names = sorted(m.entry.raw for m in found)
    for raw, alike in groupby(names):
        count = sum(1 for _ in alike)
        if count > 1:
            yield Fault(f"{count} times in it", shown(raw))
        below = bisect_left(names, raw + b"/")  # not by a set of all folders, which a name of slashes makes endless
        if below < len(names) and names[below].startswith(raw + b"/") and names[below] != raw:
            yield Fault("both a file and a folder", shown(raw))
        if why := _unusable(raw):
            yield Fault(why, shown(raw) or "''")


def _unusable(raw: bytes) -> str:
    """Why a name cannot be a file's; "" when it can."""
    if not raw or b"\0" in raw:
        return "no name"
    if raw.endswith(b"/"):
        return "called a folder, and not an empty one"
    if len(raw) > LONGEST_NAME:
        return f"its name is longer than {LONGEST_NAME} bytes"
    if raw.count(b"/") > DEEPEST:
        return f"it lies more than {DEEPEST} folders deep"
    if max(map(len, raw.split(b"/"))) > LONGEST_ELEMENT:
        return f"a part of its name is longer than {LONGEST_ELEMENT} bytes"
    return ""
