"""Verification against plain `sha512sum` on the same store: bytes a second, in turns, and that nothing is accused.

    .venv/bin/python bench/verify.py [--files 20000] [--rounds 5] [--json]

The store is made by seed through the real stage and commit: most files small, some large. Both sides find their bytes
in the kernel's memory or not alike: `sha512sum` runs first and last in turns.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from tasks.store.fixity import verify_object
from tasks.store.ocfl import Store

EACH = 5000
LEAST = 0.8
"""The exit code is 1 when our bytes a second are less than this share of sha512sum's."""


def made(root: Path, files: int, seed: int) -> tuple[Store, list[uuid.UUID]]:
    """A store of so many files, at most 5,000 in an AIP: a log-uniform size from 100 bytes to 4 MB."""
    store, chance, aips = Store(root / "store"), random.Random(seed), []
    for first in range(0, files, EACH):
        aip = uuid.UUID(int=chance.getrandbits(128), version=4)
        stage = store.stage(aip, uuid.uuid4())
        for number in range(first, min(files, first + EACH)):
            size = int(10 ** chance.uniform(2, 4.5 if number % 50 else 6.6))
            stage.put_bytes(chance.randbytes(size), f"originals/{number:06d}", durable=False)
        now = datetime.now(UTC)
        store.commit(aip, stage, expected_head=0, message="bench", user=("bench", "urn:bench"), created=now)
        aips.append(aip)
    return store, aips


def ours(store: Store, aips: list[uuid.UUID]) -> tuple[float, int]:
    """Seconds and bytes of one verification of everything. Ends the bench when a sound file is accused."""
    began = time.perf_counter()
    read = 0
    for aip in aips:
        found = verify_object(store, aip)
        if found:
            raise SystemExit(f"a sound store was accused: {found.faults[:3]}")
        read += found.bytes
    return time.perf_counter() - began, read


def plain(store: Store) -> float:
    """Seconds of sha512sum over every file of the store."""
    began = time.perf_counter()
    find = ["find", str(store.ocfl), "-type", "f", "-exec", "sha512sum", "{}", "+"]
    subprocess.run(find, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> int:
    """Make the store, take the rounds, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store, aips = made(Path(folder), given.files, given.seed)
        whole = sum(p.stat().st_size for p in store.ocfl.rglob("*") if p.is_file())
        rounds = []
        for number in range(given.rounds):
            if number % 2:
                (seconds, read), other = ours(store, aips), plain(store)
            else:
                other, (seconds, read) = plain(store), ours(store, aips)
            rounds.append({"ours_s": seconds, "plain_s": other, "ratio": (read / seconds) / (whole / other)})
    ratio = statistics.median(r["ratio"] for r in rounds)
    told = {"files": given.files, "bytes": read, "accused": 0, "ratio": round(ratio, 2), "rounds": rounds}
    if given.json:
        print(json.dumps(told, indent=1))
        return int(ratio < LEAST)
    for one in rounds:
        print(f"verify {one['ours_s']:6.2f} s   sha512sum {one['plain_s']:6.2f} s   ratio {one['ratio']:.2f}")
    print(f"{given.files:,} files, {read / 1e6:,.0f} MB, nothing accused; bytes a second, median ratio: {ratio:.2f}")
    return int(ratio < LEAST)


if __name__ == "__main__":
    sys.exit(main())
