"""Character codes of composite fonts → CIDs → text (ISO 32000-1, 9.7.5), with the tables of Debian's poppler-data."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import pikepdf
from pikepdf import Dictionary, Name, Stream, String

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.objects import PdfObject, array, dictionary, integer, is_stream, name, number, text

TABLES = Path("/usr/share/poppler")
MAX_CID = 65535
MAX_CODE = 1 << 40
MAX_DEPTH = 8
PLAIN = re.compile(r"[A-Za-z0-9-]{1,64}")


class CodeMap:
    """A CMap: code spaces as (low, high) byte strings, ranges as (bytes, first code, last code, first CID)."""

    def __init__(self, spaces: Sequence[tuple[bytes, bytes]], ranges: Sequence[tuple[int, int, int, int]]) -> None:
        self.spaces, self.ranges = tuple(spaces), tuple(ranges)
        ordered = sorted(self.ranges)
        pairs = pairwise(ordered)
        apart = all(one[0] != other[0] or one[2] < other[1] for one, other in pairs)
        # Predefined CMaps have ten thousand ranges that never overlap; only a file's own CMap overrides itself.
        self._sorted = ordered if apart else None

    def decode(self, shown: bytes) -> list[tuple[int, int, int]]:
        """Returns (code, its bytes, CID) for every code of a string; CID 0 where the map says nothing."""
        found: list[tuple[int, int, int]] = []
        position = 0
        while position < len(shown):
            length = self._length(shown, position)
            code = int.from_bytes(shown[position : position + length], "big")
            found.append((code, length, self.cid(code, length)))
            position += length
        return found

    def _length(self, shown: bytes, position: int) -> int:
        for length in (1, 2, 3, 4):
            chunk = shown[position : position + length]
            for low, high in self.spaces:
                if len(low) == len(chunk) == length and all(
                    a <= byte <= b for a, byte, b in zip(low, chunk, high, strict=False)
                ):
                    return length
        return min((len(low) for low, _ in self.spaces), default=2) or 1

    def cid(self, code: int, length: int) -> int:
        """Returns the CID of a code; later ranges override earlier ones."""
        candidates = self.ranges[::-1]
        if self._sorted is not None:
            position = bisect_right(self._sorted, (length, code, MAX_CODE, MAX_CODE)) - 1
            candidates = (self._sorted[position],) if position >= 0 else ()
        for size, first, last, cid in candidates:
            if size == length and first <= code <= last:
                return cid + code - first
        return 0


TWO_BYTES = CodeMap(((b"\0\0", b"\xff\xff"),), ((2, 0, 0xFFFF, 0),))
"""Identity-H and Identity-V."""


@cache
def predefined(cmap: str) -> CodeMap | None:
    """Returns a CMap by its name, None when it is not installed."""
    if cmap in ("Identity-H", "Identity-V"):
        return TWO_BYTES
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", cmap):
        return None
    for folder in sorted(TABLES.glob("cMap/*")):
        if (folder / cmap).is_file():
            return parse((folder / cmap).read_bytes())
    return None


def parse(data: bytes, base: CodeMap | None = None, depth: int = 0) -> CodeMap:
    """Reads code spaces, cidrange and cidchar; a `usecmap` of an installed CMap is followed."""
    used = re.search(rb"/([A-Za-z0-9-]+)\s+usecmap", data)
    if base is None and used and depth < MAX_DEPTH:
        base = predefined(used[1].decode("ascii"))
    spaces, ranges = list(base.spaces if base else ()), list(base.ranges if base else ())
    for block in re.findall(rb"begincodespacerange(.*?)endcodespacerange", data, re.DOTALL):
        for low, high in re.findall(rb"<([0-9A-Fa-f]{2,8})>\s*<([0-9A-Fa-f]{2,8})>", block):
            if len(low) == len(high) and len(low) % 2 == 0:
                spaces.append((bytes.fromhex(low.decode("ascii")), bytes.fromhex(high.decode("ascii"))))
    for block in re.findall(rb"begincidrange(.*?)endcidrange", data, re.DOTALL):
        for low, high, cid in re.findall(rb"<([0-9A-Fa-f]{1,8})>\s*<([0-9A-Fa-f]{1,8})>\s*(\d{1,6})", block):
            ranges.append((len(low) // 2, int(low, 16), int(high, 16), int(cid)))
    for block in re.findall(rb"begincidchar(.*?)endcidchar", data, re.DOTALL):
        for code, cid in re.findall(rb"<([0-9A-Fa-f]{1,8})>\s*(\d{1,6})", block):
            ranges.append((len(code) // 2, int(code, 16), int(code, 16), int(cid)))
    return CodeMap(spaces, ranges)


def code_map(font: PdfObject) -> CodeMap | None:
    """Returns the CMap of a Type 0 font, None when it cannot be known."""
    encoding = font.get("/Encoding")
    if isinstance(encoding, Name):
        return predefined(name(encoding)[1:])
    if not is_stream(encoding):
        return None
    try:
        data = encoding.read_bytes()
    except pikepdf.PdfError:
        return None
    used = encoding.get("/UseCMap")
    return parse(data, predefined(name(used)[1:]) if isinstance(used, Name) else None)


@cache
def unicode_of_cids(ordering: str) -> tuple[int, ...]:
    """Returns Unicode by CID of an Adobe character collection ("Japan1", "GB1" …); empty when none is installed."""
    path = TABLES / "cidToUnicode" / f"Adobe-{ordering}"
    if not re.fullmatch(r"[A-Za-z0-9]{1,16}", ordering) or not path.is_file():
        return ()
    lines = path.read_text("ascii", "replace").splitlines()
    return tuple(int(line.split(",")[0].split()[0], 16) if line.strip() else 0 for line in lines)


def ordering(font: PdfObject) -> str:
    """Returns the character collection of a CIDFont, "Identity" when it names none."""
    found = text((dictionary(font, "/CIDSystemInfo") or Dictionary()).get("/Ordering"))
    return found if PLAIN.fullmatch(found) else "Identity"


def cid_widths(font: PdfObject) -> tuple[float, dict[int, float]]:
    """Returns (/DW, /W as CID → thousandths of the em) of a CIDFont."""
    found: dict[int, float] = {}
    entries = array(font, "/W")
    i = 0
    while i + 1 < len(entries):
        first = int(number(entries[i]))
        if isinstance(entries[i + 1], pikepdf.Array):
            for offset, width in enumerate(list(entries[i + 1])[: MAX_CID + 1]):
                found[first + offset] = number(width)
            i += 2
        elif i + 2 < len(entries):
            width, last = number(entries[i + 2]), min(int(number(entries[i + 1])), MAX_CID)
            found |= dict.fromkeys(range(max(first, 0), last + 1), width)
            i += 3
        else:
            break
    return number(font.get("/DW"), 1000.0), found


def remapped(document: Document, font: PdfObject, changes: Mapping[tuple[int, int], int], cidfont: PdfObject) -> Stream:
    """Returns an embedded CMap: the font's predefined one, with some (code, bytes) sent to other CIDs."""
    base = name(font.get("/Encoding"))[1:]
    information = dictionary(cidfont, "/CIDSystemInfo") or Dictionary()
    registry, collection = text(information.get("/Registry")), ordering(cidfont)
    registry = registry if PLAIN.fullmatch(registry) else "Adobe"
    supplement = integer(information, "/Supplement")
    vertical = int(base.endswith("-V"))
    lines = [f"<{code:0{2 * length}X}> {cid}" for (code, length), cid in sorted(changes.items())]
    blocks = ""
    for start in range(0, len(lines), 100):
        chunk = lines[start : start + 100]
        blocks += f"{len(chunk)} begincidchar\n" + "\n".join(chunk) + "\nendcidchar\n"
    # Not every reader follows `usecmap` to Identity-H, so all codes of such a font must be among the changes.
    alone = base.startswith("Identity")
    space = "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n" if alone else ""
    body = (
        f"/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n{'' if alone else f'/{base} usecmap'}\n"
        f"/CIDSystemInfo 3 dict dup begin\n/Registry ({registry}) def\n/Ordering ({collection}) def\n"
        f"/Supplement {supplement} def\nend def\n/CMapName /Remapped def\n/CMapType 1 def\n/WMode {vertical} def\n"
        f"{space}{blocks}endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    )
    system = Dictionary(Registry=String(registry), Ordering=String(collection), Supplement=supplement)
    entries = {"/Type": Name.CMap, "/CMapName": Name.Remapped, "/CIDSystemInfo": system, "/WMode": vertical}
    if not alone:
        entries["/UseCMap"] = Name("/" + base)
    return document.stream(body.encode("ascii"), entries)
