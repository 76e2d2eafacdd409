"""One job: a folder with what it was given and what it makes, and the calls that are made in it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from tasks.premis.model import Agent, Limits, Trouble
from tasks.tools import answers, folders, programs
from tasks.tools.answers import Json
from tasks.tools.floor import Floor
from tasks.tools.footing import CAP_DAC_READ_SEARCH, CAP_SETPCAP, may, open_to_all
from tasks.tools.kernel import landlock_abi
from tasks.tools.residents import Answer
from tasks.tools.room import full
from tasks.tools.sandbox import Outcome
from tasks.tools.verdicts import Verdicts
from tasks.tools.wire import Bound, Order
from tasks.tools.words import size

COPIED_BYTES = 256 << 20
"""Inputs up to this size are copied into the job, larger ones are shown where they lie, read-only."""

EXCERPT_BYTES = 64 << 20
"""How much of each end of a larger file `give_excerpt` shows."""

_FOR_WANT_OF_ROOM = {"tool-crash", "product-missing", "source-damaged", "unexpected", "output-too-large"}

WITHOUT_BUBBLEWRAP = "sandbox without bubblewrap"
"""The agent that each event of a job behind the fence names."""

_FUNCTION = re.compile(r"\w+(\.\w+)*:\w+")
_TAIL_CHARACTERS = 4000
_BLOCK = 1 << 20
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Run:
    """One call of sealed code or one request to a resident program: what ran, how long, what it said."""

    what: str
    seconds: float
    cpu_s: float
    stderr_sha256: str
    stderr_tail: str


class Runner(Protocol):
    """What a job needs of its door."""

    sources: tuple[Path, ...]
    floor: Floor

    def run(self, order: Order, request: bytes) -> Outcome:
        """Run one sealed call. Raises Trouble when its zygote dies."""

    def libraries(self, module: str) -> tuple[Agent, ...]:
        """The libraries that a sealed module declares. Raises Trouble when it cannot be loaded."""

    def ask(self, resident: str, job: Job, request: Mapping[str, Json]) -> Answer:
        """One request to a resident program. Raises Trouble."""


class Job:
    """A folder of its own: `in/` is read-only for the code that is called, `out/` is what it may write."""

    def __init__(self, folder: Path, limits: Limits, runner: Runner) -> None:
        """Made by Door.job() only; `folder` exists and is empty."""
        self.folder = folder
        self.limits = limits
        self._runner = runner
        self._agents: dict[Agent, None] = {}
        self._acting: list[dict[Agent, None]] = []
        self._runs: list[Run] = []
        self._bound: dict[str, tuple[Bound, Path]] = {}
        self._verdicts = Verdicts()
        for name, mode in (("in", 0o755), ("out", 0o700)):
            (folder / name).mkdir()
            (folder / name).chmod(mode)

    @property
    def agents(self) -> tuple[Agent, ...]:
        """Everything that acted in this job so far, in order of first use."""
        return tuple(self._agents)

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every call and request so far."""
        return tuple(self._runs)

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU that all calls and requests took, but for those to a resident that gave no answer."""
        return sum(run.cpu_s for run in self._runs)

    def used(self, agent: Agent) -> None:
        """Record that `agent` acted."""
        self._agents.setdefault(agent)
        for acting in self._acting:
            acting.setdefault(agent)

    @contextlib.contextmanager
    def acting(self) -> Iterator[dict[Agent, None]]:
        """Gather who acts from now to the end of the block, in order, also those who acted before."""
        gathered: dict[Agent, None] = {}
        self._acting.append(gathered)
        try:
            yield gathered
        finally:
            self._acting.remove(gathered)

    # --- files -----------------------------------------------------------------------------------------------------

    def give(self, source: Path, name: str) -> str:
        """Put a regular file into `in/` under `name` and return its name inside the job (`in/<name>`).

        Raises OSError when it cannot be read, is a link or no regular file, or the name is taken, with the path that
        it is about, so that a delivery's disk is not taken for ours;
        Trouble "source-changing" when it grows or shrinks meanwhile, "disk-full" when there is no room for it.
        """
        if not name or "/" in name or name in (".", ".."):
            raise ValueError(f"not a file name: {name}")
        inside = f"in/{name}"
        fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as reader, _about(source):
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(f"not a regular file: {source}")
            if status.st_size > COPIED_BYTES and (bound := _shown(source, name, status, self._runner)):
                self._show(inside, bound)
                self._bound[inside] = (bound, source)
            else:
                self._copy(reader, source, inside, status.st_size)
        return inside

    def give_excerpt(self, source: Path, name: str) -> str:
        """As `give`, but of a file too large to be copied only both ends, EXCERPT_BYTES each, and a hole between them.

        Sizes and offsets are the file's own, so that a signature is found where it stands.
        """
        with source.open("rb") as reader:
            length = os.fstat(reader.fileno()).st_size
            if length <= COPIED_BYTES:
                return self.give(source, name)
            target = self.folder / "in" / name
            with target.open("xb") as writer:
                for start in (0, length - EXCERPT_BYTES):
                    reader.seek(start)
                    writer.seek(start)
                    writer.write(reader.read(EXCERPT_BYTES))
            target.chmod(0o444)
        return f"in/{name}"

    def open(self, name: str) -> BinaryIO:
        """A file of the job, opened for reading without following any link.

        Raises Trouble: "product-missing" when it is not there, "tool-crash" when it is not a regular file.
        """
        if name in self._bound:
            return self._bound[name][1].open("rb")
        try:
            return folders.open_regular(self.folder, name)
        except FileNotFoundError:
            raise Trouble("product-missing", tool=self._last()) from None
        except OSError:
            raise Trouble("tool-crash", tool=self._last(), signal=f"{name} is not a regular file") from None

    def digest(self, name: str) -> tuple[int, str]:
        """Size and SHA-256 of a file of the job. Raises Trouble like open(), and "output-too-large"."""
        digest, total = hashlib.sha256(), 0
        with self.open(name) as reader:
            if not name.startswith("in/") and os.fstat(reader.fileno()).st_size > self.limits.output_bytes:
                raise Trouble("output-too-large", limit=size(self.limits.output_bytes))
            while block := reader.read(_BLOCK):
                digest.update(block)
                total += len(block)
        return total, digest.hexdigest()

    def look(self, name: str) -> None:
        """Read a file that lies in the job's folder, and write one there: for who was told that a disk failed.

        Raises OSError about the folder when it is the disk of this folder, and Trouble like open().
        """
        with _about(self.folder), tempfile.TemporaryFile(dir=self.folder) as writer:
            writer.write(bytes(_BLOCK))
            writer.flush()
            os.fsync(writer.fileno())
        if name not in self._bound:
            with self.open(name) as reader, _about(self.folder):
                while reader.read(_BLOCK):
                    pass

    # --- work ------------------------------------------------------------------------------------------------------

    def call(self, function: str, /, *args: Json, **kwargs: Json) -> Any:
        """Run `module:function` of a sealed module in a process of its own and return its answer, which is JSON.

        The function's working folder is the job's. Raises Trouble: what the function raised, or how it ended.
        """
        if not _FUNCTION.fullmatch(function):
            raise ValueError(f"not module:function: {function}")
        module = function.partition(":")[0]
        own = Agent(f"perenne/{module.removeprefix('tasks.sealed.')}", version())
        self.used(own)
        for library in self._runner.libraries(module):
            self.used(library)
        self._held_by()
        order = Order(self.folder.name, self.limits, tuple(bound for bound, _ in self._bound.values()))
        request = json.dumps({"function": function, "args": args, "kwargs": kwargs}).encode()
        outcome = self._runner.run(order, request)
        tail = outcome.said.decode("utf-8", "replace")[-_TAIL_CHARACTERS:]
        report = outcome.report
        self._runs.append(Run(function, report.seconds, report.cpu_s, outcome.said_sha256, tail))
        answer = answers.weigh(outcome, own.name, self.limits)
        for program in answer.programs:
            self._used_program(program)
        if answer.trouble is not None:
            raise self.room(answer.trouble)
        self._believe()
        return answer.value

    def ask(self, resident: str, request: Mapping[str, Json]) -> dict[str, Any]:
        """Send one request to a resident program ("office", "verapdf", "siegfried") and return its reply.

        Names in the request are relative to the job's folder. A judge is asked but once about the same bytes.
        Raises Trouble.
        """
        named = request.get("files")
        for name in named if isinstance(named, list | tuple) else ():
            if name in self._bound:  # residents copy from the job's folder, so it must be there
                self._copy_bound(str(name))
        question = self._verdicts.question(resident, request, self.digest)
        known = self._verdicts.said(question)
        try:
            answer = known or self._runner.ask(resident, self, request)
        except Trouble as trouble:
            for agent in trouble.agents:
                self.used(agent)
            self._held_by()
            raise self.room(trouble) from None
        for agent in answer.agents:
            self.used(agent)
        self._held_by()
        self._believe()
        if known is None:
            said = hashlib.sha256(answer.stderr_tail.encode()).hexdigest()
            self._runs.append(Run(resident, answer.seconds, answer.cpu_s, said, answer.stderr_tail[-_TAIL_CHARACTERS:]))
            self._verdicts.keep(question, answer)
        return dict(answer.reply)

    # --- the rest --------------------------------------------------------------------------------------------------

    def room(self, trouble: Trouble) -> Trouble:
        """The trouble itself; the machine's, when there was no room left that would explain it: no file is to blame."""
        return (full(self.folder) if trouble.code in _FOR_WANT_OF_ROOM else None) or trouble

    def _believe(self) -> None:
        """Raises Trouble "disk-full": a tool may have gone on without what it could not write."""
        if want := full(self.folder):
            raise want

    def _held_by(self) -> None:
        """Record the lesser sandbox: who reads the event must know that it was not the box."""
        if self._runner.floor is Floor.LANDLOCK:
            self.used(Agent(WITHOUT_BUBBLEWRAP, f"Landlock {landlock_abi()}"))

    def _last(self) -> str:
        return self._runs[-1].what if self._runs else "perenne"

    def _used_program(self, name: str) -> None:
        row = programs.tool(name)
        found = programs.used(row) if row else None
        if found:
            self.used(Agent(name, found))

    def _show(self, inside: str, bound: Bound) -> None:
        # In the box the file itself is mounted there; behind the fence its name leads to it.
        place = self.folder / inside
        if self._runner.floor is Floor.LANDLOCK:
            place.symlink_to(self._runner.sources[bound.source] / bound.path)
        else:
            place.touch(exist_ok=False)

    def _copy(self, reader: BinaryIO, source: Path, inside: str, expected: int) -> None:
        target = self.folder / inside
        try:
            with (
                _about(target),
                open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444), "wb") as writer,
            ):
                os.fchmod(writer.fileno(), 0o444)
                copied = _copied(reader, source, writer)
        except OSError as problem:
            if problem.errno not in _NO_ROOM:
                raise
            target.unlink(missing_ok=True)
            free = size(shutil.disk_usage(self.folder).free)
            raise Trouble("disk-full", folder=str(self.folder.parent), free=free, need=size(expected)) from None
        if copied != expected:
            target.unlink()
            raise Trouble("source-changing")

    def _copy_bound(self, name: str) -> None:
        bound, source = self._bound.pop(name)
        (self.folder / name).unlink()
        with source.open("rb") as reader:
            status = os.fstat(reader.fileno())
            if (status.st_dev, status.st_ino) != (bound.device, bound.inode):
                raise Trouble("source-changing")
            self._copy(reader, source, name, status.st_size)


