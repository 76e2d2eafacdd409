"""Words, pages and boxes of two PDFs side by side, read by pypdf, which had no hand in making them.

pikepdf (qpdf) repairs, so qpdf does not judge. Where pypdf fails on a source page, or reads rubbish there, or finds
words missing, PDFium reads both sides of that page as well, and the answer says how many pages each reader settled:
a word counts as lost only when the reader that could read the source misses it. Runs inside a job only.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from types import FrameType
from typing import Any

import pypdf
import pypdfium2

from tasks.premis.model import Trouble
from tasks.sealed import pdfium, picture_pages

LIBRARIES = ("pypdf", "pypdfium2", "pikepdf", "tifffile", "Pillow")
RUBBISH = 0.1
"""From this share of letters without a meaning on (private use, unassigned, U+FFFD, controls) a page is not read."""
PAGE_SECONDS = 20.0
"""How long pypdf may take over one page before PDFium is asked instead."""
MOST_PAIRS = 1_000_000_000
"""Above this product of two word counts (31 000 words on one page) a page is not asked for the order of its words."""
POINT = 1.0
"""Pages whose width and height differ by less (in points) are of the same size."""

Size = tuple[float, float]


@dataclass(frozen=True, slots=True)
class PageText:
    """One page compared: words of the source, those lost, the order of those kept (0 to 1), who read it."""

    words: int
    lost: int
    order: float
    reader: str


class _SlowError(Exception):
    """pypdf took too long over a page."""


def compare(source: str, product: str, *, seconds: int = 60) -> dict[str, Any]:
    """Compares the words of every source page with those of the same page of the product.

    Returns {"words", "lost", "order", "pages", "by_pypdf", "by_pypdfium2", "worst"}: counts of words, how well those
    kept are in order (0 to 1 as a decimal string), and the 1-based page with most losses (0: none). After `seconds`
    PDFium alone reads the remaining pages; no page is left out. A page that the product lacks loses all its words.
    Raises Trouble `source-damaged` or `source-encrypted` when no reader opens the source.
    """
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    deadline = time.monotonic() + seconds
    results: list[PageText] = []
    with (
        pdfium.document(source) as before,
        pdfium.product(product) as after,
        _pypdf_pages(source, product) as pypdf_pages,
    ):
        for number in range(len(before)):
            pair = pypdf_pages(number) if time.monotonic() < deadline else None
            results.append(_page(pair, before, after, number))
    words, lost = sum(page.words for page in results), sum(page.lost for page in results)
    order = sum(page.order * page.words for page in results) / words if words else 1.0
    worst = max(range(len(results)), key=lambda index: results[index].lost)
    return {
        "words": words,
        "lost": lost,
        "order": f"{order:.4f}",
        "pages": len(results),
        "by_pypdf": sum(page.reader == "pypdf" for page in results),
        "by_pypdfium2": sum(page.reader == "pypdfium2" for page in results),
        "worst": worst + 1 if results[worst].lost else 0,
    }


def _page(pair: tuple[str, str] | None, before: Any, after: Any, number: int) -> PageText:
    """Settles one page: by pypdf when it reads the source well and misses nothing, else by the better of the two."""
    first = None
    if pair is not None and not rubbish(pair[0]):
        first = _difference(words(pair[0]), words(pair[1]), "pypdf")
        if not first.lost and first.words:
            return first
    second = _difference(words(_pdfium_text(before, number)), words(_pdfium_text(after, number)), "pypdfium2")
    if first is None or not first.words:
        return second
    # PDFium overrules pypdf only where it has read about as much of the source.
    return second if second.words >= 0.9 * first.words and second.words and second.lost < first.lost else first


def _pdfium_text(pdf: Any, number: int) -> str:
    if number >= len(pdf):
        return ""
    try:
        page = pdf[number]
    except pypdfium2.PdfiumError:
        return ""
    try:
        return pdfium.text(page)
    except pypdfium2.PdfiumError:
        return ""
    finally:
        page.close()


@contextlib.contextmanager
def _pypdf_pages(source: str, product: str) -> Iterator[Any]:
    """Gives a function from a page number to pypdf's text of both sides, None where it cannot read the source's."""
    with contextlib.ExitStack() as stack:
        readers: list[pypdf.PdfReader] = []
        for path in (source, product):
            try:
                with _limited(PAGE_SECONDS):
                    reader = stack.enter_context(pypdf.PdfReader(path))
                    _ = len(reader.pages)
            except Exception:  # pypdf's own, and whatever hostile structures raise in plain Python code
                yield lambda _number: None
                return
            readers.append(reader)

        def pair(number: int) -> tuple[str, str] | None:
            try:
                with _limited(PAGE_SECONDS):
                    left, right = (r.pages[number].extract_text() if number < len(r.pages) else "" for r in readers)
            except Exception:  # the same
                return None
            return left, right

        yield pair


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raises _SlowError in the body after so many seconds: pypdf is pure Python, so a signal reaches it."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _SlowError

    previous = signal.signal(signal.SIGALRM, stop)
    depth = sys.getrecursionlimit()
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        sys.setrecursionlimit(depth)


def words(text: str) -> list[str]:
    """The words of a text in order: NFKC, blanks folded, letters that show nothing (soft hyphen, joiners) left out."""
    folded = unicodedata.normalize("NFKC", text)
    kept = "".join(c if not _invisible(c) else (" " if c.isspace() else "") for c in folded)
    return kept.split()


def _invisible(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) in ("Cc", "Cf", "Cn", "Cs") or letter == "�"


def rubbish(text: str) -> bool:
    """Whether a page's text is not what people read: a tenth or more of its letters have no meaning."""
    letters = [letter for letter in text if not letter.isspace()]
    odd = sum(unicodedata.category(letter) in ("Cc", "Cn", "Co", "Cs") or letter == "�" for letter in letters)
    return odd > RUBBISH * len(letters)


