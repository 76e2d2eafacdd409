"""Which system calls a sealed process may make, as programs for the kernel's filter: seccomp(2), bpf(4).

The numbers are those of the kernel's own unistd.h tables.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Container, Iterable

_Row = tuple[str, int | None, int | None]

_CLONE_ANY_NAMESPACE = 0x7E020000  # mount, cgroup, uts, ipc, user, pid, net
_CLONE_PARENT = 0x8000  # a child of our parent, which does not expect it
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_X32_BIT = 0x40000000

# Refused with EPERM: (name, number on x86_64, number on aarch64). None: does not exist there.
_REFUSED: tuple[_Row, ...] = (
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
_OF_OTHERS_IPC: list[_Row] = [
    ("shmat", 30, 196), ("shmctl", 31, 195), ("semop", 65, 193), ("semtimedop", 220, 192), ("semctl", 66, 191),
    ("msgsnd", 69, 189), ("msgrcv", 70, 188), ("msgctl", 71, 187), ("mq_unlink", 241, 181),
    ("inotify_init", 253, None), ("inotify_init1", 294, 26), ("inotify_add_watch", 254, 27),
    ("mknod", 133, None), ("mknodat", 259, 33),
]  # fmt: skip
# Refused for any process but the own one, where others have the same uid.
_OF_OTHERS: tuple[_Row, ...] = (
    ("prlimit64", 302, 261), ("sched_setaffinity", 203, 122), ("sched_setparam", 142, 118),
    ("sched_setscheduler", 144, 119), ("sched_setattr", 314, 274),
)  # fmt: skip
# Refused there altogether: whom they are about stands in an argument that means different things.
_PRIORITIES: list[_Row] = [("setpriority", 141, 140), ("ioprio_set", 251, 30)]
# Answered as if the file system had none: Landlock does not guard them, and they may hold as much as a file.
_READ_ATTRIBUTES: tuple[_Row, ...] = (
    ("getxattr", 191, 8), ("lgetxattr", 192, 9), ("fgetxattr", 193, 10), ("getxattrat", 464, 464),
    ("listxattr", 194, 11), ("llistxattr", 195, 12), ("flistxattr", 196, 13), ("listxattrat", 465, 465),
)  # fmt: skip
# Answered with success and not done, where the files of others can be named: Landlock does not guard a file's
# attributes, and those of a job's own files do not matter to anybody.
_ATTRIBUTES: tuple[_Row, ...] = (
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

_RET_ALLOW, _RET_ERRNO, _RET_KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _RETURN, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT = 0x20, 0x06, 0x15, 0x35, 0x45
_AND, _SHIFT_RIGHT = 0x54, 0x74
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24  # offsets in struct seccomp_data


def sealing(machine: str, *, boxed: bool = True, own_uid: bool = True, local: Container[str] = ()) -> bytes | None:
    """The filter for kernel.seccomp() on `machine` (as uname says); None where we have no table of its system calls.

    `boxed`: whether namespaces keep the ipc and the files of others out of reach. `own_uid`: whether no process outside
    has the uid that is sealed. `local`: which of "socket" and "socketpair" may be used, for streams that reach no other
    machine (a datagram could name any socket's file).
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
        program += [
            *_if_of_files(ioctl, refuse),
            *_by_first(prctl, _PR_SET_DUMPABLE, then=refuse, otherwise=_RET_ALLOW),
        ]
    for number in _numbers(machine, [] if own_uid else _OF_OTHERS):
        program += _by_first(number, 0, then=_RET_ALLOW, otherwise=refuse)
    for number in _numbers(machine, [row for row in _REFUSED if row[0] in local]):
        program += _unless_local_stream(number, refuse)
    # clone3 hides its flags in memory, which a filter cannot read; ENOSYS makes the C library fall back to clone.
    program += _when(_IF_EQUAL, _CLONE3, then=_RET_ERRNO | errno.ENOSYS)
    program += _when(_IF_EQUAL, _CLONE[machine], then=None, otherwise=_RET_ALLOW)
    program += [_step(_LOAD, _FIRST_ARGUMENT), *_when(_IF_ANY_BIT, _CLONE_ANY_NAMESPACE | _CLONE_PARENT, then=refuse)]
    program.append(_step(_RETURN, _RET_ALLOW))
    return b"".join(program)


def without_connect(machine: str) -> bytes | None:
    """A filter that refuses to reach any socket, for a program that others reach; None as sealing()."""
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


def _step(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, when_true, when_false, value)


def _numbers(machine: str, rows: Iterable[_Row]) -> list[int]:
    numbers = (x86_64 if machine == "x86_64" else aarch64 for _, x86_64, aarch64 in rows)
    return [number for number in numbers if number is not None]


def _by_first(number: int, value: int, *, then: int, otherwise: int) -> list[bytes]:
    # For this system call alone: what becomes of it by its first argument (the lower half of it).
    return [
        _step(_IF_EQUAL, number, 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_IF_EQUAL, value, 0, 1),
        _step(_RETURN, then),
        _step(_RETURN, otherwise),
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
