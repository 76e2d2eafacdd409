"""The one door: every byte of a producer's file is met behind it, in a sealed job.

A door owns one zygote for each core, started when first needed and replaced when it dies, and lends them to the
threads of the process. `kill -9` of the process leaves nothing behind: each zygote watches it, and ends all that
it ever started.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import queue
import signal
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tasks.premis.model import Agent, Limits, Trouble
from tasks.tools import folders, worker
from tasks.tools.answers import Json
from tasks.tools.floor import Floor, found
from tasks.tools.footing import claim_uid
from tasks.tools.job import Job, copied
from tasks.tools.resident.kinds import Options
from tasks.tools.residents import Answer, Residents
from tasks.tools.sandbox import Outcome, Sandbox, SandboxGone, SandboxKilled
from tasks.tools.wire import Order

_LOG = logging.getLogger(__name__)
_CLOSE_S = 10.0


class DoorClosed(OSError):  # noqa: N818  what happened
    """The door was closed, by whoever ends the run: what was in hand is not done, and no file is to blame."""


@dataclass(slots=True)
class _Slot:
    """Room for one zygote: the uid of its jobs (None: no other uid can be had) and the claim that keeps it ours."""

    uid: int | None
    claim: socket.socket | None
    sandbox: Sandbox | None = None


class Door:
    """Thread-safe; one for each process (`tasks.tools.shared`). A context manager: leaving it ends all jobs."""

    def __init__(
        self,
        work: Path,
        *,
        sources: tuple[Path, ...] = (),
        cores: int | None = None,
        extra_paths: tuple[Path, ...] = (),
        options: Options | None = None,
        floor: Floor | None = None,
    ) -> None:
        """Open it: remove what dead owners left, start the first zygote and let a job see whether all can be read.

        `work`: folder for jobs and slots. `sources`: folders (store, inbox) whose large files are shown to jobs
        without a copy. `cores`: how many jobs at a time; by default, the cores that we may use. `extra_paths`: Python
        files to be sealed modules too, called by their stem. `options`: of the resident programs. `floor`: what holds
        the jobs; by default, the best that this machine gives.
        Raises Trouble "no-sandbox" when this machine gives none that holds, or hides our own code from it.
        """
        self.floor = floor or found()
        self.sources = tuple(path.resolve() for path in sources)
        self._work = work.resolve()
        self._options = options
        self._extra = tuple(path.resolve() for path in extra_paths)
        self._cores = cores or len(os.sched_getaffinity(0))
        self._numbers = itertools.count(1)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._residents: Residents | None = None
        self._owned = folders.Owned(self._work / "jobs")
        if self.floor is Floor.LANDLOCK:
            self._owned.path.chmod(0o711)  # a plain uid walks to its job, and sees no other's name
        self._slots = [self._slot() for _ in range(self._cores)]
        self._free: queue.LifoQueue[_Slot] = queue.LifoQueue()  # the warm one first
        for slot in reversed(self._slots):
            self._free.put(slot)
        try:
            hello = self._started(self._slots[0]).hello
            self.layers = hello.layers
            self._libraries = hello.libraries
            self.unloaded: Mapping[str, str] = hello.unloaded
            self._check()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def job(self, limits: Limits | None = None) -> Iterator[Job]:
        """A job with its own folder, which is removed at the end; `limits` hold for each call in it."""
        if self._closed.is_set():
            raise DoorClosed("the door is closed")
        folder = self._owned.path / f"{next(self._numbers):08d}"
        folder.mkdir()
        folder.chmod(0o755)
        try:
            yield Job(folder, limits or Limits(), self)
        finally:
            try:
                folders.remove(folder)
            except FileNotFoundError:
                pass  # the door was closed meanwhile
            except OSError:
                _LOG.warning("A job's folder could not be removed; the next start tries again: %s", folder)

    def ahead(self, kinds: Iterable[str]) -> None:
        """Start what will be needed while nobody waits for it: a zygote for each core, then these resident programs.

        It takes seconds. What does not start is asked for again by whoever needs it, and told to them.
        """
        while (slot := self._cold()) is not None:
            try:
                with contextlib.suppress(Trouble, SandboxGone, OSError):
                    self._started(slot)
            finally:
                self._free.put(slot)
            if slot.sandbox is None:
                return
        for kind in kinds:
            with contextlib.suppress(Trouble, RuntimeError, OSError):
                self._all_residents().ahead(kind)

    def copies(self, source: Path) -> int:
        """How many bytes a job copies when it is given this file. Raises OSError."""
        return copied(source, self)

    def close(self) -> None:
        """End all zygotes and residents with whatever runs in them, and remove the jobs' folders."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            residents = self._residents
        for slot in self._slots:
            if slot.sandbox is not None:
                slot.sandbox.abandon()
        if residents is not None:
            residents.close()
        for _ in self._slots:
            with contextlib.suppress(queue.Empty):
                slot = self._free.get(timeout=_CLOSE_S)
                if slot.sandbox is not None:
                    slot.sandbox.close()
                if slot.claim is not None:
                    slot.claim.close()
        self._owned.close()

    # --- for jobs --------------------------------------------------------------------------------------------------

    def run(self, order: Order, request: bytes) -> Outcome:
        """Run one sealed call in the next free zygote.

        A zygote or a job that something else killed (a person, the kernel short of memory) is no fault of the file, so
        the call gets one more try; the call that itself brings this about is not asked a third time. Raises Trouble
        "tool-crash" when the zygote dies under it twice, or answers no more.
        """
        with self._open():
            return self._run(order, request)

    def _run(self, order: Order, request: bytes) -> Outcome:
        there = _products(self._owned.path / order.job)
        slot = self._free.get()
        try:
            try:
                outcome = self._ran(slot, order, request)
                if not _killed(outcome) or self._closed.is_set():
                    return outcome
            except SandboxKilled as killed:
                if self._closed.is_set():
                    raise _crash(killed) from None
            _LOG.warning("A job was killed by something else; it is tried once more")
            _only(self._owned.path / order.job, there)
            return self._ran(slot, order, request)
        except SandboxGone as gone:
            raise _crash(gone) from None
        finally:
            self._free.put(slot)

    def libraries(self, module: str) -> tuple[Agent, ...]:
        """The libraries that a sealed module declares, with their versions.

        Raises LookupError for a module that does not exist, Trouble "tool-crash" for one that cannot be imported.
        """
        if module in self.unloaded:
            raise Trouble("tool-crash", tool=f"perenne/{module}", signal=self.unloaded[module])
        if module not in self._libraries and module != worker.__name__:
            raise LookupError(f"no sealed module: {module}")
        return tuple(Agent(name, version) for name, version in self._libraries.get(module, {}).items())

    def ask(self, resident: str, job: Job, request: Mapping[str, Json]) -> Answer:
        """One request to a resident program, started when first needed."""
        with self._open():
            return self._all_residents().ask(
                resident,
                job.folder,
                request,
                wall_s=job.limits.wall_s,
                memory_bytes=job.limits.memory_bytes,
                output_bytes=job.limits.output_bytes,
            )

    # --- inside ----------------------------------------------------------------------------------------------------

    def _all_residents(self) -> Residents:
        with self._lock:
            if self._residents is None:
                if self._closed.is_set():
                    raise DoorClosed("the door is closed")
                self._residents = Residents(
                    self._work, cores=self._cores, options=self._options, floor=self.floor, jobs=self._at_work
                )
            return self._residents

    def _cold(self) -> _Slot | None:
        """A free slot whose zygote was not started yet, to be put back; the others stay for whoever has a job."""
        taken: list[_Slot] = []
        with contextlib.suppress(queue.Empty):
            while True:
                taken.append(self._free.get_nowait())
        cold = next((slot for slot in taken if slot.sandbox is None), None)
        for slot in reversed(taken):
            if slot is not cold:
                self._free.put(slot)
        return cold

    def _at_work(self) -> int:
        """How many sealed calls are going on."""
        return self._cores - self._free.qsize()

    @contextlib.contextmanager
    def _open(self) -> Iterator[None]:
        """What goes wrong in the block because the door was closed meanwhile is that, and no file's trouble."""
        try:
            if not self._closed.is_set():
                yield
                return
        except Exception:
            if not self._closed.is_set():
                raise
        raise DoorClosed("the door was closed")

    def _ran(self, slot: _Slot, order: Order, request: bytes) -> Outcome:
        sandbox = self._started(slot)
        try:
            return sandbox.call(order, request)
        except SandboxGone:
            sandbox.close()
            slot.sandbox = None
            raise

    def _slot(self) -> _Slot:
        # A uid for each zygote, because the kernel counts the processes of a uid, whichever job they belong to.
        if not self.floor.takes_plain_uid():
            return _Slot(None, None)
        return _Slot(*claim_uid())

    def _started(self, slot: _Slot) -> Sandbox:
        if slot.sandbox is not None and not slot.sandbox.alive():
            slot.sandbox.close()
            slot.sandbox = None
        if self._closed.is_set():
            raise DoorClosed("the door is closed")
        if slot.sandbox is None:
            slot.sandbox = self._sandbox(slot.uid)
            if self._closed.is_set():  # meanwhile, and close() could not know of it
                slot.sandbox.close()
                raise DoorClosed("the door is closed")
        return slot.sandbox

    def _sandbox(self, uid: int | None) -> Sandbox:
        """A new zygote; once more, when something ended it while it started: no file is to blame for that."""
        for again in (True, False):
            try:
                return Sandbox(self.floor, self._owned.path, sources=self.sources, uid=uid, extra=self._extra)
            except Trouble as trouble:
                if trouble.code != "tool-crash" or not again or self._closed.is_set():
                    raise
        raise AssertionError  # the second try returns or raises

    def _check(self) -> None:
        with self.job() as job:
            hidden = job.call(f"{worker.__name__}:{worker.unreachable.__name__}")
        if hidden:
            lack = f"a job cannot reach {', '.join(hidden)}"
            boxed = self.floor is Floor.BUBBLEWRAP
            raise Trouble("no-sandbox", bubblewrap=lack if boxed else "does not work", landlock=lack)


def _crash(gone: SandboxGone) -> Trouble:
    return Trouble("tool-crash", tool="zygote", signal=str(gone))


def _killed(outcome: Outcome) -> bool:
    """Whether something else than the zygote, for a limit, killed the job."""
    return outcome.report.signal == signal.SIGKILL and not outcome.report.cause


def _products(job: Path) -> frozenset[str]:
    with contextlib.suppress(FileNotFoundError):
        return frozenset(os.listdir(job / "out"))
    return frozenset()


def _only(job: Path, there: frozenset[str]) -> None:
    """Remove what a killed call left half done, so that the next try finds what the first one found."""
    for name in _products(job) - there:
        path = job / "out" / name
        if path.is_dir() and not path.is_symlink():
            folders.remove(path)
        else:
            path.unlink()
