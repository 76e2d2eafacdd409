"""A process that commits and may be killed: `committer.py <store> <aip> <head> <files> <step> <times>`.

It puts so many files, says that it is ready, commits, and kills itself before the step was reached so many times
(an unknown step: never).
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from tasks.store.ocfl import Store


def main(root: str, aip: str, head: str, files: str, last_step: str, times: str) -> None:
    left = int(times)

    def step(name: str) -> None:
        nonlocal left
        left -= name == last_step
        if name == last_step and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    store = Store(Path(root), step=step)
    stage = store.stage(UUID(aip), UUID(int=int(head)))
    for number in range(int(files)):
        stage.put_bytes(f"{head} {number}".encode(), f"v{head}/{number}", durable=False)
    print("ready", flush=True)
    store.commit(
        UUID(aip),
        stage,
        expected_head=int(head),
        message="test",
        user=("Perenne", "https://example.org/perenne"),
        created=datetime(2026, 11, 24, tzinfo=UTC),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
