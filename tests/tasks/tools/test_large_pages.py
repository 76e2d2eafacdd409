"""Memory in large pages, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SAME = """
import random
from pathlib import Path
from tasks.tools import kernel
kept = random.Random(1).randbytes(16 << 20)
print(kernel.use_large_pages(), kept == random.Random(1).randbytes(16 << 20))
print(next(l for l in Path("/proc/self/smaps_rollup").read_text().splitlines() if l.startswith("AnonHuge")).split()[1])
"""
LARGE = 2 << 20
OF = """
import sys
from pathlib import Path
from tasks.tools import kernel
print(kernel.use_large_pages(Path(sys.argv[1])))
"""


def test_memory_in_large_pages_is_the_same_and_the_kernel_says_how_much_there_is() -> None:
    done = subprocess.run([sys.executable, "-c", SAME], capture_output=True, text=True, check=True)
    said, same, kernels = done.stdout.split()
    assert same == "True"
    assert int(said) % LARGE == 0
    # Where a kernel cannot do it, neither has any.
    assert (int(said) >= 8 << 20) == (int(kernels) >= 8 << 10)


def test_what_cannot_be_put_into_large_pages_is_left_as_it_is(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.write_text(
        "7f0000000000-7f0000400000 rw-p 00000000 00:00 0 \n"  # nothing is there
        "7f0000800000-7f0000c00000 r--p 00000000 00:00 0 \n"
        "7f0000800000-7f0000c00000 rw-p 00000000 08:01 12 /usr/lib/some library.so\n"
    )
    done = subprocess.run([sys.executable, "-c", OF, str(maps)], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
