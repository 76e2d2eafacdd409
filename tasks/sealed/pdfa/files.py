"""ISO 19005-3, 6.8 Embedded files: part 2 permits none but PDF/A, so files are what makes a product part 3."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pikepdf import Array, Name, Stream, String

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.objects import PdfObject, array, dictionary, is_dictionary, name_at, text

MEDIA_TYPE = re.compile(r"/[-\w+.]+/[-\w+.]+")
MEDIA_TYPES = {
    ".pdf": "application/pdf",
    ".xml": "text/xml",
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".tif": "image/tiff",
    ".zip": "application/zip",
    ".doc": "application/msword",
    ".xls": "application/vnd.ms-excel",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def specification(document: Document, holder: PdfObject) -> None:
    """6.8: a file specification has /F and /UF, says how the file belongs to the document, and names its media type."""
    embedded = dictionary(holder, "/EF")
    if embedded is None or not is_dictionary(holder):
        return
    document.part = 3
    document.census.files.append(holder)
    file_name = text(holder.get("/UF")) or text(holder.get("/F")) or "attachment"
    for key in ("/F", "/UF"):
        if not text(holder.get(key)):
            holder[key] = String(file_name)
            document.log("6.8", "name of an embedded file completed", name=file_name)
    if not name_at(holder, "/AFRelationship"):
        holder["/AFRelationship"] = Name.Unspecified
        document.log("6.8", "relation of an embedded file: unspecified", name=file_name)
    media_type = MEDIA_TYPES.get(PurePosixPath(file_name).suffix.lower(), "application/octet-stream")
    for key in sorted(embedded.keys()):
        stream = embedded[key]
        if isinstance(stream, Stream) and not MEDIA_TYPE.fullmatch(name_at(stream, "/Subtype")):
            stream["/Subtype"] = Name("/" + media_type)
            document.log("6.8", "media type of an embedded file by its extension", name=f"{file_name}: {media_type}")


def repair(document: Document) -> None:
    """6.8: every embedded file is associated with the document (/AF of the catalog) or with a part of it."""
    specifications = document.census.files
    if not specifications:
        return
    root = document.pdf.Root
    listed = array(root, "/AF")
    known = {entry.objgen for entry in listed if is_dictionary(entry)}
    for holder in specifications:
        if holder.is_indirect and holder.objgen not in known:
            known.add(holder.objgen)
            listed.append(holder)
    root["/AF"] = Array(listed)
