"""Are the words of the source found in the product? Word recall by two readers that had no part in the conversion.

The source is read by `office_text` or `plain_text`, the product by pypdf. Words are runs of letters and digits, in NFKC
and lower case, as a multiset: each occurrence in the source needs one of its own in the product. PDF text has no
words, only letters on a page, so a word may come back cut (line ends, kerning). An occurrence that is missing is
therefore looked for a second time, together with the word before or behind it, in the product's letters without spaces.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pypdf

from tasks.premis.model import Trouble
from tasks.sealed import vietnamese
from tasks.sealed.office import Unreadable
from tasks.sealed.office_text import source_text
from tasks.sealed.plain_text import text_of

LIBRARIES = ("pypdf", "lxml", "olefile", "msoffcrypto-tool", "charset-normalizer")

MOST_LOOKS = 5_000
"""Occurrences that are looked for a second time; the rest counts as lost. A good product needs a few dozen."""
MOST_SHOWN = 20
LONG = 8
"""Letters of a word that is believed without a neighbour."""
SHORT = 5
"""Letters of a cell's beginning that must be on the page for the rest to count as clipped."""

_WORD = re.compile(r"[^\W_]+")
_INVISIBLE = dict.fromkeys([0xAD, 0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF])


@dataclass(frozen=True, slots=True)
class Missing:
    """Words of the source that the product does not hold, each with the number of its occurrences.

    `clipped` are those in a cell or paragraph whose beginning is there: a sheet cuts what its columns have no room for.
    """

    lost: Counter[str]
    clipped: Counter[str]


def compare(source: str, product: str, *, plain: bool = False) -> dict[str, object]:
    """How many words of `source` the PDF `product` holds; `plain` when the source is plain text of any encoding.

    Returns the counts "total", "lost", "clipped" (of sheets, not included in lost), "accented" (words with a letter
    beyond ASCII), "accented_lost", "legacy" (words in the letters of a Vietnamese font that no Unicode font draws),
    "hidden", "deleted", "notes" and "pages", "kind", and "words", a sample of the lost;
    or {"unread": why} when the source's text cannot be read independently.
    Raises Trouble `product-missing` for a product that is no PDF.
    """
    try:
        text = text_of(source) if plain else source_text(source)
    except Unreadable as e:
        return {"unread": str(e)}
    except Trouble as e:
        return {"unread": e.detail.get("what", e.code)}
    pages = pdf_pages(product)
    wrong = vietnamese.legacy("\n".join(text.shown))
    found = missing(text.shown, pages, sheet=text.kind == "spreadsheet")
    return {
        "total": len(words(text.shown)),
        "lost": found.lost.total(),
        "clipped": found.clipped.total(),
        "accented": sum(not w.isascii() for w in words(text.shown)),
        "accented_lost": sum(count for w, count in found.lost.items() if not w.isascii()),
        "legacy": min(wrong[1], len(words(text.shown))) if wrong else 0,
        "hidden": len(words(text.hidden)),
        "deleted": len(words(text.deleted)),
        "notes": len(words(text.notes)),
        "pages": len(pages),
        "kind": text.kind,
        "words": [word for word, _ in (found.lost + found.clipped).most_common(MOST_SHOWN)],
    }


def words(texts: Iterable[str]) -> list[str]:
    """The words in their order."""
    return [w for t in texts for w in _WORD.findall(_normal(t))]


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).lower()


def pdf_pages(product: str) -> list[str]:
    """The text of each page as pypdf reads it."""
    try:
        reader = pypdf.PdfReader(product)
        return [page.extract_text() for page in reader.pages]
    except pypdf.errors.PyPdfError as e:
        raise Trouble("product-missing", tool=f"The reader of the product ({e})") from e


def missing(texts: Sequence[str], pages: Sequence[str], *, sheet: bool = False) -> Missing:
    """The words of `texts` that `pages` do not hold."""
    whole = _WORD.findall(_normal("\n".join(pages)))
    by_text = [words([t]) for t in texts]
    source = [w for line in by_text for w in line]
    deficits = Counter(source) - Counter(whole)
    lost: Counter[str] = Counter()
    clipped: Counter[str] = Counter()
    if not deficits:
        return Missing(lost, clipped)
    squeezed = "".join(whole)
    begun = [n for n, line in enumerate(by_text) for _ in line]  # place in source → its text
    absent = _absent(source, deficits, squeezed)
    for word, places in absent.items():
        cut = sum(_begins(by_text[begun[place]], squeezed) for place in places) if sheet else 0
        gone = min(deficits[word], len(places))
        clipped[word] = min(cut, gone)
        lost[word] = gone - clipped[word]
    return Missing(+lost, +clipped)


def _absent(source: Sequence[str], deficits: Mapping[str, int], squeezed: str) -> dict[str, list[int]]:
    """The places of the words in `deficits` that are not in `squeezed` either, by word."""
    evidence = _Evidence(source, squeezed)
    absent: dict[str, list[int]] = defaultdict(list)
    looks = 0
    for place, word in enumerate(source):
        if word in deficits:
            looks += 1
            if looks > MOST_LOOKS or not evidence.of(place):
                absent[word].append(place)
    return absent


class _Evidence:
    """Looks for a word together with a neighbour, or alone when it is long: as often as the source has them."""

    def __init__(self, source: Sequence[str], squeezed: str) -> None:
        self._source = source
        self._squeezed = squeezed
        self._owed = Counter(a + b for a, b in pairwise(source)) + Counter(w for w in source if len(w) >= LONG)
        self._found: dict[str, bool] = {}

    def of(self, place: int) -> bool:
        """Whether the product shows the word at `place`."""
        word = self._source[place]
        letters = [word] if len(word) >= LONG else []
        letters += [self._source[place - 1] + word] if place else []
        letters += [word + self._source[place + 1]] if place + 1 < len(self._source) else []
        return any(map(self._enough, letters))

    def _enough(self, letters: str) -> bool:
        if letters not in self._found:
            self._found[letters] = self._squeezed.count(letters) >= self._owed[letters]
        return self._found[letters]


def _begins(line: Sequence[str], squeezed: str) -> bool:
    """Whether a cell's first letters stand on a page."""
    start = "".join(line)[:SHORT]
    return len(start) >= 2 and start in squeezed
