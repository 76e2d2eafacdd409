"""Looks of markup annotations drawn from their own data (ISO 32000-1, 12.5.6), where the file has none."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from pikepdf import Array, Dictionary, Name, Stream

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.drawing import Box, border, colour, numbers
from tasks.sealed.pdfa.lettering import draw_text
from tasks.sealed.pdfa.objects import array, name, name_at, number, text

ROUND = 0.5523
"""How far the control points of a Bézier curve stand out for a quarter of a circle."""
MAX_POINTS = 20_000
Draw = Callable[[Document, Dictionary, Box], str]


def draw_markup(document: Document, annotation: Dictionary, box: Box) -> Stream | None:
    """Returns the look of a markup annotation in the coordinates of its page; None when its data draw nothing."""
    subtype = name_at(annotation, "/Subtype")
    if subtype == "/FreeText":
        lines = re.split(r"\r\n|\r|\n", text(annotation.get("/Contents")))
        fill = colour(document, annotation.get("/C"))
        back = f"q {fill}{numbers(0, 0, box.width, box.height)} re f Q\n" if fill else ""
        return draw_text(document, annotation, box, lines[:500], back, multiline=True)
    draw = DRAWN.get(subtype)
    content = draw(document, annotation, box) if draw else ""
    if not content:
        return None
    state = Dictionary()
    opacity = number(annotation.get("/CA"), 1.0)
    if 0 <= opacity < 1:
        state["/CA"] = state["/ca"] = round(opacity, 4)
    if subtype == "/Highlight":
        state["/BM"] = Name.Multiply
    resources = Dictionary()
    if len(state.keys()):
        resources["/ExtGState"] = Dictionary({"/G0": state})
        content = "/G0 gs\n" + content
    sides = list(box.sides)
    frame = [sides[0], sides[1], max(sides[2], sides[0] + 1), max(sides[3], sides[1] + 1)]
    return document.form(f"q\n{content}\nQ".encode("ascii"), frame, resources)


def _points(annotation: Dictionary, key: str) -> list[float]:
    return [number(value) for value in array(annotation, key)[:MAX_POINTS]]


def _path(points: Sequence[float]) -> str:
    pairs = zip(points[::2], points[1::2], strict=False)
    return " ".join(f"{numbers(x, y)} {'l' if i else 'm'}" for i, (x, y) in enumerate(pairs))


def _pen(document: Document, annotation: Dictionary) -> tuple[str, str, float]:
    """Returns (stroke colour, width and dash operators, width)."""
    width, dash = border(annotation)
    return colour(document, annotation.get("/C"), stroke=True), f"{dash}{numbers(width)} w ", width


def _square_or_circle(document: Document, annotation: Dictionary, box: Box) -> str:
    line, pen, width = _pen(document, annotation)
    fill = colour(document, annotation.get("/IC"))
    inset = (_points(annotation, "/RD") + [0.0] * 4)[:4]
    left, bottom = box.sides[0] + inset[0] + width / 2, box.sides[1] + inset[1] + width / 2
    right, top = box.sides[2] - inset[2] - width / 2, box.sides[3] - inset[3] - width / 2
    if name_at(annotation, "/Subtype") == "/Square":
        path = f"{numbers(left, bottom, right - left, top - bottom)} re "
    else:
        path = _ellipse((left + right) / 2, (bottom + top) / 2, (right - left) / 2, (top - bottom) / 2)
    stroked = width > 0
    return line + fill + pen + path + ("B" if fill and line and stroked else "f" if fill else "S" if stroked else "n")


def _ellipse(x: float, y: float, a: float, b: float) -> str:
    p, q = ROUND * a, ROUND * b
    quarters = (
        (x + a, y + q, x + p, y + b, x, y + b),
        (x - p, y + b, x - a, y + q, x - a, y),
        (x - a, y - q, x - p, y - b, x, y - b),
        (x + p, y - b, x + a, y - q, x + a, y),
    )
    return f"{numbers(x + a, y)} m " + "".join(f"{numbers(*quarter)} c " for quarter in quarters) + "h "


def _line(document: Document, annotation: Dictionary, _box: Box) -> str:
    line, pen, width = _pen(document, annotation)
    ends = _points(annotation, "/L")
    if len(ends) != 4:
        return ""
    drawn = line + pen + _path(ends) + " S"
    styles = array(annotation, "/LE")[:2]
    for style, (x, y, x2, y2) in zip(styles, (ends, ends[2:] + ends[:2]), strict=False):
        if "Arrow" in name(style):
            angle = math.atan2(y2 - y, x2 - x)
            for spread in (0.5, -0.5):
                tip = (x + 9 * width * math.cos(angle + spread), y + 9 * width * math.sin(angle + spread))
                drawn += " " + _path((x, y, *tip)) + " S"
    return drawn


def _ink(document: Document, annotation: Dictionary, _box: Box) -> str:
    line, pen, _ = _pen(document, annotation)
    strokes = [stroke for stroke in array(annotation, "/InkList")[:MAX_POINTS] if isinstance(stroke, Array)]
    paths = [_path([number(value) for value in stroke]) for stroke in strokes]
    return f"{line}{pen}1 J 1 j " + " ".join(f"{path} S" for path in paths if path) if any(paths) else ""


def _polygon(document: Document, annotation: Dictionary, _box: Box) -> str:
    line, pen, _ = _pen(document, annotation)
    points = _points(annotation, "/Vertices")
    if len(points) < 4:
        return ""
    closed = name_at(annotation, "/Subtype") == "/Polygon"
    fill = colour(document, annotation.get("/IC")) if closed else ""
    return line + fill + pen + _path(points) + (" h " if closed else " ") + ("B" if fill else "S")


def _marked_text(document: Document, annotation: Dictionary, box: Box) -> str:
    left, bottom, right, top = box.sides
    points = _points(annotation, "/QuadPoints") or [left, top, right, top, left, bottom, right, bottom]
    subtype = name_at(annotation, "/Subtype")
    line = colour(document, annotation.get("/C"), stroke=True)
    fill = colour(document, annotation.get("/C"))
    drawn = ""
    for i in range(0, len(points) - 7, 8):
        xs, ys = points[i : i + 8 : 2], points[i + 1 : i + 8 : 2]
        left, right, bottom, top = min(xs), max(xs), min(ys), max(ys)
        if subtype == "/Highlight":
            drawn += f"{fill or '1 1 0 rg '}{numbers(left, bottom, right - left, top - bottom)} re f\n"
            document.spaces.add("/DeviceRGB")
        elif subtype == "/Squiggly":
            steps = min(int((right - left) / 2) + 1, 2000)
            wave = [c for k in range(steps + 1) for c in (min(left + 2 * k, right), bottom + 1 + 2 * (k % 2))]
            drawn += f"{line}1 w {_path(wave)} S\n"
        else:
            y = bottom + 1 if subtype == "/Underline" else (bottom + top) / 2
            drawn += f"{line}1 w {_path((left, y, right, y))} S\n"
    return drawn


def _note(document: Document, annotation: Dictionary, box: Box) -> str:
    left, bottom, _, top = box.sides
    width, height = box.width, box.height
    document.spaces.add("/DeviceRGB")
    paper = numbers(left + 1, bottom + 1, max(width - 2, 1), max(height - 2, 1))
    drawn = f"{colour(document, annotation.get('/C')) or '1 1 0 rg '}0 G 0.6 w {paper} re B "
    for share in (0.65, 0.4):
        y = bottom + (top - bottom) * share
        drawn += _path((left + width * 0.2, y, left + width * 0.8, y)) + " S "
    return drawn


def _paper_clip(_document: Document, _annotation: Dictionary, box: Box) -> str:
    left, bottom, _, _ = box.sides
    width, height = box.width, box.height
    sheet = numbers(left + width * 0.25, bottom + height * 0.1, width * 0.5, height * 0.8)
    x, low, high = left + width / 2, bottom + height * 0.3, bottom + height * 0.7
    return f"0 G 1 w {sheet} re S {_path((x, low, x, high))} S"


def _caret(document: Document, annotation: Dictionary, box: Box) -> str:
    left, bottom, right, top = box.sides
    fill = colour(document, annotation.get("/C")) or "0 g "
    return fill + _path((left, bottom, (left + right) / 2, top, right, bottom)) + " f"


DRAWN: dict[str, Draw] = {
    "/Square": _square_or_circle,
    "/Circle": _square_or_circle,
    "/Line": _line,
    "/Ink": _ink,
    "/PolyLine": _polygon,
    "/Polygon": _polygon,
    "/Highlight": _marked_text,
    "/Underline": _marked_text,
    "/StrikeOut": _marked_text,
    "/Squiggly": _marked_text,
    "/Text": _note,
    "/FileAttachment": _paper_clip,
    "/Caret": _caret,
}
