"""With which rights we were started, and the uids that whoever lives in a sandbox takes."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import stat
from enum import Enum
from functools import cache
from pathlib import Path

from tasks.premis.model import Trouble

PLAIN_UID = 64200
"""The uid (and gid) of residents when started as root; sealed jobs take the ones above it, one for each zygote.

From the range of systemd's DynamicUser=, so that no account of the machine owns it.
"""

CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_KILL = 0, 1, 2, 3, 5
CAP_SETGID, CAP_SETUID, CAP_SETPCAP = 6, 7, 8
CAP_SYS_PTRACE, CAP_SYS_ADMIN = 19, 21
_LAST_UID = 65000


class Footing(Enum):
    """With which rights we were started; it decides which namespaces bubblewrap's sandbox is made of."""

    ROOT = "root"
    USER = "ordinary user"
    BARE_ROOT = "root without CAP_SYS_ADMIN, or without other users"


@cache
def footing() -> Footing:
    """How this process was started."""
    if os.geteuid() != 0:
        return Footing.USER
    return Footing.ROOT if may(CAP_SYS_ADMIN) and _has_plain_uids() else Footing.BARE_ROOT


def takes_plain_uid() -> bool:
    """Whether we may be others, and give files to them and take them back, without any namespace."""
    rights = (CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_KILL, CAP_SETGID, CAP_SETUID)
    return os.geteuid() == 0 and may(*rights) and _has_plain_uids()


def _has_plain_uids() -> bool:
    """Whether the plain uids and gids exist here: a user namespace may have root alone (user_namespaces(7))."""
    return all(_mapped(Path(f"/proc/self/{kind}_map").read_text(encoding="ascii")) for kind in ("uid", "gid"))


def _mapped(table: str) -> bool:
    ranges = [(int(first), int(count)) for first, _, count in map(str.split, table.splitlines())]
    return any(first <= PLAIN_UID and first + count > _LAST_UID for first, count in ranges)


def may(*capabilities: int) -> bool:
    """Whether this process holds all these capabilities."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    effective = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), 16)
    return all(effective >> capability & 1 for capability in capabilities)


def open_to_all(path: Path) -> bool:
    """Whether whoever it is may read this file or folder, and walk to it."""
    path = path.resolve()
    walked = all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)
    return walked and bool(path.stat().st_mode & stat.S_IROTH)


def _running_uids() -> frozenset[int]:
    uids = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                uids.add(Path("/proc", name).stat().st_uid)
    return frozenset(uids)


def claim_uid() -> tuple[int, socket.socket]:
    """A uid above PLAIN_UID that no other process of this machine has claimed, and what holds the claim.

    The kernel counts processes by uid, so two jobs with the same one would use up each other's limit. The claim is
    the name of a socket, which the kernel frees when it is closed, at the latest with this process. Another network
    namespace does not see the name, so uids that run something are passed over, and the search begins anywhere.
    """
    taken = _running_uids()
    every = range(PLAIN_UID + 1, _LAST_UID + 1)
    start = secrets.randbelow(len(every))
    for uid in (*every[start:], *every[:start]):
        if uid in taken:
            continue
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0perenne-uid-{uid}")
        except OSError:
            claim.close()
            continue
        return uid, claim
    raise Trouble("tool-missing", tool=f"a uid from {PLAIN_UID} to {_LAST_UID} that is free")
