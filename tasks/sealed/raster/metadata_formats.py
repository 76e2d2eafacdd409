"""Reads the metadata of JPEG, PNG, WebP, JPEG 2000, GIF and BMP into TIFF's terms (see `metadata.py`)."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from tasks.premis.model import Trouble
from tasks.sealed.raster import containers, profile
from tasks.sealed.raster.metadata import (
    CENTIMETRE,
    DATE_TIME,
    INCH,
    NO_UNIT,
    PHOTOSHOP,
    Metadata,
    ascii_field,
    blob,
    density,
    from_exif,
    texts,
    tiff,
)

EXIF_BOX = bytes.fromhex("4a706754696666457869662d3e4a5032")
XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
IPTC_BOX = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
EXIF_START = b"Exif\0\0"
XMP_START, MORE_XMP_START = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
SRGB_NUMBER, GRAY_NUMBER = 16, 17
BIG = (b"+\0", b"\0+")
"""The version of a BigTIFF, in either byte order; its directories are not read."""
WITH_A_PLACE = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"pHYs",
                          b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"acTL", b"fcTL", b"fdAT"})  # fmt: skip
"""PNG chunks that are carried over or that make up the picture."""
ADVICE = frozenset({b"bKGD", b"oFFs", b"hIST", b"sPLT", b"sBIT"})


def read(path: Path) -> list[Metadata]:
    """The metadata of each page of a TIFF, or one entry for the whole file. An unreadable part is named in `lost`."""
    data = path.read_bytes()
    kind = containers.kind(data[:64])
    if kind == "tiff":
        return tiff(data) or [Metadata(lost=("everything but the pixels (BigTIFF)",) if data[2:4] in BIG else ())]
    readers: dict[str, Callable[[bytes], Metadata]] = {
        "png": png, "jpeg": jpeg, "webp": webp, "jp2": jp2, "gif": gif, "bmp": bmp, "avif": avif,
    }  # fmt: skip
    return [readers[kind](data) if kind in readers else Metadata()]


def over(base: Metadata, exif: bytes | None) -> Metadata:
    """`base` laid over an EXIF block: what the file's own format says of resolution comes first."""
    if not exif:
        return base
    told = from_exif(exif)
    return replace(
        told,
        icc=base.icc or told.icc,
        xmp=base.xmp or told.xmp,
        iptc=base.iptc or told.iptc,
        resolution=base.resolution or told.resolution,
        tags=told.tags | base.tags,
        lost=base.lost + told.lost,
        minor=base.minor + told.minor,
    )


# --- JPEG ---------------------------------------------------------------------


def jpeg(data: bytes) -> Metadata:
    """JFIF density, EXIF, ICC in its parts, XMP with its extension, Photoshop resources with IPTC, comments."""
    exif = xmp = None
    resources, profile_parts, comments, lost, resolution = b"", {}, [], [], None
    for marker, body in containers.jpeg_segments(data):
        if marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 12:
            unit, x, y = struct.unpack_from(">BHH", body, 7)
            resolution = density(x, y, 1, {1: INCH, 2: CENTIMETRE}.get(unit, NO_UNIT))
        elif marker == 0xE1 and body.startswith(EXIF_START):
            exif = exif or body[6:]
        elif marker == 0xE1 and body.startswith(XMP_START):
            xmp = xmp or body[len(XMP_START) :]
        elif marker == 0xE1 and body.startswith(MORE_XMP_START):
            lost.append("extended XMP")
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            profile_parts[body[12]] = body[14:]
        elif marker == 0xE2 and body.startswith(b"MPF\0"):
            lost.append("further pictures (MPF)")
        elif marker == 0xED and body.startswith(b"Photoshop 3.0\0"):
            resources += body[14:]
        elif marker == 0xFE:
            comments.append(("", body.decode("utf-8", "replace").replace("\ufffd", "\x7f")))
    lost += _trailer(data)
    tags = {PHOTOSHOP: blob(PHOTOSHOP, resources)} if resources else {}
    base = Metadata(
        icc=b"".join(profile_parts[key] for key in sorted(profile_parts)) or None,
        xmp=xmp, iptc=_iptc(resources), resolution=resolution, tags=tags, lost=tuple(dict.fromkeys(lost)),
    )  # fmt: skip
    return texts(comments, over(base, exif))


def _trailer(data: bytes) -> list[str]:
    end = containers.jpeg_end(data)
    rest = data[end:].strip(b"\0\r\n ") if end is not None else b""
    return [f"{len(rest)} bytes behind the picture"] if rest else []


