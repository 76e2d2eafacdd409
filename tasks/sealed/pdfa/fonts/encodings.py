"""What character codes mean: encodings, glyph names and /ToUnicode (ISO 32000-1, 9.6.6 and 9.10)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pikepdf
from fontTools import agl
from pikepdf import Array, Dictionary, Name, Stream

from tasks.sealed.pdfa.borrowed import MAC_ROMAN, STANDARD, WIN_ANSI, encoding_table
from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.objects import PdfObject, array, is_dictionary, is_stream, name, name_at

METRICS = Path("/usr/share/fonts/type1/urw-base35")
"""Debian's fonts-urw-base35; its AFM files carry the built-in encodings of Symbol and ZapfDingbats."""

NOTDEF = ".notdef"
MAX_RANGE = 65536
MAX_MAP = 1 << 20
PREFERRED = (MAC_ROMAN, STANDARD, WIN_ANSI)


@cache
def builtin(font: str) -> Mapping[int, str]:
    """Returns the built-in encoding (code → glyph name) of an URW base font; empty when it is not installed."""
    path = METRICS / f"{font}.afm"
    if not path.exists():
        return {}
    found = re.findall(r"^C (\d+) ;.*?N (\S+) ;", path.read_text("ascii", "replace"), re.MULTILINE)
    return {int(code): glyph for code, glyph in found}


def base_table(encoding: str) -> Mapping[int, str] | None:
    """Returns a named encoding (with its slash) as code → glyph name, None when PDF does not predefine it."""
    known = {f"/{table}": table for table in PREFERRED}
    return encoding_table(known[encoding]) if encoding in known else None


def base_name(encoding: PdfObject) -> str:
    """Returns the name of an /Encoding or of its /BaseEncoding, with the slash; "" for none."""
    return name(encoding) if isinstance(encoding, Name) else name_at(encoding, "/BaseEncoding")


def differences(encoding: PdfObject) -> dict[int, str]:
    """Returns the /Differences of an encoding as code → glyph name; what is malformed is skipped."""
    found: dict[int, str] = {}
    code = 0
    for entry in array(encoding, "/Differences")[: 4 * 256]:
        if isinstance(entry, int):
            code = int(entry)
        elif isinstance(entry, Name):
            if 0 <= code <= 255:
                found[code] = name(entry)[1:]
            code += 1
    return found


def write_differences(names: Mapping[int, str], base: Name | None = None) -> Dictionary:
    """Returns an /Encoding that gives every code its glyph name."""
    entries = Array()
    previous = -2
    for code in sorted(names):
        if code != previous + 1:
            entries.append(code)
        entries.append(Name("/" + names[code]))
        previous = code
    made = Dictionary(Type=Name.Encoding, Differences=entries)
    if base is not None:
        made["/BaseEncoding"] = base
    return made


@cache
def unicode_of(glyph: str) -> str:
    """Returns the text of a glyph name by the Adobe Glyph List and its rules; "" when it says nothing."""
    return str(agl.toUnicode(glyph)) if glyph and glyph != NOTDEF else ""


def to_unicode(font: PdfObject) -> dict[int, str]:
    """Returns a font's /ToUnicode as code → text; the name /Identity-H there means that a code is its own text."""
    mapping = font.get("/ToUnicode")
    if isinstance(mapping, Name):
        return {code: chr(code) for code in range(32, 0xD800)} if "Identity" in name(mapping) else {}
    if not is_stream(mapping):
        return {}
    try:
        return parse_to_unicode(mapping.read_bytes())
    except pikepdf.PdfError:
        return {}


def parse_to_unicode(data: bytes) -> dict[int, str]:
    """Reads bfchar and bfrange of a CMap; what is malformed is skipped, and at most a million entries are read."""
    found: dict[int, str] = {}
    for block in re.findall(rb"beginbfchar(.*?)endbfchar", data, re.DOTALL):
        for code, value in re.findall(rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]+)>", block):
            found[_code(code)] = _utf16(value)
    pattern = rb"<([0-9A-Fa-f\s]+)>\s*<([0-9A-Fa-f\s]+)>\s*(?:<([0-9A-Fa-f\s]+)>|\[(.*?)\])"
    for block in re.findall(rb"beginbfrange(.*?)endbfrange", data, re.DOTALL):
        for low, high, start, values in re.findall(pattern, block, re.DOTALL):
            first, last = _code(low), _code(high)
            if last - first >= MAX_RANGE or len(found) > MAX_MAP:
                continue
            if start:
                head = _utf16(start)
                for offset in range(last - first + 1):
                    if head and ord(head[-1]) + offset < 0x110000:
                        found[first + offset] = head[:-1] + chr(ord(head[-1]) + offset)
            else:
                for offset, value in enumerate(re.findall(rb"<([0-9A-Fa-f\s]+)>", values)[:MAX_RANGE]):
                    found[first + offset] = _utf16(value)
    return found


def _code(digits: bytes) -> int:
    return int(re.sub(rb"\s", b"", digits)[:8] or b"0", 16)


def _utf16(digits: bytes) -> str:
    packed = re.sub(rb"\s", b"", digits)
    raw = bytes.fromhex((packed + b"0" * (len(packed) % 2)).decode("ascii"))
    return (b"\0" + raw if len(raw) == 1 else raw).decode("utf-16-be", "replace")


def write_to_unicode(document: Document, texts: Mapping[int, str], width: int) -> Stream:
    """Returns a /ToUnicode stream for codes of `width` bytes."""
    head = b"/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
    head += b"/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
    head += b"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n"
    head += b"<00> <FF>" if width == 1 else b"<0000> <FFFF>"
    body = b"\nendcodespacerange\n"
    entries = sorted(texts.items())
    for start in range(0, len(entries), 100):
        chunk = entries[start : start + 100]
        lines = (
            f"<{code:0{2 * width}X}> <{value.encode('utf-16-be', 'replace').hex().upper()}>\n" for code, value in chunk
        )
        body += f"{len(chunk)} beginbfchar\n".encode("ascii") + "".join(lines).encode("ascii") + b"endbfchar\n"
    return document.stream(head + body + b"endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")


def declared_names(font: PdfObject, default: Mapping[int, str]) -> dict[int, str]:
    """Returns code → glyph name as a simple font's /Encoding says, on top of `default` where it names no base."""
    encoding = font.get("/Encoding")
    names = dict(base_table(base_name(encoding)) or default)
    if is_dictionary(encoding):
        names |= differences(encoding)
    return {code: glyph for code, glyph in names.items() if 0 <= code <= 255}
