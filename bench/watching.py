"""What a run does to memory and to the UI, sampled while it goes on."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SAMPLE_S = 0.2
UI_S = 2.0


def ask(api: str, path: str, body: object | None = None) -> Any:
    """One answer of the server: JSON, or the bytes of a page."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Accept": "text/html"} if path.startswith("/runs/") else {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{api}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        content = answer.read()
    return json.loads(content) if answer.headers.get_content_type() == "application/json" else content


class Watch:
    """Memory of one process, and the answers of the UI, sampled while a run goes on."""

    def __init__(self, pid: int, api: str) -> None:
        self.pid, self.api = pid, api
        self.rss_kb = self.pss_kb = 0
        self.answers: dict[str, list[float]] = defaultdict(list)
        self.failed = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=t, daemon=True) for t in (self._memory, self._ui)]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Sample until the block is left."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()

    def _memory(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self.rss_kb = max(self.rss_kb, _kb(f"/proc/{self.pid}/status", "VmHWM"))
            self.pss_kb = max(self.pss_kb, _kb(f"/proc/{self.pid}/smaps_rollup", "Pss"))

    def _ui(self) -> None:
        while not self._over.wait(UI_S):
            try:
                self._pages()
            except OSError:
                self.failed += 1

    def _pages(self) -> None:
        newest = {"sort": "START_TIME_DESC", "limit": 1}
        found = ask(self.api, "/flow_runs/filter", newest)
        if not found:
            return
        run = found[0]["id"]
        only = {"flow_runs": {"id": {"any_": [run]}}}
        asked: list[tuple[str, str, object | None]] = [
            ("run", f"/flow_runs/{run}", None),
            ("artifacts", "/artifacts/filter", {**only, "limit": 200}),
            ("task runs", "/task_runs/filter", {**only, "limit": 200}),
            ("logs", "/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}, "limit": 200}),
            ("page", f"/../runs/flow-run/{run}", None),
        ]
        for name, path, body in asked:
            began = time.monotonic()
            base = self.api.removesuffix("/api") if path.startswith("/../") else self.api
            ask(base, path.removeprefix("/.."), body)
            self.answers[name].append((time.monotonic() - began) * 1000)


def _kb(path: str, name: str) -> int:
    try:
        text = Path(path).read_text()
    except OSError:
        return 0
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) if found else 0
