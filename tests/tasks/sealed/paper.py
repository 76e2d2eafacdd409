"""Tiny PDFs and pictures for tests: pages of words in Helvetica, pages of a picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pikepdf
from pikepdf import Dictionary, Name
from PIL import Image, ImageDraw, ImageFont

A5 = (420, 595)
VIETNAMESE = "Cộng hòa xã hội chủ nghĩa Việt Nam Độc lập Tự do Hạnh phúc"
NOTO = "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf"


def pdf(path: Path, pages: Sequence[str], *, size: tuple[int, int] = A5, drawing: bytes = b"", **root: object) -> Path:
    """A PDF with one page for each text, a line for each of its lines; `drawing` goes under every text."""
    with pikepdf.new() as made:
        font = made.make_indirect(
            Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)
        )
        for text in pages:
            lines = "".join(f"({line}) Tj 0 -16 Td " for line in text.splitlines())
            content = drawing + f" BT /F 12 Tf 40 {size[1] - 60} Td {lines} ET".encode("cp1252")
            page = made.add_blank_page(page_size=size)
            page.Resources = Dictionary(Font=Dictionary(F=font))
            page.Contents = made.make_stream(content)
        for key, value in root.items():
            made.Root[f"/{key}"] = value
        made.save(path, deterministic_id=True)
    return path


def words(count: int, start: int = 0) -> str:
    """Lines of five words, every one different."""
    made = [f"word{number}" for number in range(start, start + count)]
    return "\n".join(" ".join(made[at : at + 5]) for at in range(0, count, 5))


def sentence(text: str = VIETNAMESE, *, size: int = 40, mode: str = "L", width: int = 1500) -> Image.Image:
    """A picture of a sentence in Noto Sans, black on white, two lines."""
    picture = Image.new("L", (width, 260), 255)
    half = text.split()
    lines = " ".join(half[: len(half) // 2]), " ".join(half[len(half) // 2 :])
    draw = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        draw.text((60, 50 + 90 * number), line, font=ImageFont.truetype(NOTO, size), fill=0)
    return picture.convert(mode)


def scan(path: Path, pictures: Sequence[Image.Image], *, dpi: int = 200, **root: object) -> Path:
    """A PDF of gray pictures without text, as scanners write it."""
    with pikepdf.new() as made:
        for picture in pictures:
            gray = picture.convert("L")
            width, height = gray.width * 72 / dpi, gray.height * 72 / dpi
            page = made.add_blank_page(page_size=(width, height))
            image = made.make_stream(
                gray.tobytes(),
                Type=Name.XObject,
                Subtype=Name.Image,
                Width=gray.width,
                Height=gray.height,
                ColorSpace=Name.DeviceGray,
                BitsPerComponent=8,
            )
            page.Resources = Dictionary(XObject=Dictionary(I=image))
            page.Contents = made.make_stream(f"q {width} 0 0 {height} 0 0 cm /I Do Q".encode())
        for key, value in root.items():
            made.Root[f"/{key}"] = value
        made.save(path, deterministic_id=True)
    return path


def images(opened: pikepdf.Pdf) -> list[pikepdf.Stream]:
    """The picture streams of an open PDF, in the order of its pages."""
    drawn = [page.Resources.get("/XObject", Dictionary()) for page in opened.pages]
    return [image for names in drawn for _, image in names.items() if image.Subtype == Name.Image]


def image_bytes(path: Path, *, raw: bool = False) -> list[bytes]:
    """The samples (or raw streams) of all pictures of a PDF, in the order of its pages."""
    with pikepdf.open(path) as opened:
        return [image.read_raw_bytes() if raw else image.read_bytes() for image in images(opened)]


def rotated(source: Path, product: Path, degrees: int) -> Path:
    """The same PDF with /Rotate on its first page."""
    with pikepdf.open(source) as opened:
        opened.pages[0].Rotate = degrees
        opened.save(product)
    return product


def without_last_page(source: Path, product: Path) -> Path:
    """The same PDF, damaged: the page tree still counts its last page, but the object is not there."""
    data = source.read_bytes()
    product.write_bytes(re.sub(rb"\d+( 0 R \] /Type /Pages)", rb"9\1", data))
    return product