def _difference(before: list[str], after: list[str], reader: str) -> PageText:
    if before == after:
        return PageText(len(before), 0, 1.0, reader)
    return PageText(len(before), lost_words(before, after), _order(before, after), reader)


def lost_words(before: list[str], after: list[str]) -> int:
    """How many words of `before` are missing in `after`, whatever their order, and wherever blanks now fall.

    A repaired font may have other widths, and readers guess blanks from widths: words that reappear joined or split
    in what is surplus are not lost.
    """
    missing, surplus = Counter(before) - Counter(after), Counter(after) - Counter(before)
    if not surplus:
        return missing.total()
    left = "".join(_in_order(after, surplus))
    lost = 0
    for word in sorted(missing.elements(), key=len, reverse=True):
        at = left.find(word)
        if at < 0:
            lost += 1
        else:
            left = f"{left[:at]}\0{left[at + len(word) :]}"
    return lost


def _in_order(sequence: list[str], wanted: Counter[str]) -> Iterator[str]:
    rest = Counter(wanted)
    for word in sequence:
        if rest[word] > 0:
            rest[word] -= 1
            yield word


def _order(before: list[str], after: list[str]) -> float:
    """Of the words that both sides have, the share that stands in the same order (edit similarity), 0 to 1."""
    common = (Counter(before) & Counter(after)).total()
    if not common or len(before) * len(after) > MOST_PAIRS:
        return 1.0
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks) / common