def copied(source: Path, runner: Runner) -> int:
    """How many bytes `give` copies of a file: none of a large one that can be shown. Raises OSError."""
    status = source.lstat()
    shown = status.st_size > COPIED_BYTES and _shown(source, source.name, status, runner) is not None
    return 0 if shown else status.st_size


def _shown(source: Path, name: str, status: os.stat_result, runner: Runner) -> Bound | None:
    real = source.parent.resolve() / source.name
    if runner.floor.takes_plain_uid() and not _may_be_shown(real, status, runner):
        return None
    for number, folder in enumerate(runner.sources):
        if real.is_relative_to(folder):
            return Bound(name, number, str(real.relative_to(folder)), status.st_dev, status.st_ino)
    return None


def _may_be_shown(real: Path, status: os.stat_result, runner: Runner) -> bool:
    # A plain uid is not the file's owner, so what is not for everybody must be copied for it.
    if runner.floor is Floor.LANDLOCK:
        return may(CAP_DAC_READ_SEARCH, CAP_SETPCAP) or open_to_all(real)
    return bool(status.st_mode & stat.S_IROTH)


@cache
def version() -> str:
    """The version of Perenne that is installed."""
    try:
        return metadata.version("perenne")
    except metadata.PackageNotFoundError:
        return "not installed"


def _copied(reader: BinaryIO, source: Path, writer: BinaryIO) -> int:
    """Copy all of a file, by the file system itself where it can; returns the number of bytes.

    Raises OSError, about `source` when it cannot be read.
    """
    try:
        while os.copy_file_range(reader.fileno(), writer.fileno(), 1 << 30):
            pass
    except OSError as problem:
        if problem.errno in _NO_ROOM:
            raise
        # It cannot, or does not say which of the two files failed: both stand where it ended.
        while block := _read(reader, source):
            writer.write(block)
        writer.flush()
    return os.fstat(writer.fileno()).st_size


def _read(reader: BinaryIO, source: Path) -> bytes:
    with _about(source):
        return reader.read(_BLOCK)


@contextlib.contextmanager
def _about(path: Path) -> Iterator[None]:
    """An error that names no file is about this one."""
    try:
        yield
    except OSError as problem:
        if problem.filename is None and problem.errno is not None:
            problem.filename = str(path)
        raise
