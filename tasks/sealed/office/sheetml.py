"""The words of SpreadsheetML (xlsx, xlsm, xltx …): strings of visible cells, text of shapes.

Numbers are no words: what a page shows of them is the number format's work. A formula's cached text is one.
Headers and footers are left out: they print only on sheets that have something else to print.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks.premis.model import Trouble
from tasks.sealed.office import SourceText
from tasks.sealed.office.package import Element, Package, attribute, local, stream

_COLUMN = re.compile(r"[A-Z]+")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook: its name, its part and whether it shows."""

    name: str
    part: str
    visible: bool


def read(package: Package, main: str) -> SourceText:
    """The text of the workbook whose main part is `main`."""
    text = SourceText("spreadsheet")
    strings = shared_strings(package, main)
    for sheet in sheets(package, main):
        try:
            _sheet(package, sheet, strings, text)
        except (ValueError, IndexError) as e:
            raise Trouble("source-damaged", what=f"the sheet {sheet.name} does not parse ({e})") from e
        for part in package.related(sheet.part, "drawing"):
            into = text.shown if sheet.visible else text.hidden
            into += [w for p in package.xml(part).iter("{*}p") if (w := "".join(t.text or "" for t in p.iter("{*}t")))]
        for part in package.related(sheet.part, "comments"):
            text.notes += [_rich(c) for c in package.xml(part).iter("{*}comment")]
    return text


def sheets(package: Package, main: str) -> list[Sheet]:
    """The sheets of a workbook in their order; a sheet without a part is left out."""
    relations = package.relations(main)
    found = []
    for e in package.xml(main).iter("{*}sheet"):
        relation = relations.get(attribute(e, "id"))
        if relation and package.has(relation.target):
            found.append(Sheet(str(e.get("name", "")), relation.target, e.get("state", "visible") == "visible"))
    return found


def shared_strings(package: Package, main: str) -> list[str]:
    """The shared strings; phonetic readings left out."""
    found: list[str] = []
    for part in package.related(main, "sharedStrings"):
        found += [_rich(e) for e in stream(package.read(part), part, "si")]
    return found


def _rich(element: Element) -> str:
    return "".join(t.text or "" for t in element.iter("{*}t") if local(t.getparent()) != "rPh")


def _sheet(package: Package, sheet: Sheet, strings: Sequence[str], text: SourceText) -> None:
    columns: frozenset[int] = frozenset()
    data = package.read(sheet.part)
    for element in stream(data, sheet.part, "cols", "row"):
        name = local(element)
        if name == "cols":
            columns = _hidden_columns(element)
        else:
            hidden_row = element.get("hidden") in ("1", "true") or not sheet.visible
            for column, words in _cells(element, strings):
                (text.hidden if hidden_row or column in columns else text.shown).append(words)


def _hidden_columns(element: Element) -> frozenset[int]:
    spans = [c for c in element if c.get("hidden") in ("1", "true")]
    return frozenset(n for c in spans for n in range(int(c.get("min")), min(int(c.get("max")), 16_384) + 1))


def _cells(row: Element, strings: Sequence[str]) -> Iterator[tuple[int, str]]:
    column = 0
    for cell in row:
        letters = _COLUMN.match(cell.get("r", ""))
        column = column_number(letters[0]) if letters else column + 1
        words = _cell(cell, strings)
        if words:
            yield column, words


def _cell(cell: Element, strings: Sequence[str]) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return _rich(cell)
    value = next((v.text for v in cell if local(v) == "v"), None)
    if value is None or kind not in ("s", "str"):
        return ""
    if kind == "str":
        return str(value)
    number = int(value)
    return strings[number] if 0 <= number < len(strings) else ""


def column_number(letters: str) -> int:
    """`A` is 1, `AA` is 27."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
