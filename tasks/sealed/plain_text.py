"""Plain text: which encoding, which letters, and its pages as PDF/A.

The encoding is found in this order: byte order mark, strict UTF-8, UTF-16 by its zero bytes, legacy Vietnamese by the
share of legal syllables, then charset-normalizer, last cp1252. Pages are set by WeasyPrint, a slice of the lines at a
time so that the time grows with the length and not with its square; nothing is fetched.
"""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import charset_normalizer
import weasyprint
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher

from tasks.sealed import vietnamese
from tasks.sealed.office import SourceText

LIBRARIES = ("weasyprint", "charset-normalizer", "fonttools")

SLICE = 20_000
"""Letters that are laid out together; a slice ends at the end of a line."""
LONGEST = 1_000
"""Letters of a line that stay in one block, which is never broken over pages; longer lines are cut at a space."""
SURE = 0.8
"""Share of legal syllables from which a text is Vietnamese: wrong tables reach 0.78, right ones begin at 0.83."""
FEWEST = 3
"""Words with a Vietnamese letter below which nothing is decided by syllables."""
SAMPLE = 200_000
"""Bytes that the guesses look at."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LINE_END = re.compile(r"\r\n|\r|\n|\x0b|\x85|\u2028|\u2029")
_NOT_WESTERN = re.compile(r"[ŠšŽžŸ]|[^\W\d_][¢£¤¥¦§¨©ª¬®¯°±²³´¶¸¹º¼½¾¿÷×][^\W\d_]")
"""Letters that no language of Western Europe has in cp1252, and signs that never stand inside a word."""
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]+")
_CONTROLS = {c: 0x2400 + c for c in range(32) if c != 9} | {127: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
_CSS = """
@page { size: A4; margin: 18mm 18mm 18mm 18mm }
body { font: 9.9pt/1.35 "Liberation Mono", "Noto Sans Mono", "DejaVu Sans Mono", "Noto Sans", "DejaVu Sans", monospace }
p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 8; min-height: 1.35em;
    break-inside: avoid; font-variant-ligatures: none }
.new { break-before: page }
"""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text in Unicode: `share` is that of its legal syllables, given for legacy Vietnamese alone."""

    text: str
    encoding: str
    share: float | None = None


def decode(data: bytes) -> Decoded:
    """The letters of `data`; the encoding's name is Python's, or `tcvn3`, `viscii`, `vps`, `vni`."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return Decoded(data[len(mark) :].decode(encoding, "replace"), encoding)
    try:
        text = data.decode("utf-8")
        if "\x00" not in text[:SAMPLE]:
            return Decoded(text, "us-ascii" if text.isascii() else "utf-8")
    except UnicodeDecodeError:
        pass
    if wide := _utf16(data):
        return Decoded(data.decode(wide, "replace"), wide)
    return _vietnamese(data) or _guessed(data)


def _utf16(data: bytes) -> str | None:
    """UTF-16 without a mark: the high bytes of Latin letters are zero, all on the same side."""
    head = data[:SAMPLE]
    half = max(1, len(head) // 2)
    even, odd = head[::2].count(0) / half, head[1::2].count(0) / half
    if odd > 0.3 > 0.05 > even:
        return "utf-16-le"
    return "utf-16-be" if even > 0.3 > 0.05 > odd else None


def _vietnamese(data: bytes) -> Decoded | None:
    best: tuple[float, str] = (0.0, "")
    for encoding in vietnamese.ENCODINGS:
        good, all_of_them = vietnamese.score(vietnamese.decode(data[:SAMPLE], encoding))
        if all_of_them >= FEWEST:
            best = max(best, (good / all_of_them, encoding))
    if best[0] < SURE:
        return None
    return Decoded(vietnamese.decode(data, best[1]), best[1], best[0])


def _guessed(data: bytes) -> Decoded:
    guess = charset_normalizer.from_bytes(data[:SAMPLE]).best()
    if guess is None or (_western(data[:SAMPLE]) and _latin(str(guess))):
        return Decoded(data.decode("cp1252", "replace"), "cp1252")
    try:
        return Decoded(data.decode(guess.encoding), guess.encoding)
    except (UnicodeDecodeError, LookupError):
        return Decoded(data.decode("cp1252", "replace"), "cp1252")


def _western(data: bytes) -> bool:
    """Whether the bytes read well as cp1252: a guess takes French for Central European, with few letters between."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return False  # bytes that cp1252 leaves empty
    return not _NOT_WESTERN.search(text)


