"""The first process of a sandbox: a single-threaded Python that has every sealed module loaded and forks a sealed job
for each order that comes over its socket, so that a job costs milliseconds and still starts from clean memory.

It never meets hostile bytes itself. It ends, and with it everything in the sandbox, as soon as its socket or the
process that started it is gone.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import pkgutil
import select
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from tasks.tools import kernel, usage, wire, worker
from tasks.tools.box import Box
from tasks.tools.fence import Fence
from tasks.tools.floor import Floor
from tasks.tools.seal import Held, Seal, close_all_but
from tasks.tools.wire import Hello, Order, Report

MOST_NAMES = 10_000
"""Files and folders that one job may make."""

_TICK_S = 0.05

_WARM = (
    ("PIL.Image", "init"),  # else Pillow looks for its decoders in each job
    ("weasyprint.text.fonts", "FontConfiguration"),  # starts fontconfig
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the door tells its zygote on the command line.

    `alive`: held open by all that lives in the sandbox. `uid`: taken by the workers; None where no other can be had.
    `plain`: a worker is not root, seen from outside. `jobs`, `sources`: of the fence alone, the folders of the jobs and
    of large inputs; in the box they have names of their own. `extra`: more modules, each a Python file.
    """

    floor: str
    socket: int
    parent: int
    alive: int
    uid: int | None
    plain: bool
    jobs: str = ""
    sources: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    def argument(self) -> str:
        """The settings as one word of a command line."""
        return json.dumps(asdict(self))


def main(argument: str) -> None:
    """Load, greet, and serve until the door is gone. Never returns."""
    raw = json.loads(argument)
    settings = Settings(**{**raw, "sources": tuple(raw["sources"]), "extra": tuple(raw["extra"])})
    seal = _seal(settings)
    libraries, unloaded = load(settings.extra)
    own = ((name, "warm") for name in libraries if hasattr(sys.modules.get(name), "warm"))
    unloaded |= _warm((*_WARM, *own))
    gc.collect()
    gc.freeze()  # else a collection in a job would copy all memory that it shares with us
    kernel.use_large_pages()
    for fd in (settings.socket, settings.parent, settings.alive):
        os.set_inheritable(fd, False)
    sock = socket.socket(fileno=settings.socket)
    greeting = Hello(threads(), seal.layers(), libraries, unloaded)
    with contextlib.suppress(OSError):
        wire.send(sock, greeting)
        serve(Zygote(sock, settings.parent, seal))
    os._exit(0)


def _seal(settings: Settings) -> Seal:
    if settings.floor == Floor.BUBBLEWRAP.value:
        return Box(settings.uid, plain=settings.plain, extra=settings.extra)
    return Fence(
        settings.uid,
        plain=settings.plain,
        jobs=settings.jobs,
        sources=settings.sources,
        extra=settings.extra,
        alive=settings.alive,
    )


def threads() -> int:
    """The threads of this process; a fork is safe with one only."""
    return len(os.listdir("/proc/self/task"))


# --- loading -------------------------------------------------------------------------------------------------------


