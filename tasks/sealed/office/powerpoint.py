"""The text of PowerPoint 97-2003 ([MS-PPT]): the slides that the last save refers to, not the ones it left behind."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.premis.model import Trouble
from tasks.sealed.office import SourceText
from tasks.sealed.office.compound import Compound

_DOCUMENT, _SLIDE, _NOTES, _LIST = 1000, 1006, 1008, 4080
_SLIDE_PERSIST = 1011
_SLIDES, _NOTES_LIST = 0, 2  # instances of SlideListWithText; 1 lists the masters
_TEXT_CHARS, _TEXT_BYTES, _USER_EDIT, _DIRECTORY = 4000, 4008, 4085, 6002
_MOST_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `body` is what lies between its header and its end."""

    kind: int
    instance: int
    container: bool
    body: bytes


def read(compound: Compound) -> SourceText:
    """The text of a presentation. Raises Trouble `source-damaged` for a broken one."""
    stream = compound.find("PowerPoint Document")
    if stream is None:
        raise Trouble("source-damaged", what="there is no PowerPoint Document stream")
    data = compound.read(stream)
    user = compound.find("Current User")
    try:
        return _read(_living(data, compound.read(user) if user else b""))
    except (struct.error, IndexError, ValueError) as e:
        raise Trouble("source-damaged", what=f"the presentation's records do not parse ({e})") from e


def _read(parts: dict[int, Record]) -> SourceText:
    text = SourceText("presentation")
    slides: set[int] = set()
    for part in parts.values():
        for outline in records(part.body) if part.kind == _DOCUMENT else ():
            if outline.kind == _LIST and outline.instance == _SLIDES:
                text.shown += _texts(outline.body)
                slides |= {
                    struct.unpack_from("<I", r.body)[0] for r in records(outline.body) if r.kind == _SLIDE_PERSIST
                }
            elif outline.kind == _LIST and outline.instance == _NOTES_LIST:
                text.notes += _texts(outline.body)
    for number, part in parts.items():
        if part.kind == _SLIDE and (number in slides or not slides):  # title masters are slides as well
            text.shown += _texts(part.body)
        elif part.kind == _NOTES:
            text.notes += _texts(part.body)
    return text


def records(data: bytes, at: int = 0) -> Iterator[Record]:
    """The records that lie side by side in `data`; a last one that is cut off is given as far as it goes."""
    while at + 8 <= len(data):
        head, kind, size = struct.unpack_from("<HHI", data, at)
        yield Record(kind, head >> 4, head & 0xF == 0xF, data[at + 8 : at + 8 + size])
        at += 8 + size


def walk(data: bytes, depth: int = 0) -> Iterator[Record]:
    """Every record of the stream, containers before what they hold."""
    for record in records(data):
        yield record
        if record.container and depth < _MOST_DEPTH:
            yield from walk(record.body, depth + 1)


def _living(data: bytes, user: bytes) -> dict[int, Record]:
    """The objects by number that the newest persist directory names; all top records without such a directory."""
    offsets = _directory(data, struct.unpack_from("<I", user, 16)[0]) if len(user) >= 20 else {}
    if not offsets:
        return dict(enumerate(records(data)))
    found = {n: next(records(data, at), None) for n, at in sorted(offsets.items(), key=lambda o: o[1])}
    return {n: record for n, record in found.items() if record}


def _directory(data: bytes, at: int) -> dict[int, int]:
    """Object number to offset, the newest edit first ([MS-PPT] 2.3.4 PersistDirectoryAtom)."""
    found: dict[int, int] = {}
    seen: set[int] = set()
    while at and at not in seen and at + 8 <= len(data):
        seen.add(at)
        edit = next(records(data, at))
        if edit.kind != _USER_EDIT:
            break
        before, directory = struct.unpack_from("<II", edit.body, 8)
        atom = next(records(data, directory), None)
        if atom is None or atom.kind != _DIRECTORY:
            break
        for number, offset in _entries(atom.body):
            found.setdefault(number, offset)
        at = before
    return found


def _entries(body: bytes) -> Iterator[tuple[int, int]]:
    at = 0
    while at + 4 <= len(body):
        (head,) = struct.unpack_from("<I", body, at)
        first, count = head & 0xFFFFF, head >> 20
        for n, offset in enumerate(struct.unpack_from(f"<{count}I", body, at + 4)):
            yield first + n, offset
        at += 4 + count * 4


def _texts(data: bytes, depth: int = 0) -> Iterator[str]:
    """The texts below a container, one string a shape."""
    for record in records(data):
        if record.container and depth < _MOST_DEPTH:
            yield from _texts(record.body, depth + 1)
        elif record.kind in (_TEXT_CHARS, _TEXT_BYTES):
            encoding = "utf-16-le" if record.kind == _TEXT_CHARS else "latin-1"
            words = record.body.decode(encoding, "replace").replace("\r", "\n").replace("\x0b", "\n").strip()
            if words:
                yield words
