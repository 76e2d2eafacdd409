"""Which codes a document's content shows in which font: what decides whether a font matters and what it must hold."""

from __future__ import annotations

from dataclasses import dataclass, field

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, String

from tasks.sealed.pdfa.objects import BROKEN, PdfObject, array, dictionary, is_dictionary, number

OPERATORS = "q Q Tf Tj TJ ' \" Tr gs BT"
SHOWING = frozenset({"Tj", "TJ", "'", '"'})
INVISIBLE = 3
MAX_STACK = 10_000


@dataclass(slots=True)
class Usage:
    """Strings shown in each font, by the font's object number. `complete` is False when some content defied reading."""

    strings: dict[tuple[int, int], set[bytes]] = field(default_factory=dict)
    visible: set[tuple[int, int]] = field(default_factory=set)
    complete: bool = True

    def matters(self, font: PdfObject) -> bool:
        """6.2.11.4.1 binds fonts that draw something; text in rendering mode 3 draws nothing."""
        return not self.complete or font.objgen in self.visible

    def shown(self, font: PdfObject) -> set[bytes]:
        """Returns the strings shown in a font."""
        return self.strings.get(font.objgen, set())

    def codes(self, font: PdfObject) -> set[int]:
        """Returns the codes shown in a simple font; every code when the scan is incomplete."""
        if not self.complete:
            return set(range(256))
        return {code for shown in self.shown(font) for code in shown}


def scan(pdf: Pdf) -> Usage:
    """Reads every content stream that something can draw, each once with the resources it is interpreted with."""
    usage = Usage()
    try:
        for scope in pdf.content_scopes():
            try:
                _read(scope.content, scope.resources, usage)
            except BROKEN:
                usage.complete = False
    except BROKEN:
        usage.complete = False
    return usage


def _read(content: PdfObject, resources: PdfObject, usage: Usage) -> None:
    fonts = dictionary(resources, "/Font") or Dictionary()
    font: PdfObject = None
    mode = 0
    stack: list[tuple[PdfObject, int]] = []
    for instruction in pikepdf.parse_content_stream(content, OPERATORS):
        if not isinstance(instruction, pikepdf.ContentStreamInstruction):
            continue
        operator, operands = str(instruction.operator), instruction.operands
        if operator == "q" and len(stack) < MAX_STACK:
            stack.append((font, mode))
        elif operator == "Q" and stack:
            font, mode = stack.pop()
        elif operator == "Tf" and operands:
            font = fonts.get(operands[0]) if isinstance(operands[0], Name) else None
        elif operator == "Tr" and operands:
            mode = int(number(operands[0]))
        elif operator == "gs" and operands and isinstance(operands[0], Name):
            chosen = array(dictionary(dictionary(resources, "/ExtGState"), str(operands[0])), "/Font")
            font = chosen[0] if chosen else font
        elif operator in SHOWING and operands and is_dictionary(font):
            _show(font, operands[-1], mode, usage)


def _show(font: PdfObject, operand: PdfObject, mode: int, usage: Usage) -> None:
    shown = usage.strings.setdefault(font.objgen, set())
    for part in operand if isinstance(operand, Array) else [operand]:
        if isinstance(part, String):
            shown.add(bytes(part))
    if mode != INVISIBLE:
        usage.visible.add(font.objgen)
