"""The sandbox that every zygote and every resident program lives in: the argument list of bubblewrap(1).

What is inside: the system's programs and a few folders of /etc (never passwd or shadow), Python, our own `tasks`
folder, all read-only; an empty network; own processes, own /dev, /proc and /tmp. Nothing else of the host exists
there unless the caller names it.

bubblewrap's `--die-with-parent` is not used, because it watches the *thread* that started it. Whoever lives inside
must end by itself when the pidfd of our process, or its socket to us, says that we are gone.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tasks.premis.model import Trouble
from tasks.tools.footing import Footing, footing

CODE = Path(__file__).resolve().parents[1]
"""The `tasks` folder, the only part of the checkout that is seen inside."""

ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "OMP_THREAD_LIMIT": "1",  # else tesseract is many times slower on a busy machine
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",  # a zygote that forks must have one thread
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",  # the same file gives the same product
}
"""The whole environment of everything that runs inside, but for HOME and TMPDIR."""

_SYSTEM_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_LINKS = ("/bin", "/sbin", "/lib", "/lib64")
_ETC = (
    "alternatives", "fonts", "ghostscript", "java*", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "libreoffice",
    "localtime", "mime.types", "papersize", "xdg",
)  # fmt: skip
_VAR = ("cache/fontconfig", "lib/ghostscript", "lib/libreoffice")
_NAMESPACES = ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
_TMP_BYTES = 1 << 30


def command(
    *,
    read: Sequence[Path] = (),
    read_at: Mapping[str, Path] | None = None,
    write: Mapping[str, Path] | None = None,
    capabilities: Sequence[str] = (),
    folders: Sequence[str] = (),
    proc: str = "/proc",
    chdir: str | None = None,
) -> list[str]:
    """The argument list of bubblewrap, up to the program to start (which becomes pid 1 inside).

    `read`: more host paths, seen read-only under their own names. `read_at`: path inside -> host folder, read-only.
    `write`: path inside -> host folder, writable. `capabilities`: kept by the program, all others are dropped.
    `folders`: empty folders, to be mounted upon. `proc`: where the processes are shown; /proc leads there.
    Raises Trouble("no-sandbox") without bubblewrap.
    """
    program = shutil.which("bwrap")
    if program is None:
        raise Trouble("no-sandbox", bubblewrap="missing", landlock="not tried")
    argv = [program, *_namespaces(), "--new-session", "--as-pid-1", "--hostname", "job", "--cap-drop", "ALL"]
    for capability in capabilities:
        argv += ["--cap-add", capability]
    argv += ["--dev", "/dev", "--perms", "1777", "--size", str(_TMP_BYTES), "--tmpfs", "/tmp"]  # noqa: S108
    argv += _system()
    for path in _outermost([*_names(code_paths()), *_names(read)]):
        argv += [*_reach(path), "--ro-bind", str(path), str(path)]
    for option, shown in (("--ro-bind", read_at), ("--bind", write)):
        for inside, outside in (shown or {}).items():
            argv += [*_reach(Path(inside)), option, str(outside), inside]
    for folder in folders:
        argv += [*_reach(Path(folder)), "--perms", "0755", "--dir", folder]
    argv += [*_reach(Path(proc)), "--proc", proc, *([] if proc == "/proc" else ["--symlink", proc, "/proc"])]
    argv += ["--remount-ro", "/"]
    return argv + (["--chdir", chdir] if chdir else [])


def code_paths() -> tuple[Path, ...]:
    """Our own code and the Python that runs it: all that must be seen inside besides the system.

    A virtual environment's `python` is mostly a link to another Python, whose standard library is needed too.
    """
    python = Path(sys.executable).resolve().parent
    return (CODE, Path(sys.prefix), Path(sys.base_prefix), Path(os.__file__).resolve().parent, python)


def system_paths() -> tuple[Path, ...]:
    """The system's read-only paths that exist inside, for rules that name what may be read."""
    etc = (path for name in _ETC for path in sorted(Path("/etc").glob(name)))
    var = (Path("/var", name) for name in _VAR)
    return (Path("/usr"), *etc, *(path for path in var if path.exists()))


def readable() -> tuple[str, ...]:
    """What a job reads besides its own files, for Landlock: the system, our code and the Python that runs it.

    No device is among it: in the box /dev is the job's own, elsewhere it has the machine's disks.
    """
    system = (str(path) for path in system_paths())
    code = (str(name) for path in code_paths() for name in (path.absolute(), path.resolve()))
    return (*system, *_LINKS, *code)


def _namespaces() -> list[str]:
    # A user namespace knows no uid besides 0, so root keeps out of one in order to take a plain uid later. The
    # others are 0 in theirs: with any other uid bubblewrap nests a second one, in which mounting is forbidden.
    if footing() is Footing.ROOT:
        return list(_NAMESPACES)
    return ["--unshare-user", *_NAMESPACES, "--uid", "0", "--gid", "0"]


def _system() -> list[str]:
    argv: list[str] = []
    for path in system_paths():
        argv += [*_reach(path), "--ro-bind", str(path), str(path)]
    for name in _SYSTEM_LINKS:
        path = Path("/", name)
        if path.is_symlink():
            argv += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            argv += ["--ro-bind", str(path), str(path)]
    return argv


def _reach(path: Path) -> list[str]:
    # bubblewrap makes missing parents with mode 0700, and a plain uid could not walk to what is bound below them.
    argv: list[str] = []
    for parent in reversed(path.parents[:-1]):
        if parent not in (Path("/usr"), Path("/tmp"), Path("/proc"), Path("/dev")):  # noqa: S108
            argv += ["--perms", "0755", "--dir", str(parent)]
    return argv


def _names(paths: Iterable[Path]) -> list[Path]:
    # A path may be asked for by its own name or by the name behind its links.
    return [name for path in paths for name in (path.absolute(), path.resolve())]


def _outermost(paths: Iterable[Path]) -> list[Path]:
    kept: list[Path] = []
    for path in sorted(set(paths), key=lambda p: len(p.parts)):
        if not any(path.is_relative_to(above) for above in (*kept, Path("/usr"))):
            kept.append(path)
    return kept
