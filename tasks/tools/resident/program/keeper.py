"""Process 1 of a resident's sandbox: starts the program, and ends everything when it or our process is gone.

It watches three things: a pidfd of the process that started the sandbox, a leash (a pipe whose other end only that
process holds) and the program itself. When process 1 ends, the kernel kills whatever else lives in the sandbox,
however busy and however many times forked.
"""

import ctypes
import json
import os
import resource
import select
import subprocess
import sys
from typing import Any

PR_SET_DUMPABLE = 4


def main(settings: dict[str, Any]) -> int:
    """Run the program to its end; returns its exit code, 128 + N when signal N killed it."""
    # An ordinary user's program has the keeper's uid: it must not be able to trace the keeper.
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = _within_hard_limit(resource.RLIMIT_NPROC, settings["processes"])
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
    program = subprocess.Popen(settings["argv"], env=settings["environment"], **_plain(settings["uid"]))
    for fd in (0, 1, 2):
        os.close(fd)  # now the program alone holds the pipes, so that its end is their end
    ended = os.pidfd_open(program.pid)
    poll = select.poll()
    for fd in (settings["parent"], settings["leash"], ended):
        poll.register(fd, select.POLLIN)
    if ended not in {fd for fd, _ in poll.poll()}:
        return 0
    code = program.wait()
    return 128 - code if code < 0 else code


def _within_hard_limit(which: int, wanted: int) -> int:
    hard = resource.getrlimit(which)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def _plain(uid: int | None) -> dict[str, Any]:
    return {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}


if __name__ == "__main__":
    os._exit(main(json.loads(sys.argv[1])))