def _latin(text: str) -> bool:
    """Whether most letters beyond ASCII belong to the Latin script."""
    letters = [c for c in text if c.isalpha() and not c.isascii()]
    return sum(c < "\u0250" or "\u1e00" <= c < "\u1f00" for c in letters) * 2 >= len(letters)


def facts(source: str) -> dict[str, str | int | bool]:
    """Encoding, lines and characters of a plain text (names: `tasks.facts.NAMES`)."""
    decoded = decode(Path(source).read_bytes())
    lines = _LINE_END.split(decoded.text)
    return {
        "encoding": decoded.encoding,
        "lines": len(lines) - (not lines[-1]),
        "characters": len(decoded.text),
        "kind": "text",
        "encrypted": "none",
    }


def text_of(source: str) -> SourceText:
    """The letters that a page owes to a plain text, line by line."""
    lines = _LINE_END.split(decode(Path(source).read_bytes()).text)
    return SourceText("text", [line for line in lines if line.strip()])


def make_pdfa(source: str, product: str, *, seed: str, part: int = 2) -> dict[str, object]:
    """Writes the text of `source` to `product` as PDF/A-`part`u; the file's identifier comes from `seed` (hexadecimal).

    Returns {"pages", "characters": int, "encoding": str, "share": decimal string or None, "controls": int}, the last
    the control characters that are shown as pictures. The same text and seed give the same bytes.
    """
    decoded = decode(Path(source).read_bytes())
    blocks = list(_blocks(decoded.text))
    fonts = FontConfiguration()
    css = weasyprint.CSS(string=_CSS, font_config=fonts, url_fetcher=_NOTHING)
    documents, pages = [], []
    for document, kept in _laid_out(blocks, css, fonts, f"pdf/a-{part}u"):
        documents.append(document)
        pages += kept
    documents[0].copy(pages).write_pdf(product, pdf_variant=f"pdf/a-{part}u", pdf_identifier=bytes.fromhex(seed)[:16])
    return {
        "pages": len(pages),
        "characters": len(decoded.text),
        "encoding": decoded.encoding,
        "share": None if decoded.share is None else f"{decoded.share:.4f}",
        "controls": sum(map(len, _CONTROL.findall(decoded.text))),
    }


@dataclass(frozen=True, slots=True)
class _Block:
    """One line of the text, or a part of a very long one."""

    text: str
    new_page: bool = False


class _Nothing(URLFetcher):  # type: ignore[misc]  # weasyprint has no types
    """Fetches nothing: a text has no pictures, and what looks like an address in it is only text."""

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ARG002  weasyprint's signature
        """Refuse. Raises ValueError always."""
        raise ValueError(f"nothing is fetched: {url}")


_NOTHING = _Nothing()


def _blocks(text: str) -> Iterator[_Block]:
    lines = _LINE_END.split(text)
    if not lines[-1]:
        lines.pop()
    for line in lines or [""]:
        for number, page in enumerate(line.split("\f")):
            for at, piece in enumerate(_pieces(page)):
                yield _Block(piece.translate(_CONTROLS), new_page=number > 0 and at == 0)


def _pieces(line: str) -> Iterator[str]:
    """A line cut into pieces of at most `LONGEST` letters, at spaces where there are any."""
    while len(line) > LONGEST:
        cut = line.rfind(" ", 1, LONGEST) + 1 or LONGEST
        yield line[:cut]
        line = line[cut:]
    yield line


def _laid_out(
    blocks: list[_Block], css: weasyprint.CSS, fonts: FontConfiguration, variant: str
) -> Iterator[tuple[Any, list[Any]]]:
    """Lays out slice after slice: (document, its pages); a slice's last page is laid out again with the next one."""
    at = 0
    while at < len(blocks):
        end, letters = at, 0
        while end < len(blocks) and letters < SLICE:
            letters += len(blocks[end].text) + 40  # an empty line takes as much room as a short one
            end += 1
        html_text = "".join(_html(n, blocks[n], first=n == at) for n in range(at, end))
        document = weasyprint.HTML(string=f"<meta charset=utf-8><body>{html_text}", url_fetcher=_NOTHING).render(
            stylesheets=[css], font_config=fonts, pdf_variant=variant
        )
        pages = list(document.pages)
        if end < len(blocks) and len(pages) > 1:
            last = pages.pop()
            end = min((int(name[1:]) for name in last.anchors), default=end)
        yield document, pages
        at = end


def _html(number: int, block: _Block, *, first: bool) -> str:
    new = " class=new" if block.new_page and not first else ""
    return f"<p id=l{number}{new}>{html.escape(block.text)}</p>"
