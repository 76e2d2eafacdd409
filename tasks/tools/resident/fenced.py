"""The keeper of a resident program where there is no bubblewrap: its warden, and the fence around it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from tasks.tools import bubblewrap, fence, kernel, seal, seccomp, warden
from tasks.tools.box import DEVICES as WRITTEN_DEVICES

WITHOUT_CONNECT = "PERENNE_WITHOUT_CONNECT"
"""The environment's name for a filter of system calls (in hexadecimal digits) that the office's program puts on the
office: others reach its socket, and it reaches none, such as those of the machine's services."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What to start and within what; see Program and Slot. `parent` and `leash` are descriptors."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    uid: int | None
    processes: int
    parent: int
    leash: int
    folder: str
    read: tuple[str, ...]
    sockets: tuple[str, ...]

    def argument(self) -> str:
        """The settings as one word of a command line."""
        return json.dumps(asdict(self))


def main(argument: str) -> NoReturn:
    """Run the program to its end; the exit code is its own, 128 + N when signal N killed it."""
    raw = json.loads(argument)
    settings = Settings(**{**raw, **{name: tuple(raw[name]) for name in ("argv", "read", "sockets")}})
    code = 1
    try:
        leashes = (settings.parent, settings.leash)
        ended = warden.guard(settings.uid, leashes, lambda: _program(settings), _let_go_of_the_pipes)
        _remove_dead_sockets(settings)
        code = 0 if ended.ended_by_us else os.waitstatus_to_exitcode(ended.status)
    except BaseException as problem:
        with contextlib.suppress(OSError):
            os.write(2, f"{type(problem).__name__}: {problem}\n".encode())
    finally:
        os._exit(128 - code if code < 0 else code)


def _program(settings: Settings) -> NoReturn:
    try:
        os.setsid()
        os.chdir(settings.folder)
        read = (*bubblewrap.readable(), *fence.DEVICES, *fence.OF_PROC, *settings.read)
        look = (settings.folder, *fence.own_of_proc())
        ruleset = kernel.landlock_ruleset(read, ("out", "home", *WRITTEN_DEVICES), look=look, sockets=settings.sockets)
        others = 0 if settings.uid is not None else fence.threads_of(os.getuid())
        seal.set_limit(resource.RLIMIT_CORE, 0)
        seal.set_limit(resource.RLIMIT_NPROC, others + settings.processes)
        kept = fence.walks(settings.uid, settings.folder)
        fence.leave(settings.uid, kept)
        program = seccomp.sealing(
            os.uname().machine,
            boxed=False,
            own_uid=settings.uid is not None,
            # A pair is between two ends of its own; Java begins with one.
            local=("socketpair", "socket") if settings.sockets else ("socketpair",),
        )
        seal.finally_forbid(ruleset, program, but=kept)
        silent = seccomp.without_connect(os.uname().machine) if settings.sockets else None
        more = {WITHOUT_CONNECT: silent.hex()} if silent else {}
        seal.close_all_but(())
        os.execve(settings.argv[0], settings.argv, {**settings.environment, **more})
    except BaseException as problem:
        os.write(2, f"{type(problem).__name__}: {problem}\n".encode())
    finally:
        os._exit(127)


def _let_go_of_the_pipes() -> None:
    # Now the program alone holds them, so that its end is their end.
    for fd in (0, 1, 2):
        os.close(fd)


def _remove_dead_sockets(settings: Settings) -> None:
    # The office may make its socket files and, to spare those of others, not remove them.
    alive = Path("/proc/net/unix").read_text(encoding="utf-8", errors="surrogateescape")
    owner = os.getuid() if settings.uid is None else settings.uid
    pattern = "OSL_PIPE_*" if settings.uid is None else "*"  # what a uid of its own has made is all the program's
    for folder in settings.sockets:
        for path in Path(folder).glob(pattern):
            with contextlib.suppress(OSError):
                status = path.lstat()
                if stat.S_ISSOCK(status.st_mode) and status.st_uid == owner and str(path) not in alive:
                    path.unlink()
