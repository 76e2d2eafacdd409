"""One resident program in its sandbox, seen from our process: start, ask, measure, end."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.premis.model import Agent, Trouble
from tasks.tools import answers, bubblewrap, usage
from tasks.tools.floor import Floor
from tasks.tools.resident import fenced
from tasks.tools.resident.kinds import Program
from tasks.tools.resident.program import PROGRAMS
from tasks.tools.resident.slot import Slot
from tasks.tools.room import full
from tasks.tools.sandbox import FLOOD_BYTES, python
from tasks.tools.words import seconds, size

START_S = 120.0
TAIL_BYTES = 64 << 10
"""How much of a program's standard error is kept."""
ANSWER_BYTES = 16 << 20
"""A longer line is no answer."""
PROCESSES = 64
"""A program with more processes than this is killed."""

_CLOSE_S = 5.0
_TICK_S = 0.05
_CHUNK = 1 << 16
_NAMES = 20_000
_AGENTS, _AGENT_CHARACTERS = 20, 200
_UNBOUNDED = 1 << 62
_THREADS = 1024  # the kernel's limit counts threads, of all residents of this uid
_HOME = "/job/home"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one request may use: seconds, bytes of memory, and bytes on disk beyond the inputs."""

    wall_s: float
    memory_bytes: int
    output_bytes: int


class Resident:
    """One program in one slot. Not thread-safe: one request at a time. After any Trouble it must be closed."""

    def __init__(self, program: Program, slot: Slot, floor: Floor) -> None:
        """Start it and wait until it is ready.

        Raises Trouble: "tool-missing", "no-sandbox", "tool-crash" or "tool-timeout".
        """
        self.program = program
        self.slot = slot
        self.served = 0
        self.born = self.rested = time.monotonic()
        self.cpu_s = 0.0
        """Seconds of CPU that the last request took, as far as it was answered."""
        self.tail = b""
        self._heard = b""
        self._noise = 0  # bytes on standard error since the last request
        parent = os.pidfd_open(os.getpid())
        leash, self._leash = os.pipe2(os.O_CLOEXEC)
        try:
            self._process = subprocess.Popen(
                (_boxed if floor is Floor.BUBBLEWRAP else _fenced)(program, slot, parent, leash),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=dict(bubblewrap.ENVIRONMENT),
                pass_fds=(parent, leash),
                start_new_session=True,  # an interrupt from the keyboard is for our process alone
            )
        except BaseException:
            os.close(self._leash)
            raise
        finally:
            os.close(parent)
            os.close(leash)
        pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._in, self._out, self._err = (pipe.fileno() for pipe in pipes if pipe is not None)
        for fd in (self._in, self._out, self._err):
            os.set_blocking(fd, False)
        try:
            # It has met no file yet, so it may use what it may rest in.
            greeting = self._said(Bounds(START_S, program.memory_bytes, program.memory_bytes), b"")
            self.agents = _agents(greeting, program.tool)
        except Trouble as trouble:
            self.close()
            raise self._not_started(trouble) from None
        except BaseException:
            self.close()
            raise

    def ask(self, request: Mapping[str, Any], bounds: Bounds) -> dict[str, Any]:
        """Send one request and return the answer.

        Raises Trouble: "tool-timeout", "tool-memory", "tool-processes", "output-too-large" or "tool-crash".
        """
        self.served += 1
        self._noise = 0
        # An answer names the question, so that a late or doubled one can never pass for the answer about another file.
        number = secrets.token_hex(8)
        line = json.dumps({**request, "id": number}, ensure_ascii=False).encode() + b"\n"
        before, self.cpu_s = usage.cpu_s(self._pids()), 0.0
        reply = self._said(bounds, line)
        self.cpu_s = max(0.0, usage.cpu_s(self._pids()) - before)
        self.rested = time.monotonic()
        if reply.pop("id", None) != number:
            raise Trouble("tool-crash", tool=self.program.tool, signal="an answer to another question")
        if reply.get("error") == "memory":  # it kept to the limit that it sets itself
            raise Trouble("tool-memory", tool=self.program.tool, limit=size(self.program.heap_bytes))
        return reply

    def alive(self) -> bool:
        """Whether it can take a request: it runs and has nothing to say unasked."""
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        return self._process.poll() is None and not self._heard and not poll.poll(0)

    def tired(self) -> bool:
        """Whether it has served long enough, or grew too large, or left too much in its home."""
        bound = self.program.memory_bytes
        return (
            self.served >= self.program.requests
            or usage.memory(self._pids(), bound) > bound
            or usage.disk(str(self.slot.home), [], bound, _NAMES) > bound
        )

    def abandon(self) -> None:
        """Let it end without waiting, also while another thread waits for its answer."""
        leash, self._leash = self._leash, -1
        if leash >= 0:
            os.close(leash)

    def close(self) -> None:
        """End it and everything in its sandbox, and wait for that. The slot stays taken."""
        self.abandon()
        try:
            self._process.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            for pid in self._pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()
        self._listen()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _said(self, bounds: Bounds, line: bytes) -> dict[str, Any]:
        # Sends the line and returns the next one that comes, while the program keeps its bounds.
        now = time.monotonic()
        end, tick = now + bounds.wall_s, now + _TICK_S
        before = usage.disk(str(self.slot.folder), [], _UNBOUNDED, _UNBOUNDED)
        while b"\n" not in self._heard:
            line = self._exchanged(line, min(end, tick) - time.monotonic())
            now = time.monotonic()
            if now >= end:
                raise Trouble("tool-timeout", tool=self.program.tool, limit=seconds(bounds.wall_s))
            if now >= tick:
                self._check(bounds, before)
                tick = time.monotonic() + _TICK_S
        answer, _, self._heard = self._heard.partition(b"\n")
        try:
            reply = answers.decoded(answer)
        except (ValueError, TypeError, RecursionError):
            raise Trouble("tool-crash", tool=self.program.tool, signal="no answer but other words") from None
        self._check(bounds, before)
        return reply

    def _exchanged(self, line: bytes, patience_s: float) -> bytes:
        # Waits for something to happen and deals with it; returns what is still to be sent.
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        poll.register(self._err, select.POLLIN)
        if line:
            poll.register(self._in, select.POLLOUT)
        ready = {fd for fd, _ in poll.poll(max(0.0, patience_s) * 1000)}
        if self._err in ready:
            self._listen()
            if self._noise > FLOOD_BYTES:
                raise Trouble("output-too-large", limit=size(FLOOD_BYTES))
        if self._out in ready:
            data = os.read(self._out, _CHUNK)
            self._heard += data
            if not data:
                raise self._died()
            if len(self._heard) > ANSWER_BYTES:
                raise Trouble("output-too-large", limit=size(ANSWER_BYTES))
        if self._in in ready:
            try:
                line = line[os.write(self._in, line) :]
            except BrokenPipeError:
                raise self._died() from None
        return line

    def _check(self, bounds: Bounds, before: int) -> None:
        if want := full(self.slot.folder):
            raise want
        pids = self._pids()
        if len(pids) > PROCESSES:
            raise Trouble("tool-processes", tool=self.program.tool, limit=str(PROCESSES))
        if usage.memory(pids, bounds.memory_bytes) > bounds.memory_bytes:
            raise Trouble("tool-memory", tool=self.program.tool, limit=size(bounds.memory_bytes))
        enough = before + bounds.output_bytes
        if usage.disk(str(self.slot.folder), pids, enough, _NAMES) > enough:
            raise Trouble("output-too-large", limit=size(bounds.output_bytes))

    def _died(self) -> Trouble:
        try:
            code = self._process.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            return Trouble("tool-crash", tool=self.program.tool, signal="it stopped answering")
        self._listen()
        return Trouble("tool-crash", tool=self.program.tool, signal=_ending(code))

    def _listen(self) -> None:
        # Takes what there is of standard error, a bounded piece at a time so that the clock is looked at.
        for _ in range(16):
            try:
                data = os.read(self._err, _CHUNK)
            except BlockingIOError:
                return
            if not data:
                return
            self._noise += len(data)
            self.tail = (self.tail + data)[-TAIL_BYTES:]

    def _pids(self) -> list[int]:
        # The keeper takes every orphan, so the tree is whole.
        return [self._process.pid, *usage.below(self._process.pid)]

    def _not_started(self, trouble: Trouble) -> Trouble:
        lines = self.tail.decode("utf-8", "replace").strip().splitlines()
        last = lines[-1] if lines else ""
        if last.startswith("bwrap:"):
            return Trouble("no-sandbox", bubblewrap=last, landlock="not tried")
        if "ModuleNotFoundError" in last or "ImportError" in last:
            return Trouble("tool-missing", tool=f"{self.program.tool} ({last})")
        if trouble.code == "tool-crash" and last:
            return Trouble("tool-crash", tool=self.program.tool, signal=last[:300])
        return trouble


def _agents(greeting: Mapping[str, Any], tool: str) -> tuple[Agent, ...]:
    """Who the program says it is: some pairs of a name and a version, each a short line."""
    told = greeting.get("agents")
    if isinstance(told, list) and 0 < len(told) <= _AGENTS and all(map(_is_pair, told)):
        return tuple(Agent(name, version) for name, version in told)
    raise Trouble("tool-crash", tool=tool, signal="it does not say which version it is")


def _is_pair(told: object) -> bool:
    return isinstance(told, list) and len(told) == 2 and all(map(_is_line, told))


def _is_line(text: object) -> bool:
    return isinstance(text, str) and text.isprintable() and 0 < len(text.strip()) <= len(text) <= _AGENT_CHARACTERS


def _boxed(program: Program, slot: Slot, parent: int, leash: int) -> list[str]:
    root = Floor.BUBBLEWRAP.takes_plain_uid()
    settings = {
        "argv": _with_home(program.argv, _HOME),
        "environment": _environment(program, _HOME),
        "uid": slot.uid,
        "processes": _THREADS + 256 * (os.cpu_count() or 1),
        "parent": parent,
        "leash": leash,
    }
    sandbox = bubblewrap.command(
        read=program.read,
        read_at={"/job/in": slot.inputs},
        write={"/job/out": slot.outputs, _HOME: slot.home},
        capabilities=("CAP_SETUID", "CAP_SETGID") if root else (),
        chdir="/job",
    )
    return [*sandbox, sys.executable, "-I", str(PROGRAMS / "keeper.py"), json.dumps(settings)]


def _fenced(program: Program, slot: Slot, parent: int, leash: int) -> list[str]:
    settings = fenced.Settings(
        argv=_with_home(program.argv, str(slot.home)),
        environment=_environment(program, str(slot.home)),
        uid=slot.uid,
        processes=_THREADS + 256 * (os.cpu_count() or 1),
        parent=parent,
        leash=leash,
        folder=str(slot.folder),
        read=tuple(map(str, program.read)),
        sockets=program.sockets,
    )
    return python(fenced.__name__, settings.argument())


def _with_home(argv: tuple[str, ...], home: str) -> tuple[str, ...]:
    return tuple(word.replace("{home}", home) for word in argv)


def _environment(program: Program, home: str) -> dict[str, str]:
    return {**bubblewrap.ENVIRONMENT, **program.environment, "HOME": home, "TMPDIR": f"{home}/tmp"}  # noqa: S108


def _ending(code: int) -> str:
    number = code - 128 if code > 128 else -code
    if number > 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(number).name
    return f"it ended with exit code {code}"
