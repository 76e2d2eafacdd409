"""The OCR layer of scans: OCRmyPDF with Tesseract, pictures and page geometry left as they are. Runs inside a job only.

One job is one thread: our executor does a page after the other and deletes each page's pictures when it is read, so
that a long scan needs the disk of one page. Words and confidences are taken from Tesseract's own hOCR.
"""

from __future__ import annotations

import contextlib
import html
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ocrmypdf
import pikepdf
from ocrmypdf import OcrOptions
from ocrmypdf import exceptions as refusals
from ocrmypdf._options import ProcessingMode
from ocrmypdf._plugin_manager import get_plugin_manager
from ocrmypdf.builtin_plugins.tesseract_ocr import TesseractOcrEngine

from tasks.premis.model import Trouble
from tasks.sealed import pdfium
from tasks.tools import execute

LIBRARIES = ("ocrmypdf", "pikepdf", "pypdfium2", "Pillow", "fpdf2")
PAGE_SECONDS = 3600
"""Tesseract's own limit, out of reach: at OCRmyPDF's default of 180 s a page would silently stay without text."""
MOST_MEGAPIXELS = 400.0
OCR_MEGAPIXELS = 100.0
"""Larger pages are shrunk for Tesseract's eyes only; the page itself keeps its pixels."""
WORD = re.compile(r"<span class=['\"]ocrx_word['\"][^>]*?x_wconf (\d+)[^>]*>(.*?)</span>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")
LAYER = re.compile(r"/OCR-[\w-]{22}")
LANGUAGES = re.compile(r"[A-Za-z_]+(\+[A-Za-z_]+)*")


@dataclass(slots=True)
class Reading:
    """What Tesseract read: the text of each page (by number from 0) and the confidence (0 to 100) of each word."""

    texts: dict[int, str] = field(default_factory=dict)
    confidences: list[int] = field(default_factory=list)

    def add(self, number: int, hocr: str, text: str) -> None:
        """Adds one page."""
        words = [(int(sure), html.unescape(TAG.sub("", word)).strip()) for sure, word in WORD.findall(hocr)]
        self.confidences += [sure for sure, word in words if word]
        self.texts[number] = text.replace("\f", "") if hocr else ""


class _Engine(TesseractOcrEngine):
    """Tesseract as OCRmyPDF calls it, and what it said kept before OCRmyPDF forgets it."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def generate_hocr(  # type: ignore[override]  # a static method there; ours remembers
        self, input_file: Path, output_hocr: Path, output_text: Path, options: OcrOptions
    ) -> None:
        """Reads one page picture, then deletes it: only the text layer is made from here on."""
        execute.note("tesseract")
        TesseractOcrEngine.generate_hocr(input_file, output_hocr, output_text, options)  # type: ignore[no-untyped-call]
        number = int(Path(output_hocr).name.split("_")[0]) - 1
        self.reading.add(number, Path(output_hocr).read_text("utf-8"), Path(output_text).read_text("utf-8"))
        for picture in {Path(input_file), Path(input_file).resolve()}:
            picture.unlink(missing_ok=True)


class _OneAfterTheOther(ocrmypdf.Executor):
    """OCRmyPDF's work done by the calling thread, without a pool, a listener thread or signal masks."""

    def _execute(
        self,
        *,
        use_threads: bool,  # noqa: ARG002  the interface's words
        max_workers: int,  # noqa: ARG002
        progress_kwargs: dict[str, Any],  # noqa: ARG002
        worker_initializer: Callable[[], None],
        task: Callable[..., Any],
        task_arguments: Iterable[Any],
        task_finished: Callable[[Any, Any], None],
    ) -> None:
        worker_initializer()
        for arguments in task_arguments:
            task_finished(task(*arguments), _NoBar())


class _NoBar:
    """Stands where OCRmyPDF expects a progress bar."""

    def update(self, _step: float = 1, *, completed: float | None = None) -> None:
        """Shows nothing."""


class _Plugin:
    """Our engine and executor, as a plugin of OCRmyPDF."""

    def __init__(self, reading: Reading) -> None:
        self.engine = _Engine(reading)

    @ocrmypdf.hookimpl
    def get_ocr_engine(self, options: OcrOptions | None) -> _Engine:  # noqa: ARG002
        """Our Tesseract."""
        return self.engine

    @ocrmypdf.hookimpl
    def get_executor(self, progressbar_class: type) -> _OneAfterTheOther:
        """Our executor."""
        return _OneAfterTheOther(pbar_class=progressbar_class)  # type: ignore[no-untyped-call]


def layer(source: str, product: str, transcript: str, *, languages: str = "vie+eng", sure: int = 60) -> dict[str, Any]:
    """Writes `source`, a PDF, to `product` with an invisible text layer on each page that is a picture without text.

    Pages that have text already are left alone; their own text goes into `transcript`, which is UTF-8 with a form feed
    between pages. Returns {"pages", "read", "words", "sure", "mean"}: pages of the file and pages that were read, words
    found, those of confidence `sure` (0 to 100) or better, and the mean confidence as a decimal string ("" without
    words). Raises Trouble: `tool-missing` (a language), `source-encrypted`, `source-damaged`, `tool-crash`.
    """
    if not LANGUAGES.fullmatch(languages):
        raise Trouble("tool-missing", tool=f"a language called {languages!r} for tesseract")
    reading = Reading()
    with _workplace(Path(product)):
        _run(source, product, languages.split("+"), reading)
    _restore(source, product)
    texts = _texts(product, reading)
    Path(transcript).write_text("\f".join(texts), "utf-8")
    words = reading.confidences
    return {
        "pages": len(texts),
        "read": len(reading.texts),
        "words": len(words),
        "sure": sum(confidence >= sure for confidence in words),
        "mean": f"{sum(words) / len(words):.1f}" if words else "",
    }


