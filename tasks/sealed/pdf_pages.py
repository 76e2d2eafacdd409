"""What the pages of a PDF are made of: pictures that fill them, or text. Runs inside a job only."""

from __future__ import annotations

from dataclasses import dataclass, field

import pikepdf
from pikepdf import Dictionary, Matrix, Page, Pdf, Stream, String

from tasks.sealed.pdfa.objects import (
    BROKEN,
    PdfObject,
    array,
    dictionary,
    inherited,
    is_stream,
    name_at,
    number,
    rectangle,
)

OPERATORS = "q Q cm Do BI ID EI Tr Tj TJ ' \""
FULL_PAGE = 0.8
"""A picture that covers this share of a page is the page."""
STRAY_LETTERS = 60
"""So many visible codes may stand beside the picture: a stamp, a page number, the line of a fax machine."""
MAX_FORMS = 4
INVISIBLE = 3


@dataclass(slots=True)
class _Ink:
    """What one page shows: the share of it that pictures cover, visible and invisible codes of text."""

    covered: float = 0.0
    visible: int = 0
    hidden: int = 0
    forms: set[tuple[int, int]] = field(default_factory=set)

    def picture(self, matrix: Matrix, page: tuple[float, float, float, float]) -> None:
        """Adds a picture drawn in the unit square under `matrix`; what it covers is no longer visible."""
        corners = [matrix.transform(corner) for corner in ((0, 0), (1, 0), (0, 1), (1, 1))]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        width = max(0.0, min(max(xs), page[2]) - max(min(xs), page[0]))
        height = max(0.0, min(max(ys), page[3]) - max(min(ys), page[1]))
        share = width * height / max((page[2] - page[0]) * (page[3] - page[1]), 1e-6)
        self.covered += share
        if share >= FULL_PAGE:
            self.hidden, self.visible = self.hidden + self.visible, 0


def is_scanned(pdf: Pdf) -> tuple[bool, bool]:
    """Returns (scanned, has_text).

    Scanned: at least one page is a picture that covers 80 % of it, and every page is such a picture or empty, with at
    most 60 visible letters. Has text: some page shows text, be it the invisible layer of an earlier OCR.
    A page whose content cannot be parsed is taken for text, so that no OCR runs on a guess.
    """
    scanned, has_text, pictures = True, False, 0
    for page in pdf.pages:
        try:
            ink = _ink(page)
        except BROKEN:
            return False, True
        has_text = has_text or ink.visible + ink.hidden > 0
        if ink.covered >= FULL_PAGE and ink.visible <= STRAY_LETTERS:
            pictures += 1
        elif ink.covered > 0 or ink.visible > 0:
            scanned = False
        if has_text and not scanned:
            break
    return scanned and pictures > 0, has_text


def _ink(page: Page) -> _Ink:
    box = rectangle(inherited(page.obj, "/CropBox")) or rectangle(inherited(page.obj, "/MediaBox")) or (0, 0, 612, 792)
    ink = _Ink()
    resources = inherited(page.obj, "/Resources")
    _draw(page.obj, resources, Matrix(), box, ink, 0)
    return ink


def _draw(
    content: PdfObject,
    resources: PdfObject,
    matrix: Matrix,
    page: tuple[float, float, float, float],
    ink: _Ink,
    depth: int,
) -> None:
    """Follows the operators that place pictures and show text (ISO 32000-1, 8.4.4, 8.8 to 8.10, 9.4)."""
    mode, stack = 0, [(matrix, 0)]
    for instruction in pikepdf.parse_content_stream(content, OPERATORS):
        if isinstance(instruction, pikepdf.ContentStreamInlineImage):
            ink.picture(matrix, page)
            continue
        operator, operands = str(instruction.operator), instruction.operands
        if operator == "q":
            stack.append((matrix, mode))
        elif operator == "Q" and len(stack) > 1:
            matrix, mode = stack.pop()
        elif operator == "cm" and len(operands) == 6:
            matrix = Matrix(*(number(value) for value in operands)) @ matrix
        elif operator == "Tr" and operands:
            mode = int(number(operands[0]))
        elif operator == "Do" and operands:
            drawn = (dictionary(resources, "/XObject") or Dictionary()).get(str(operands[0]))
            if is_stream(drawn):
                _place(drawn, resources, matrix, page, ink, depth)
        elif operator in ("Tj", "TJ", "'", '"') and operands:
            letters = _letters(operands)
            ink.hidden += letters if mode == INVISIBLE else 0
            ink.visible += 0 if mode == INVISIBLE else letters


def _place(
    drawn: Stream,
    resources: PdfObject,
    matrix: Matrix,
    page: tuple[float, float, float, float],
    ink: _Ink,
    depth: int,
) -> None:
    if name_at(drawn, "/Subtype") == "/Image":
        ink.picture(matrix, page)
    elif name_at(drawn, "/Subtype") == "/Form" and depth < MAX_FORMS and drawn.objgen not in ink.forms:
        ink.forms.add(drawn.objgen)
        own = array(drawn, "/Matrix")
        inner = Matrix(*(number(value) for value in own)) @ matrix if len(own) == 6 else matrix
        _draw(drawn, dictionary(drawn, "/Resources") or resources, inner, page, ink, depth + 1)


def _letters(operands: PdfObject) -> int:
    shown = operands[-1]
    parts = shown if isinstance(shown, pikepdf.Array) else [shown]
    return sum(len(bytes(part)) for part in parts if isinstance(part, String))
