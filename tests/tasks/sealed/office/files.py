"""Small office files built from their parts, so that a test shows the very mark-up that it is about."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = {
    "word/document.xml": "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
    "xl/workbook.xml": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
    "ppt/presentation.xml": "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml",
}


def package(path: Path, parts: Mapping[str, str | bytes], *, stored: bool = False) -> Path:
    """A zip with these members, the first of them first."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as made:
        for name, data in parts.items():
            made.writestr(name, data)
    return path


def relations(*rows: tuple[str, str, str] | tuple[str, str, str, str]) -> str:
    """A relationships part: (id, kind, target) or (id, kind, target, "External")."""
    lines = "".join(
        f'<Relationship Id="{row[0]}" Type="{R}/{row[1]}" Target="{row[2]}"'
        + (f' TargetMode="{row[3]}"' if len(row) == 4 else "")
        + "/>"
        for row in rows
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{lines}</Relationships>'


def ooxml(path: Path, main: str, parts: Mapping[str, str | bytes]) -> Path:
    """An OOXML package around the main part `main`."""
    default = '<Default Extension="xml" ContentType="application/xml"/>'
    override = f'<Override PartName="/{main}" ContentType="{_TYPES[main]}"/>'
    frame = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">{default}{override}</Types>',
        "_rels/.rels": relations(("rId1", "officeDocument", main)),
    }
    return package(path, {**frame, **parts})


def docx(path: Path, body: str, parts: Mapping[str, str | bytes] | None = None) -> Path:
    """A Word document with this body (WordprocessingML, prefix w) and further parts."""
    spaces = f'xmlns:w="{W}" xmlns:r="{R}" xmlns:mc="{MC}"'
    document = f"<w:document {spaces}><w:body>{body}</w:body></w:document>"
    return ooxml(path, "word/document.xml", {"word/document.xml": document, **(parts or {})})


def run(text: str, properties: str = "") -> str:
    """A run of WordprocessingML."""
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"


def paragraph(*inside: str) -> str:
    """A paragraph of WordprocessingML."""
    return f"<w:p>{''.join(inside)}</w:p>"


def xlsx(path: Path, sheets: Mapping[str, str], strings: str = "", states: Mapping[str, str] | None = None) -> Path:
    """A workbook: sheet name to the inside of its worksheet element; `strings` is the inside of the shared strings."""
    names = list(sheets)
    rows = "".join(
        f'<sheet name="{n}" sheetId="{k}" r:id="rId{k}" state="{(states or {}).get(n, "visible")}"/>'
        for k, n in enumerate(names, 1)
    )
    targets = [(f"rId{k}", "worksheet", f"worksheets/sheet{k}.xml") for k in range(1, len(names) + 1)]
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{S}" xmlns:r="{R}"><sheets>{rows}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(*targets, ("rId99", "sharedStrings", "sharedStrings.xml")),
        "xl/sharedStrings.xml": f'<sst xmlns="{S}">{strings}</sst>',
    }
    for k, name in enumerate(names, 1):
        parts[f"xl/worksheets/sheet{k}.xml"] = f'<worksheet xmlns="{S}">{sheets[name]}</worksheet>'
    return ooxml(path, "xl/workbook.xml", parts)


def odf(path: Path, body: str, *, styles: str = "", kind: str = "text", manifest: str = "") -> Path:
    """An OpenDocument package; `body` is the inside of office:text (or spreadsheet, presentation)."""
    spaces = " ".join(
        f'xmlns:{p}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"'
        for p, n in (
            ("office", "office"),
            ("text", "text"),
            ("table", "table"),
            ("style", "style"),
            ("draw", "drawing"),
        )
    )
    spaces += ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xlink="http://www.w3.org/1999/xlink"'
    automatic = f"<office:automatic-styles>{styles}</office:automatic-styles>"
    content = (
        f'<office:document-content {spaces} office:version="1.2">{automatic}'
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    mimetype = f"application/vnd.oasis.opendocument.{kind}"
    space = 'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
    entries = "".join(
        f'<manifest:file-entry manifest:full-path="{name}" manifest:media-type="{media}"/>'
        for name, media in (("/", mimetype), ("content.xml", "text/xml"))
    )
    return package(
        path,
        {
            "mimetype": mimetype,
            "content.xml": content,
            "META-INF/manifest.xml": f"<manifest:manifest {space}>{entries}{manifest}</manifest:manifest>",
        },
        stored=True,
    )


def biff(number: int, body: bytes = b"") -> bytes:
    """One record of a binary workbook."""
    return struct.pack("<HH", number, len(body)) + body


def wide(text: str) -> bytes:
    """A BIFF8 string with a length of two bytes."""
    return struct.pack("<HB", len(text), 1) + text.encode("utf-16-le")
