"""BagIt bags (RFC 8493, and the drafts 0.93 to 0.97): a delivery that carries its own list is judged by it.

Tag files are the producer's text, so they are read with bounds and never believed further than their digests go.
Everything that is wrong is found before anything is stored, and all of it is told.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tasks.aip.progress import board
from tasks.sip.batch import Batch, Entry, walk
from tasks.store import disk

DECLARATION = b"bagit.txt"
PAYLOAD = b"data/"
ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
VERSIONS = ("0.93", "0.94", "0.95", "0.96", "0.97", "1.0")
LARGEST_TAG_FILE = 1 << 30
"""Bytes. A manifest of ten million files is smaller."""

_DECLARED = re.compile(r"BagIt-Version: *(\d+\.\d+)\s*\r?\nTag-File-Character-Encoding: *(\S+)\s*\Z")
_MANIFEST = re.compile(rb"(tag)?manifest-([a-z0-9]+)\.txt")
_LINE = re.compile(r"([0-9a-fA-F]+)[ \t]+\*?(.+)")
_OXUM = re.compile(r"^Payload-Oxum:[ \t]*(\d+)\.(\d+)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_ESCAPE = re.compile("%(0[AaDd]|25)")
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a bag: what, and the file it is about, if any. `structure` tells it from a lost file."""

    what: str
    name: str = ""
    structure: bool = True

    def __str__(self) -> str:
        return f"{self.name}: {self.what}" if self.name else self.what


@dataclass(frozen=True, slots=True)
class Bag:
    """A bag as its tag files describe it. `payload` has names below `data/`; `tags` the rest of the folder.

    `digests` are what the manifests claim: file, relative to the bag → algorithm → digest.
    """

    version: str
    payload: tuple[Entry, ...]
    tags: tuple[Entry, ...]
    digests: Mapping[bytes, Mapping[str, str]]
    places: Mapping[bytes, Path]
    algorithms: tuple[str, ...]
    faults: tuple[Fault, ...]

    def verify(self) -> list[Fault]:
        """Read every file that a manifest names and compare; what is wrong, in the order of the names.

        Each file is read once, for all algorithms. Trouble with reading is a fault as well.
        Raises PutDown when the run is to stop.
        """
        faults: list[Fault] = []
        for name in sorted(self.digests):
            board.go_on()
            faults += _compared(self.places[name], name, self.digests[name])
        return faults


def is_bag(entries: Sequence[Entry]) -> bool:
    """Whether the delivery says that it is a bag."""
    return any(e.raw == DECLARATION and not e.kind for e in entries)


def root_of(entries: Sequence[Entry]) -> bytes | None:
    """Where the bag lies in a packed delivery: at its top, or in its only folder (RFC 8493, section 4.2); else None."""
    if is_bag(entries):
        return b""
    tops = {e.raw.partition(b"/")[0] for e in entries}
    only = next(iter(tops)) + b"/" if len(tops) == 1 else b""
    return only if only and any(e.raw == only + DECLARATION for e in entries) else None


