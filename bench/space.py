"""What a run writes for each byte it was given: `.venv/bin/python bench/space.py HOME`, after a run in that home.

The figures stand in `tasks/aip/space.py`. By ending of the original: bytes of masters and transcripts for each of its
bytes over all of them, and the most that one of them made. Then bytes of log and inodes of the store for each original.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path, PurePosixPath

from tasks.config.home import Home
from tasks.premis import log


def main() -> None:
    """Print a table in Markdown."""
    home = Home(Path(sys.argv[1]).absolute())
    sizes: dict[str, int] = {}
    made: dict[str, int] = defaultdict(int)
    for e in log.read(home.log):
        if e.source and e.source.size:
            sizes[e.source.path] = e.source.size
        if e.ending is not None and e.source:
            made[e.source.path] += sum(o.size for o in e.objects if o.role == "outcome")
    groups: dict[str, list[str]] = defaultdict(list)
    for path in sizes:
        if path.startswith("originals/"):
            groups[PurePosixPath(path).suffix.lower()].append(path)
    print("| ending | files | MB given | made for each byte | most of one file | most bytes of one |")
    print("|---|--:|--:|--:|--:|--:|")
    for ending, paths in sorted(groups.items(), key=lambda g: -len(g[1])):
        given, out = sum(sizes[p] for p in paths), sum(made[p] for p in paths)
        most, largest = max(made[p] / sizes[p] for p in paths), max(made[p] for p in paths)
        print(f"| {ending} | {len(paths)} | {given / 1e6:.1f} | {out / given:.2f} | {most:.2f} | {largest:,} |")
    count = sum(map(len, groups.values()))
    files = [p for p in home.log.rglob("*") if p.is_file()]
    written, inodes = sum(p.stat().st_size for p in files), sum(1 for _ in home.store.rglob("*"))
    print(f"\n{count} originals; log {written / count:,.0f} bytes each, {len(files)} files;")
    print(f"store {inodes / count:.2f} inodes each")


if __name__ == "__main__":
    main()
