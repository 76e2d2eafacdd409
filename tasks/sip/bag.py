"""BagIt bags (RFC 8493, and the drafts 0.93 to 0.97): a delivery that carries its own list is judged by it.

Tag files are the producer's text, so they are read with bounds and never believed further than their digests go.
Everything that is wrong is found before anything is stored, and counted; as much as anyone reads is told.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tasks.aip.progress import board
from tasks.sip import tags
from tasks.sip.batch import Batch, Entry, unfit, walk
from tasks.sip.faults import Fault, Faults, shown
from tasks.sip.tags import ENCODINGS, Spelled, unescaped
from tasks.store import disk

DECLARATION = b"bagit.txt"
INFO = b"bag-info.txt"
PAYLOAD = b"data/"
FINDERS = re.compile(rb"__MACOSX/|(?:\._[^/]*|\.DS_Store)\Z")
"""What macOS puts beside the folder that it was asked to pack or to copy: what it knows of the files and folders."""
_SHA_3 = ("sha3_224", "sha3_256", "sha3_384", "sha3_512")
ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", *_SHA_3, "blake2b", "blake2s")
VERSIONS = ("0.93", "0.94", "0.95", "0.96", "0.97", "1.0")

_DECLARED = re.compile(r"BagIt-Version: *(\d+\.\d+)\s*\nTag-File-Character-Encoding: *(\S+)\s*\Z")
_MANIFEST = re.compile(rb"(tag)?manifest-([^/]+)\.txt")
_LINE = re.compile(r"([0-9a-fA-F]+)[ \t]+\*?(.+)")
_COUNT = re.compile(r"^\ufeff?Payload-Oxum:(.*)$", re.IGNORECASE | re.MULTILINE)
_OXUM = re.compile(r"([0-9]{1,20})\.([0-9]{1,20})")
_BLOCK = 1 << 20


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
    faults: Faults

    def verify(self) -> Faults:
        """Read every file that a manifest names and compare; all that is wrong with the bag, found before or now.

        Each file is read once, for all algorithms. Trouble with reading is a fault as well.
        Raises PutDown when the run is to stop.
        """
        faults = replace(self.faults, told=list(self.faults.told))
        for name in sorted(self.digests):
            board.go_on()
            faults.extend(_compared(self.places[name], name, self.digests[name]))
        return faults


def is_bag(entries: Sequence[Entry]) -> bool:
    """Whether the delivery says that it is a bag, be its declaration a file that can be read or not."""
    return any(e.raw == DECLARATION for e in entries)


def root_of(entries: Sequence[Entry]) -> bytes | None:
    """Where the bag lies in a delivery: at its top, or in its only folder (RFC 8493, section 4.2); else None.

    What macOS adds of itself does not count. Raises BatchRefused for a bag that lies elsewhere: taken as files like
    others, it would pass for one that was judged.
    """
    if is_bag(entries):
        return b""
    tops = {e.raw.partition(b"/")[0] for e in entries if not FINDERS.match(e.raw)}
    only = next(iter(tops)) + b"/" if len(tops) == 1 else b""
    if only and any(e.raw == only + DECLARATION for e in entries):
        return only
    if inner := [e.raw for e in entries if e.raw.endswith(b"/" + DECLARATION)]:
        more = f", one of {len(inner)} bags," if len(inner) > 1 else ""
        where = shown(inner[0].removesuffix(DECLARATION))
        raise unfit(f"a bag{more} lies in {where} beside or below other things: deliver each bag by itself")
    return None


def below(root: bytes, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries of a folder, named from there."""
    return tuple(replace(e, raw=e.raw[len(root) :], place=e.at) for e in entries if e.raw.startswith(root))


def unusable(entries: Iterable[Entry]) -> Iterator[Fault]:
    """What is no file, or none that can be read: a bag may not hold it."""
    for e in entries:
        if e.kind or e.fault:
            yield Fault(e.fault or f"a {e.kind} where only files may be", shown(e.raw))


def read(root: Path, entries: Sequence[Entry]) -> Bag:
    """The bag of a folder whose content is `entries`; everything that can be said without reading its payload."""
    return _Reading(root, entries).bag()


def complete(batch: Batch) -> bool:
    """Whether a bag has arrived, by its own count of bytes and files; one without a count, or packed, never says so.

    Raises BatchError when the delivery cannot be listed.
    """
    if batch.packed:
        return False
    entries = walk(batch)
    reading = _Reading(batch.path, entries)
    return is_bag(entries) and reading.count() is not None and not reading.bag().faults.count


