"""What a picture file says about itself, and where each part has its place in a TIFF.

The types, and the reader of TIFF and EXIF; `metadata_formats.read` reads any file. What TIFF has no place for is named
in `lost`; what is made from the picture itself (thumbnails) or only advises a viewer (background colour) is named in
`minor`; fields that only describe the old coding are left out.
Sources: TIFF 6.0, EXIF 2.32, XMP part 3, IPTC IIM 4.2, PNG 3rd edition, ISO 15444-1 annex I, JFIF 1.02.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from tasks.sealed.raster import ifd
from tasks.sealed.raster.ifd import Directory, Field

NO_UNIT, INCH, CENTIMETRE = 1, 2, 3
DESCRIPTION, SOFTWARE, DATE_TIME, ORIENTATION = 270, 305, 306, 274
XMP, IPTC, PHOTOSHOP, ICC = 700, 33723, 34377, 34675
EXIF_POINTER, GPS_POINTER, INTEROP_POINTER, SUB_IFDS = 34665, 34853, 40965, 330
CODING = frozenset({*range(254, 260), 262, 263, 264, 265, 266, 273, 274, *range(277, 285), 288, 289, *range(290, 294),
                    296, 297, 317, *range(320, 326), *range(326, 329), SUB_IFDS, 332, 334, 338, 339, 340, 341, 347,
                    *range(512, 522), 529, 530, 531, 532, 559, XMP, IPTC, ICC, EXIF_POINTER, GPS_POINTER,
                    INTEROP_POINTER, 50341, 59932})  # fmt: skip
"""Fields that tell how the pixels lie in the file, or that have a place of their own here; the others are copied."""
PLAIN_TEXTS = {"title": 269, "author": 315, "copyright": 33432, "software": SOFTWARE, "description": 270}


@dataclass(frozen=True, slots=True)
class Metadata:
    """`resolution` is (x numerator, x denominator, y numerator, y denominator, ResolutionUnit), None when unknown."""

    icc: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    resolution: tuple[int, int, int, int, int] | None = None
    orientation: int | None = None
    tags: Directory = field(default_factory=dict)
    exif: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)
    interop: Directory = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    minor: tuple[str, ...] = ()

    def later(self) -> Metadata:
        """What holds for the second and later frames of one animation: colour, resolution, orientation."""
        return Metadata(icc=self.icc, resolution=self.resolution, orientation=self.orientation)

    def dpi(self) -> tuple[int, int]:
        """Whole dots an inch in x and y, 0 when unknown."""
        if self.resolution is None or self.resolution[4] == NO_UNIT:
            return 0, 0
        xn, xd, yn, yd, unit = self.resolution
        scale = 2.54 if unit == CENTIMETRE else 1.0
        return round(xn / xd * scale), round(yn / yd * scale)

    def items(self) -> dict[str, str]:
        """Each thing told, by name, with a digest of its value: what two files are compared by."""
        blocks = {"ICC profile": self.icc, "XMP": self.xmp, "IPTC": self.iptc}
        found = {name: _digest(value) for name, value in blocks.items() if value}
        if self.resolution:
            found["resolution"] = _reduced(self.resolution)
        if self.orientation and self.orientation != 1:
            found["orientation"] = str(self.orientation)
        groups = {"tag": self.tags, "EXIF": self.exif, "GPS": self.gps, "interoperability": self.interop}
        for group, fields in groups.items():
            found |= {f"{group} {code}": _digest(one.data) for code, one in fields.items()}
        return found


def _digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()[:16]


def _reduced(value: tuple[int, int, int, int, int]) -> str:
    xn, xd, yn, yd, unit = value
    scale = 2.54 if unit == CENTIMETRE else 1.0
    return f"{xn / xd * scale:.3f} {yn / yd * scale:.3f} {'ratio' if unit == NO_UNIT else 'dpi'}"


def tiff(data: bytes) -> list[Metadata]:
    """One entry for each full-resolution page."""
    return [_page(data, one) for one in ifd.directories(data) if not _first(one, 254) & 1]


def _page(block: bytes, one: Directory) -> Metadata:
    exif = ifd.sub(block, one.get(EXIF_POINTER))
    below = [ifd.directory(block, at, ifd.order(block)) for at in (one[SUB_IFDS].numbers() if SUB_IFDS in one else [])]
    reduced = [bool(read and _first(read[0], 254) & 1) for read in below]
    lost = () if all(reduced) else ("pictures in SubIFDs",)
    return Metadata(
        icc=_data(one, ICC), xmp=_data(one, XMP), iptc=_data(one, IPTC),
        resolution=_resolution(one), orientation=_first(one, ORIENTATION) or None,
        tags={code: value for code, value in one.items() if code not in CODING and value.type != ifd.IFD},
        exif={code: value for code, value in exif.items() if code != INTEROP_POINTER},
        gps=ifd.sub(block, one.get(GPS_POINTER)),
        interop=ifd.sub(block, exif.get(INTEROP_POINTER)),
        lost=lost, minor=("thumbnail",) if any(reduced) else (),
    )  # fmt: skip


def from_exif(block: bytes) -> Metadata:
    """An EXIF block (with or without its `Exif\\0\\0` start); its thumbnail directory is left out."""
    body = block[6:] if block.startswith(b"Exif\0") else block
    chain = ifd.directories(body)
    if chain:
        return replace(_page(body, chain[0]), minor=("thumbnail",) if len(chain) > 1 else ())
    empty = ifd.order(body) and body[8:10] in (b"", b"\0\0")
    return Metadata(lost=() if empty else ("EXIF that cannot be read",))


def _first(one: Directory, code: int) -> int:
    numbers = one[code].numbers() if code in one else []
    return numbers[0] if numbers else 0


def _data(one: Directory, code: int) -> bytes | None:
    return one[code].data if code in one else None


def _resolution(one: Directory) -> tuple[int, int, int, int, int] | None:
    x, y = (one[code].numbers() if code in one else [] for code in (282, 283))
    unit = _first(one, 296) or INCH
    if len(x) < 2 or len(y) < 2 or 0 in (*x[:2], *y[:2]) or unit not in (NO_UNIT, INCH, CENTIMETRE):
        return None
    if unit == NO_UNIT and x[0] * y[1] == y[0] * x[1]:
        return None  # square pixels of unknown size say nothing
    return x[0], x[1], y[0], y[1], unit


def density(x: int, y: int, per: int, unit: int) -> tuple[int, int, int, int, int] | None:
    """A resolution of x and y dots a `per` units, None when it is none."""
    if x <= 0 or y <= 0 or (unit == NO_UNIT and x == y):
        return None
    return x, per, y, per, unit


def texts(found: list[tuple[str, str]], base: Metadata) -> Metadata:
    """Puts named texts into ASCII fields; those in other letters into XMP if the file has none, else they are lost."""
    tags, lost, lines, foreign = dict(base.tags), list(base.lost), [], []
    for name, value in found:
        clean = value.strip("\0").strip()
        if not clean:
            continue
        if not clean.isascii() or not name.isascii() or "\0" in clean:
            foreign.append(f"{name}: {clean}" if name else clean)
            if base.xmp or not clean.replace("\n", " ").isprintable():
                lost.append(f"text {name or 'comment'}")
            continue
        code = PLAIN_TEXTS.get(name.lower(), 0)
        if code and code not in tags and code != DESCRIPTION:
            tags[code] = ascii_field(code, clean)
        else:
            lines.append(f"{name}: {clean}" if name and name.lower() not in ("comment", "description") else clean)
    if lines:
        before = [tags[DESCRIPTION].text()] if DESCRIPTION in tags else []
        tags[DESCRIPTION] = ascii_field(DESCRIPTION, "\n".join(before + lines))
    xmp = base.xmp or (packet("\n".join(foreign)) if foreign and len(lost) == len(base.lost) else None)
    return replace(base, tags=tags, xmp=xmp, lost=tuple(dict.fromkeys(lost)))


def packet(text: str) -> bytes:
    """An XMP packet whose dc:description is `text` (XMP part 1, sections 7 and 8.4)."""
    body = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt><rdf:li xml:lang="x-default">'
        f'{body}</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def ascii_field(code: int, text: str) -> Field:
    """An ASCII field with its closing NUL."""
    data = text.encode("ascii") + b"\0"
    return Field(code, ifd.ASCII, len(data), data)


def blob(code: int, data: bytes) -> Field:
    """An UNDEFINED field."""
    return Field(code, ifd.UNDEFINED, len(data), data)
