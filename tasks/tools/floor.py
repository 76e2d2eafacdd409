"""Which sandbox this machine gives: bubblewrap's, or a fence of Landlock, seccomp and limits where that may not work.

The fence hides less (docs/operate.md says what), so it is taken only where bubblewrap is missing or forbidden, as in
many containers; and where even the fence would let a job reach others, no run begins.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from enum import Enum
from functools import cache

from tasks.premis.model import Trouble
from tasks.tools import bubblewrap, kernel, seccomp
from tasks.tools.footing import Footing, footing, takes_plain_uid

_PATIENCE_S = 30.0


class Floor(Enum):
    """What holds a job."""

    BUBBLEWRAP = "bubblewrap"
    LANDLOCK = "Landlock"

    def takes_plain_uid(self) -> bool:
        """Whether whoever lives inside leaves root for a plain uid; only then does PLAIN_UID own anything."""
        if self is Floor.BUBBLEWRAP:
            return footing() is Footing.ROOT
        return takes_plain_uid()


def found() -> Floor:
    """The best that this machine gives, tried for real. Raises Trouble("no-sandbox"), which says why none works."""
    return _found(shutil.which("bwrap"))


@cache
def _found(program: str | None) -> Floor:
    refusal = _of_bubblewrap() if program else "not installed"
    if not refusal:
        return Floor.BUBBLEWRAP
    lack = _of_landlock()
    if lack:
        raise Trouble("no-sandbox", bubblewrap=refusal, landlock=lack)
    return Floor.LANDLOCK


def _of_bubblewrap() -> str:
    """Why bubblewrap makes no sandbox here; "" when it does."""
    try:
        done = subprocess.run(
            [*bubblewrap.command(), "/bin/true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            env=dict(bubblewrap.ENVIRONMENT),
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return f"no end within {_PATIENCE_S:g} s"
    except OSError as problem:
        return problem.strerror or str(problem)
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return "" if done.returncode == 0 else lines[-1][:200] if lines else f"exit code {done.returncode}"


def _of_landlock() -> str:
    """Why Landlock and seccomp would not hold a job here; "" when they would."""
    abi = kernel.landlock_abi()
    if not abi:
        return "not in this kernel, or not allowed here"
    if seccomp.sealing(os.uname().machine) is None:
        return f"no table of system calls for {os.uname().machine}"
    if abi < kernel.SCOPING_ABI and not Floor.LANDLOCK.takes_plain_uid():
        return (
            f"version {abi} does not keep signals in; without root, version {kernel.SCOPING_ABI} (Linux 6.12) is needed"
        )
    return ""
