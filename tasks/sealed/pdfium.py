"""PDFium, the renderer and second text reader: how a document is opened and a page drawn. Runs inside a job only."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pikepdf
import pypdfium2

from tasks.premis.model import Trouble

LIBRARIES = ("pypdfium2", "pikepdf")
POINTS = 72
LONGEST, SHORTEST = 3000, 64
"""Pixels of a drawn page's longer side at most and at least, whatever size the page claims."""
XFA = (pypdfium2.raw.FORMTYPE_XFA_FULL, pypdfium2.raw.FORMTYPE_XFA_FOREGROUND)
"""Forms that this build of PDFium does not draw."""

Gray = npt.NDArray[np.uint8]


def is_pdf(path: str) -> bool:
    """Whether a PDF header stands in the first 1024 bytes, where readers look for it (ISO 32000-1, annex H.3.4.1)."""
    with Path(path).open("rb") as file:
        return b"%PDF-" in file.read(1024)


@contextlib.contextmanager
def document(path: str) -> Iterator[Any]:
    """Opens a PDF in PDFium, with its forms; when PDFium refuses it, as qpdf rewrites it without encryption.

    Raises Trouble `source-encrypted` when only a password opens it, `source-damaged` when neither reads a page.
    """
    try:
        pdf = _opened(path)
    except pypdfium2.PdfiumError:
        pdf = _opened(rewritten(path))
    with contextlib.closing(pdf):
        yield pdf


@contextlib.contextmanager
def product(path: str) -> Iterator[Any]:
    """Opens a PDF that an action made; one that does not open is the tools' fault: Trouble `tool-crash`."""
    try:
        pdf = _opened(path)
    except (pypdfium2.PdfiumError, FileNotFoundError) as error:
        raise Trouble("tool-crash", tool="PDFium", signal=f"the product does not open: {error}"[:200]) from None
    with contextlib.closing(pdf):
        yield pdf


@contextlib.contextmanager
def document_of(data: bytes) -> Iterator[Any]:
    """Opens a PDF in memory that is known to open."""
    with contextlib.closing(_opened(data)) as pdf:
        yield pdf


def _opened(source: str | bytes) -> Any:
    pdf = pypdfium2.PdfDocument(source)
    try:
        if len(pdf) == 0:
            raise pypdfium2.PdfiumError("no page")
        if pdf.get_formtype() not in (pypdfium2.raw.FORMTYPE_NONE, *XFA):
            pdf.init_forms()
    except pypdfium2.PdfiumError:
        pdf.close()
        raise
    return pdf


def rewritten(path: str) -> bytes:
    """A PDF as qpdf understands it, without encryption; the same troubles as `document`."""
    buffer = io.BytesIO()
    try:
        with pikepdf.open(path) as pdf:
            pdf.save(buffer, encryption=False)
        _opened(buffer.getvalue()).close()
    except pikepdf.PasswordError:
        raise Trouble("source-encrypted") from None
    except (pikepdf.PdfError, pypdfium2.PdfiumError, RuntimeError, ValueError) as error:
        raise Trouble("source-damaged", what=f"no reader opens it: {str(error).split(': ', 1)[-1][:160]}") from None
    return buffer.getvalue()


def drawn(page: Any, dpi: float) -> Gray:
    """A page in gray at `dpi`, rows of 0 (black) to 255, with annotations and form fields; huge pages smaller."""
    scale = dpi / POINTS
    longer = max(page.get_size()) * scale
    scale *= min(1.0, LONGEST / max(longer, 1e-6)) * max(1.0, SHORTEST / max(longer, 1e-6))
    bitmap = page.render(scale=scale, grayscale=True, may_draw_forms=True)
    try:
        pixels = np.array(bitmap.to_numpy(), dtype=np.uint8)
    finally:
        bitmap.close()
    return pixels.reshape(pixels.shape[0], pixels.shape[1], -1)[:, :, 0]


def text(page: Any) -> str:
    """The text of a page as PDFium reads it, with its line ends."""
    reader = page.get_textpage()
    try:
        return str(reader.get_text_range(errors="replace"))
    finally:
        reader.close()
