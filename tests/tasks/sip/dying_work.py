"""A process whose disk fails where an archive is unpacked, and nowhere else: `dying_work.py <home> <archive>`.

The jobs' folder is an ext4 in a mount namespace of its own, shut down as xfstests do once the first bytes of a file are
unpacked. Says in JSON how the run ends and how many events the log has then. Ends with 77 where nothing can be mounted.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

from tasks.config.home import Home
from tasks.premis import log
from tasks.report.stops import stop
from tasks.sip.batch import batch
from tasks.sip.ingest import take_in
from tasks.store.ocfl import Store

_SHUTDOWN, _NO_FLUSH = 0x8004587D, 2


def die(folder: Path) -> None:
    """Shut the file system down once a job writes."""
    while not any(path.stat().st_size for path in folder.rglob("out/0")):
        time.sleep(0.005)
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_FLUSH))
    os.close(descriptor)


def main(root: str, archive: str) -> None:
    """Deliver it."""
    home, image = Home(Path(root)).prepare(), Path(root) / "disk"
    with image.open("wb") as file:
        file.truncate(2 << 30)
    jobs = home.work / "jobs"
    jobs.mkdir()
    for command in (["mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, jobs]):
        if subprocess.run(command, check=False).returncode:
            sys.exit(77)
    threading.Thread(target=die, args=(jobs,), daemon=True).start()
    try:
        (done,) = take_in(batch(Path(archive)), home, Store(home.store), uuid.uuid4())
        said = ["the batch's", getattr(done, "code", "taken")]
    except Exception as error:
        why = stop(error, home)
        said = [why.code, why.detail.get("folder", "")]
    print(json.dumps([*said, len(list(log.read(home.log)))]))
    sys.stdout.flush()
    os._exit(0)  # the door cannot remove its folders


if __name__ == "__main__":
    main(*sys.argv[1:])
