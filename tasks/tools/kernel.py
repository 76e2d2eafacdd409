"""What the Linux kernel offers for sealing a process, called through the C library: no package is needed for it.

Sources: namespaces(7), mount(2), landlock(7), seccomp(2), capabilities(7), and the kernel's own unistd.h tables.
Every function raises OSError when the kernel refuses, except where it says otherwise.
"""

from __future__ import annotations

import ctypes
import os
import signal
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID = 0x00020000, 0x08000000, 0x20000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE, _MS_RELATIME = 32, 4096, 16384, 1 << 18, 1 << 21
_KEPT_BY_REMOUNT = {1: MS_RDONLY, 2: MS_NOSUID, 4: MS_NODEV, 8: MS_NOEXEC, 1024: 1024, 2048: 2048, 4096: _MS_RELATIME}

_PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 22, 24, 38, 47
_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP = 28, 1 << 2
_PR_CAP_AMBIENT_RAISE, _PR_CAP_AMBIENT_CLEAR_ALL = 2, 4
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LINUX_CAPABILITY_VERSION_3 = 0x20080522
_MADV_COLLAPSE, _LARGE = 25, 2 << 20


def _call(name: str, *arguments: object) -> int:
    result: int = getattr(_LIBC, name)(*arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


# --- namespaces and mounts -----------------------------------------------------------------------------------------


def unshare(flags: int) -> None:
    """Move this process (for CLONE_NEWPID: its next children) into new namespaces."""
    _call("unshare", flags)


def setns(fd: int, kind: int) -> None:
    """Enter the namespace behind `fd`."""
    _call("setns", fd, kind)


def mount_private() -> None:
    """No mount made from now on is seen by any other namespace."""
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)


def bind(source: str, target: str) -> None:
    """Show `source` (a file or folder) at `target`, with the flags that its mount has."""
    _mount(source, target, None, _MS_BIND)


def remount(target: str, flags: int) -> None:
    """Add `flags` to the mount at `target`; those it has are kept, as a user namespace demands."""
    present = os.statvfs(target).f_flag
    kept = sum(flag for bit, flag in _KEPT_BY_REMOUNT.items() if present & bit and not flags & flag)
    _mount("none", target, None, _MS_REMOUNT | _MS_BIND | flags | kept)


def mount_empty(target: str, size: int, mode: int, flags: int = 0) -> None:
    """Put an empty file system in memory of at most `size` bytes over `target`."""
    _mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV | flags, f"size={size},mode={mode:o}")


def mount_proc(target: str) -> None:
    """Show the processes of this pid namespace, and no others, at `target`, read-only."""
    _mount("proc", target, "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)


def _mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    encoded = kind.encode() if kind else None
    _call("mount", source.encode(), os.fsencode(target), encoded, ctypes.c_ulong(flags), data.encode() or None)


# --- privileges ----------------------------------------------------------------------------------------------------


def no_new_privileges() -> None:
    """No program started from now on gains rights; Landlock and seccomp ask for it."""
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def forbid_capabilities(but: int | None = None) -> None:
    """Empty the bounding and ambient sets, so that no program can have a capability again, `but` for one.

    Needs CAP_SETPCAP.
    """
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text(encoding="ascii"))
    for capability in range(last + 1):
        if capability != but:
            _call("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0)
    _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)


def keep_capabilities() -> None:
    """From now on a change of uid leaves the capabilities as they are, and access(2) counts them. Needs CAP_SETPCAP."""
    _call("prctl", _PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0)


def drop_capabilities(but: int | None = None) -> None:
    """Give up every capability that this process holds, `but` for one, which the programs that it starts have too."""
    header = struct.pack("Ii", _LINUX_CAPABILITY_VERSION_3, 0)
    if but is None:
        _call("capset", header, bytes(24))
        return
    _call("capset", header, struct.pack("IIIIII", *[1 << but] * 3, 0, 0, 0))
    _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, but, 0, 0)


# --- processes -----------------------------------------------------------------------------------------------------


