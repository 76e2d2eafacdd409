"""JPEG 2000 by PDFium, for the second reading where Pillow gives up (tile-parts that are not in the order of tiles)."""

from __future__ import annotations

import numpy as np
import pypdfium2

from tasks.premis.model import Trouble
from tasks.sealed.raster.frame import Array

LIBRARIES = ("pypdfium2",)
COLOUR_SPACES = {1: b"DeviceGray", 3: b"DeviceRGB"}


def pixels(data: bytes, width: int, height: int, channels: int) -> Array:
    """The samples of an 8-bit grey or RGB codestream, from a PDF of one page that holds nothing else.

    Without the boxes of a JP2 file PDFium has no profile by which it would convert colours.
    Trouble `source-damaged` when PDFium does not read it.
    """
    document = pypdfium2.PdfDocument(_pdf(data, width, height, COLOUR_SPACES[channels]))
    try:
        held = list(document[0].get_objects())
        bitmap = held[0].get_bitmap() if held else None
        if bitmap is None or (bitmap.width, bitmap.height) != (width, height):
            raise Trouble("source-damaged", what="PDFium cannot read it")
        samples = np.array(bitmap.to_numpy())
    finally:
        document.close()
    cube: Array = samples if samples.ndim == 3 else samples[..., None]
    return np.ascontiguousarray(cube[..., :1] if channels == 1 else cube[..., 2::-1])  # blue, green, red


def _pdf(data: bytes, width: int, height: int, space: bytes) -> bytes:
    draw = b"%d 0 0 %d 0 0 cm /I Do" % (width, height)
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Resources<</XObject<</I 4 0 R>>>>/Contents 5 0 R>>"
    picture = b"<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/%s/BitsPerComponent 8/Filter/JPXDecode"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        page % (width, height),
        picture % (width, height, space) + b"/Length %d>>stream\n" % len(data) + data + b"\nendstream",
        b"<</Length %d>>stream\n" % len(draw) + draw + b"\nendstream",
    ]
    out, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj" % number + body + b"endobj\n"
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size %d/Root 1 0 R>>startxref\n%d\n%%%%EOF" % (len(objects) + 1, len(out))
    return out + table + end
