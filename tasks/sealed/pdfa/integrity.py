"""Whether a damaged source still holds all of its content: a master made from fragments would be a silent loss."""

from __future__ import annotations

import zlib

from pikepdf import Array, Page, Stream

from tasks.premis.model import Trouble
from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.objects import BROKEN, array, is_stream, name, reachable

LOSSLESS = frozenset({"/FlateDecode", "/Fl", "/LZWDecode", "/LZW", "/ASCII85Decode", "/A85", "/ASCIIHexDecode", "/AHx"})
DEFLATED = frozenset({"/FlateDecode", "/Fl"})
PIECE = 1 << 20
SHOWN = 5


def demand(document: Document, recovered: str) -> None:
    """Raises Trouble `source-damaged` when content of a page or any other stream of the document is broken.

    A deflated stream is broken when its own checksum says so (RFC 1950, 2.2), which readers pass over in silence; one
    that merely ends early is not. `recovered` tells what qpdf mended in the file's structure: such a file must also
    have content on every page, and every lossless stream of it must decode.
    """
    broken = [str(number) for number, page in enumerate(document.pdf.pages, start=1) if not _readable(page, recovered)]
    if broken:
        more = " …" if len(broken) > SHOWN else ""
        raise Trouble("source-damaged", what=f"content of page {', '.join(broken[:SHOWN])}{more} cannot be read")
    lost = sum(1 for value in reachable(document.pdf) if is_stream(value) and not _whole(value, recovered))
    if lost:
        raise Trouble("source-damaged", what=f"{lost} of its streams cannot be read")


def _readable(page: Page, recovered: str) -> bool:
    content = page.obj.get("/Contents")
    streams = [part for part in (content if isinstance(content, Array) else [content]) if is_stream(part)]
    return all(_decodes(part) for part in streams) and bool(streams or not recovered)


def _whole(stream: Stream, recovered: str) -> bool:
    filters = {name(entry) for entry in [stream.get("/Filter"), *array(stream, "/Filter")]} - {""}
    if filters and filters <= DEFLATED:
        return _checksum_holds(stream)
    return not (recovered and filters and filters <= LOSSLESS) or _decodes(stream)


def _checksum_holds(stream: Stream) -> bool:
    """Inflates piece by piece, keeping nothing."""
    try:
        inflater, pending = zlib.decompressobj(), stream.read_raw_bytes()
        while pending and not inflater.eof:
            inflater.decompress(pending, PIECE)
            pending = inflater.unconsumed_tail
    except (zlib.error, *BROKEN):
        return False
    return True


def _decodes(stream: Stream) -> bool:
    try:
        stream.read_bytes()
    except BROKEN:
        return False
    return True
