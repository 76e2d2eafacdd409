"""Zip packages and their XML within bounds: OOXML and OpenDocument are hostile until they are read.

Refused: packages that unpack to absurd sizes (`bomb-suspected`), entities that multiply (the same), broken zips and
malformed XML (`source-damaged`). Nothing is unpacked to disk, no entity is resolved and nothing is fetched.
"""

from __future__ import annotations

import io
import lzma
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from lxml import etree

from tasks.premis.model import Trouble

MOST_MEMBERS = 50_000
ALWAYS_FINE = 64 << 20
"""A package that unpacks to less than this is read whatever its ratio: a sheet of equal rows shrinks to 1 %."""
MOST_RATIO = 100
MOST_UNPACKED = 2 << 30
MOST_MEMBER = 512 << 20
MOST_EXPANSION = 10_000_000
"""Letters that the entities of one part may become; a document type is rare in a package, such a one is an attack."""

_ENTITY = re.compile(rb"<!ENTITY\s+(?:%\s+)?([^\s\"'<>&]+)\s+(?:\"([^\"]*)\"|'([^']*)')")
_REFERENCE = re.compile(rb"&([^#;&\s][^;&\s]*);")
_PROLOGUE = 1 << 20
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, RuntimeError, OSError, EOFError, ValueError,
    IndexError, OverflowError,
)  # fmt: skip
"""What zipfile raises over broken zips; its names are decoded and its fields unpacked without a check."""

Element = Any
"""lxml has no types of its own; an element is Any at this rim."""


@dataclass(frozen=True, slots=True)
class Relation:
    """One OPC relationship: `target` is a part's name, or an address when `external`."""

    kind: str
    target: str
    external: bool


def size_for_people(size: int) -> str:
    """A size as people read it: `12 kB`, `3.4 GB`."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{value:.0f} {unit}" if unit in ("bytes", "kB") else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError  # the loop ends in TB


class Package:
    """A zip package opened for reading; every member is read whole, within `MOST_MEMBER` bytes."""

    def __init__(self, source: str | io.BytesIO) -> None:
        """Open and weigh `source`. Raises Trouble `source-damaged` or `bomb-suspected`."""
        try:
            self._zip = zipfile.ZipFile(source)
        except _BROKEN as e:
            raise Trouble("source-damaged", what=f"the package does not open ({e})") from e
        members = self._zip.infolist()
        total = sum(m.file_size for m in members)
        size = Path(source).stat().st_size if isinstance(source, str) else len(source.getvalue())
        ratio = total // max(1, size)
        heavy = total > ALWAYS_FINE and ratio > MOST_RATIO
        if heavy or total > MOST_UNPACKED or len(members) > MOST_MEMBERS:
            raise Trouble("bomb-suspected", ratio=str(ratio), size=size_for_people(total))
        self._members = {m.filename.lstrip("/").replace("\\", "/"): m for m in members}
        self._folded = {name.casefold(): name for name in self._members}

    def __enter__(self) -> Package:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    @property
    def names(self) -> list[str]:
        """The members' names in the order of the package."""
        return list(self._members)

    def has(self, name: str) -> bool:
        """Whether the package holds the part; OPC compares names without case."""
        return name.casefold() in self._folded

    def read(self, name: str) -> bytes:
        """The bytes of a member. Raises Trouble `source-damaged` when it is missing, broken or encrypted."""
        try:
            member = self._members[self._folded[name.casefold()]]
        except KeyError as e:
            raise Trouble("source-damaged", what=f"the part {name} is missing") from e
        if member.file_size > MOST_MEMBER:
            ratio = member.file_size // max(1, member.compress_size)
            raise Trouble("bomb-suspected", ratio=str(ratio), size=size_for_people(member.file_size))
        try:
            return self._zip.read(member)
        except _BROKEN as e:
            raise Trouble("source-damaged", what=f"the part {name} does not unpack ({e})") from e

    def xml(self, name: str) -> Element:
        """The root element of an XML member, comments and instructions dropped."""
        return parse(self.read(name), name)

    def relations(self, part: str) -> dict[str, Relation]:
        """The OPC relationships of a part by id; empty when it has none. `part` "" means the package itself."""
        folder, name = posixpath.split(part)
        path = posixpath.join(folder, "_rels", f"{name}.rels")
        if not self.has(path):
            return {}
        found = {}
        for r in self.xml(path):
            target, external = str(r.get("Target", "")), r.get("TargetMode") == "External"
            if not external:
                target = posixpath.normpath(posixpath.join("/", folder, unquote(target))).lstrip("/")
            found[str(r.get("Id", ""))] = Relation(str(r.get("Type", "")).rpartition("/")[2], target, external)
        return found

    def related(self, part: str, *kinds: str) -> Iterator[str]:
        """The names of the parts that `part` points to by one of the relationship `kinds` and that are present."""
        for r in self.relations(part).values():
            if r.kind in kinds and not r.external and self.has(r.target):
                yield r.target


def parse(data: bytes, name: str) -> Element:
    """The root element of `data`.

    Raises Trouble `source-damaged` for malformed XML, `bomb-suspected` for entities that multiply.
    """
    refuse_entities(data)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as e:
        raise Trouble("source-damaged", what=f"{name} is not well-formed ({str(e)[:120]})") from e


def refuse_entities(data: bytes) -> None:
    """Raise Trouble `bomb-suspected` when the entities of `data` would grow past `MOST_EXPANSION` letters."""
    if b"\x00" in data[:4]:
        data = data.replace(b"\x00", b"")  # UTF-16: declarations and references are ASCII
    prologue = data[:_PROLOGUE]
    if b"<!ENTITY" not in prologue:
        return
    values = {m[1]: m[2] if m[2] is not None else m[3] for m in _ENTITY.finditer(prologue)}
    sizes: dict[bytes, int] = {}

    def size(name: bytes, path: tuple[bytes, ...]) -> int:
        if name in path or len(path) > 64:
            return MOST_EXPANSION + 1  # a circle never ends
        if name not in sizes:
            value = values.get(name, b"")
            sizes[name] = len(value) + sum(size(r, (*path, name)) for r in _REFERENCE.findall(value))
        return sizes[name]

    total = sum(size(r, ()) for r in _REFERENCE.findall(data)) if values else 0
    if total > MOST_EXPANSION:
        raise Trouble("bomb-suspected", ratio=str(total // max(1, len(data))), size=size_for_people(total))


def local(element: Element) -> str:
    """An element's name without its namespace; "" for comments, instructions and unresolved entities."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Element, name: str) -> str:
    """The value of the attribute whose local name is `name`, whatever its namespace; "" without one."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return ""


def stream(data: bytes, name: str, *wanted: str) -> Iterator[Element]:
    """The elements with one of the local names `wanted`, each complete and forgotten after use: size costs no memory.

    Raises Trouble as `parse` does. For parts that are long lists of small elements (rows, shared strings).
    """
    refuse_entities(data)
    events = etree.iterparse(
        io.BytesIO(data), events=("end",), tag=[f"{{*}}{w}" for w in wanted], resolve_entities=False, no_network=True,
        load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        for _, element in events:
            yield element
            element.clear(keep_tail=False)
            while element.getprevious() is not None:
                del element.getparent()[0]
    except (etree.XMLSyntaxError, ValueError) as e:
        raise Trouble("source-damaged", what=f"{name} is not well-formed ({str(e)[:120]})") from e
