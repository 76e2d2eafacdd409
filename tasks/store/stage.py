"""The stage of one AIP: where the files of its next version wait, and outlive whoever put them there.

`stage/<aip>/files/<sha512>` holds the bytes, `journal` one line for each product. The journal is only ever added to:
a line that a kill tore is no line, and a line counts only while its bytes are there. So several runs, tasks and
threads may put into one stage, and a resume knows which products it need not make again.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from uuid import UUID, uuid4

from tasks.store import disk
from tasks.store.errors import DigestMismatch
from tasks.store.names import checked

_READ_ONLY = 0o444
"""The mode of content: nothing that was stored is ever opened for writing."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that waits for the next version: its logical path, digests, bytes, and the run that put it there."""

    logical: str
    sha256: str
    sha512: str
    size: int
    path: Path
    run: str


_COLUMNS = tuple(column.name for column in fields(Staged) if column.name != "path")


class Stage:
    """The stage of one AIP; see the module. `folder` need not exist before the first `put`."""

    def __init__(self, folder: Path, run: UUID) -> None:
        self.folder = folder
        self.run = str(run)
        self._files = folder / "files"
        self._journal = folder / "journal"
        self._named = False  # are the names of the folder and its journal known to be on the disk?
        self._known = dict(self.entries())

    @property
    def build(self) -> Path:
        """Where a commit puts its version together."""
        return self.folder / "build"

    def put(self, source: Path, logical: str, sha256: str | None = None, *, durable: bool = True) -> Staged:
        """Take a regular file's bytes over under a logical path; whatever was staged there before gives way.

        The same bytes at the same path are kept as they are, without reading `source` when `sha256` tells.
        With `durable` the bytes outlive a power cut once this returns; without it, once `sync` returned.
        Raises DigestMismatch when the bytes are not those of `sha256`, ValueError for a path that is not logical,
        OSError for a link, a pipe or a full disk.
        """
        known = self._known.get(checked(logical))
        if known is not None and known.sha256 == sha256 and _is_there(known):
            return self._kept(known, durable=durable)
        descriptor = disk.open_regular(source)
        try:
            return self._take(lambda target: disk.copy(descriptor, target), logical, sha256, source, durable=durable)
        finally:
            os.close(descriptor)

    def put_bytes(self, data: bytes, logical: str, *, durable: bool = True) -> Staged:
        """As `put`, for bytes at hand."""
        return self._take(lambda target: disk.put(data, target), checked(logical), None, Path(logical), durable=durable)

    def sync(self) -> None:
        """Flush all that was put without `durable`, with one flush of the file system."""
        if self.folder.is_dir():
            disk.sync_file_system(self.folder)

    def drop(self, paths: Iterable[str]) -> None:
        """Take paths off the stage; nothing happens for those that are not there."""
        wanted = set(paths)
        self._drop([one for one in self.entries().values() if one.logical in wanted], durable=True)
        for path in wanted:
            self._known.pop(path, None)

    def entries(self) -> Mapping[str, Staged]:
        """What waits, by logical path, as the disk has it now: also what a killed run left behind."""
        try:
            lines = self._journal.read_bytes().split(b"\n")
        except FileNotFoundError:
            return MappingProxyType({})
        entries: dict[str, Staged] = {}
        for line in filter(None, lines):
            self._replay(line, entries)
        return MappingProxyType(entries)

    def clear(self) -> None:
        """Empty the stage and remove it."""
        if self.folder.is_dir():
            shutil.rmtree(self.folder)
        self._named = False
        self._known.clear()

    @contextmanager
    def locked(self, *, wait: bool = True) -> Iterator[bool]:
        """Hold the AIP's stage alone, as a commit does; yields False when it is taken and we do not `wait`.

        The kernel frees the lock with the process. The lock is on the folder itself, so a folder that was removed
        while we waited is no lock.
        """
        descriptor = self._lock(wait=wait)
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def reclaim(self) -> bool:
        """Take the content of a commit that did not come to its end back; True when there was one.

        Files are named by what they hold, not by what the commit said: a damaged one is then simply not there.
        """
        if not self.build.is_dir():
            return False
        self._files.mkdir(exist_ok=True)
        for path in self.build.glob("v*/content/**/*"):
            if path.is_file():
                path.rename(self._files / disk.sha512(path))
        shutil.rmtree(self.build)
        self._known = dict(self.entries())
        return True

    def settle(self, head: Mapping[str, str]) -> None:
        """Drop what the head has already (logical path to SHA-512): the leavings of a kill right after a commit."""
        had = [one for one in self.entries().values() if head.get(one.logical) == one.sha512]
        self._drop(had, durable=False)
        for staged in had:
            self._known.pop(staged.logical, None)

    def _lock(self, *, wait: bool) -> int | None:
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), self.folder.stat()):
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                return None
            except FileNotFoundError:
                pass
            os.close(descriptor)

    def _prepare(self) -> None:
        if self._files.is_dir():
            return
        self._files.mkdir(parents=True, exist_ok=True)
        disk.sync_folder(self.folder.parent)
        disk.sync_folder(self.folder)

    def _take(
        self, fill: Callable[[int], disk.Digests], logical: str, sha256: str | None, source: Path, *, durable: bool
    ) -> Staged:
        self._prepare()
        unnamed = self.folder / f"taking-{uuid4().hex}"
        descriptor = disk.create(unnamed, mode=_READ_ONLY)
        try:
            found = fill(descriptor)
            if sha256 not in {None, found.sha256}:
                raise DigestMismatch(source, str(sha256), found.sha256)
            if durable:
                os.fsync(descriptor)
            path = self._files / found.sha512
            unnamed.rename(path)
        except BaseException:
            unnamed.unlink()
            raise
        finally:
            os.close(descriptor)
        if durable:
            disk.sync_folder(self._files)
        staged = Staged(logical, found.sha256, found.sha512, found.size, path, self.run)
        self._note([{name: getattr(staged, name) for name in _COLUMNS}], durable=durable)
        self._known[logical] = staged
        return staged

    def _kept(self, known: Staged, *, durable: bool) -> Staged:
        if durable:
            for path in (known.path, self._journal):
                disk.sync_file(path)
        return known

    def _drop(self, some: Iterable[Staged], *, durable: bool) -> None:
        # Of many with one read and one flush of the journal: it is as long as what a killed run left.
        if lines := [{"drop": one.logical, "sha512": one.sha512} for one in some]:
            self._note(lines, durable=durable)

    def _note(self, lines: Sequence[Mapping[str, str | int]], *, durable: bool) -> None:
        # The newline in front parts these lines from one that a kill tore.
        told = "\n".join(json.dumps(line, ensure_ascii=True, separators=(",", ":")) for line in lines)
        data = f"\n{told}\n".encode()
        descriptor = os.open(self._journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            disk.write_all(descriptor, data)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if durable and not self._named:
            # The journal's and the folders' names, once: whoever made them may have been killed before he did.
            for folder in (self.folder, self.folder.parent, self.folder.parent.parent):
                disk.sync_folder(folder)
            self._named = True

    def _replay(self, line: bytes, entries: dict[str, Staged]) -> None:
        try:
            row = json.loads(line)
        except ValueError:
            return
        if "drop" in row:
            # Only what was meant: another run may have put other bytes there since.
            if (known := entries.get(row["drop"])) and known.sha512 == row["sha512"]:
                del entries[row["drop"]]
            return
        staged = Staged(path=self._files / row["sha512"], **row)
        if _is_there(staged):  # what a power cut took gives no way to what was safe before it
            entries[staged.logical] = staged


def _is_there(staged: Staged) -> bool:
    try:
        return staged.path.stat().st_size == staged.size
    except FileNotFoundError:
        return False
