"""What the Linux kernel offers for sealing a process, called through the C library: no package is needed for it.

Sources: namespaces(7), mount(2), landlock(7), seccomp(2), capabilities(7), and the kernel's own unistd.h tables.
Every function raises OSError when the kernel refuses, except where it says otherwise.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import stat
import struct
from collections.abc import Container, Iterable
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID = 0x00020000, 0x08000000, 0x20000000
_CLONE_ANY_NAMESPACE = 0x7E020000  # mount, cgroup, uts, ipc, user, pid, net
_CLONE_PARENT = 0x8000  # a child of our parent, which does not expect it

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE, _MS_RELATIME = 32, 4096, 16384, 1 << 18, 1 << 21
_KEPT_BY_REMOUNT = {1: MS_RDONLY, 2: MS_NOSUID, 4: MS_NODEV, 8: MS_NOEXEC, 1024: 1024, 2048: 2048, 4096: _MS_RELATIME}

_PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 22, 24, 38, 47
_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP = 28, 1 << 2
_PR_CAP_AMBIENT_RAISE, _PR_CAP_AMBIENT_CLEAR_ALL = 2, 4
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LINUX_CAPABILITY_VERSION_3 = 0x20080522


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

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_X32_BIT = 0x40000000

# Refused with EPERM: (name, number on x86_64, number on aarch64). None: does not exist there.
_REFUSED: tuple[tuple[str, int | None, int | None], ...] = (
    # looking into or steering other processes
    ("ptrace", 101, 117), ("process_vm_readv", 310, 270), ("process_vm_writev", 311, 271), ("kcmp", 312, 272),
    ("pidfd_getfd", 438, 438),
    # namespaces and mounts
    ("unshare", 272, 97), ("setns", 308, 268), ("mount", 165, 40), ("umount2", 166, 39), ("pivot_root", 155, 41),
    ("chroot", 161, 51), ("open_tree", 428, 428), ("move_mount", 429, 429), ("fsopen", 430, 430),
    ("fsconfig", 431, 431), ("fsmount", 432, 432), ("fspick", 433, 433), ("mount_setattr", 442, 442),
    ("name_to_handle_at", 303, 264), ("open_by_handle_at", 304, 265),
    # every network and every socket file
    ("socket", 41, 198), ("socketpair", 53, 199),
    # memory that belongs to no process and so escapes its limits
    ("memfd_create", 319, 279), ("memfd_secret", 447, 447), ("shmget", 29, 194), ("msgget", 68, 186),
    ("semget", 64, 190), ("mq_open", 240, 180),
    # parts of the kernel that no converter needs and that had many holes
    ("bpf", 321, 280), ("perf_event_open", 298, 241), ("userfaultfd", 323, 282), ("io_uring_setup", 425, 425),
    ("io_uring_enter", 426, 426), ("io_uring_register", 427, 427), ("keyctl", 250, 219), ("add_key", 248, 217),
    ("request_key", 249, 218), ("fanotify_init", 300, 262), ("personality", 135, 92), ("modify_ldt", 154, None),
    # the machine itself
    ("init_module", 175, 105), ("finit_module", 313, 273), ("delete_module", 176, 106), ("kexec_load", 246, 104),
    ("kexec_file_load", 320, 294), ("reboot", 169, 142), ("swapon", 167, 224), ("swapoff", 168, 225),
    ("acct", 163, 89), ("quotactl", 179, 60), ("quotactl_fd", 443, 443), ("syslog", 103, 116),
    ("settimeofday", 164, 170), ("clock_settime", 227, 112), ("adjtimex", 159, 171), ("iopl", 172, None),
    ("ioperm", 173, None),
)  # fmt: skip

# Refused besides where the kernel's ipc and the names of files are shared with others.
_OF_OTHERS_IPC: list[tuple[str, int | None, int | None]] = [
    ("shmat", 30, 196), ("shmctl", 31, 195), ("semop", 65, 193), ("semtimedop", 220, 192), ("semctl", 66, 191),
    ("msgsnd", 69, 189), ("msgrcv", 70, 188), ("msgctl", 71, 187), ("mq_unlink", 241, 181),
    ("inotify_init", 253, None), ("inotify_init1", 294, 26), ("inotify_add_watch", 254, 27),
    ("mknod", 133, None), ("mknodat", 259, 33),
]  # fmt: skip
# Refused for any process but the own one, where others have the same uid.
_OF_OTHERS: tuple[tuple[str, int | None, int | None], ...] = (
    ("prlimit64", 302, 261), ("sched_setaffinity", 203, 122), ("sched_setparam", 142, 118),
    ("sched_setscheduler", 144, 119), ("sched_setattr", 314, 274),
)  # fmt: skip
# Refused there altogether: whom they are about stands in an argument that means different things.
_PRIORITIES: list[tuple[str, int | None, int | None]] = [("setpriority", 141, 140), ("ioprio_set", 251, 30)]
# Answered as if the file system had none: Landlock does not guard them, and they may hold as much as a file.
_READ_ATTRIBUTES: tuple[tuple[str, int | None, int | None], ...] = (
    ("getxattr", 191, 8), ("lgetxattr", 192, 9), ("fgetxattr", 193, 10), ("getxattrat", 464, 464),
    ("listxattr", 194, 11), ("llistxattr", 195, 12), ("flistxattr", 196, 13), ("listxattrat", 465, 465),
)  # fmt: skip
# Answered with success and not done, where the files of others can be named: Landlock does not guard a file's
# attributes, and those of a job's own files do not matter to anybody.
_ATTRIBUTES: tuple[tuple[str, int | None, int | None], ...] = (
    ("chmod", 90, None), ("fchmod", 91, 52), ("fchmodat", 268, 53), ("fchmodat2", 452, 452),
    ("chown", 92, None), ("fchown", 93, 55), ("lchown", 94, None), ("fchownat", 260, 54),
    ("utime", 132, None), ("utimes", 235, None), ("futimesat", 261, None), ("utimensat", 280, 88),
    ("setxattr", 188, 5), ("lsetxattr", 189, 6), ("fsetxattr", 190, 7), ("setxattrat", 463, 463),
    ("removexattr", 197, 14), ("lremovexattr", 198, 15), ("fremovexattr", 199, 16), ("removexattrat", 466, 466),
    ("file_setattr", 469, 469),
)  # fmt: skip
_AF_UNIX, _SOCK_STREAM, _SOCKET_TYPES = 1, 1, 0xF
_CONNECT, _IOCTL, _PRCTL = ("connect", 42, 203), ("ioctl", 16, 29), ("prctl", 157, 167)
_PR_SET_DUMPABLE = 4
_OF_FILE_SYSTEMS = (0x66, 0x58, 0x76, 0x94)
"""The kinds of ioctl(2) that change what a file system keeps of a file that is open for reading only."""

_SECCOMP_MODE_FILTER = 2
_RET_ALLOW, _RET_ERRNO, _RET_KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _RETURN, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT = 0x20, 0x06, 0x15, 0x35, 0x45
_AND, _SHIFT_RIGHT = 0x54, 0x74
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24  # offsets in struct seccomp_data


def seccomp_filter(
    machine: str, *, boxed: bool = True, own_uid: bool = True, local: Container[str] = ()
) -> bytes | None:
    """The filter for seccomp() on `machine` (as uname says); None where we have no table of its system calls.

    `boxed`: whether namespaces keep the ipc and the files of others out of reach. `own_uid`: whether no process outside
    has the uid that is sealed. `local`: which of "socket" and
    "socketpair" may be used, for streams that reach no other machine (a datagram could name any socket's file).
    """
    if machine not in _AUDIT_ARCH:
        return None
    refuse = _RET_ERRNO | errno.EPERM
    program = [
        _step(_LOAD, _ARCHITECTURE),
        *_when(_IF_EQUAL, _AUDIT_ARCH[machine], then=None, otherwise=_RET_KILL_PROCESS),
        _step(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        program += _when(_IF_AT_LEAST, _X32_BIT, then=refuse)
    rows = [row for row in _REFUSED if row[0] not in local]
    rows += ([] if boxed else _OF_OTHERS_IPC) + ([] if own_uid else _PRIORITIES)
    for number in _numbers(machine, rows):
        program += _when(_IF_EQUAL, number, then=refuse)
    for number in _numbers(machine, [] if boxed else _ATTRIBUTES):
        program += _when(_IF_EQUAL, number, then=_RET_ERRNO)
    for number in _numbers(machine, [] if boxed else _READ_ATTRIBUTES):
        program += _when(_IF_EQUAL, number, then=_RET_ERRNO | errno.ENOTSUP)
    if not boxed:
        (ioctl,), (prctl,) = _numbers(machine, [_IOCTL]), _numbers(machine, [_PRCTL])
        program += [*_if_of_files(ioctl, refuse), *_if_first_is(prctl, _PR_SET_DUMPABLE, refuse)]
    for number in _numbers(machine, [] if own_uid else _OF_OTHERS):
        program += _unless_first_is(number, 0, refuse)
    for number in _numbers(machine, [row for row in _REFUSED if row[0] in local]):
        program += _unless_local_stream(number, refuse)
    # clone3 hides its flags in memory, which a filter cannot read; ENOSYS makes the C library fall back to clone.
    program += _when(_IF_EQUAL, _CLONE3, then=_RET_ERRNO | errno.ENOSYS)
    program += _when(_IF_EQUAL, _CLONE[machine], then=None, otherwise=_RET_ALLOW)
    program += [_step(_LOAD, _FIRST_ARGUMENT), *_when(_IF_ANY_BIT, _CLONE_ANY_NAMESPACE | _CLONE_PARENT, then=refuse)]
    program.append(_step(_RETURN, _RET_ALLOW))
    return b"".join(program)


def seccomp_without_connect(machine: str) -> bytes | None:
    """A filter that refuses to reach any socket, for a program that others reach; None as seccomp_filter()."""
    if machine not in _AUDIT_ARCH:
        return None
    (connect,) = _numbers(machine, [_CONNECT])
    return b"".join(
        (
            _step(_LOAD, _ARCHITECTURE),
            *_when(_IF_EQUAL, _AUDIT_ARCH[machine], then=None, otherwise=_RET_KILL_PROCESS),
            _step(_LOAD, _NUMBER),
            *_when(_IF_EQUAL, connect, then=_RET_ERRNO | errno.EPERM),
            _step(_RETURN, _RET_ALLOW),
        )
    )


def seccomp(program: bytes) -> None:
    """Put the filter on this process and all its children, for ever. Needs no_new_privileges()."""
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    _call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_char_p(header), 0, 0)


def _step(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, when_true, when_false, value)


def _numbers(machine: str, rows: Iterable[tuple[str, int | None, int | None]]) -> list[int]:
    numbers = (x86_64 if machine == "x86_64" else aarch64 for _, x86_64, aarch64 in rows)
    return [number for number in numbers if number is not None]


def _unless_first_is(number: int, wanted: int, refuse: int) -> list[bytes]:
    # For this system call alone: refused unless its first argument (its lower half) is the wanted one.
    return [
        _step(_IF_EQUAL, number, 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_IF_EQUAL, wanted, 0, 1),
        _step(_RETURN, _RET_ALLOW),
        _step(_RETURN, refuse),
    ]


def _if_first_is(number: int, unwanted: int, refuse: int) -> list[bytes]:
    # For this system call alone: refused when its first argument (its lower half) is the unwanted one.
    return [
        _step(_IF_EQUAL, number, 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_IF_EQUAL, unwanted, 1, 0),
        _step(_RETURN, _RET_ALLOW),
        _step(_RETURN, refuse),
    ]


def _if_of_files(number: int, refuse: int) -> list[bytes]:
    # For ioctl alone: the second byte of its request says what kind of request it is.
    kinds = [_step(_IF_EQUAL, kind, len(_OF_FILE_SYSTEMS) - place, 0) for place, kind in enumerate(_OF_FILE_SYSTEMS)]
    body = [
        _step(_LOAD, _SECOND_ARGUMENT),
        _step(_SHIFT_RIGHT, 8),
        _step(_AND, 0xFF),
        *kinds,
        _step(_RETURN, _RET_ALLOW),
        _step(_RETURN, refuse),
    ]
    return [_step(_IF_EQUAL, number, 0, len(body)), *body]


def _unless_local_stream(number: int, refuse: int) -> list[bytes]:
    return [
        _step(_IF_EQUAL, number, 0, 7),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_IF_EQUAL, _AF_UNIX, 0, 4),
        _step(_LOAD, _SECOND_ARGUMENT),
        _step(_AND, _SOCKET_TYPES),
        _step(_IF_EQUAL, _SOCK_STREAM, 0, 1),
        _step(_RETURN, _RET_ALLOW),
        _step(_RETURN, refuse),
    ]


def _when(test: int, value: int, *, then: int | None, otherwise: int | None = None) -> list[bytes]:
    # Two instructions: a test, and a return that it steps over unless its answer is wanted. None: go on.
    if then is not None:
        return [_step(test, value, 0, 1), _step(_RETURN, then)]
    assert otherwise is not None
    return [_step(test, value, 1, 0), _step(_RETURN, otherwise)]
