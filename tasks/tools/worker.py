"""Inside a job: call the one function that was asked for and leave its answer. Everything here may be captured by
hostile bytes; nothing here is believed outside.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.premis.model import Trouble
from tasks.tools import bubblewrap, execute, wire
from tasks.tools.seal import Seal
from tasks.tools.wire import Order

_OUTPUT = {errno.EFBIG, errno.ENOSPC, errno.EDQUOT}
_TEXT = 300


def work(seal: Seal, order: Order, request: int, answer: int) -> None:
    """Give up all rights, then do the job; the answer is {"ok": value} or {"trouble"|"error": ...}."""
    try:
        seal.shut(order)
        asked = json.loads(wire.read_request(request))
        os.close(request)
        _make_home(seal.temporary(order))
        reply = _answered(asked)
    except BaseException as problem:
        reply = explained(problem)
    reply["programs"] = execute.noted()
    wire.write_answer(answer, _encoded(reply))


def explained(problem: BaseException) -> dict[str, Any]:
    """An exception as an answer."""
    if isinstance(problem, Trouble):
        return {"trouble": [problem.code, {k: str(v) for k, v in problem.detail.items()}]}
    for cause in _chain(problem):
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno == errno.ENOMEM):
            return {"error": "memory"}
        if isinstance(cause, OSError) and cause.errno in _OUTPUT:
            return {"error": "output"}
        if isinstance(cause, BlockingIOError):
            return {"error": "processes"}
    return {"error": "exception", "text": f"{type(problem).__name__}: {problem}"[:_TEXT]}


def unreachable() -> list[str]:
    """What a sealed job must reach and cannot: none, or no job will work. Asked when a door opens."""
    needed = (*map(str, bubblewrap.code_paths()), str(Path.cwd()), tempfile.gettempdir())
    return [path for path in needed if not os.access(path, os.R_OK | os.X_OK)]


def _answered(asked: dict[str, Any]) -> dict[str, Any]:
    module, function = asked["function"].split(":")
    return {"ok": getattr(importlib.import_module(module), function)(*asked["args"], **asked["kwargs"])}


def _chain(problem: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = problem
    for _ in range(16):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


def _make_home(temporary: str) -> None:
    os.environ.update(HOME=temporary, TMPDIR=temporary)
    tempfile.tempdir = temporary
    os.umask(0o027)


def _encoded(reply: dict[str, Any]) -> bytes:
    try:
        data = json.dumps(reply, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    except (TypeError, ValueError, RecursionError, MemoryError) as problem:
        data = json.dumps(explained(problem) | {"programs": reply["programs"]}).encode()
    if len(data) > wire.ANSWER_BYTES:
        data = json.dumps({"error": "answer", "programs": reply["programs"]}).encode()
    return data
