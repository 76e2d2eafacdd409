"""The words of binary OOXML workbooks (xlsb, [MS-XLSB]): the same package as xlsx with records for XML."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tasks.premis.model import Trouble
from tasks.sealed.office import SourceText
from tasks.sealed.office.package import Package

_ROW, _SHARED, _STRING, _FORMULA_STRING, _ITEM, _COLUMN, _SHEET = 0, 7, 6, 8, 19, 60, 156


def read(package: Package, main: str) -> SourceText:
    """The text of the workbook whose main part is `main`. Raises Trouble `source-damaged` for a broken one."""
    text = SourceText("spreadsheet")
    relations = package.relations(main)
    try:
        strings: list[str] = []
        for part in package.related(main, "sharedStrings"):
            strings += [_string(body, 1)[0] for code, body in records(package.read(part)) if code == _ITEM]
        for code, body in records(package.read(main)):
            if code == _SHEET:
                visible = struct.unpack_from("<I", body)[0] == 0
                relation = relations.get(_string(body, 8)[0])
                if relation and package.has(relation.target):
                    _sheet(package.read(relation.target), strings, text, visible)
    except (struct.error, IndexError, ValueError) as e:
        raise Trouble("source-damaged", what=f"the workbook's records do not parse ({e})") from e
    return text


def records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The records of a part: number and body ([MS-XLSB] 2.1.4)."""
    at = 0
    while at < len(data):
        code = data[at]
        at += 1
        if code & 0x80:
            code = code & 0x7F | (data[at] & 0x7F) << 7
            at += 1
        size = shift = 0
        while True:
            size |= (data[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not data[at - 1] & 0x80 or shift > 21:
                break
        yield code, data[at : at + size]
        at += size


def _string(body: bytes, at: int) -> tuple[str, int]:
    (size,) = struct.unpack_from("<I", body, at)
    if size == 0xFFFFFFFF:
        return "", at + 4
    end = at + 4 + size * 2
    return body[at + 4 : end].decode("utf-16-le", "replace"), end


def _sheet(data: bytes, strings: list[str], text: SourceText, visible: bool) -> None:
    columns: set[int] = set()
    hidden_row = False
    for code, body in records(data):
        if code == _ROW:
            hidden_row = bool(body[11] & 0x10)
        elif code == _COLUMN:
            first, last = struct.unpack_from("<II", body)
            if body[16] & 1:
                columns.update(range(first, min(last, 16_383) + 1))
        elif code in (_SHARED, _STRING, _FORMULA_STRING):
            (column,) = struct.unpack_from("<I", body)
            words = strings[struct.unpack_from("<I", body, 8)[0]] if code == _SHARED else _string(body, 8)[0]
            out = hidden_row or column in columns or not visible
            (text.hidden if out else text.shown).append(words)
