"""Pictures of pages to PDF/A with an invisible text layer and a transcript; streams go in untouched where they can.

PUIDs: those of `image_to_tiff` where the facts say `scanned_text`: fmt/41-44, x-fmt/390, x-fmt/391, x-fmt/398,
fmt/645 (JPEG) · fmt/11-13 (PNG) · fmt/3, fmt/4 (GIF) · fmt/114-119 (BMP) · fmt/353, fmt/152-156 (TIFF) ·
x-fmt/392, fmt/151 (JPEG 2000). The TIFF stays the master of the picture; this is for reading and searching.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from tasks.actions import Migration
from tasks.premis.model import Measure, Note, Product, Role, Source, Trouble
from tasks.tools.job import Job

VERSION = "1"
FACTS = ("languages",)

PAGES, LAYERED = "out/pages.pdf", "out/ocr.pdf"
MASTER, TRANSCRIPT = "out/master.pdf", "out/transcript.txt"
PUIDS = {1: "fmt/354", 2: "fmt/477", 3: "fmt/480"}
"""PDF/A of level B, by part."""
PLAIN_TEXT = "x-fmt/111"


def migrate(
    source: Source,
    job: Job,
    /,
    *,
    languages: str = "vie+eng",
    part: Literal[2, 3] = 2,
    default_dpi: int = 300,
    sure: int = 60,
    share: str = "0.80",
) -> Migration:
    """Makes `out/master.pdf` (PDF/A-`part`b), a page for each page or frame, and `out/transcript.txt`.

    `languages` as Tesseract names them, joined by `+`; the batch's own (fact `languages`) win. `default_dpi` gives a
    page its size when the file claims no credible resolution, and the measure `dpi_assumed` says for how many pages.
    A word is sure from confidence `sure` (0 to 100) on; when less than `share` of the words are sure, a note
    `scan-low-confidence` says so. A picture without a readable word has no transcript.
    Measures: `pages`, `pages_read`, `words`, `words_sure`, `mean_confidence`, `dpi_x`, `dpi_y`, `dpi_assumed`,
    `streams_kept`, `transparency_flattened`, `depth_reduced`.
    Raises Trouble: `tool-missing` (a language), `source-damaged`, `bomb-suspected`, and what the door raises.
    """
    if part not in PUIDS:
        raise ValueError(f"part must be one of {', '.join(map(str, PUIDS))}, not {part!r}")
    wanted = str(source.facts.get("languages") or languages)
    placed = _placed(job.call("tasks.sealed.picture_pdf:pages", source.name, PAGES, default_dpi=default_dpi))
    answer = job.call("tasks.sealed.ocr:layer", PAGES, LAYERED, TRANSCRIPT, languages=wanted, sure=sure)
    measures, notes = _read(answer, Decimal(share))
    # Losses of this repair would be losses of our own intermediate file, so its log says nothing about the picture.
    job.call("tasks.sealed.pdfa:repair", LAYERED, MASTER, part=part)
    products = [Product(Role.MASTER, MASTER, PUIDS[part], *job.digest(MASTER))]
    if answer["words"]:
        products.append(Product(Role.TRANSCRIPT, TRANSCRIPT, PLAIN_TEXT, *job.digest(TRANSCRIPT)))
    return Migration(tuple(products), notes, measures + placed)


def _placed(answer: Any) -> tuple[Measure, ...]:
    """How the pictures were put on pages, in figures, when these have the shape that was promised."""
    names = {
        "assumed": "dpi_assumed",
        "kept": "streams_kept",
        "flattened": "transparency_flattened",
        "reduced": "depth_reduced",
    }
    try:
        dpi = tuple(Measure(name, str(Decimal(answer[name])), "dpi") for name in ("dpi_x", "dpi_y"))
        return dpi + tuple(Measure(shown, str(int(answer[name]))) for name, shown in names.items())
    except (KeyError, TypeError, ValueError, ArithmeticError):
        raise Trouble("tool-crash", tool="img2pdf", signal="an answer of the wrong shape") from None


def _read(answer: Any, share: Decimal) -> tuple[tuple[Measure, ...], tuple[Note, ...]]:
    """What Tesseract read, in figures, when they add up: a job's word is checked like any other."""
    try:
        pages, read, words, sure = (int(answer[name]) for name in ("pages", "read", "words", "sure"))
        mean = Decimal(answer["mean"]) if words else Decimal(0)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        raise Trouble("tool-crash", tool="OCRmyPDF", signal="an answer of the wrong shape") from None
    if not (0 <= sure <= words and 0 <= read <= pages and pages > 0 and 0 <= mean <= 100):
        raise Trouble("tool-crash", tool="OCRmyPDF", signal="figures that do not add up")
    measures = [
        Measure("pages", str(pages)),
        Measure("pages_read", str(read)),
        Measure("words", str(words)),
        Measure("words_sure", str(sure)),
    ]
    if not words:
        return tuple(measures), ()
    doubtful = Decimal(sure) / words < share
    notes = (Note("scan-low-confidence", {"share": f"{100 * sure // words}%"}),) if doubtful else ()
    return (*measures, Measure("mean_confidence", str(mean), "%")), notes