def load(extra: Iterable[str]) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Import all sealed modules and the `extra` files.

    Returns the versions of the libraries that each (or else its package) declares in LIBRARIES, and why the others
    cannot be imported.
    """
    libraries: dict[str, dict[str, str]] = {}
    unloaded: dict[str, str] = {}
    for name, path in (*((name, None) for name in _sealed()), *((Path(path).stem, path) for path in extra)):
        try:
            module = importlib.import_module(name) if path is None else _from_file(name, path)
            inherited = libraries.get(name.rpartition(".")[0], {})
            declared = getattr(module, "LIBRARIES", None)
            libraries[name] = inherited if declared is None else {item: metadata.version(item) for item in declared}
        except Exception as problem:
            unloaded[name] = _said(problem)
    return libraries, unloaded


def _sealed() -> Iterator[str]:
    package = importlib.import_module("tasks.sealed")
    yield from sorted(found.name for found in pkgutil.walk_packages(package.__path__, "tasks.sealed.", onerror=_ignore))


def _ignore(_name: str) -> None:
    """A package that cannot be imported is reported by load()."""


def _from_file(name: str, path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _warm(functions: Iterable[tuple[str, str]]) -> dict[str, str]:
    failed: dict[str, str] = {}
    for module, function in functions:
        if module in sys.modules:
            try:
                getattr(sys.modules[module], function)()
            except Exception as problem:
                failed[module] = _said(problem)
    return failed


def _said(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}"[:300]


# --- serving -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Zygote:
    """The descriptors and the sealing that serve all jobs."""

    sock: socket.socket
    parent: int
    seal: Seal


def serve(zygote: Zygote) -> None:
    """Do one order after the other. Returns when the door is gone."""
    poll = select.poll()
    poll.register(zygote.sock, select.POLLIN)
    poll.register(zygote.parent, select.POLLIN)
    while not any(fd == zygote.parent for fd, _ in poll.poll()):
        data, fds = wire.receive(zygote.sock)
        if not data:
            return
        if data != wire.STOP:  # else it comes too late: its job is done
            wire.send(zygote.sock, _job(zygote, wire.order(data), fds))


def _job(zygote: Zygote, order: Order, fds: tuple[int, ...]) -> Report:
    started, used = time.monotonic(), time.process_time()
    held = zygote.seal.start(order, fds, partial(_worker, zygote.seal, order, *fds))
    for fd in fds:
        os.close(fd)
    cause = _watch(zygote, held, order, started)
    status, cpu_s = held.end()
    cause = cause or _too_large(zygote.seal, order, [])
    code = os.waitstatus_to_exitcode(status)
    cpu_s += time.process_time() - used  # to fork it and to watch it costs, too
    return Report(cause=cause, signal=max(0, -code), code=max(0, code), seconds=time.monotonic() - started, cpu_s=cpu_s)


def _watch(zygote: Zygote, held: Held, order: Order, started: float) -> str:
    """Wait for the end of a job or for a reason to end it; returns the reason, "" when it ended by itself."""
    poll = select.poll()
    for fd in (held.fd, zygote.parent, zygote.sock.fileno()):
        poll.register(fd, select.POLLIN)
    end, tick = started + order.limits.wall_s, started + _TICK_S
    while True:
        ready = {fd for fd, _ in poll.poll(max(0.0, min(end, tick) - time.monotonic()) * 1000)}
        if zygote.parent in ready or (zygote.sock.fileno() in ready and not _stopped(zygote.sock)):
            os._exit(1)  # all that runs in the sandbox ends with us
        if held.fd in ready:
            return ""
        now = time.monotonic()
        if zygote.sock.fileno() in ready:
            return "flood"
        if now >= end:
            return "timeout"
        if now >= tick:
            tick = now + _TICK_S
            if cause := _excess(zygote.seal, held, order):
                return cause


def _stopped(sock: socket.socket) -> bool:
    data, _ = wire.receive(sock)
    return data == wire.STOP


def _excess(seal: Seal, held: Held, order: Order) -> str:
    limits = order.limits
    running = held.processes()
    if usage.threads(running) > limits.processes:  # as the kernel counts them, which exempts root
        return "processes"
    if usage.memory(running, limits.memory_bytes) > limits.memory_bytes:
        return "memory"
    return _too_large(seal, order, running)


def _too_large(seal: Seal, order: Order, running: list[int]) -> str:
    written = tuple(seal.written(order))
    large = any(usage.disk(folder, running, most, MOST_NAMES) > most for folder, most in written)
    # The folders are on one device. 0.8 ms for a process with the libraries of ours; the rest of a look takes 0.1.
    return "output" if large or usage.maps_deleted(running, written[0][0]) else ""


def _worker(seal: Seal, order: Order, request: int, answer: int, stderr: int) -> NoReturn:
    """In the fork: seal this process and work."""
    code = 1
    try:
        os.setsid()  # a signal to its own group stays with the job
        os.dup2(stderr, 1)
        os.dup2(stderr, 2)
        close_all_but((request, answer, *seal.kept))
        seal.enter(order)
        worker.work(seal, order, request, answer)
        code = 0
    except BaseException as problem:  # told in the job's standard error, as no answer may exist
        os.write(2, f"{_said(problem)}\n".encode())
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
