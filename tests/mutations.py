"""What happens to files on the way through the years, and what hostile people do to them: mutations by a seed.

The same (seed, number, file, other file) gives the same bytes on every machine. Each mutation takes the bytes, a
random source and the bytes of another file, and returns bytes; one that does not fit returns what it was given.
"""

from __future__ import annotations

import io
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from random import Random

Mutation = Callable[[bytes, Random, bytes], bytes]

MOST_BYTES = 8 << 20
"""A mutated file is cut at this size: the campaign is about strange files, not about big ones."""
DEPTH = 5000
EXTENSIONS = (
    "pdf",
    "docx",
    "odt",
    "xlsx",
    "doc",
    "tif",
    "png",
    "jpg",
    "jp2",
    "txt",
    "csv",
    "rtf",
    "eml",
    "zip",
    "",
    "đồ",
)
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
MAGICS = (
    b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"PK\x03\x04", b"II*\x00", b"MM\x00*", b"BM", b"GIF89a",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf1", b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"RIFF", b"<?xml", b"\xff\xfe",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutated:
    """A file to be delivered: its name, its bytes, and the names of what was done to it."""

    name: str
    data: bytes
    done: tuple[str, ...]


def mutated(seed: int, number: int, name: str, data: bytes, other: bytes) -> Mutated:
    """One to three mutations that fit the file, chosen by seed and number."""
    rng = Random(f"{seed}-{number}")
    stem, suffix = PurePath(name).stem, PurePath(name).suffix
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        kinds = [GENERIC, *([special] if (special := _special(data)) else [])]
        word = rng.choice(sorted(rng.choice(kinds)))
        function = {**GENERIC, **special}[word]
        data = function(data, rng, other)[:MOST_BYTES]
        done.append(word)
    if rng.random() < 0.08:
        suffix = f".{rng.choice(EXTENSIONS)}".removesuffix(".")
        done.append("extension")
    return Mutated(f"{number:06d}-{stem[:80]}{suffix}", data, tuple(done))


# --- any file --------------------------------------------------------------------------------------------------------


def _place(data: bytes, rng: Random) -> int:
    """Half of the time near the beginning, where formats keep what all else rests on."""
    return rng.randrange(min(len(data), 512) if rng.random() < 0.5 else len(data)) if data else 0


def flip_bits(data: bytes, rng: Random, _: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 4, 32, 256))):
        if changed:
            changed[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def byte_run(data: bytes, rng: Random, _: bytes) -> bytes:
    at, length = _place(data, rng), rng.choice((1, 8, 64, 512, 4096))
    fill = rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length), b"\n" * length, b"(" * length))
    return data[:at] + fill + data[at + length :]


