"""What a disk may hold after a power cut, worked out from a trace of system calls.

The model is harsher than any file system: of what was not flushed, every change of a folder and every write may be
there or not, each for itself, and a file's end may be torn or zero. What holds here holds on ext4, XFS and others.
Two things are believed, as POSIX file systems promise them: `fsync` of a folder makes its entries durable, and a
rename is never half done.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CALLS = (
    "open,openat,creat,close,write,pwrite64,writev,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,"
    "mkdirat,rmdir,fsync,fdatasync,syncfs,sync,ftruncate,dup,dup2,dup3,fcntl,lseek,copy_file_range,sendfile,symlink,"
    "fallocate"
)
REFUSED = {"writev", "pwrite64", "link", "linkat", "copy_file_range", "sendfile", "symlink", "fallocate", "creat"}
"""Changes that the model does not know: a trace that has one below the home is an error, not a hole in the proof."""

_LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """One successful system call: its name, its texts and other arguments in order, its result."""

    name: str
    texts: tuple[bytes, ...]
    words: tuple[str, ...]
    result: int


def calls(trace: Path) -> Iterator[Call]:
    """The calls of an `strace -xx` file that succeeded. Raises ValueError for a call that was cut in two."""
    with trace.open() as lines:
        for line in lines:
            if "<unfinished" in line or "resumed>" in line:
                raise ValueError(f"two threads at once, which the model cannot order: {line[:80]}")
            if (found := _LINE.match(line)) and (result := int(found[3])) >= 0:
                texts = tuple(bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(found[2]))
                words = tuple(word.strip() for word in _TEXT.sub('""', found[2]).split(","))
                yield Call(found[1], texts, words, result)


@dataclass(eq=False, slots=True)
class Node:
    """A file or a folder: what the running system sees, and what is surely on the disk."""

    folder: bool
    data: bytearray = field(default_factory=bytearray)
    safe: bytes = b""
    writes: list[tuple[int, bytes]] = field(default_factory=list)
    entries: dict[str, Node] = field(default_factory=dict)
    durable: dict[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class Change:
    """A change of folders that is not on the disk yet: (folder, name, what stands there afterwards or None)."""

    parts: tuple[tuple[Node, str, Node | None], ...]


@dataclass(slots=True)
class _Open:
    node: Node
    offset: int = 0
    append: bool = False


class Disk:
    """The folder `home` as the calls of one process made it, from empty."""

    def __init__(self, home: Path) -> None:
        self.root = Node(folder=True)
        self.pending: list[Change] = []
        self.dirty: list[Node] = []
        self.said: list[bytes] = []
        self._home = str(home)
        self._open: dict[int, _Open] = {}

    def play(self, call: Call) -> None:
        """Do one call; `said` grows by what goes to standard output."""
        if call.name in REFUSED:
            if any(t.decode(errors="replace").startswith(self._home) for t in call.texts) or self._fd(call, 0):
                raise ValueError(f"not in the model: {call}")
            return
        if handler := getattr(self, "_open_" if call.name == "open" else f"_{call.name}", None):
            handler(call)

    # --- where ---------------------------------------------------------------------------------------------------

    def _fd(self, call: Call, at: int) -> _Open | None:
        word = call.words[at]
        return self._open.get(int(word)) if word.isdigit() else None

    def _place(self, text: bytes, base: str = "AT_FDCWD") -> tuple[Node, str] | None:
        """The folder and the name of a path, None outside the home; the home itself is (root, '')."""
        path = os.fsdecode(text)
        if path.startswith("/"):
            if path != self._home and not path.startswith(self._home + "/"):
                return None
            node, names = self.root, path[len(self._home) :].split("/")
        elif base.isdigit() and int(base) in self._open:
            node, names = self._open[int(base)].node, path.split("/")
        else:
            return None
        *folders, name = [n for n in names if n and n != "."] or [""]
        for folder in folders:
            node = node.entries[folder]
        return node, name

    # --- calls ---------------------------------------------------------------------------------------------------

    def _openat(self, call: Call) -> None:
        self._opened(call, self._place(call.texts[0], call.words[0]), call.words[2])

    def _open_(self, call: Call) -> None:
        self._opened(call, self._place(call.texts[0]), call.words[1])

    def _opened(self, call: Call, place: tuple[Node, str] | None, flags: str) -> None:
        self._open.pop(call.result, None)
        if place is None:
            return
        folder, name = place
        node = folder.entries.get(name) if name else folder
        if node is None:
            if "O_CREAT" not in flags:
                raise ValueError(f"the model has lost a file: {call}")
            node = Node(folder=False)
            self._change((folder, name, node))
        if "O_TRUNC" in flags:
            self._cut(node)
        self._open[call.result] = _Open(node, 0, "O_APPEND" in flags)

    def _close(self, call: Call) -> None:
        self._open.pop(int(call.words[0]), None)

    def _dup(self, call: Call) -> None:
        if one := self._fd(call, 0):
            self._open[call.result] = one

    _dup2 = _dup3 = _dup

    def _fcntl(self, call: Call) -> None:
        if "F_DUPFD" in call.words[1]:
            self._dup(call)

    def _lseek(self, call: Call) -> None:
        if one := self._fd(call, 0):
            one.offset = call.result

    def _write(self, call: Call) -> None:
        data = call.texts[0][: call.result] if call.texts else b""
        if call.words[0] == "1":
            self.said.append(data)
        if one := self._fd(call, 0):
            at = len(one.node.data) if one.append else one.offset
            self._written(one.node, at, data)
            one.offset = at + len(data)

    def _written(self, node: Node, at: int, data: bytes) -> None:
        _apply(node.data, at, data)
        node.writes.append((at, data))
        self.dirty.append(node)

    def _cut(self, node: Node) -> None:
        if node.data:
            node.data.clear()
            node.writes.append((-1, b""))
            self.dirty.append(node)

    def _ftruncate(self, call: Call) -> None:
        if one := self._fd(call, 0):
            if int(call.words[1]):
                raise ValueError(f"not in the model: {call}")
            self._cut(one.node)

    def _fsync(self, call: Call) -> None:
        if one := self._fd(call, 0):
            self._flush(one.node)

    _fdatasync = _fsync

    def _flush(self, node: Node) -> None:
        node.safe = bytes(node.data)
        node.writes.clear()
        if node.folder:
            for change in [c for c in self.pending if any(folder is node for folder, _, _ in c.parts)]:
                self._settle(change)

    def _syncfs(self, call: Call) -> None:
        for node in self.dirty:
            node.safe = bytes(node.data)
            node.writes.clear()
        self.dirty.clear()
        for change in list(self.pending):
            self._settle(change)

    _sync = _syncfs

    def _settle(self, change: Change) -> None:
        self.pending.remove(change)
        for folder, name, node in change.parts:
            _put(folder.durable, name, node)

    def _change(self, *parts: tuple[Node, str, Node | None]) -> None:
        for folder, name, node in parts:
            _put(folder.entries, name, node)
        self.pending.append(Change(parts))

    def _mkdir(self, call: Call) -> None:
        if (place := self._place(call.texts[0])) and place[1]:
            self._change((*place, Node(folder=True)))

    def _mkdirat(self, call: Call) -> None:
        if place := self._place(call.texts[0], call.words[0]):
            self._change((*place, Node(folder=True)))

    def _unlink(self, call: Call) -> None:
        if place := self._place(call.texts[0]):
            self._change((*place, None))

    _rmdir = _unlink

    def _unlinkat(self, call: Call) -> None:
        if place := self._place(call.texts[0], call.words[0]):
            self._change((*place, None))

    def _rename(self, call: Call) -> None:
        self._renamed(self._place(call.texts[0]), self._place(call.texts[1]))

    def _renameat(self, call: Call) -> None:
        self._renamed(self._place(call.texts[0], call.words[0]), self._place(call.texts[1], call.words[2]))

    _renameat2 = _renameat

    def _renamed(self, old: tuple[Node, str] | None, new: tuple[Node, str] | None) -> None:
        if old is None and new is None:
            return
        if old is None or new is None:
            raise ValueError("a rename out of the home, or into it")
        node = old[0].entries[old[1]]
        self._change((*old, None), (*new, node))


def _put(entries: dict[str, Node], name: str, node: Node | None) -> None:
    if node is None:
        entries.pop(name, None)
    else:
        entries[name] = node


def _apply(data: bytearray, at: int, new: bytes) -> None:
    if at < 0:
        data.clear()
        return
    if len(data) < at:
        data.extend(bytes(at - len(data)))
    data[at : at + len(new)] = new


# --- what may be left --------------------------------------------------------------------------------------------
HARSH = ("nothing", "all", "names only", "ordered", "any")
"""Ways in which unflushed things survive: none, all, every name without any data, a prefix, each for itself."""


def left(disk: Disk, way: str, chance: random.Random, target: Path) -> None:
    """Write into the new folder `target` one state that a power cut now may leave."""
    tables: dict[int, dict[str, Node]] = {}

    def table(node: Node) -> dict[str, Node]:
        return tables.setdefault(id(node), dict(node.durable))

    for change in _surviving(disk.pending, way, chance):
        for folder, name, node in change.parts:
            _put(table(folder), name, node)

    def walk(folder: Node, path: Path, above: frozenset[int]) -> None:
        path.mkdir()
        for name, node in table(folder).items():
            if not node.folder:
                (path / name).write_bytes(_content(node, way, chance))
            elif id(node) not in above:
                walk(node, path / name, above | {id(node)})

    walk(disk.root, target, frozenset({id(disk.root)}))


def _surviving(pending: Sequence[Change], way: str, chance: random.Random) -> list[Change]:
    if way == "nothing":
        return []
    if way == "ordered":
        return list(pending[: chance.randrange(len(pending) + 1)])
    if way == "any":
        share = chance.random()
        return [change for change in pending if chance.random() < share]
    return list(pending)


def _content(node: Node, way: str, chance: random.Random) -> bytes:
    if way == "all":
        return bytes(node.data)
    if way in ("nothing", "names only") or not node.writes:
        return node.safe
    data = bytearray(node.safe)
    for at, new in node.writes:
        kept = chance.choice(("whole", "lost", "torn", "zero"))
        if kept == "torn":
            new = new[: chance.randrange(len(new) + 1)]
        if kept != "lost":
            _apply(data, at, bytes(len(new)) if kept == "zero" else new)
    return bytes(data)