def adopt_orphans() -> None:
    """Whatever loses its parent below this process becomes its child, not that of process 1."""
    _call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """End this process when the thread that made it ends. Forgotten by a change of uid."""
    _call("prctl", _PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


# --- Landlock ------------------------------------------------------------------------------------------------------

_SYS_LANDLOCK_CREATE_RULESET, _SYS_LANDLOCK_ADD_RULE, _SYS_LANDLOCK_RESTRICT_SELF = 444, 445, 446  # on every machine
_LANDLOCK_CREATE_RULESET_VERSION, _LANDLOCK_RULE_PATH_BENEATH = 1, 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_SOCK, _MAKE_BLOCK, _REFER, _TRUNCATE, _IOCTL_DEV = 1 << 6, 1 << 9, 1 << 11, 1 << 13, 1 << 14, 1 << 15
_FIRST_ABI = (1 << 13) - 1
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_BIND_TCP_AND_CONNECT_TCP = 3
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3
SCOPING_ABI = 6
"""The first version of Landlock that keeps signals in."""
TRUNCATING_ABI = 3
"""The first one that keeps files from being cut off."""


def landlock_abi() -> int:
    """The version of Landlock that this kernel offers; 0 for none."""
    version: int = _LIBC.syscall(_SYS_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_CREATE_RULESET_VERSION)
    return max(0, version)


def landlock_ruleset(
    read: Iterable[str], write: Iterable[str], *, look: Iterable[str] = (), sockets: Iterable[str] = ()
) -> int:
    """A ruleset that forbids every file outside `read` and `write`, TCP, and signals to processes outside.

    What lies below `look` is read and never executed. In the folders of `sockets` socket files may be made, and
    nothing else. Returns a descriptor for landlock(). Paths that do not exist are left out, and what the kernel's
    version does not know is not forbidden by it.
    """
    abi = landlock_abi()
    handled = _FIRST_ABI
    handled |= (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0) | (_IOCTL_DEV if abi >= 5 else 0)
    network = _BIND_TCP_AND_CONNECT_TCP if abi >= 4 else 0
    ruleset = _ruleset(handled, network, _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if abi >= SCOPING_ABI else 0)
    for path in read:
        _allow(ruleset, path, _READ)
    for path in look:
        _allow(ruleset, path, _READ & ~_EXECUTE)
    for path in write:
        _allow(ruleset, path, handled & ~(_MAKE_CHAR | _MAKE_BLOCK | _EXECUTE))
    for path in sockets:
        _allow(ruleset, path, _MAKE_SOCK)
    return ruleset


def landlock_scope() -> int:
    """A ruleset that forbids nothing but signals and abstract sockets to processes outside. Needs SCOPING_ABI."""
    return _ruleset(0, 0, _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS)


def landlock_allow(ruleset: int, fd: int) -> None:
    """Let the one file behind `fd` be read; the rule is bound to the file, whatever its name leads to later."""
    rule = struct.pack("=Qi", _READ_FILE, fd)
    _call("syscall", _SYS_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_RULE_PATH_BENEATH, rule, 0)


def _ruleset(files: int, network: int, scoped: int) -> int:
    attributes = struct.pack("QQQ", files, network, scoped)
    return _call("syscall", _SYS_LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)


def landlock(ruleset: int) -> None:
    """Put the ruleset on this process and all its children, for ever. Needs no_new_privileges()."""
    _call("syscall", _SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            access &= _ON_FILES
        rule = struct.pack("=Qi", access, fd)
        _call("syscall", _SYS_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(fd)


# --- seccomp -------------------------------------------------------------------------------------------------------

_SECCOMP_MODE_FILTER = 2


def seccomp(program: bytes) -> None:
    """Put the filter on this process and all its children, for ever. Needs no_new_privileges()."""
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    _call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0)


# --- memory --------------------------------------------------------------------------------------------------------


def use_large_pages(maps: Path = Path("/proc/self/maps")) -> int:
    """Put our own memory into pages of 2 MiB where that can be done; returns how many bytes lie in such pages now.

    A fork copies one entry for each page, so that of a process with large pages takes less: 7 instead of 11 ms of CPU
    for a zygote of ours (madvise(2), MADV_COLLAPSE, since Linux 6.1). What the kernel does not do is left as it is.
    """
    _LIBC.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    done = 0
    for line in maps.read_text(encoding="utf-8", errors="replace").splitlines():
        span, rights, _, _, _, *name = line.split(maxsplit=5)
        if not rights.startswith("rw-p") or name not in ([], ["[heap]"]):
            continue
        first, last = (int(end, 16) for end in span.split("-"))
        start, end = -(-first // _LARGE) * _LARGE, last // _LARGE * _LARGE
        for at in range(start, end, _LARGE):  # one at a time: the kernel gives up at the first that it cannot
            done += _LARGE if _LIBC.madvise(at, _LARGE, _MADV_COLLAPSE) == 0 else 0
    return done