def _resources(block: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, content) of the Photoshop image resources."""
    at = 0
    while block[at : at + 4] == b"8BIM" and at + 12 <= len(block):
        number = int.from_bytes(block[at + 4 : at + 6], "big")
        at += 7 + block[at + 6]
        at += at & 1
        size = int.from_bytes(block[at : at + 4], "big")
        yield number, block[at + 4 : at + 4 + size]
        at += 4 + size + (size & 1)


def _iptc(block: bytes) -> bytes | None:
    return next((body for number, body in _resources(block) if number == 0x0404 and body), None)


# --- PNG ----------------------------------------------------------------------


def png(data: bytes) -> Metadata:
    """Every chunk that has a place; the others, and an animation's timing, by name in `lost`."""
    chunks = list(containers.png_chunks(data))
    first: dict[bytes, bytes] = {}
    for name, body in chunks:
        first.setdefault(name, body)
    words = [word for name, body in chunks if (word := _png_text(name, body)) is not None]
    raw = {name.split()[-1].lower(): value for name, value in words if name.startswith("Raw profile type ")}
    blocks = {name: _hex(value) for name, value in raw.items()}
    xmp = next((value.encode() for name, value in words if name == "XML:com.adobe.xmp"), None) or blocks.get("xmp")
    resources = blocks.get("8bim") or b""
    lost = [name.decode("latin-1") for name in first if name not in WITH_A_PLACE | ADVICE]
    tags = {PHOTOSHOP: blob(PHOTOSHOP, resources)} if resources else {}
    if len(first.get(b"tIME", b"")) == 7:
        year, *rest = struct.unpack(">HBBBBB", first[b"tIME"])
        tags[DATE_TIME] = ascii_field(DATE_TIME, "{:04}:{:02}:{:02} {:02}:{:02}:{:02}".format(year, *rest))
    if b"acTL" in first:
        lost.append("timing of the frames")
    base = Metadata(
        icc=_png_colours(first) or blocks.get("icc") or blocks.get("icm"),
        xmp=xmp,
        iptc=_iptc(resources) or _iptc(blocks.get("iptc") or b"") or blocks.get("iptc"),
        resolution=_png_density(first.get(b"pHYs", b"")),
        tags=tags,
        lost=tuple(lost),
        minor=tuple(name.decode("latin-1") for name in first if name in ADVICE),
    )
    special = ("Raw profile type ", "XML:com.adobe.xmp")
    plain = [(name, value) for name, value in words if not name.startswith(special)]
    return texts(plain, over(base, first.get(b"eXIf") or blocks.get("exif") or blocks.get("app1")))


def _png_text(name: bytes, body: bytes) -> tuple[str, str] | None:
    if name not in (b"tEXt", b"zTXt", b"iTXt"):
        return None
    key, _, rest = body.partition(b"\0")
    word = key.decode("latin-1")
    try:
        if name == b"tEXt":
            return word, rest.decode("latin-1")
        if name == b"zTXt":
            return word, containers.inflate(rest[1:]).decode("latin-1")
        packed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
        return word, (containers.inflate(text) if packed else text).decode("utf-8")
    except Trouble:
        raise
    except Exception:
        return word, "\x7f\ufffd"  # not printable, hence named as lost


def _hex(text: str) -> bytes | None:
    """ImageMagick's raw profile: a name, a length and hexadecimal digits."""
    found = re.match(r"\s*\S+\s+(\d+)\s+([0-9a-fA-F\s]+)$", text)
    try:
        return bytes.fromhex(found[2]) if found else None
    except ValueError:
        return None


def _png_density(body: bytes) -> tuple[int, int, int, int, int] | None:
    if len(body) != 9:
        return None
    x, y, unit = struct.unpack(">IIB", body)
    return density(x, y, 100 if unit == 1 else 1, CENTIMETRE if unit == 1 else NO_UNIT)


def _png_colours(first: dict[bytes, bytes]) -> bytes | None:
    """iCCP as it is; else a profile for sRGB, or for gAMA with cHRM, in the order of the PNG specification."""
    gray = len(first.get(b"IHDR", b"")) == 13 and first[b"IHDR"][9] in (0, 4)
    if b"iCCP" in first:
        packed = first[b"iCCP"].partition(b"\0")[2][1:]
        try:
            return containers.inflate(packed)
        except Trouble:
            raise
        except Exception:
            return None
    if b"sRGB" in first:
        return profile.srgb(gray=gray)
    value = int.from_bytes(first.get(b"gAMA", b""), "big")
    if not 1_000 <= value <= 1_000_000:
        return None
    corners = struct.unpack(">8I", first[b"cHRM"]) if len(first.get(b"cHRM", b"")) == 32 else ()
    if corners and all(corners) and all(x + y <= 100_000 for x, y in zip(corners[::2], corners[1::2], strict=True)):
        return profile.gamma(value / 1e5, tuple(one / 1e5 for one in corners), gray=gray)
    return profile.gamma(value / 1e5, gray=gray)


# --- the others -----------------------------------------------------------------


