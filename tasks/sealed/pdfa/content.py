"""ISO 19005-2, 6.2.2, 6.2.6, 6.2.8 and 6.1.13 inside content streams: the only module that rewrites one, in pass 2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pikepdf
from pikepdf import Array, Page, Stream

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.graphics import INTENTS
from tasks.sealed.pdfa.objects import BROKEN, is_stream, name

OPERATORS = frozenset(
    b"b B b* B* BDC BI BMC BT BX c cm CS cs d d0 d1 Do DP EI EMC ET EX f F f* G g gs h i ID j J K k l m M MP n q Q re "
    b"RG rg ri s S SC sc SCN scn sh T* Tc Td TD Tf Tj TJ TL Tm Tr Ts Tw Tz v w W W* y ' \"".decode("ascii").split()
)
"""Every operator of ISO 32000-1, Annex A."""
MAX_INTEGER = 2147483647
MAX_REAL, MIN_REAL = 3.403e38, 1.175e-38
SMOOTH = re.compile(rb"(\bBI\b(?:(?!\bID\b).){0,400}?)/(?:Interpolate|I)\s+true\b", re.DOTALL)
LONE_MINUS = re.compile(rb"(?<=[\s)\]>])-(?=[\s(\[<])")
CLAUSES = ("6.2.2", "6.1.13", "6.2.6", "6.2.8")


def repair(document: Document) -> None:
    """Rewrites the streams that break a clause which veraPDF named; every other stream keeps its bytes."""
    if not document.asked(*CLAUSES):
        return
    for page in document.pdf.pages:
        content = page.obj.get("/Contents")
        if isinstance(content, Array):
            # Operators may be cut between the parts of a page's content, so these are read as one.
            if (mended := _mended(document, page)) is not None:
                page.obj["/Contents"] = document.stream(mended)
        elif is_stream(content):
            _rewrite(document, content)
    for drawing in document.contents():
        if name(drawing.get("/Subtype")) == "/Form" or "/PatternType" in drawing:
            _rewrite(document, drawing)


def _rewrite(document: Document, stream: Stream) -> None:
    mended = _mended(document, stream)
    if mended is not None:
        stream.write(mended)


def _mended(document: Document, content: Stream | Page) -> bytes | None:
    """Returns the new bytes of a content stream, None when there is nothing to mend in it."""
    try:
        instructions = list(pikepdf.parse_content_stream(content))
    except BROKEN:
        return _lone_minus(document, content)
    kept: list[Any] = []
    changed = False
    for instruction in instructions:
        if isinstance(instruction, pikepdf.ContentStreamInlineImage):
            kept.append(instruction)
            continue
        operator = bytes(instruction.operator).decode("latin-1")
        if operator not in OPERATORS:
            document.log("6.2.2", "undefined operator", "loss", name=operator)
            changed = True
            continue
        operands = list(instruction.operands)
        if operator == "ri" and operands and name(operands[0]) not in INTENTS:
            document.log("6.2.6", "unknown rendering intent")
            changed = True
            continue
        if any(_too_big(operand) for operand in operands):
            document.log("6.1.13", "number cut to what PDF/A permits", "guess")
            operands = [_cut(operand) for operand in operands]
            changed = True
        kept.append(pikepdf.ContentStreamInstruction(operands, instruction.operator))
    data = _bytes(content)
    if not changed and document.asked("6.2.2") and b"%" in data:
        # veraPDF takes a comment that follows an operator without a space for a part of the operator.
        document.log("6.2.2", "comments in the content")
        changed = True
    if changed:
        try:
            data = pikepdf.unparse_content_stream(kept)
        except BROKEN:
            # An inline picture whose dictionary cannot be written again: better an invalid product than a lost one.
            return None
    smooth = SMOOTH.sub(rb"\1", data)
    if smooth != data:
        document.log("6.2.8.1", "smoothing of an enlarged picture", "loss")
    return smooth if changed or smooth != data else None


def _bytes(content: Stream | Page) -> bytes:
    parts = [content] if isinstance(content, Stream) else content.obj.get("/Contents")
    return b"\n".join(_decoded(parts))


def _decoded(parts: Any) -> Iterator[bytes]:
    for part in parts:
        if is_stream(part):
            try:
                yield part.read_bytes()
            except BROKEN:
                continue


def _lone_minus(document: Document, content: Stream | Page) -> bytes | None:
    """A lone minus sign, which broken producers write for 0, keeps a stream from being parsed at all."""
    data = _bytes(content)
    mended = LONE_MINUS.sub(b"0 ", data)
    if mended == data:
        return None
    document.log("6.2.2", "lone minus sign read as 0", "guess")
    return mended


def _too_big(operand: Any) -> bool:
    if isinstance(operand, bool):
        return False
    if isinstance(operand, int):
        return abs(operand) > MAX_INTEGER
    if isinstance(operand, Decimal | float):
        size = abs(float(operand))
        return size > MAX_REAL or 0 < size < MIN_REAL
    if isinstance(operand, Array):
        return any(_too_big(entry) for entry in operand)
    return False


def _cut(operand: Any) -> Any:
    if isinstance(operand, Array):
        return Array([_cut(entry) for entry in operand])
    if not _too_big(operand):
        return operand
    if isinstance(operand, int):
        return MAX_INTEGER if operand > 0 else -MAX_INTEGER
    return (32767 if operand > 0 else -32767) if abs(float(operand)) > MAX_REAL else 0
