"""A process in a mount namespace of its own whose inbox lies on a disk that dies: `dying_disk.py <home> <archive>`.

The disk is a file system in user space (FUSE) with one file, the archive's bytes. As long as `<archive>.dead` exists,
it gives none of the bytes between the two numbers in it. Says in JSON what became of the delivery while the
disk was dead, in the night after that, and once it was mended. Ends with 77 where nothing can be mounted.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import stat
import struct
import sys
import threading
import uuid
from pathlib import Path

from tasks.config.home import Home
from tasks.sip.batch import batch
from tasks.sip.ingest import take_in
from tasks.sip.refusal import Refused
from tasks.store.ocfl import Store
from tasks.tools import shared

_ROOT, _FILE = 1, 2
_LOOKUP, _GETATTR, _OPEN, _READ, _RELEASE, _FLUSH, _INIT, _FORGET, _BATCH_FORGET = 1, 3, 14, 15, 18, 25, 26, 2, 42


def mount(folder: Path) -> int:
    """The descriptor of a new file system at a folder."""
    fuse = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fuse},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()},allow_other".encode()
    if ctypes.CDLL(None).mount(b"dying", os.fsencode(folder), b"fuse", 0, options):
        raise OSError("it cannot be mounted")
    return fuse


def serve(fuse: int, backing: Path, dead: Path) -> None:
    """Answer the kernel until the end of the process."""
    size, now = backing.stat().st_size, int(backing.stat().st_mtime)

    def told(node: int) -> bytes:
        mode = stat.S_IFDIR | 0o755 if node == _ROOT else stat.S_IFREG | 0o444
        return struct.pack("<6Q10I", node, size, 0, now, now, now, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def answer(kind: int, node: int, body: bytes) -> bytes | int:
        if kind == _INIT:
            return struct.pack("<IIIIHHIIHHI7I", 7, 31, 1 << 17, 0, 12, 9, 1 << 17, 1, 0, 0, 0, *[0] * 7)
        if kind == _LOOKUP:
            named = body.rstrip(b"\0") == os.fsencode(backing.name)
            return struct.pack("<4Q2I", _FILE, 0, 0, 0, 0, 0) + told(_FILE) if named else -errno.ENOENT
        if kind == _GETATTR:
            return struct.pack("<QII", 0, 0, 0) + told(node)
        if kind == _OPEN:
            return struct.pack("<QII", 0, 1, 0)  # nothing is kept in the cache of pages
        if kind == _READ:
            _, at, count = struct.unpack_from("<QQI", body)
            if dead.exists():
                first, last = map(int, dead.read_text().split())
                if at + count > first and at < last:
                    return -errno.EIO
            with backing.open("rb") as file:
                file.seek(at)
                return file.read(count)
        return b"" if kind in (_RELEASE, _FLUSH) else -errno.ENOSYS

    while True:
        asked = os.read(fuse, 1 << 18)
        _, kind, number, node = struct.unpack_from("<IIQQ", asked)
        if kind not in (_FORGET, _BATCH_FORGET):
            said = answer(kind, node, asked[40:])
            code, data = (said, b"") if isinstance(said, int) else (0, said)
            os.write(fuse, struct.pack("<IiQ", 16 + len(data), code, number) + data)


def main(root: str, archive: str) -> None:
    """Deliver it three times."""
    home, backing = Home(Path(root)).prepare(), Path(archive)
    dead = backing.with_name(f"{backing.name}.dead")
    try:
        fuse = mount(home.inbox)
    except OSError:
        sys.exit(77)
    threading.Thread(target=serve, args=(fuse, backing, dead), daemon=True).start()
    store, said = Store(home.store), []
    for night in (False, True, True):
        if len(said) == 2:
            dead.unlink()
        (done,) = take_in(batch(home.inbox / backing.name), home, store, uuid.uuid4(), night=night)
        said.append([done.code, done.why] if isinstance(done, Refused) else ["", str(done.files)])
    shared.close()
    print(json.dumps(said))
    sys.stdout.flush()
    os._exit(0)  # the thread waits in the kernel


if __name__ == "__main__":
    main(*sys.argv[1:])
