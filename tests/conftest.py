"""The order of the tests: those that start servers come first on every worker, so that none is left over at the end."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice

import pytest

STACKS = ("tests/flows/", "tests/test_")
SECONDS = {"test_full.py": 120, "test_kills.py": 60, "test_up.py": 40}
"""What one test of a module takes about, where it is more than most."""
USUALLY_S = 25


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One share for each worker, as xdist cuts the list: some modules of long tests, then its part of the others."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers == 1:
        return
    modules: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("slow") and item.nodeid.startswith(STACKS):
            modules[item.path.name].append(item)  # together, since they share fixtures
    shares: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for module in sorted(modules.values(), key=_seconds, reverse=True):
        min(shares, key=_seconds).extend(module)
    long = {item for share in shares for item in share}
    others = iter([item for item in items if item not in long])
    left = len(items)
    for number, share in enumerate(shares):
        size = left // (workers - number)
        share.extend(islice(others, max(0, size - len(share))))
        left -= len(share)
    items[:] = [item for share in shares for item in share]


def _seconds(tests: list[pytest.Item]) -> int:
    return sum(SECONDS.get(test.path.name, USUALLY_S) for test in tests)