@contextlib.contextmanager
def _workplace(product: Path) -> Iterator[None]:
    """Gives OCRmyPDF a folder beside the product: a job's /tmp lies in memory, and page pictures are large."""
    folder = product.with_suffix(".work").absolute()
    folder.mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    os.environ["OMP_THREAD_LIMIT"] = "1"  # else a page takes 9 to 23 times longer on a busy machine
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)


def _run(source: str, product: str, languages: list[str], reading: Reading) -> None:
    logging.getLogger("ocrmypdf").setLevel(logging.ERROR)
    manager = get_plugin_manager([])
    manager.pluggy_manager.register(_Plugin(reading))
    options = OcrOptions(
        input_file=source,
        output_file=product,
        languages=languages,
        output_type="pdf",
        mode=ProcessingMode.skip,
        optimize=0,
        jobs=1,
        use_threads=True,
        progress_bar=False,
        rasterizer="pypdfium",
        pdf_renderer="fpdf2",
        tagged_pdf_mode=ocrmypdf.TaggedPdfMode.ignore,
        invalidate_digital_signatures=True,  # the master is a copy; the signed original stays as it is
        tesseract_timeout=PAGE_SECONDS,
        max_image_mpixels=MOST_MEGAPIXELS,
        max_ocr_image_mpixels=OCR_MEGAPIXELS,
    )
    try:
        code = ocrmypdf.ocr(options, plugin_manager=manager)
    except refusals.MissingDependencyError as error:
        raise Trouble("tool-missing", tool=_missing(str(error), languages)) from None
    except refusals.EncryptedPdfError:
        raise Trouble("source-encrypted") from None
    except (refusals.InputFileError, pikepdf.PdfError) as error:
        raise Trouble("source-damaged", what=f"OCRmyPDF: {str(error).strip() or type(error).__name__}"[:200]) from None
    except ArithmeticError as error:  # numbers of the file's own: a picture without height, a page without width
        raise Trouble("source-damaged", what=f"OCRmyPDF: sizes that cannot be ({error})"[:200]) from None
    except refusals.SubprocessOutputError as error:
        raise Trouble("tool-crash", tool="tesseract", signal=str(error)[:200] or "no usable answer") from None
    if code != 0:
        raise Trouble("tool-crash", tool="OCRmyPDF", signal=f"exit {int(code)}: {code.name.replace('_', ' ')}")


def _missing(message: str, languages: list[str]) -> str:
    lines = {line.strip() for line in message.splitlines()}
    wanted = sorted(lines & set(languages))
    return f"tesseract language {', '.join(wanted)}" if wanted else "tesseract"


def _restore(source: str, product: str) -> None:
    """Puts back what OCRmyPDF writes over: the document's own /Lang, /ID, information dictionary and XMP packet.

    They describe the record, not our work on it, which the log tells; and without OCRmyPDF's times in them equal input
    gives equal bytes. Where the source names no language, that of the OCR stays.
    """
    with pikepdf.open(source) as before, pikepdf.open(product, allow_overwriting_input=True) as after:
        if isinstance(before.Root.get("/Lang"), pikepdf.String):
            after.Root.Lang = pikepdf.String(str(before.Root.Lang))
        for old, new, key in ((before.trailer, after.trailer, "/Info"), (before.Root, after.Root, "/Metadata")):
            if key in new:
                del new[key]
            value = old.get(key)
            if isinstance(value, pikepdf.Dictionary | pikepdf.Stream) and value.is_indirect:
                new[key] = after.copy_foreign(value)
        if "/ID" in after.trailer:  # its first half is random where the source has none
            del after.trailer["/ID"]
        if isinstance(before.trailer.get("/ID"), pikepdf.Array):
            after.trailer["/ID"] = pikepdf.Array(before.trailer["/ID"])
        for page in after.pages:
            _name_layer(page)
        after.save(product, deterministic_id=True)


def _name_layer(page: pikepdf.Page) -> None:
    """Gives the text layer a fixed name in place of OCRmyPDF's random one, so that equal input gives equal bytes."""
    drawn = page.obj.get("/Resources", pikepdf.Dictionary()).get("/XObject")
    if not isinstance(drawn, pikepdf.Dictionary):
        return
    content = page.obj.get("/Contents")
    streams = list(content) if isinstance(content, pikepdf.Array) else [content]
    for number, (key, value) in enumerate([pair for pair in drawn.items() if LAYER.fullmatch(pair[0])]):
        fixed = f"/PerenneOCR{number}"
        drawn[fixed] = value
        del drawn[key]
        for stream in streams:
            if isinstance(stream, pikepdf.Stream) and key.encode() in (data := stream.read_bytes()):
                stream.write(data.replace(key.encode(), fixed.encode()))


def _texts(product: str, reading: Reading) -> list[str]:
    """The text of every page: as Tesseract gave it, or as PDFium reads it where the page had text before."""
    with pdfium.document(product) as pdf:
        return [reading.texts[n] if n in reading.texts else _own_text(pdf, n) for n in range(len(pdf))]


def _own_text(pdf: Any, number: int) -> str:
    page = pdf[number]
    try:
        return pdfium.text(page).replace("\r\n", "\n").replace("\f", "\n")
    finally:
        page.close()
