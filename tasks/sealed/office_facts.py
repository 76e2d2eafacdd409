"""What must be known of an office document before a rule is chosen, read without LibreOffice and without running it.

Only what a format's reader knows for sure is answered; a fact that is missing is unknown, not zero.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path

from tasks.premis.model import Trouble
from tasks.sealed.office import SourceText, Unreadable, biff, crypto, opendocument, powerpoint, word97
from tasks.sealed.office.compound import Compound
from tasks.sealed.office.package import Package, attribute
from tasks.sealed.office_text import OLE, RTF, ZIP, from_compound, from_package, kind_of, main_part, source_text
from tasks.sealed.words import words

LIBRARIES = ("lxml", "olefile", "msoffcrypto-tool")

Facts = dict[str, str | int | bool]

_REVISIONS = ("ins", "del", "moveFrom", "moveTo")
_LOCAL = re.compile(r"(?:\./|#|Pictures/|Object |ObjectReplacements/|Media/|$)")
_RTF_TIME = re.compile(rb"\\revtim((?:\\(?:yr|mo|dy|hr|min|sec)-?\d+ ?)+)")
_SUPBOOK, _NOTE, _MACRO_SHEET = 0x1AE, 0x1C, 1
_SAME_BOOK, _ADD_IN = 0x0401, 0x3A01
_OLE_STORAGE, _VBA_ATOM, _COMMENT = 4113, 1024, 12000


def facts(source: str) -> Facts:
    """The facts of the office document `source` (names: `tasks.facts.NAMES`).

    Raises Trouble `source-damaged` for a broken container, `bomb-suspected` for one that unpacks without measure.
    A missing password is no trouble here but the fact `encrypted`: `open`.
    """
    with Path(source).open("rb") as stream:
        head = stream.read(512)
    if head.startswith(ZIP):
        with Package(source) as package:
            return _package(package)
    if head.startswith(OLE):
        with Compound(source) as compound:
            return _compound(compound, source)
    if RTF.match(head):
        return _rtf(Path(source).read_bytes(), source)
    found: Facts = {"encrypted": "none"}
    return found | _words(lambda: source_text(source))


def saved(source: str) -> str:
    """When the document says that it was last saved, `2003-04-03T10:00:00Z`; "" when it does not say."""
    with Path(source).open("rb") as stream:
        head = stream.read(512)
    try:
        if head.startswith(ZIP):
            with Package(source) as package:
                return _saved_package(package)
        if head.startswith(OLE):
            with Compound(source) as compound:
                return compound.modified()
        if RTF.match(head) and (match := _RTF_TIME.search(Path(source).read_bytes()[: 1 << 20])):
            parts = {k.decode(): int(v) for k, v in re.findall(rb"\\([a-z]+)(-?\d+)", match[1])}
            return _iso(
                "{yr:04}-{mo:02}-{dy:02}T{hr:02}:{min:02}:{sec:02}".format_map({"hr": 0, "min": 0, "sec": 0} | parts)
            )
    except (Trouble, KeyError, ValueError):
        return ""
    return ""


def _saved_package(package: Package) -> str:
    part = "meta.xml" if package.has("meta.xml") else next(package.related("", "core-properties"), "")
    if not part:
        return ""
    names = ("{*}date",) if part == "meta.xml" else ("{*}modified", "{*}created")
    for name in names:
        for e in package.xml(part).iter(name):
            return _iso(e.text or "")
    return ""


def _iso(text: str) -> str:
    match = re.match(
        r"((?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))T((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)", text.strip()
    )
    return f"{match[1]}T{match[2]}Z" if match else ""


def _words(read: Callable[[], SourceText]) -> Facts:
    """The facts that come from the text; none when the text cannot be read."""
    try:
        text = read()
    except (Unreadable, Trouble):
        return {}
    return {"kind": text.kind, "words": len(words(text.shown))}


def _package(package: Package) -> Facts:
    if opendocument.kind(package):
        return _opendocument(package)
    main = main_part(package)
    if not main:
        raise Trouble("source-damaged", what="the package names no main part")
    kind = kind_of(package, main)
    found: Facts = {
        "encrypted": "none",
        "kind": kind,
        "macros": any(
            n.casefold().endswith("vbaproject.bin") or "/macrosheets/" in n.casefold() for n in package.names
        ),
        "embedded": sum("/embeddings/" in n.casefold() for n in package.names),
        "links": _links(package),
        "signed": any(n.casefold().startswith("_xmlsignatures/") and n.endswith(".xml") for n in package.names),
        "comments": sum(
            _comments(package, n) for n in package.names if re.search(r"/comments?\d*\.xml$", n.casefold())
        ),
    }
    if kind == "document":
        body = package.xml(main)
        found["tracked"] = sum(1 for name in _REVISIONS for _ in body.iter("{*}" + name))
    text = from_package(package)
    return found | {"words": len(words(text.shown))}


def _comments(package: Package, part: str) -> int:
    return sum(1 for _ in package.xml(part).iter("{*}comment", "{*}cm"))


def _links(package: Package) -> int:
    """External relationships that an office program follows when it opens the file; plain hyperlinks are not."""
    owners = [n for n in package.names if n.casefold().endswith(".rels")]
    parts = [n.replace("_rels/", "", 1) if n.startswith("_rels/") else n.replace("/_rels/", "/", 1) for n in owners]
    return sum(
        1
        for part in parts
        for r in package.relations(part[: -len(".rels")]).values()
        if r.external and r.kind != "hyperlink"
    )


def _opendocument(package: Package) -> Facts:
    found: Facts = {"kind": opendocument.kind(package), "encrypted": "none"}
    if opendocument.encrypted(package):
        return found | {"encrypted": "open"}
    root = package.xml("content.xml")
    linking = ("image", "object", "object-ole", "section-source", "table-source", "plugin")
    links = (e for e in root.iter(*("{*}" + name for name in linking)) if not _LOCAL.match(attribute(e, "href")))
    found |= {
        "macros": any(
            n.startswith(("Basic/", "Scripts/")) and n.endswith((".xml", ".py", ".js", ".bsh")) for n in package.names
        ),
        "embedded": sum(1 for _ in root.iter("{*}object", "{*}object-ole")),
        "comments": sum(1 for _ in root.iter("{*}annotation")),
        "tracked": sum(1 for _ in root.iter("{*}changed-region", "{*}cell-content-change")),
        "links": sum(1 for _ in links),
        "signed": package.has("META-INF/documentsignatures.xml"),
    }
    return found | {"words": len(words(opendocument.read(package).shown))}


def _compound(compound: Compound, source: str) -> Facts:
    found: Facts = {"encrypted": crypto.state(compound, source)}
    if found["encrypted"] == "open":
        return found
    storages = [s.casefold() for s in compound.storages]
    found["macros"] = any(s.rpartition("/")[2] == "vba" for s in storages)
    found["signed"] = compound.find("_signatures", "_xmlsignatures") is not None or "_xmlsignatures" in storages
    found |= _words(lambda: source_text(source))
    reader = next((r for names, r in _READERS.items() if compound.find(*names)), None)
    if reader is None:
        return found
    try:
        return found | reader(compound, storages, found)
    except (Trouble, Unreadable, struct.error, IndexError, ValueError):
        return found  # the container is whole; what its records say is LibreOffice's to judge


def _doc(compound: Compound, storages: list[str], _found: Facts) -> Facts:
    text = from_compound(compound)
    return {
        "embedded": sum(s.startswith("objectpool/") and s.count("/") == 1 for s in storages),
        "comments": len(text.notes),
        "tracked": word97.tracked(compound),
    }


def _xls(compound: Compound, storages: list[str], found: Facts) -> Facts:
    stream = compound.find("Workbook", "Book")
    assert stream is not None
    links = comments = macro_sheets = 0
    for code, body, _ in biff.records(compound.read(stream)):
        links += (
            code == _SUPBOOK and len(body) >= 4 and struct.unpack_from("<H", body, 2)[0] not in (_SAME_BOOK, _ADD_IN)
        )
        comments += code == _NOTE
        macro_sheets += code == biff.BOUND_SHEET and len(body) > 5 and body[5] == _MACRO_SHEET
    embedded = sum("/" not in s and s.startswith("mbd") for s in storages)
    macros = bool(found["macros"]) or macro_sheets > 0
    return {"links": links, "comments": comments, "embedded": embedded, "macros": macros}


def _ppt(compound: Compound, _storages: list[str], _found: Facts) -> Facts:
    stream = compound.find("PowerPoint Document")
    assert stream is not None
    kinds = list(powerpoint.walk(compound.read(stream)))
    return {
        "macros": any(r.kind == _VBA_ATOM and len(r.body) >= 8 and r.body[4] for r in kinds),
        "embedded": sum(r.kind == _OLE_STORAGE for r in kinds),
        "comments": sum(r.kind == _COMMENT for r in kinds),
    }


_READERS: dict[tuple[str, ...], Callable[[Compound, list[str], Facts], Facts]] = {
    ("WordDocument",): _doc,
    ("Workbook", "Book"): _xls,
    ("PowerPoint Document",): _ppt,
}


def _rtf(data: bytes, source: str) -> Facts:
    found: Facts = {
        "encrypted": "none",
        "macros": False,
        "embedded": data.count(b"\\objdata"),
        "comments": data.count(b"\\*\\annotation"),
        "tracked": len(re.findall(rb"\\(?:revised|deleted)(?![a-z])", data)),
        "links": len(re.findall(rb"\\fldinst[^}]{0,40}?(?:INCLUDEPICTURE|INCLUDETEXT|LINK |DDE)", data)),
    }
    return found | _words(lambda: source_text(source))
