"""A process that takes a batch in, or finds it busy: `taker.py <home> <batch> <pause s>`.

It says the version, or `busy`.
"""

from __future__ import annotations

import sys
import time
import uuid
from pathlib import Path

from tasks.aip.mend import mend
from tasks.config.home import Home
from tasks.sip.batch import batch
from tasks.sip.ingest import take_in
from tasks.sip.taking import Ingested
from tasks.store.ocfl import Store


def main(root: str, path: str, pause_s: str) -> None:
    """As a run does it: mend what others left, take."""
    home, run, one = Home(Path(root)).prepare(), uuid.uuid4(), batch(Path(path))
    print("ready", flush=True)
    sys.stdin.readline()
    time.sleep(float(pause_s))
    store = Store(home.store)
    mend(home, store, run)
    (done,) = take_in(one, home, store, run)
    said = done.version if isinstance(done, Ingested) else "busy" if done.code == "store-busy" else done.why
    print(said, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
