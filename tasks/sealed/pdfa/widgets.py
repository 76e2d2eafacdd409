"""Looks of form fields drawn from their own data (ISO 32000-1, 12.7.3.3 and 12.5.6.19), where the file has none."""

from __future__ import annotations

import re

import pikepdf
from pikepdf import Array, Dictionary, Stream

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.drawing import Box, border, colour, numbers
from tasks.sealed.pdfa.lettering import draw_text
from tasks.sealed.pdfa.objects import (
    PdfObject,
    dictionary,
    inherited,
    is_stream,
    number,
    text,
)

MULTILINE, RADIO, PUSH = 1 << 12, 1 << 15, 1 << 16
MAX_LINES = 500


def draw_field(document: Document, annotation: PdfObject, box: Box, kind: str) -> Stream:
    """Returns the look of a text or choice field: background, border, value."""
    back = _background(document, annotation, box)
    value = _value(annotation, kind) if kind in ("/Tx", "/Ch") else ""
    if not value:
        return document.form(back.encode("ascii"), box.frame)
    multiline = kind == "/Tx" and bool(int(number(inherited(annotation, "/Ff"))) & MULTILINE)
    lines = re.split(r"\r\n|\r|\n", value) if multiline else [value]
    return draw_text(document, annotation, box, lines[:MAX_LINES], back, multiline=multiline)


def draw_button(document: Document, annotation: PdfObject, box: Box, *, on: bool) -> Stream:
    """Returns one state of a button: its caption when it is a push button, else a dot or a cross when it is on."""
    back = _background(document, annotation, box)
    flags = int(number(inherited(annotation, "/Ff")))
    if flags & PUSH:
        caption = text((dictionary(annotation, "/MK") or Dictionary()).get("/CA"))
        return (
            draw_text(document, annotation, box, [caption], back, centred=True)
            if caption
            else _plain(document, back, box)
        )
    if not on:
        return _plain(document, back, box)
    width, height = box.width, box.height
    margin = min(width, height) * 0.2
    if flags & RADIO:
        x, y = width / 2, height / 2
        mark = f"q 0 g {numbers(x - margin, y)} m {numbers(x, y + margin)} l {numbers(x + margin, y)} l "
        mark += f"{numbers(x, y - margin)} l f Q\n"
    else:
        mark = f"q 0 G 1 w {numbers(margin, margin)} m {numbers(width - margin, height - margin)} l "
        mark += f"{numbers(margin, height - margin)} m {numbers(width - margin, margin)} l S Q\n"
    return _plain(document, back + mark, box)


def _plain(document: Document, content: str, box: Box) -> Stream:
    return document.form(content.encode("ascii"), box.frame)


def _background(document: Document, annotation: PdfObject, box: Box) -> str:
    """Draws /BG and /BC of the appearance characteristics."""
    look = dictionary(annotation, "/MK")
    if look is None:
        return ""
    fill = colour(document, look.get("/BG"))
    drawn = f"{fill}{numbers(0, 0, box.width, box.height)} re f\n" if fill else ""
    line = colour(document, look.get("/BC"), stroke=True)
    width, dash = border(annotation)
    if line and width:
        inner = (width / 2, width / 2, box.width - width, box.height - width)
        drawn += f"{line}{dash}{numbers(width)} w {numbers(*inner)} re S\n"
    return f"q\n{drawn}Q\n" if drawn else ""


def _value(annotation: PdfObject, kind: str) -> str:
    value = inherited(annotation, "/V")
    if isinstance(value, Array):
        found = "\n".join(text(part) for part in value)
    elif is_stream(value):
        try:
            found = value.read_bytes().decode("latin-1")
        except pikepdf.PdfError:
            found = ""
    else:
        found = text(value)
    if kind == "/Ch":
        options = inherited(annotation, "/Opt")
        for option in options if isinstance(options, Array) else ():
            if isinstance(option, Array) and len(option) > 1 and text(option[0]) == found:
                return text(option[1])
    return found