def pages(source: str, product: str) -> dict[str, Any]:
    """Counts the pages of a source and of its product, a PDF, and compares their visible sizes.

    Returns {"source", "before", "after", "reader", "resized": [[page, "595 x 842", "612 x 792"], ...]}: `source` is
    "pdf", "picture" (its frames are counted, sizes are not compared) or "other" (`before` is 0: only the product is
    counted); `resized` holds the first ten pages whose size differs by a point or more.
    pypdf answers for PDF; where it fails or sees a difference PDFium is asked, and its answer holds when it says that
    the two are alike. Raises Trouble `source-damaged` or `source-encrypted`.
    """
    if not pdfium.is_pdf(source):
        picture = bool(picture_pages.kind(source))
        before = len(picture_pages.places(source)) if picture else 0
        after, reader = count(product)
        what = "picture" if picture else "other"
        return {"source": what, "before": before, "after": after, "reader": reader, "resized": []}
    first = _by_pypdf(source), _by_pypdf(product)
    answer = _beside(first[0], first[1], "pypdf") if first[0] and first[1] else None
    if answer is None or not _alike(answer):
        second = _beside(_by_pdfium(source), _by_pdfium_product(product), "pypdfium2")
        answer = second if answer is None or _alike(second) else answer
    return {"source": "pdf", **answer}


def count(product: str) -> tuple[int, str]:
    """How many pages a product has, and which reader says so: pypdf, or PDFium where pypdf fails."""
    sizes = _by_pypdf(product)
    return (len(sizes), "pypdf") if sizes else (len(_by_pdfium_product(product)), "pypdfium2")


def _alike(answer: dict[str, Any]) -> bool:
    return bool(answer["before"] == answer["after"] and not answer["resized"])


def _beside(before: list[Size], after: list[Size], reader: str) -> dict[str, Any]:
    resized = [
        [number, _shown(left), _shown(right)]
        for number, (left, right) in enumerate(zip(before, after, strict=False), 1)
        if abs(left[0] - right[0]) >= POINT or abs(left[1] - right[1]) >= POINT
    ]
    return {"before": len(before), "after": len(after), "reader": reader, "resized": resized[:10]}


def _shown(size: Size) -> str:
    return f"{size[0]:.0f} x {size[1]:.0f}"


def _by_pypdf(path: str) -> list[Size] | None:
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        with _limited(PAGE_SECONDS), pypdf.PdfReader(path) as reader:
            return [_visible(page) for page in reader.pages] or None
    except Exception:  # pypdf's own, and whatever hostile structures raise in plain Python code
        return None


def _visible(page: pypdf.PageObject) -> Size:
    """Width and height of what a reader shows: the crop box within the media box, turned (ISO 32000-1, 14.11.2)."""
    media, crop = page.mediabox, page.cropbox
    width = min(media.right, crop.right) - max(media.left, crop.left)
    height = min(media.top, crop.top) - max(media.bottom, crop.bottom)
    if width <= 0 or height <= 0:
        width, height = media.right - media.left, media.top - media.bottom
    size = float(abs(width)), float(abs(height))
    return size if page.rotation % 180 == 0 else (size[1], size[0])


def _by_pdfium(path: str) -> list[Size]:
    """Sizes of the source's pages; of those that qpdf finds when PDFium cannot load one."""
    with pdfium.document(path) as pdf:
        try:
            return _sizes(pdf)
        except pypdfium2.PdfiumError:
            with pdfium.document_of(pdfium.rewritten(path)) as second:
                return _sizes(second)


def _by_pdfium_product(path: str) -> list[Size]:
    with pdfium.product(path) as pdf:
        return _sizes(pdf)


def _sizes(pdf: Any) -> list[Size]:
    return [pdf.get_page_size(number) for number in range(len(pdf))]


def claim(product: str) -> str:
    """The PDF/A flavour that a PDF claims in its XMP ("2b"), "" for none; read by pypdf.

    Raises Trouble `source-damaged` when pypdf cannot open the file.
    """
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        with _limited(PAGE_SECONDS), pypdf.PdfReader(product) as reader:
            packet = reader.xmp_metadata
            part = packet.pdfaid_part if packet else None
            level = packet.pdfaid_conformance if packet else None
    except Exception as error:
        raise Trouble("source-damaged", what=f"pypdf: {error}"[:200]) from None
    return f"{part or ''}{level or ''}".strip().lower()
