"""ISO 19005-2, 6.2.8.3 in pass 2: JPEG 2000 pictures whose channels or bits PDF/A forbids, decoded to plain samples."""

from __future__ import annotations

import io

import pikepdf
from pikepdf import Name, Stream
from PIL import Image

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.objects import integer

MAX_PIXELS = 64_000_000
SPACES = {"L": "/DeviceGray", "RGB": "/DeviceRGB", "CMYK": "/DeviceCMYK"}


def repair(document: Document) -> None:
    """Decodes the JPEG 2000 pictures when veraPDF refuses one; the pixels stay, the coding goes."""
    if not document.asked("6.2.8.3"):
        return
    for picture in document.census.jpeg2000:
        try:
            _decode(document, picture)
        except (OSError, ValueError, SyntaxError, pikepdf.PdfError):
            document.log("6.2.8.3", "JPEG 2000 picture that cannot be decoded", "guess")


def _decode(document: Document, picture: Stream) -> None:
    coded = picture.read_raw_bytes()
    with Image.open(io.BytesIO(coded), formats=("JPEG2000",)) as opened:
        if opened.width * opened.height > MAX_PIXELS:
            raise ValueError("too many pixels")
        opened.load()
        alpha = opened.getchannel("A") if opened.mode in ("LA", "RGBA") else None
        plain = {"LA": "L", "RGBA": "RGB"}.get(opened.mode, opened.mode)
        image = opened.convert(plain if plain in SPACES else "RGB")
    picture.write(image.tobytes())
    document.spaces |= {SPACES[image.mode]} - {"/DeviceGray"}
    picture["/Width"], picture["/Height"], picture["/BitsPerComponent"] = image.width, image.height, 8
    picture["/ColorSpace"] = Name(SPACES[image.mode])
    if alpha is not None and integer(picture, "/SMaskInData"):
        mask = {
            "/Type": Name.XObject,
            "/Subtype": Name.Image,
            "/Width": alpha.width,
            "/Height": alpha.height,
            "/ColorSpace": Name.DeviceGray,
            "/BitsPerComponent": 8,
        }
        picture["/SMask"] = document.stream(alpha.tobytes(), mask)
    if "/SMaskInData" in picture:
        del picture["/SMaskInData"]
    document.log("6.2.8.3", "JPEG 2000 picture decoded to plain samples")