@dataclass
class _Reading:
    root: Path
    entries: Sequence[Entry]
    faults: Faults = field(default_factory=Faults)
    encoding: str = "utf-8"
    version: str = ""

    def __post_init__(self) -> None:
        self.there = {e.raw: e for e in self.entries}

    def bag(self) -> Bag:
        self._declared()
        there = self.there
        named: dict[bytes, dict[str, str]] = {}
        manifests = [(m, raw) for raw in sorted(there) if (m := _MANIFEST.fullmatch(raw))]
        spelled = Spelled(there)
        of_payload: list[str] = []
        for found, raw in manifests:
            tag, algorithm = bool(found[1]), shown(found[2])
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
        self.faults.extend(unusable(self.entries))
        payload = tuple(self._payload())
        return Bag(
            self.version,
            payload,
            tuple(e for e in self.entries if not e.raw.startswith(PAYLOAD)),
            named,
            {name: _path(self.root, there[name]) for name in named},
            tuple(of_payload),
            self.faults,
        )

    def _payload(self) -> Iterator[Entry]:
        for e in self.entries:
            if e.raw.startswith(PAYLOAD):
                yield Entry(e.raw[len(PAYLOAD) :], e.size, e.mtime_ns, e.kind, e.fault, e.at)

    def _fault(self, what: str, name: bytes | str = "", *, structure: bool = True) -> None:
        self.faults.add(Fault(what, shown(name) if isinstance(name, bytes) else name, structure))

    def _declared(self) -> None:
        text = self._text(DECLARATION, "utf-8")
        if text is None:
            return
        found = _DECLARED.fullmatch(text.removeprefix("\ufeff"))
        if text.startswith("\ufeff"):
            self._fault("it begins with a byte order mark", DECLARATION)
        if found is None:
            self._fault("not the two lines of RFC 8493", DECLARATION)
            return
        self.version = found[1]
        if self.version not in VERSIONS:
            self._fault(f"BagIt {self.version} is not known", DECLARATION)
        if found[2].lower() in ENCODINGS:
            self.encoding = found[2].lower()
        else:
            self._fault(f"the encoding {found[2]} is not known", DECLARATION)

    def _listed(self, raw: bytes, algorithm: str, spelled: Spelled, *, tag: bool) -> dict[bytes, str]:
        """The files of one manifest that are there, with their digests; the rest are faults."""
        listed: dict[bytes, str] = {}
        for number, line in self._lines(raw):
            found = _LINE.fullmatch(line)
            if found is None or len(found[1]) != 2 * hashlib.new(algorithm).digest_size:
                self._fault(f"line {number} is no digest and name", raw)
                continue
            name, digest = unescaped(found[2]).removeprefix("./"), found[1].lower()
            if _climbs(name) or name.startswith("data/") is tag:
                self._fault(f"line {number} names what it may not: {name}", raw)
                continue
            real = spelled.real(name) or spelled.real(found[2].removeprefix("./"))  # some writers escape no %
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

    def _fetched(self, spelled: Spelled) -> None:
        if b"fetch.txt" not in spelled.exact:
            return
        for number, line in self._lines(b"fetch.txt"):
            fields = line.split(maxsplit=2)
            if len(fields) != 3:
                self._fault(f"line {number} is no address, length and name", b"fetch.txt")
            elif spelled.real(name := unescaped(fields[2])) is None:
                self._fault("to be fetched from elsewhere, which Perenne never does", name, structure=False)

    def _counted(self) -> None:
        told = self.count()
        found = _OXUM.fullmatch(told or "")
        there = [e.size for e in self.entries if e.raw.startswith(PAYLOAD) and not e.kind]
        if told is not None and found is None:
            self._fault(f"Payload-Oxum is no number of bytes and of files: {told}", INFO)
        elif found and (int(found[1]), int(found[2])) != (sum(there), len(there)):
            what = f"Payload-Oxum says {found[1]} bytes in {found[2]} files; there are {sum(there)} in {len(there)}"
            self._fault(what, INFO, structure=False)

    def count(self) -> str | None:
        """What the bag says of the number of its bytes and files; None when it does not."""
        found = _COUNT.search(self._text(INFO, self.encoding) or "") if INFO in self.there else None
        return found[1].strip() if found else None

    def _text(self, raw: bytes, encoding: str) -> str | None:
        entry = self.there[raw]
        if entry.kind or entry.fault:
            return None  # which is a fault of its own
        try:
            return tags.text(_path(self.root, entry), encoding)
        except tags.Unfit as e:
            self._fault(str(e), raw)
            return None

    def _lines(self, raw: bytes) -> Iterator[tuple[int, str]]:
        entry = self.there[raw]
        if entry.kind or entry.fault:
            return
        try:
            yield from tags.lines(_path(self.root, entry), self.encoding)
        except tags.Unfit as e:
            self._fault(str(e), raw)


def _climbs(name: str) -> bool:
    return name.startswith(("/", "~")) or ".." in name.split("/") or "\0" in name


def _path(root: Path, entry: Entry) -> Path:
    return Path(os.fsdecode(os.path.join(os.fsencode(root), entry.at)))


def _compared(path: Path, name: bytes, claimed: Mapping[str, str]) -> Iterator[Fault]:
    try:
        found = _digests(path, tuple(claimed))
    except OSError as e:
        yield Fault(f"cannot be read: {e.strerror or e}", shown(name), structure=False)
        return
    wrong = [algorithm for algorithm, digest in claimed.items() if found[algorithm] != digest]
    if wrong:
        yield Fault(f"other bytes than its {' and '.join(wrong)} says", shown(name), structure=False)


def _digests(path: Path, algorithms: Sequence[str]) -> dict[str, str]:
    digests = {algorithm: hashlib.new(algorithm, usedforsecurity=False) for algorithm in algorithms}
    with open(disk.open_regular(path), "rb") as file:
        while block := file.read(_BLOCK):
            for digest in digests.values():
                digest.update(block)
    return {algorithm: digest.hexdigest() for algorithm, digest in digests.items()}
