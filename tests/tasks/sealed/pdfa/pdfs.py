"""Small PDFs made by pikepdf, each with one illness, and what a test asks of their repair."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pypdf
from fontTools import subset
from fontTools.ttLib import TTFont
from pikepdf import Array, Dictionary, Name, Pdf, Stream

from tasks.sealed.pdfa import repair

LIBERATION = Path("/usr/share/fonts/truetype/liberation2/LiberationSans-Regular.ttf")
TEXT = "Hello archive"
Change = Callable[[Pdf], None]


@dataclass(frozen=True)
class Repaired:
    source: Path
    product: Path
    answer: dict[str, Any]

    @property
    def pdf(self) -> Pdf:
        return pikepdf.open(BytesIO(self.product.read_bytes()))

    def lines(self, clause: str, kind: str | None = None) -> list[str]:
        rows = self.answer["log"]
        return [r["what"] for r in rows if r["clause"].startswith(clause) and kind in (None, r["kind"])]

    def same_text(self) -> bool:
        return text(self.source) == text(self.product)


def text(path: Path) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make(path: Path, change: Change | None = None, content: bytes | None = None) -> Path:
    """One page of text in Helvetica, which is not embedded; `change` makes it ill."""
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(300, 200))
        page = pdf.pages[0].obj
        page.Resources = Dictionary(Font=Dictionary(F1=pdf.make_indirect(helvetica())))
        page.Contents = Stream(pdf, content or f"BT /F1 12 Tf 20 100 Td ({TEXT}) Tj ET".encode("ascii"))
        if change is not None:
            change(pdf)
        pdf.save(path, static_id=True, fix_metadata_version=False)
    return path


def helvetica() -> Dictionary:
    return Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)


def repaired(
    folder: Path, change: Change | None = None, *, content: bytes | None = None, clauses: list[str] | None = None
) -> Repaired:
    source, product = make(folder / "source.pdf", change, content), folder / "product.pdf"
    return Repaired(source, product, repair(str(source), str(product), clauses=clauses))


def annotate(pdf: Pdf, **entries: Any) -> Dictionary:
    made = pdf.make_indirect(Dictionary(Type=Name.Annot, Rect=Array([20, 20, 80, 40]), **entries))
    page = pdf.pages[0].obj
    page.Annots = Array([*page.get("/Annots", Array()), made])
    return made


def truetype(characters: str, *, scale: float = 1.0) -> bytes:
    """A subset of Liberation Sans; its advances are `scale` times too wide."""
    font = TTFont(LIBERATION)
    options = subset.Options()
    options.notdef_outline, options.glyph_names = True, True
    cutter = subset.Subsetter(options)
    cutter.populate(text=characters)
    cutter.subset(font)
    metrics = font["hmtx"].metrics
    for name, (width, bearing) in metrics.items():
        metrics[name] = (round(width * scale), bearing)
    target = BytesIO()
    font.save(target)
    return target.getvalue()


def embed_truetype(pdf: Pdf, program: bytes, *, flags: int, **entries: Any) -> Dictionary:
    """Makes F1 a simple TrueType font with Helvetica's advances."""
    twin = TTFont(LIBERATION)
    widths = [round(twin["hmtx"][twin.getBestCmap()[code]][0] * 1000 / 2048) for code in range(32, 127)]
    stream = Stream(pdf, program)
    stream.Length1 = len(program)
    descriptor = Dictionary(
        Type=Name.FontDescriptor, FontName=Name.Liberation, Flags=flags, FontBBox=Array([-200, -300, 1300, 1000]),
        ItalicAngle=0, Ascent=905, Descent=-212, CapHeight=700, StemV=80, FontFile2=stream,
    )  # fmt: skip
    font = Dictionary(
        Type=Name.Font, Subtype=Name.TrueType, BaseFont=Name.Liberation, FirstChar=32, LastChar=126,
        Widths=Array(widths), FontDescriptor=pdf.make_indirect(descriptor), **entries,
    )  # fmt: skip
    pdf.pages[0].obj.Resources.Font.F1 = pdf.make_indirect(font)
    return font