def webp(data: bytes) -> Metadata:
    """ICC, EXIF and XMP chunks; an animation's timing is lost."""
    chunks: dict[bytes, bytes] = {}
    for name, body in containers.riff_chunks(data):
        chunks.setdefault(name, body)
    known = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "}
    lost = [name.decode("latin-1") for name in chunks if name not in known]
    if b"ANIM" in chunks:
        lost.append("timing of the frames")
    base = Metadata(icc=chunks.get(b"ICCP"), xmp=chunks.get(b"XMP "), lost=tuple(lost))
    return over(base, chunks.get(b"EXIF"))


def jp2(data: bytes) -> Metadata:
    """Profile or numbered colour space, capture (else display) resolution, the uuid boxes, XML boxes by name."""
    icc = xmp = iptc = exif = None
    places: dict[bytes, tuple[int, int, int, int, int] | None] = {}
    lost: list[str] = []
    streams = 0
    for name, start, end in containers.jp2_boxes(data):
        body = data[start:end] if name == b"uuid" else b""
        if name == b"jp2h":
            for inner, at, stop in containers.jp2_boxes(data, start, end):
                if inner == b"colr":
                    icc = icc or _jp2_colours(data[at:stop])
                elif inner == b"res ":
                    places |= {kind: _jp2_density(data[a:b]) for kind, a, b in containers.jp2_boxes(data, at, stop)}
        elif name == b"xml ":
            lost.append("XML box")
        elif name == b"jp2c":
            streams += 1
        elif body.startswith(EXIF_BOX):
            exif = body[16:]
        elif body.startswith(XMP_BOX):
            xmp = body[16:]
        elif body.startswith(IPTC_BOX):
            iptc = body[16:]
    if streams > 1:
        lost.append("further pictures (codestreams)")
    resolution = places.get(b"resc") or places.get(b"resd")
    return over(Metadata(icc, xmp, iptc, resolution, lost=tuple(dict.fromkeys(lost))), exif)


def _jp2_colours(body: bytes) -> bytes | None:
    if body[:1] in (b"\x02", b"\x03"):
        return body[3:]
    number = int.from_bytes(body[3:7], "big") if body[:1] == b"\x01" else 0
    return profile.srgb(gray=number == GRAY_NUMBER) if number in (SRGB_NUMBER, GRAY_NUMBER) else None


def _jp2_density(body: bytes) -> tuple[int, int, int, int, int] | None:
    if len(body) < 10:
        return None
    yn, yd, xn, xd, ye, xe = struct.unpack(">HHHHbb", body[:10])
    if not all((yn, yd, xn, xd)) or not (-4 <= xe <= 6 and -4 <= ye <= 6):
        return None
    # dots a metre: numerator / denominator * 10 ** exponent; a hundredth of it a centimetre
    return (*_powered(xn, xd * 100, xe), *_powered(yn, yd * 100, ye), CENTIMETRE)


def _powered(numerator: int, denominator: int, exponent: int) -> tuple[int, int]:
    return (numerator * 10**exponent, denominator) if exponent >= 0 else (numerator, denominator * 10**-exponent)


def gif(data: bytes) -> Metadata:
    """Comments; the timing of an animation and further texts are lost."""
    blocks = list(containers.gif_blocks(data))
    comments = [("", body.decode("latin-1")) for name, body in blocks if name == "comment"]
    xmp = next((body[11:] for name, body in blocks if name == "application" and body.startswith(b"XMP DataXMP")), None)
    lost = ["XMP"] if xmp else []
    if sum(name == "picture" for name, _ in blocks) > 1:
        lost.append("timing of the frames")
    if any(name == "text" for name, _ in blocks):
        lost.append("plain text blocks")
    return texts(comments, Metadata(lost=tuple(lost)))


def bmp(data: bytes) -> Metadata:
    """Dots a metre of the Windows header, and its embedded profile."""
    size = int.from_bytes(data[14:18], "little")
    if size < 40 or len(data) < 54:
        return Metadata()
    x, y = struct.unpack_from("<ii", data, 38)
    icc = None
    if size >= 124 and data[70:74] == b"DEBM":
        start, length = struct.unpack_from("<II", data, 126)
        icc = data[14 + start : 14 + start + length] or None
    return Metadata(icc=icc, resolution=density(x, y, 100, CENTIMETRE))


def avif(data: bytes) -> Metadata:
    """The profile (colr box); EXIF and XMP items are named as lost when they are there."""
    at = data.find(b"colrprof")
    icc = data[at + 8 : at - 4 + int.from_bytes(data[at - 4 : at], "big")] if at > 4 else None
    signs = {b"Exif": "EXIF", b"application/rdf+xml": "XMP"}
    lost = [name for sign, name in signs.items() if data.find(sign, 0, 65536) >= 0]
    return Metadata(icc=icc, lost=tuple(lost))