def truncate(data: bytes, rng: Random, _: bytes) -> bytes:
    return data[: rng.choice((0, 1, 10, 100, len(data) // 2, max(0, len(data) - 10), rng.randrange(len(data) + 1)))]


def double_chunk(data: bytes, rng: Random, _: bytes) -> bytes:
    at, length = _place(data, rng), rng.choice((16, 512, 8192))
    return data[: at + length] + data[at : at + length] * rng.choice((1, 3, 40)) + data[at + length :]


def remove_chunk(data: bytes, rng: Random, _: bytes) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + rng.choice((1, 2, 4, 64, 1024, 65536)) :]


def splice(data: bytes, rng: Random, other: bytes) -> bytes:
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def length_field(data: bytes, rng: Random, _: bytes) -> bytes:
    form = rng.choice((">I", "<I", ">H", "<H"))
    width = struct.calcsize(form)
    at = _place(data, rng)
    value = rng.choice(EXTREMES) & ((1 << (8 * width)) - 1)
    return data[:at] + struct.pack(form, value) + data[at + width :]


def magic(data: bytes, rng: Random, _: bytes) -> bytes:
    new = rng.choice(MAGICS)
    return new + data[len(new) :] if rng.random() < 0.7 else new + data


def garbage(data: bytes, rng: Random, other: bytes) -> bytes:
    more = rng.choice((rng.randbytes(5000), bytes(5000), other, b"%%EOF\n" * 50, data))
    return data + more if rng.random() < 0.7 else more[:1000] + data


def noise(_: bytes, rng: Random, __: bytes) -> bytes:
    return rng.choice(MAGICS) + rng.randbytes(rng.choice((1, 100, 20_000)))


GENERIC: Mapping[str, Mutation] = {
    f.__name__: f
    for f in (
        flip_bits, byte_run, truncate, double_chunk, remove_chunk, splice, length_field, magic, garbage, noise,
    )
}  # fmt: skip


# --- PDF -------------------------------------------------------------------------------------------------------------


def _replaced(
    data: bytes, rng: Random, pattern: bytes, new: Callable[[re.Match[bytes]], bytes], most: int = 5
) -> bytes:
    found = list(re.finditer(pattern, data))
    for match in sorted(rng.sample(found, min(len(found), rng.randint(1, most))), key=lambda m: -m.start()):
        data = data[: match.start()] + new(match) + data[match.end() :]
    return data


def pdf_numbers(data: bytes, rng: Random, _: bytes) -> bytes:
    values = (b"0", b"-1", b"1e30", b"99999999999", b"0.0000001", b"-2147483648", b"nan", b"--5", b"4294967296")
    return _replaced(data, rng, rb"(?<=[\s\[])-?\d+(\.\d+)?(?=[\s\]/>])", lambda _: rng.choice(values), 20)


def pdf_names(data: bytes, rng: Random, _: bytes) -> bytes:
    names = re.findall(rb"/[A-Za-z]\w+", data) or [b"/X"]
    odd = (b"/", b"/#00", b"/" + b"A" * 3000, b"/#zz", b"null", b"true", b"(text)", b"<41")
    return _replaced(data, rng, rb"/[A-Za-z]\w+", lambda _: rng.choice((*odd, *rng.sample(names, 1) * 8)), 10)


def pdf_length(data: bytes, rng: Random, _: bytes) -> bytes:
    values = (b"/Length 0", b"/Length -1", b"/Length 999999999", b"/Length 1 0 R", b"/Length []", b"/Longth 5")
    return _replaced(data, rng, rb"/Length\d? (\d+ \d+ R|\d+)", lambda _: rng.choice(values))


def pdf_references(data: bytes, rng: Random, _: bytes) -> bytes:
    known = re.findall(rb"(\d+) 0 obj", data) or [b"1"]
    return _replaced(data, rng, rb"\d+ \d+ R\b", lambda _: rng.choice((*known, b"0", b"9999999")) + b" 0 R", 10)


def pdf_page_loop(data: bytes, rng: Random, _: bytes) -> bytes:
    parents = re.findall(rb"/Parent (\d+ \d+ R)", data) or [b"1 0 R"]
    return _replaced(
        data, rng, rb"/Kids\s*\[", lambda m: m[0] + b" " + (rng.choice(parents) + b" ") * rng.choice((1, 9))
    )


def pdf_count(data: bytes, rng: Random, _: bytes) -> bytes:
    return _replaced(
        data, rng, rb"/Count -?\d+", lambda _: rng.choice((b"/Count 100000000", b"/Count -7", b"/Count 0"))
    )


def pdf_boxes(data: bytes, rng: Random, _: bytes) -> bytes:
    boxes = (
        b"[0 0 0 0]",
        b"[0 0 1e9 1e9]",
        b"[0 0 14400 14400]",
        b"[9 9 -9 -9]",
        b"[0 0 x y]",
        b"[0 0 200000 200000]",
        b"[]",
    )
    return _replaced(data, rng, rb"(?<=Box)\s*\[[^\]]{0,80}\]", lambda _: rng.choice(boxes))


def pdf_filters(data: bytes, rng: Random, _: bytes) -> bytes:
    filters = (b"/FlateDecode", b"/DCTDecode", b"/JPXDecode", b"/LZWDecode", b"/JBIG2Decode", b"/CCITTFaxDecode",
               b"/ASCII85Decode", b"/RunLengthDecode", b"/Crypt", b"[" + b"/ASCIIHexDecode " * 200 + b"]")  # fmt: skip
    return _replaced(data, rng, rb"/[A-Z]\w+Decode", lambda _: rng.choice(filters))


def pdf_deep(data: bytes, rng: Random, _: bytes) -> bytes:
    open_, close = rng.choice(((b"[", b"]"), (b"<</A ", b">>")))
    deep = open_ * DEPTH + b"1" + close * rng.choice((DEPTH, 0, DEPTH - 1))
    return _replaced(data, rng, rb"/(Resources|Contents|Info|Kids|MediaBox|Font)\b", lambda m: m[0] + b" " + deep, 1)


def pdf_xref(data: bytes, rng: Random, _: bytes) -> bytes:
    new = (b"startxref\n0", b"startxref\n99999999", b"startxref\n-3", b"startxref", b"")
    data = _replaced(data, rng, rb"startxref\s+\d+", lambda _: rng.choice(new))
    return _replaced(
        data, rng, rb"trailer|/Prev \d+|/Root \d+ \d+ R", lambda _: rng.choice((b"", b"/Prev 15", b"/Root 1 0 R"))
    )


def pdf_stream(data: bytes, rng: Random, _: bytes) -> bytes:
    """Content of a stream unpacked, damaged as text, and packed again: what is broken then is its meaning."""
    found = [m for m in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL) if m[1][:1] == b"x"]
    if not found:
        return data
    match = rng.choice(found)
    try:
        text = zlib.decompressobj().decompress(match[1], 1 << 20)
    except zlib.error:
        return data
    choices = (pdf_numbers, pdf_names, flip_bits, double_chunk, remove_chunk, byte_run)
    text = rng.choice(choices)(text, rng, b"") if rng.random() < 0.8 else b"q " * 100_000 + text
    return data[: match.start(1)] + zlib.compress(text) + data[match.end(1) :]


PDF: Mapping[str, Mutation] = {
    f.__name__: f
    for f in (
        pdf_numbers, pdf_names, pdf_length, pdf_references, pdf_page_loop, pdf_count, pdf_boxes, pdf_filters, pdf_deep,
        pdf_xref, pdf_stream,
    )
}  # fmt: skip


# --- zip and what is packed in it ------------------------------------------------------------------------------------


def _repacked(data: bytes, change: Callable[[str, bytes], list[tuple[str, bytes]]]) -> bytes:
    made = io.BytesIO()
    try:
        with (
            warnings.catch_warnings(),
            zipfile.ZipFile(io.BytesIO(data)) as old,
            zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new,
        ):
            warnings.simplefilter("ignore", UserWarning)  # two members of one name are meant
            for row in old.infolist()[:3000]:
                if row.file_size > MOST_BYTES:
                    return data
                for name, content in change(row.filename, old.read(row)):
                    new.writestr(_row(name), content)
    except Exception:  # what was damaged before can make zipfile raise anything
        return data
    return made.getvalue()


def _row(name: str) -> zipfile.ZipInfo:
    row = zipfile.ZipInfo(name)  # with the first date there is, not today's: the same seed gives the same bytes
    row.compress_type = zipfile.ZIP_DEFLATED
    return row


def _members(data: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old:
            return old.namelist()
    except Exception:  # as above
        return []


def _on_one(data: bytes, rng: Random, change: Callable[[bytes], bytes], want: str = "") -> bytes:
    names = [n for n in _members(data) if n.endswith(want)]
    likely = [n for n in names if re.search(r"document\.xml|content\.xml|sheet1\.xml|slide1\.xml|styles\.xml", n)]
    if not names:
        return data
    chosen = rng.choice(likely if likely and rng.random() < 0.6 else names)
    return _repacked(data, lambda name, content: [(name, change(content) if name == chosen else content)])


def zip_member(data: bytes, rng: Random, other: bytes) -> bytes:
    return _on_one(data, rng, lambda content: rng.choice(list(GENERIC.values()))(content, rng, other))


def zip_names(data: bytes, rng: Random, _: bytes) -> bytes:
    names = _members(data)
    chosen = rng.choice(names) if names else ""
    new = rng.choice(("../" * 9 + "etc/passwd", "/etc/passwd", " ", "a" * 60_000, "x\x00y", chosen.upper(), "Đ/" * 500))
    twice = rng.random() < 0.3
    return _repacked(
        data, lambda n, c: [(n, c), (new, c)] if twice and n == chosen else [(new if n == chosen else n, c)]
    )


def zip_missing(data: bytes, rng: Random, _: bytes) -> bytes:
    names = _members(data)
    gone = set(rng.sample(names, min(len(names), rng.randint(1, 3))))
    return _repacked(data, lambda name, content: [] if name in gone else [(name, content)])


def zip_bomb(data: bytes, rng: Random, _: bytes) -> bytes:
    size = rng.choice((1 << 20, 100 << 20))
    return _on_one(data, rng, lambda content: content[: len(content) // 2] + b" " * size + content[len(content) // 2 :])


def zip_directory(data: bytes, rng: Random, _: bytes) -> bytes:
    """Fields of a central directory row or a local header: sizes, counts, method, flags."""
    found = [m.start() for m in re.finditer(rb"PK\x01\x02|PK\x03\x04|PK\x05\x06", data)]
    changed = bytearray(data)
    for at in rng.sample(found, min(len(found), rng.randint(1, 4))):
        field = at + rng.choice((4, 6, 8, 14, 18, 20, 22, 24, 26, 28, 42))
        changed[field : field + 4] = struct.pack("<I", rng.choice(EXTREMES))
    return bytes(changed)


def xml_damage(data: bytes, rng: Random, _: bytes) -> bytes:
    def change(content: bytes) -> bytes:
        kind = rng.randrange(8)
        if kind == 0:
            return _replaced(content, rng, rb"</?[\w:]+[^>]*>", lambda _: b"")
        if kind == 1:
            return _replaced(
                content, rng, rb'"[^"<]*"', lambda _: b'"' + rng.choice((b"", b"-1", b"9" * 300, b"\xff")) + b'"'
            )
        if kind == 2:
            lol = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
            content = re.sub(
                rb"^(<\?xml.*?\?>)?",
                rb'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">' + lol + b"]>",
                content,
                count=1,
            )
            return _replaced(content, rng, rb"(?<=>)[^<>]+(?=<)", lambda _: b"&l9;", 1)
        if kind == 3:
            name = rng.choice((b"w:p", b"text:span", b"table:table", b"a"))
            deep = b"<%s>" % name * DEPTH + b"x" + b"</%s>" % name * DEPTH
            return _replaced(content, rng, rb"(?<=>)(?=<)", lambda _: deep, 1)
        if kind == 4:
            return content.replace(b"UTF-8", rng.choice((b"UTF-16", b"x-none", b"ascii", b"EBCDIC-CP-FR")), 1)
        if kind == 5:
            return _replaced(
                content,
                rng,
                rb"(?<=>)[^<>]+(?=<)",
                lambda _: rng.choice((b"\x00", b"&#x0;", b"&none;", b"\xed\xa0\x80", "ế".encode() * 999)),
            )
        if kind == 6:
            return _replaced(content, rng, rb"<[\w:]+(?=[ />])", lambda m: m[0] + b' a:x="1"')
        return _replaced(
            content, rng, rb"\d+", lambda _: rng.choice((b"0", b"-1", b"999999999", b"4294967296", b"1e9")), 20
        )

    return _on_one(data, rng, change, ".xml")


ZIP: Mapping[str, Mutation] = {
    f.__name__: f for f in (zip_member, zip_names, zip_missing, zip_bomb, zip_directory, xml_damage)
}


# --- pictures, compound files, text ----------------------------------------------------------------------------------


def _dimension(rng: Random) -> int:
    return rng.choice((0, 1, 0xFFFF, 65_500, 100_000, 1 << 24, 0x7FFFFFFF, 0xFFFFFFFF))


def picture_header(data: bytes, rng: Random, _: bytes) -> bytes:
    """Width, height, depth or colour in the header of a PNG, JPEG, BMP, GIF, JPEG 2000, WebP or TIFF."""
    changed = bytearray(data)
    wide = struct.pack(">I", _dimension(rng))
    if data.startswith(b"\x89PNG") and len(data) > 33:
        at = rng.choice((16, 20))
        changed[at : at + 4] = wide
        if rng.random() < 0.3:
            changed[24 + rng.randrange(5)] = rng.randrange(256)
        changed[29:33] = struct.pack(">I", zlib.crc32(changed[12:29]))
    elif data.startswith(b"\xff\xd8") and (found := [m.start() for m in re.finditer(rb"\xff[\xc0-\xc2]\x00", data)]):
        at = rng.choice(found) + rng.choice((4, 5, 7, 9))
        changed[at : at + 2] = wide[2:]
    elif data[4:8] == b"jP  " and (at := data.find(b"ihdr")) > 0:
        at += rng.choice((4, 8))
        changed[at : at + 4] = wide
    elif data[:2] in (b"II", b"MM"):
        order = "<" if data[:2] == b"II" else ">"
        for tag in rng.sample((256, 257, 258, 259, 262, 273, 277, 278, 279, 322, 323), 2):
            if (at := data.find(struct.pack(order + "H", tag))) > 0:
                changed[at + 8 : at + 12] = struct.pack(order + "I", _dimension(rng))
    else:
        at = rng.choice((6, 8, 18, 22, 26, 28, 46))
        changed[at : at + 4] = struct.pack("<I", _dimension(rng))
    return bytes(changed)


def picture_chunk(data: bytes, rng: Random, _: bytes) -> bytes:
    """The length of a PNG chunk, of a JPEG segment, or the offset of a TIFF's directory."""
    pattern = rb"IDAT|PLTE|tRNS|iCCP|tEXt|iTXt|\xff[\xe0-\xef\xdb\xc4\xda]|\*\x00|\x00\*|colr|jp2c"
    found = [m.start() for m in re.finditer(pattern, data[: 1 << 16])]
    if not found:
        return data
    at = max(0, rng.choice(found) + rng.choice((-4, 2, 4)))
    return data[:at] + struct.pack(">I", rng.choice(EXTREMES)) + data[at + 4 :]


def compound_header(data: bytes, rng: Random, _: bytes) -> bytes:
    """Fields of a compound file's header and allocation table: sector sizes, starts, loops."""
    at = rng.choice((24, 26, 30, 32, 40, 44, 48, 56, 60, 64, 68, 72, 76, 80, 512 + 4 * rng.randrange(128)))
    return data[:at] + struct.pack("<I", rng.choice((*EXTREMES, 0xFFFFFFFE, 2, 3))) + data[at + 4 :]


def text_damage(data: bytes, rng: Random, _: bytes) -> bytes:
    at = _place(data, rng)
    more = rng.choice((
        b"\x00" * 20, b"\xff\xfe", b"\xef\xbb\xbf", "\u202e\u2066".encode(), b"\x1b[31m", b"a" * 200_000, b"\r" * 5000,
        "e\u0301".encode() * 500, b"\xed\xa0\x80", b"\xc3", b"\x0c" * 300, bytes(range(256)), "﷽".encode() * 2000,
        "🏳️‍🌈".encode() * 300, b"{" * DEPTH, b"=HYPERLINK(\"file:///etc/passwd\")",
    ))  # fmt: skip
    return data[:at] + more + data[at:]


PICTURE: Mapping[str, Mutation] = {f.__name__: f for f in (picture_header, picture_chunk)}
COMPOUND: Mapping[str, Mutation] = {"compound_header": compound_header}
TEXT: Mapping[str, Mutation] = {"text_damage": text_damage}


def _special(data: bytes) -> Mapping[str, Mutation]:
    """The mutations that know the format, by its first bytes."""
    if b"%PDF-" in data[:1024]:
        return PDF
    if data.startswith(b"PK"):
        return ZIP
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        return COMPOUND
    if data.startswith((b"\x89PNG", b"\xff\xd8", b"II*", b"MM\x00", b"BM", b"GIF8", b"RIFF")) or data[4:8] == b"jP  ":
        return PICTURE
    return TEXT if b"\x00" not in data[:1000] else {}
