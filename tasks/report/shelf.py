"""How every AIP stood when its report was written: one small file, so that the index reads no report twice.

Kept true by the reports themselves: one whose JSON changed since is read again, one that is gone is left out. Two runs
that write at the same time so lose nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tasks.config.home import Home

NAME = "index.json"


@dataclass(frozen=True, slots=True)
class Shelved:
    """One AIP as its report has it; `written` is ISO 8601 in UTC."""

    aip: str
    batch: str
    version: int
    files: int
    good: int
    needing: int
    waiting: int
    alarm: bool
    written: str
    worst: str  # the ending that stands for all


def shelf(home: Home) -> list[Shelved]:
    """Every AIP that has a report, those written last first. Reads only the reports that changed."""
    before = _before(home.reports / NAME)
    now: dict[str, dict[str, Any]] = {}
    for name, stamp in _there(home.reports).items():
        kept = before.get(name)
        row = kept["row"] if kept and kept["stamp"] == stamp else _row(home.reports / name)
        if row is not None:
            now[name] = {"stamp": stamp, "row": row}
    if now != before:
        write(home.reports / NAME, json.dumps(now, ensure_ascii=False, separators=(",", ":")))
    return sorted((Shelved(**one["row"]) for one in now.values()), key=lambda s: (s.written, s.aip), reverse=True)


def _there(folder: Path) -> dict[str, list[int]]:
    """The reports of AIPs, each with what changes when it is written anew."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, _, ending = entry.name.partition(".")
            if ending == "json" and _is_uuid(stem):
                with contextlib.suppress(FileNotFoundError):
                    stat = entry.stat()
                    found[entry.name] = [stat.st_mtime_ns, stat.st_size, stat.st_ino]
    return found


def _before(path: Path) -> Mapping[str, Any]:
    """What was kept; nothing when it cannot be used, which only costs time."""
    keys = {f.name for f in fields(Shelved)}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: one for name, one in found.items() if set(one["row"]) == keys and one["stamp"]}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _row(path: Path) -> dict[str, Any] | None:
    """What the index needs of one report; None for what is not one."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        ended = told["ended"]
        return asdict(
            Shelved(
                aip=str(uuid.UUID(told["aip"])),
                batch=str(told["batch"]),
                version=int(told["version"]),
                files=int(told["files"]),
                good=int(ended["done"]) + int(ended["kept"]),
                needing=int(ended["held"]) + int(ended["failed"]),
                waiting=int(ended["waiting"]),
                alarm=bool(told["alarm"]),
                written=str(told["written"]),
                worst=str(told["worst"]),
            )
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write(path: Path, text: str) -> None:
    """Let a file appear whole, or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
