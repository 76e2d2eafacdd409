"""The text of an office document by a reader that is not LibreOffice: what the product is measured against."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.premis.model import Trouble
from tasks.sealed.office import (
    SourceText,
    Unreadable,
    biff,
    crypto,
    opendocument,
    powerpoint,
    rtf,
    sheetml,
    slideml,
    word97,
    wordml,
    xlsb,
)  # fmt: skip
from tasks.sealed.office.compound import Compound
from tasks.sealed.office.package import Package

LIBRARIES = ("lxml", "olefile", "msoffcrypto-tool")

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
RTF = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*\{\\rtf")
_FLAT_WORD = {b"\x9b\xa5": "Word 1", b"\xdb\xa5": "Word 2", b"\xdc\xa5": "Word 6"}
_DOS_WORD = {b"\x31\xbe", b"\x32\xbe"}
_CONTENT_TYPES = {
    "wordprocessingml": "document", "ms-word": "document", "spreadsheetml": "spreadsheet", "ms-excel": "spreadsheet",
    "presentationml": "presentation", "ms-powerpoint": "presentation",
}  # fmt: skip
_FLAT_EXCEL = (b"\x09\x00\x04\x00", b"\x09\x02\x06\x00", b"\x09\x04\x06\x00", b"\x09\x08")


def source_text(source: str) -> SourceText:
    """The text of the file `source`, by its leading bytes.

    Raises `Unreadable` for a format that is not read here, Trouble `source-encrypted` when a password is missing,
    `source-damaged` for a broken file, `bomb-suspected` for one that would unpack without measure.
    """
    with Path(source).open("rb") as stream:
        head = stream.read(512)
    if head.startswith(ZIP):
        with Package(source) as package:
            return from_package(package)
    if head.startswith(OLE):
        with Compound(source) as compound:
            return _from_compound(compound, source)
    if RTF.match(head):
        return rtf.read(Path(source).read_bytes())
    if head[:2] in _FLAT_WORD:
        return word97.read_flat(Path(source).read_bytes())
    if head[:2] in _DOS_WORD:
        return word97.read_dos(Path(source).read_bytes())
    if head.startswith(_FLAT_EXCEL):
        return biff.read_stream(Path(source).read_bytes())
    raise Unreadable("no independent reader for this format")


def from_package(package: Package) -> SourceText:
    """The text of an OOXML or OpenDocument package."""
    if opendocument.kind(package):
        if opendocument.encrypted(package):
            raise Trouble("source-encrypted")
        return opendocument.read(package)
    main = main_part(package)
    kind = kind_of(package, main)
    if kind == "document":
        return wordml.read(package, main)
    if kind == "presentation":
        return slideml.read(package, main)
    if kind == "spreadsheet":
        return xlsb.read(package, main) if main.endswith(".bin") else sheetml.read(package, main)
    raise Unreadable("a package of an unknown kind")


def main_part(package: Package) -> str:
    """The main part of an OOXML package; "" when it names none."""
    return next(package.related("", "officeDocument"), "")


def kind_of(package: Package, main: str) -> str:
    """What the content type of a main part says: document, spreadsheet, presentation; "" for anything else."""
    if not package.has("[Content_Types].xml"):
        return ""
    declared, by_extension = "", ""
    for e in package.xml("[Content_Types].xml"):
        if e.get("PartName", "").lstrip("/").casefold() == main.casefold():
            declared = e.get("ContentType", "")
        elif e.get("Extension", "-").casefold() == main.rpartition(".")[2].casefold():
            by_extension = e.get("ContentType", "")
    content = (declared or by_extension).casefold()
    return next((kind for word, kind in _CONTENT_TYPES.items() if word in content), "")


def _from_compound(compound: Compound, source: str) -> SourceText:
    if crypto.state(compound, source) == "open":
        raise Trouble("source-encrypted")
    opened = crypto.opened_by_default(source)
    if opened is not None and opened.getvalue().startswith(ZIP):
        with Package(opened) as package:
            return from_package(package)
    if opened is not None:
        with Compound(opened) as plain:
            return from_compound(plain)
    return from_compound(compound)


def from_compound(compound: Compound) -> SourceText:
    """The text of an OLE2 file that is not encrypted."""
    if compound.find("WordDocument"):
        return word97.read(compound)
    if compound.find("Workbook", "Book"):
        return biff.read(compound)
    if compound.find("PowerPoint Document"):
        return powerpoint.read(compound)
    raise Unreadable("a compound file of an unknown kind")
