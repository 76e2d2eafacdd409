"""Reading PDF objects that may be anything: every accessor answers for a wrong type too, and no walk is recursive."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeGuard

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream, String

PdfObject = Any
"""What pikepdf hands out: an Object, or a Python bool, int or Decimal."""

BROKEN = (pikepdf.PdfError, TypeError, ValueError, IndexError, RuntimeError)
"""What pikepdf raises for content or objects that it cannot make sense of."""
MAX_NUMBER = 1e9
MAX_PARENTS = 64


def is_dictionary(value: PdfObject) -> bool:
    """Says whether a value is a dictionary that is not a stream's."""
    return isinstance(value, Dictionary) and not isinstance(value, Stream)


def is_stream(value: PdfObject) -> TypeGuard[Stream]:
    """Says whether a value is a stream."""
    return isinstance(value, Stream)


def dictionary(holder: PdfObject, key: str) -> PdfObject:
    """Returns the dictionary under `key`, or None."""
    value = holder.get(key) if isinstance(holder, Dictionary | Stream) else None
    return value if is_dictionary(value) else None


def stream(holder: PdfObject, key: str) -> PdfObject:
    """Returns the stream under `key`, or None."""
    value = holder.get(key) if isinstance(holder, Dictionary | Stream) else None
    return value if is_stream(value) else None


def array(holder: PdfObject, key: str) -> list[PdfObject]:
    """Returns the elements of the array under `key`; an empty list when there is none."""
    value = holder.get(key) if isinstance(holder, Dictionary | Stream) else None
    return list(value) if isinstance(value, Array) else []


def name(value: PdfObject) -> str:
    """Returns a name with its slash, as text, "" for anything else; bytes that are not UTF-8 read as Latin-1."""
    if not isinstance(value, Name):
        return ""
    try:
        return str(value)
    except UnicodeDecodeError:
        return value.unparse().decode("latin-1")


def name_at(holder: PdfObject, key: str) -> str:
    """Returns the name under `key` with its slash, "" when there is none."""
    return name(holder.get(key)) if isinstance(holder, Dictionary | Stream) else ""


def text(value: PdfObject) -> str:
    """Returns a text string; "" when the value is none."""
    if not isinstance(value, String):
        return ""
    try:
        return str(value)
    except UnicodeDecodeError:
        return bytes(value).decode("latin-1")


def number(value: PdfObject, default: float = 0.0) -> float:
    """Returns a finite number, cut to ±1e9; `default` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return default
    try:
        found = float(value)
    except OverflowError:
        return default
    return max(-MAX_NUMBER, min(MAX_NUMBER, found)) if math.isfinite(found) else default


def integer(holder: PdfObject, key: str, default: int = 0) -> int:
    """Returns the integer under `key`; `default` for anything else."""
    value = holder.get(key) if isinstance(holder, Dictionary | Stream) else None
    return int(number(value, default))


def flag(holder: PdfObject, key: str) -> bool:
    """Says whether the value under `key` is true."""
    return isinstance(holder, Dictionary | Stream) and key in holder and holder[key] == True  # noqa: E712  an Object


def rectangle(value: PdfObject) -> tuple[float, float, float, float] | None:
    """Returns a rectangle as (left, bottom, right, top), its corners put in order; None when it is none."""
    if not isinstance(value, Array) or len(value) != 4:
        return None
    x0, y0, x1, y1 = (number(side) for side in value)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def inherited(holder: PdfObject, key: str) -> PdfObject:
    """Returns the value of an inheritable key, looked up through /Parent; None when nobody has it."""
    for _ in range(MAX_PARENTS):
        if not is_dictionary(holder):
            return None
        if key in holder:
            return holder.get(key)
        holder = holder.get("/Parent")
    return None


def identity(value: Object) -> tuple[int, int]:
    """Returns what tells indirect objects apart; (0, 0) for a direct one."""
    return value.objgen


def reachable(pdf: Pdf) -> Iterator[PdfObject]:
    """Yields every dictionary, stream and array that the trailer leads to, each indirect one once, parents first.

    What a consumer removes from an object before asking for the next one is not visited. Cycles end by themselves.
    """
    seen: set[tuple[int, int]] = set()
    pending: list[PdfObject] = [value for key, value in pdf.trailer.items() if key not in ("/Encrypt", "/Prev")]
    while pending:
        value = pending.pop()
        if not isinstance(value, Dictionary | Stream | Array):
            continue
        if value.is_indirect:
            if value.objgen in seen:
                continue
            seen.add(value.objgen)
        yield value
        children = value if isinstance(value, Array) else (child for _, child in value.items())
        pending.extend(child for child in children if isinstance(child, Dictionary | Stream | Array))
