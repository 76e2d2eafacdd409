"""ISO 19005-2, 6.1 File structure: the one way in which this package writes a file, and how it opens one."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pikepdf
from pikepdf import Array, ObjectStreamMode, Pdf, StreamDecodeLevel, String
from pikepdf.jbig2 import JBIG2DecoderInterface

from tasks.premis.model import Trouble

VERSIONS = {1: "1.4", 2: "1.7", 3: "1.7"}
"""PDF/A-1 rests on PDF 1.4, parts 2 and 3 on 1.7; a header of 2.0 breaks 6.1.2."""

DAMAGE = re.compile(r"reconstruct|file is damaged|recover|can't find|expected|invalid|missing", re.IGNORECASE)


class _LeftPacked(JBIG2DecoderInterface):
    """JBIG2 streams are copied as they are. Whoever asks for their bytes (a damaged file whose text claims to be one)
    is told that they cannot be read, where pikepdf would look for a program that no picture here needs."""

    def check_available(self) -> None:
        """It is always there."""

    def decode_jbig2(self, jbig2: bytes, jbig2_globals: bytes) -> bytes:  # noqa: ARG002
        """Refuses."""
        raise pikepdf.DataDecodingError("JBIG2 is not decoded")


pikepdf.jbig2.set_decoder(_LeftPacked())


def open_source(source: str) -> Pdf:
    """Opens a PDF for repair.

    Raises Trouble `source-encrypted` when only a password opens it, `source-damaged` when nothing does.
    """
    try:
        pdf = pikepdf.open(source)
        if not isinstance(pdf.trailer.get("/Root"), pikepdf.Dictionary) or len(pdf.pages) == 0:
            raise Trouble("source-damaged", what="no page can be read")
    except pikepdf.PasswordError:
        raise Trouble("source-encrypted") from None
    except (pikepdf.PdfError, RuntimeError, ValueError, TypeError) as error:
        raise Trouble("source-damaged", what=first_line(error)) from None
    return pdf


def first_line(error: object) -> str:
    """Returns the first line of an error's text without the file's name, at most 160 letters."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text.split(": ", 1)[-1][:160]


def damage(pdf: Pdf) -> str:
    """Returns what qpdf found broken in the file's structure and mended, in one line; "" for a sound file."""
    warnings = [first_line(warning) for warning in pdf.get_warnings()]
    told = list(dict.fromkeys(warning for warning in warnings if DAMAGE.search(warning)))
    return "; ".join(told[:3])


def digest(source: str) -> str:
    """Returns the SHA-256 of a file."""
    with Path(source).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save(pdf: Pdf, product: str, seed: str, *, part: int = 2) -> None:
    """Writes the file and opens it again; `seed` (a SHA-256) becomes the permanent half of the /ID.

    Raises Trouble `source-damaged` when a part cannot be written, `tool-crash` when what was written does not open
    with as many pages. No object streams: after a lost trailer they made files without a /Root. Streams are decoded
    and deflated again, so no LZW remains (6.1.7.2).
    """
    pages = len(pdf.pages)
    identifier = String(bytes.fromhex(seed)[:16])
    pdf.trailer["/ID"] = Array([identifier, identifier])
    for key in ("/DocChecksum", "/XRefStm"):
        if key in pdf.trailer:
            del pdf.trailer[key]
    try:
        pdf.save(
            product,
            fix_metadata_version=False,
            force_version=VERSIONS[part],
            object_stream_mode=ObjectStreamMode.disable,
            stream_decode_level=StreamDecodeLevel.generalized,
            compress_streams=True,
            recompress_flate=False,
            deterministic_id=True,
            encryption=False,
        )
    except pikepdf.PdfError as error:  # such as a /Crypt filter without its parameters
        raise Trouble("source-damaged", what=first_line(error)) from None
    with pikepdf.open(product) as written:
        if len(written.pages) != pages:
            raise Trouble("tool-crash", tool="pikepdf", signal=f"wrote {len(written.pages)} of {pages} pages")
