"""What the door and a zygote say to each other: one order and one report a job, over a SOCK_SEQPACKET pair.

The bytes that a job reads and writes never pass through the zygote, or the next job could find them in its memory:
request and answer are memory files, and standard error is a pipe, whose descriptors travel with the order.
"""

from __future__ import annotations

import array
import fcntl
import json
import os
import socket
from dataclasses import asdict, dataclass, field
from typing import Any

from tasks.premis.model import Limits

STOP = b"stop"
"""Sent by the door while a job runs: kill it, it floods its output."""

ANSWER_BYTES = 8 << 20
"""The longest answer of a job."""

_LENGTH_BYTES = 8
_MESSAGE_BYTES = 1 << 17
_DESCRIPTORS = 3


@dataclass(frozen=True, slots=True)
class Bound:
    """An input that is shown in `in/` without a copy: a file below the `source`-th folder of the door.

    `device` and `inode` say which file the parent saw, so that a link put in its way meanwhile is found out.
    """

    name: str
    source: int
    path: str
    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class Order:
    """One call: the job's folder (its name below the jobs' root), its limits, and the inputs that were not copied."""

    job: str
    limits: Limits
    bound: tuple[Bound, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """How a call ended, as the zygote saw it.

    `cause` is empty or says why it was killed: "timeout", "memory", "processes", "output", "flood".
    `signal` ended the worker (0: none), `code` is its exit code; the times are seconds.
    """

    cause: str
    signal: int
    code: int
    seconds: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Hello:
    """What a zygote says when it is ready.

    `libraries`: sealed module -> distribution -> version. `unloaded`: sealed module -> why it cannot be imported.
    """

    threads: int
    layers: tuple[str, ...]
    libraries: dict[str, dict[str, str]] = field(default_factory=dict)
    unloaded: dict[str, str] = field(default_factory=dict)


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends: message by message, and an end of file when the other side is gone."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _MESSAGE_BYTES)
    return ends


def send(sock: socket.socket, message: Order | Report | Hello, fds: tuple[int, ...] = ()) -> None:
    """Send one message with its descriptors. Raises OSError when the other side is gone."""
    data = json.dumps(asdict(message)).encode()
    if len(data) > _MESSAGE_BYTES:
        raise ValueError(f"a message of {len(data)} bytes")
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([data], rights)


def receive(sock: socket.socket) -> tuple[bytes, tuple[int, ...]]:
    """The next message and its descriptors (close-on-exec); empty bytes when the other side is gone."""
    fds = array.array("i")
    try:
        data, rights, _flags, _address = sock.recvmsg(
            _MESSAGE_BYTES, socket.CMSG_SPACE(_DESCRIPTORS * fds.itemsize), socket.MSG_CMSG_CLOEXEC
        )
    except ConnectionResetError:
        return b"", ()
    for level, kind, payload in rights:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
    return data, tuple(fds)


def order(data: bytes) -> Order:
    """The order in a message."""
    raw = json.loads(data)
    bound = tuple(Bound(**item) for item in raw.pop("bound"))
    limits = Limits(**raw.pop("limits"))
    return Order(job=raw["job"], limits=limits, bound=bound)


def report(data: bytes) -> Report:
    """The report in a message."""
    return Report(**json.loads(data))


def hello(data: bytes) -> Hello:
    """The greeting in a message."""
    raw: dict[str, Any] = json.loads(data)
    return Hello(raw["threads"], tuple(raw["layers"]), raw["libraries"], raw["unloaded"])


# --- the memory files ----------------------------------------------------------------------------------------------


def request_file(data: bytes) -> int:
    """A memory file that holds a request; the caller closes it."""
    fd = os.memfd_create("request", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return fd


def read_request(fd: int) -> bytes:
    """The whole request."""
    return os.pread(fd, os.fstat(fd).st_size, 0)


def answer_file() -> int:
    """An empty memory file that takes an answer and can never grow past it; the caller closes it."""
    fd = os.memfd_create("answer", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, _LENGTH_BYTES + ANSWER_BYTES)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    return fd


def write_answer(fd: int, data: bytes) -> None:
    """Put the answer, at most ANSWER_BYTES of it, into its file; the length comes last and makes it whole."""
    position, view = _LENGTH_BYTES, memoryview(data)
    while view:
        written = os.pwrite(fd, view, position)
        position, view = position + written, view[written:]
    os.pwrite(fd, len(data).to_bytes(_LENGTH_BYTES, "little"), 0)


def read_answer(fd: int) -> bytes | None:
    """What the job left as its answer; None when it left nothing or nothing that can be an answer."""
    length = int.from_bytes(os.pread(fd, _LENGTH_BYTES, 0), "little")
    return os.pread(fd, length, _LENGTH_BYTES) if 0 < length <= ANSWER_BYTES else None
