"""ISO 19005-2, 6.1 File structure: names, limits, outside data, the page tree, the catalog."""

from __future__ import annotations

import re

from pikepdf import Array, Dictionary, Name, Stream, String

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.objects import (
    PdfObject,
    dictionary,
    inherited,
    is_dictionary,
    is_stream,
    name_at,
    rectangle,
    text,
)

MAX_STRING = 32767
MAX_INTEGER = 2147483647
MIN_SIDE, MAX_SIDE = 3.0, 14400.0
BOXES = ("/CropBox", "/TrimBox", "/BleedBox", "/ArtBox")

LEGACY_ENCODINGS = ("gb18030", "shift_jis", "latin-1")
"""What names that are not UTF-8 are mostly written in, the strictest first."""


def limits(document: Document, holder: PdfObject) -> None:
    """6.1.13: strings of 32767 bytes and integers of 32 bits at most; 6.1.8: names are UTF-8."""
    entries = list(holder.items()) if isinstance(holder, Dictionary | Stream) else list(enumerate(holder))
    for key, value in entries:
        if key == "/Length":
            continue  # qpdf writes it anew
        if isinstance(value, int) and not isinstance(value, bool):
            if abs(value) > MAX_INTEGER:
                holder[key] = MAX_INTEGER if value > 0 else -MAX_INTEGER
                document.log("6.1.13", "integer cut to 32 bits", "guess")
        elif isinstance(value, String):
            raw = bytes(value)
            if len(raw) > MAX_STRING:
                holder[key] = String(raw[:MAX_STRING])
                document.log("6.1.13", "string cut to 32767 bytes", "loss", name=str(key))
        elif isinstance(value, Name):
            _utf8(document, holder, key, value)


def _utf8(document: Document, holder: PdfObject, key: str | int, value: Name) -> None:
    try:
        str(value)
    except UnicodeDecodeError:
        raw = re.sub(rb"#([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), value.unparse()[1:])
        for encoding in LEGACY_ENCODINGS:
            try:
                decoded = raw.decode(encoding)
            except UnicodeDecodeError:
                continue
            holder[key] = Name("/" + decoded)
            document.log("6.1.8", "name written as UTF-8", name=decoded)
            return


def outside_data(document: Document, holder: PdfObject) -> None:
    """6.1.7.1: a stream holds its own data, /F, /FFilter and /FDecodeParms are forbidden."""
    if not is_stream(holder):
        return
    for key in ("/F", "/FFilter", "/FDecodeParms"):
        document.drop(holder, key, "6.1.7.1", "data outside the file", "loss")


def repair(document: Document) -> None:
    """6.1.12, 6.1.13 and 6.10: the catalog's forbidden entries and every page's boxes, contents and resources."""
    root = document.pdf.Root
    for key, clause, kind in (
        ("/Perms", "6.1.12", "loss"),
        ("/Requirements", "6.11", "loss"),
        ("/NeedsRendering", "6.4.2", "loss"),
        ("/Version", "6.1.2", "fix"),
        ("/Extensions", "6.1.2", "fix"),
    ):
        document.drop(root, key, clause, f"{key[1:]} of the catalog", "loss" if kind == "loss" else "fix")
    if (names := dictionary(root, "/Names")) is not None:
        document.drop(names, "/AlternatePresentations", "6.10", "alternate presentations", "loss")
    language = root.get("/Lang")
    if language is not None and not re.fullmatch(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*", text(language)):
        document.drop(root, "/Lang", "6.7.4", f"language that is no language: {text(language)[:40]}", "loss")
    for page in document.pdf.pages:
        _page(document, page.obj)


def _page(document: Document, page: Dictionary) -> None:
    document.drop(page, "/PresSteps", "6.10", "presentation steps", "loss")
    if not is_dictionary(page.get("/Resources")):
        found = inherited(page.get("/Parent"), "/Resources")
        page["/Resources"] = found if is_dictionary(found) else Dictionary()
    content = page.get("/Contents")
    if isinstance(content, Array):
        streams = [part for part in content if is_stream(part)]
        if len(streams) != len(content):
            page["/Contents"] = Array(streams)
            document.log("6.1.6", "content that is no stream", "loss")
    elif content is not None and not is_stream(content):
        document.drop(page, "/Contents", "6.1.6", "content that is no stream", "loss")
    for key in BOXES:
        _box(document, page, key)
    annotations = page.get("/Annots")
    if annotations is not None and not isinstance(annotations, Array):
        document.drop(page, "/Annots", "6.3.1", "annotations that are no array", "loss")


def _box(document: Document, page: Dictionary, key: str) -> None:
    """6.1.13: no side of a page's box is below 3 or above 14400 units; the media box alone is never dropped."""
    value = page.get(key)
    if value is None:
        return
    box = rectangle(value)
    if box is None or min(box[2] - box[0], box[3] - box[1]) < MIN_SIDE:
        document.drop(page, key, "6.1.13", f"page box {key[1:]} without size", "guess")


def postscript(document: Document, holder: PdfObject) -> None:
    """6.2.9: form XObjects carry no /OPI, /PS or /Ref, and PostScript XObjects are emptied."""
    if not is_stream(holder):
        return
    if name_at(holder, "/Subtype") == "/PS":
        for key in sorted(set(holder.keys()) - {"/Length", "/Filter"}):
            del holder[key]
        holder.write(b"")
        holder["/Type"], holder["/Subtype"], holder["/BBox"] = Name.XObject, Name.Form, Array([0, 0, 1, 1])
        document.log("6.2.9", "PostScript XObject emptied", "loss")
        return
    if name_at(holder, "/Subtype") != "/Form":
        return
    document.drop(holder, "/OPI", "6.2.9", "OPI of a form")
    document.drop(holder, "/PS", "6.2.9", "PostScript of a form", "loss")
    document.drop(holder, "/Ref", "6.2.9", "reference to another document's page", "loss")
    if name_at(holder, "/Subtype2") == "/PS":
        document.drop(holder, "/Subtype2", "6.2.9", "PostScript of a form", "loss")
