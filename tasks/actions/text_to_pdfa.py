"""Plain text to PDF/A-2u by WeasyPrint: every line is found on a page, in Unicode whatever its encoding was.

PUIDs: x-fmt/111 and the other plain texts (`tasks.facts.text`).
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from tasks.actions import Migration
from tasks.premis.model import Measure, Note, Product, Role, Source, Trouble
from tasks.tools.job import Job

VERSION = "1"

MASTER = "out/master.pdf"
PUIDS = {2: "fmt/478", 3: "fmt/481"}
"""PDF/A of level U, by part."""
NAMES = {"tcvn3": "TCVN3", "viscii": "VISCII", "vps": "VPS", "vni": "VNI", "cp1258": "Windows-1258"}
"""Legacy Vietnamese encodings as people call them; these are the ones whose syllables are counted."""
CERTAIN = {"us-ascii", "utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"}
"""Encodings that a file proves by itself."""


def migrate(source: Source, job: Job, /, *, part: Literal[2, 3] = 2) -> Migration:
    """Makes `out/master.pdf`, PDF/A-`part`u, the same bytes for the same source.

    Measures: `pages`, `characters`, `controls` (control characters, drawn as pictures). Notes: `encoding-converted` for
    a legacy Vietnamese text, `encoding-guessed` for any other that does not prove its encoding.
    Raises Trouble `source-empty`, and what the door raises; ValueError when `part` is neither 2 nor 3.
    """
    if part not in PUIDS:
        raise ValueError(f"part must be 2 or 3, not {part!r}")
    if source.file.size == 0:
        raise Trouble("source-empty")
    answer = job.call("tasks.sealed.plain_text:make_pdfa", source.name, MASTER, seed=source.file.sha256, part=part)
    try:
        measures = tuple(Measure(name, str(int(answer[name]))) for name in ("pages", "characters", "controls"))
        notes = _notes(str(answer["encoding"]), answer["share"])
    except (KeyError, TypeError, ValueError, InvalidOperation):
        raise Trouble("tool-crash", tool="WeasyPrint", signal="an answer of another shape") from None
    size, sha256 = job.digest(MASTER)
    return Migration((Product(Role.MASTER, MASTER, PUIDS[part], size, sha256),), notes, measures)


def _notes(encoding: str, share: Any) -> tuple[Note, ...]:
    if encoding in CERTAIN:
        return ()
    if share is None:
        return (Note("encoding-guessed", {"encoding": encoding}),)
    percent = f"{Decimal(share) * 100:.1f}%"
    return (Note("encoding-converted", {"encoding": NAMES.get(encoding, encoding), "share": percent}),)
