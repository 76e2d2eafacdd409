"""The parent's handle of one zygote: start it, hand it one call at a time, notice its death."""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.premis.model import Trouble
from tasks.tools import box, bubblewrap, wire
from tasks.tools.floor import Floor
from tasks.tools.footing import Footing, footing
from tasks.tools.wire import Order, Report
from tasks.tools.zygote import Settings

FLOOD_BYTES = 64 << 20
"""A job that says more than this on standard output and error is killed."""

_KEPT_BYTES = 1 << 20
_CHUNK = 1 << 16
_START_S = 120.0
_GRACE_S = 30.0  # a zygote that is so much later than the job's own limit has itself stopped working
_CLOSE_S = 5.0


class SandboxGone(Exception):  # noqa: N818  an event, said by its name
    """The zygote died or answers no more; its sandbox is gone with every process in it."""


class SandboxKilled(SandboxGone):
    """It ended under a call, without having said why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one call: the zygote's report, the job's own answer if any, and what it said on the way."""

    report: Report
    answer: bytes | None
    said: bytes
    said_sha256: str


class Sandbox:
    """One zygote with its jobs. Not thread-safe: one call at a time."""

    def __init__(
        self, floor: Floor, jobs: Path, *, sources: Sequence[Path], uid: int | None, extra: Sequence[Path]
    ) -> None:
        """Start it and wait until it is ready.

        Raises Trouble: "no-sandbox" when the floor does not hold here, "tool-crash" when the zygote itself does not
        start.
        """
        self._floor = floor
        boxed = floor is Floor.BUBBLEWRAP
        around = _box(jobs, sources, extra) if boxed else []
        self._sock, theirs = wire.pair()
        parent = os.pidfd_open(os.getpid())
        self._life, alive = os.pipe2(os.O_CLOEXEC)
        settings = Settings(
            floor=floor.value,
            socket=theirs.fileno(),
            parent=parent,
            alive=alive,
            uid=uid,
            # An ordinary user is a plain uid outside; root without the right to be another stays root.
            plain=uid is not None or footing() is Footing.USER,
            jobs="" if boxed else str(jobs),
            sources=() if boxed else tuple(map(str, sources)),
            extra=tuple(map(str, extra)),
        )
        with tempfile.TemporaryFile() as said:
            try:
                self._process = subprocess.Popen(
                    [*around, *python(Settings.__module__, settings.argument())],
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    env={**bubblewrap.ENVIRONMENT, "HOME": "/tmp" if boxed else "/nonexistent"},  # noqa: S108
                    pass_fds=(theirs.fileno(), parent, alive),
                    cwd="/",
                    start_new_session=True,  # an interrupt from the keyboard is for the parent alone
                )
            except BaseException:
                os.close(self._life)
                raise
            finally:
                theirs.close()
                os.close(parent)
                os.close(alive)
            try:
                self.hello = self._greeted()
            except SandboxGone:
                self.close()
                said.seek(0)
                raise _not_started(said.read()) from None

    def call(self, order: Order, request: bytes) -> Outcome:
        """Run one job to its end, within its limits. Raises SandboxGone."""
        with contextlib.ExitStack() as held:
            reader, writer = os.pipe2(os.O_CLOEXEC)
            held.callback(os.close, reader)
            asked, answer = wire.request_file(request), wire.answer_file()
            held.callback(os.close, answer)
            try:
                wire.send(self._sock, order, (asked, answer, writer))
            except OSError:
                raise SandboxKilled("the zygote is gone") from None
            finally:
                os.close(asked)
                os.close(writer)
            ear = _Ear(reader)
            report = self._awaited(order, ear)
            ear.drain()
            return Outcome(report, wire.read_answer(answer), ear.kept, ear.digest.hexdigest())

    def alive(self) -> bool:
        """Whether the sandbox still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End it: the zygote exits when its socket closes, and all else in the sandbox with it."""
        self.abandon()
        self._sock.close()
        try:
            self._process.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            # A warden ends its job when the zygote is gone; bubblewrap's only child is the zygote.
            below = _children(self._process.pid) if self._floor is Floor.BUBBLEWRAP else []
            for pid in (*below, self._process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
        self._buried()

    def _buried(self) -> None:
        # A warden may outlive its zygote by the moment in which it ends its job: only then may others touch the folder.
        if self._life >= 0:
            _readable(self._life, _CLOSE_S)
            os.close(self._life)
            self._life = -1

    def abandon(self) -> None:
        """Let it end without waiting, also while another thread waits for a job: that call raises SandboxGone."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _greeted(self) -> wire.Hello:
        if not _readable(self._sock.fileno(), _START_S):
            raise SandboxGone("the zygote does not start")
        data, _ = wire.receive(self._sock)
        if not data:
            raise SandboxGone("the zygote does not start")
        hello = wire.hello(data)
        if hello.threads != 1:
            self.close()
            raise Trouble("tool-crash", tool="zygote", signal=f"{hello.threads} threads, where a fork allows one")
        return hello

    def _awaited(self, order: Order, ear: _Ear) -> Report:
        deadline = time.monotonic() + order.limits.wall_s + _GRACE_S
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        poll.register(ear.fd, select.POLLIN)
        stopped = False
        while True:
            ready = {fd for fd, _ in poll.poll(max(0.0, deadline - time.monotonic()) * 1000)}
            if self._sock.fileno() in ready:
                data, _ = wire.receive(self._sock)
                if not data:
                    raise SandboxKilled("the zygote was killed")
                return wire.report(data)
            if not ready:
                self.close()
                raise SandboxGone("the zygote does not answer")
            if not ear.listen():
                poll.unregister(ear.fd)
            if ear.heard > FLOOD_BYTES and not stopped:
                stopped = True
                with contextlib.suppress(OSError):
                    self._sock.send(wire.STOP)


class _Ear:
    """Reads a job's standard output and error: keeps the last MiB, digests all."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.kept = b""
        self.heard = 0
        self.digest = hashlib.sha256()
        os.set_blocking(fd, False)

    def listen(self) -> bool:
        """Take what is there, once; False when nothing is there or no more can come."""
        try:
            data = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return False
        self.heard += len(data)
        self.digest.update(data)
        self.kept = (self.kept + data)[-_KEPT_BYTES:]
        return bool(data)

    def drain(self) -> None:
        """Take all that is left in the pipe; its writers are dead."""
        while self.listen():
            pass


def _box(jobs: Path, sources: Sequence[Path], extra: Sequence[Path]) -> list[str]:
    root = Floor.BUBBLEWRAP.takes_plain_uid()
    return bubblewrap.command(
        read=extra,
        write={box.JOBS: jobs},
        read_at={f"{box.SOURCES}/{number}": path for number, path in enumerate(sources)},
        capabilities=box.CAPABILITIES_OF_ROOT if root else box.CAPABILITIES,
        folders=(box.JOB, box.TEMPORARY),
        proc=box.PROC,
    )


def python(module: str, argument: str) -> list[str]:
    """The argument list that calls `main(argument)` of one of our modules in a Python of its own."""
    # -P: only our checkout and the installed packages are importable, never the present folder.
    start = f"import sys; sys.path.insert(0, sys.argv[1]); from {module} import main; main(sys.argv[2])"
    return [sys.executable, "-s", "-P", "-c", start, str(bubblewrap.CODE.parent), argument]


def _not_started(said: bytes) -> Trouble:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    last = lines[-1] if lines else "it said nothing"
    if last.startswith("bwrap:"):
        return Trouble("no-sandbox", bubblewrap=last, landlock="not tried")
    return Trouble("tool-crash", tool="zygote", signal=last)


def _readable(fd: int, patience_s: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(patience_s * 1000))


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return []