def below(root: bytes, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries of a folder, named from there."""
    return tuple(replace(e, raw=e.raw[len(root) :], place=e.at) for e in entries)


def read(root: Path, entries: Sequence[Entry]) -> Bag:
    """The bag of a folder whose content is `entries`; everything that can be said without reading its payload."""
    return _Reading(root, entries).bag()


def complete(batch: Batch) -> bool:
    """Whether a bag has arrived, by its own count of bytes and files; one without a count never says so.

    Raises BatchError when the delivery cannot be listed.
    """
    entries = walk(batch)
    if not is_bag(entries) or not any(e.raw == b"bag-info.txt" for e in entries):
        return False
    reading = _Reading(batch.path, entries)
    return bool(_OXUM.search(reading.text(b"bag-info.txt", "utf-8"))) and not reading.bag().faults


@dataclass
class _Reading:
    root: Path
    entries: Sequence[Entry]
    faults: list[Fault] = field(default_factory=list)
    encoding: str = "utf-8"
    version: str = ""

    def bag(self) -> Bag:
        self._declared()
        there = {e.raw: e for e in self.entries}
        named: dict[bytes, dict[str, str]] = {}
        manifests = [(m, raw) for raw in sorted(there) if (m := _MANIFEST.fullmatch(raw))]
        spelled = _Spelled(there)
        of_payload: list[str] = []
        for found, raw in manifests:
            tag, algorithm = bool(found[1]), found[2].decode()
            if algorithm not in ALGORITHMS:
                self._fault(f"the algorithm {algorithm} is not known", raw)
                continue
            listed = self._listed(raw, algorithm, spelled, tag=tag)
            for name, digest in listed.items():
                named.setdefault(name, {})[algorithm] = digest
            if not tag:
                of_payload.append(algorithm)
                self._unlisted(listed, algorithm)
        if not of_payload:
            self._fault("no manifest of the payload")
        self._fetched(spelled)
        self._counted()
        for e in self.entries:
            if e.kind or e.fault:
                self._fault(e.fault or f"a {e.kind} where only files may be", e.raw)
        payload = tuple(self._payload())
        return Bag(
            self.version,
            payload,
            tuple(e for e in self.entries if not e.raw.startswith(PAYLOAD)),
            named,
            {name: _path(self.root, there[name]) for name in named},
            tuple(of_payload),
            tuple(self.faults),
        )

    def _payload(self) -> Iterator[Entry]:
        for e in self.entries:
            if e.raw.startswith(PAYLOAD):
                yield Entry(e.raw[len(PAYLOAD) :], e.size, e.mtime_ns, e.kind, e.fault, e.at)

    def _fault(self, what: str, name: bytes | str = "", *, structure: bool = True) -> None:
        shown = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
        self.faults.append(Fault(what, shown, structure))

    def _declared(self) -> None:
        text = self.text(DECLARATION, "utf-8")
        found = _DECLARED.fullmatch(text.removeprefix("\ufeff"))
        if text.startswith("\ufeff"):
            self._fault("it begins with a byte order mark", DECLARATION)
        if found is None:
            self._fault("not the two lines of RFC 8493", DECLARATION)
            return
        self.version = found[1]
        if self.version not in VERSIONS:
            self._fault(f"BagIt {self.version} is not known", DECLARATION)
        try:
            self.encoding = codecs.lookup(found[2]).name
            "".encode(self.encoding)
        except (LookupError, ValueError):
            self._fault(f"the encoding {found[2]} is not known", DECLARATION)

    def _listed(self, raw: bytes, algorithm: str, spelled: _Spelled, *, tag: bool) -> dict[bytes, str]:
        """The files of one manifest that are there, with their digests; the rest are faults."""
        listed: dict[bytes, str] = {}
        for number, line in enumerate(self._lines(raw), start=1):
            found = _LINE.fullmatch(line)
            if found is None or len(found[1]) != 2 * hashlib.new(algorithm).digest_size:
                self._fault(f"line {number} is no digest and name", raw)
                continue
            name, digest = _unescaped(found[2]).removeprefix("./"), found[1].lower()
            if _climbs(name) or name.startswith("data/") is tag:
                self._fault(f"line {number} names what it may not: {name}", raw)
                continue
            real = spelled.real(name)
            if real is None:
                self._fault("named and not there", name, structure=False)
            elif real in listed:
                self._fault(f"named twice in {raw.decode()}", name)
            else:
                listed[real] = digest
        return listed

    def _unlisted(self, listed: Mapping[bytes, str], algorithm: str) -> None:
        for e in self.entries:
            if e.raw.startswith(PAYLOAD) and not e.kind and not e.fault and e.raw not in listed:
                self._fault(f"not in the manifest of {algorithm}", e.raw, structure=False)

    def _fetched(self, spelled: _Spelled) -> None:
        if b"fetch.txt" not in spelled.exact:
            return
        for number, line in enumerate(self._lines(b"fetch.txt"), start=1):
            fields = line.split(maxsplit=2)
            if len(fields) != 3:
                self._fault(f"line {number} is no address, length and name", b"fetch.txt")
            elif spelled.real(name := _unescaped(fields[2])) is None:
                self._fault("to be fetched from elsewhere, which Perenne never does", name, structure=False)

    def _counted(self) -> None:
        if not any(e.raw == b"bag-info.txt" for e in self.entries):
            return
        found = _OXUM.search(self.text(b"bag-info.txt", self.encoding))
        there = [e.size for e in self.entries if e.raw.startswith(PAYLOAD) and not e.kind]
        if found and (int(found[1]), int(found[2])) != (sum(there), len(there)):
            told = f"Payload-Oxum says {found[1]} bytes in {found[2]} files; there are {sum(there)} in {len(there)}"
            self._fault(told, b"bag-info.txt", structure=False)

    def text(self, raw: bytes, encoding: str, errors: str = "replace") -> str:
        entry = next(e for e in self.entries if e.raw == raw)
        with open(disk.open_regular(_path(self.root, entry)), "rb") as file:
            return file.read(LARGEST_TAG_FILE).decode(encoding, errors)

    def _lines(self, raw: bytes) -> list[str]:
        try:
            text = self.text(raw, self.encoding, "strict")
        except (UnicodeDecodeError, OSError) as e:
            self._fault(f"it cannot be read as {self.encoding}: {e}"[:200], raw)
            return []
        return [line for line in re.split("\r\n|\r|\n", text.removeprefix("\ufeff")) if line.strip()]


class _Spelled:
    """Finds the file that a tag file means: its name as it is, or the only one that is the same after NFC."""

    def __init__(self, names: Iterable[bytes]) -> None:
        self.exact = frozenset(names)
        folded = Counter(_folded(name) for name in self.exact)
        self._alike = {_folded(name): name for name in self.exact if folded[_folded(name)] == 1}

    def real(self, name: str) -> bytes | None:
        raw = name.encode("utf-8", "surrogateescape")
        return raw if raw in self.exact else self._alike.get(_folded(raw))


def _folded(raw: bytes) -> str:
    return unicodedata.normalize("NFC", raw.decode("utf-8", "surrogateescape"))


def _unescaped(name: str) -> str:
    """RFC 8493, 2.1.3: only CR, LF and the percent sign are escaped."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), name)


def _climbs(name: str) -> bool:
    return name.startswith(("/", "~")) or ".." in name.split("/") or "\0" in name


def _path(root: Path, entry: Entry) -> Path:
    return Path(os.fsdecode(os.path.join(os.fsencode(root), entry.at)))


def _compared(path: Path, name: bytes, claimed: Mapping[str, str]) -> Iterator[Fault]:
    shown = name.decode("utf-8", "backslashreplace")
    try:
        found = _digests(path, tuple(claimed))
    except OSError as e:
        yield Fault(f"cannot be read: {e.strerror or e}", shown, structure=False)
        return
    wrong = [algorithm for algorithm, digest in claimed.items() if found[algorithm] != digest]
    if wrong:
        yield Fault(f"other bytes than its {' and '.join(wrong)} says", shown, structure=False)


def _digests(path: Path, algorithms: Sequence[str]) -> dict[str, str]:
    digests = {algorithm: hashlib.new(algorithm, usedforsecurity=False) for algorithm in algorithms}
    with open(disk.open_regular(path), "rb") as file:
        while block := file.read(_BLOCK):
            for digest in digests.values():
                digest.update(block)
    return {algorithm: digest.hexdigest() for algorithm, digest in digests.items()}
