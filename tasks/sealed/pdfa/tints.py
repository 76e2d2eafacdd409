"""Tint functions of DeviceN spaces (ISO 32000-1, 7.10 and 8.6.6.5) seen along one colorant."""

from __future__ import annotations

import pikepdf
from pikepdf import Array, Stream

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.objects import PdfObject, array, integer, is_stream, number

SAMPLED, CALCULATOR = 0, 4
MAX_SAMPLES = 1 << 22


def along_one_axis(document: Document, function: PdfObject, position: int, count: int) -> PdfObject:
    """Returns the tint function of one colorant while all others are 0; None when it cannot be derived."""
    if count == 1:
        return function
    if not is_stream(function):
        return None
    kind = integer(function, "/FunctionType", -1)
    try:
        if kind == CALCULATOR:
            return _calculator(document, function, position, count)
        if kind == SAMPLED:
            return _sampled(document, function, position)
    except (pikepdf.PdfError, ValueError):
        return None
    return None


def _calculator(document: Document, function: Stream, position: int, count: int) -> Stream:
    """Pushes zeros around the one operand before the original program runs."""
    program = function.read_bytes()
    body = program[program.index(b"{") + 1 : program.rindex(b"}")]
    before = b"0 exch " * position + b"0 " * (count - 1 - position)
    entries = {"/FunctionType": CALCULATOR, "/Domain": Array([0, 1]), "/Range": function.get("/Range")}
    return document.stream(b"{ " + before + body + b" }", entries)


def _sampled(document: Document, function: Stream, position: int) -> Stream | None:
    """Cuts the samples along one axis out of a table of bytes; the first axis varies fastest."""
    sizes = [int(number(size)) for size in array(function, "/Size")]
    outputs = len(array(function, "/Range")) // 2
    if integer(function, "/BitsPerSample") != 8 or "/Encode" in function or position >= len(sizes) or outputs == 0:
        return None
    if not all(0 < size <= MAX_SAMPLES for size in sizes):
        return None
    step = 1
    for size in sizes[:position]:
        step *= size
    table = function.read_bytes()
    samples = b"".join(table[i * step * outputs : (i * step + 1) * outputs] for i in range(sizes[position]))
    if len(samples) != sizes[position] * outputs:
        return None
    entries = {
        "/FunctionType": SAMPLED,
        "/Domain": Array([0, 1]),
        "/Range": function.get("/Range"),
        "/Size": Array([sizes[position]]),
        "/BitsPerSample": 8,
    }
    if "/Decode" in function:
        entries["/Decode"] = function.get("/Decode")
    return document.stream(samples, entries)
