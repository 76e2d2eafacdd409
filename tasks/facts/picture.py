"""Facts of pictures: size, depth, frames, resolution, profile, and whether they look like a page of text."""

from __future__ import annotations

from tasks.facts import NAMES
from tasks.premis.model import Fact, Trouble
from tasks.tools.job import Job

VERSION = "1"
PUIDS = frozenset({
    "fmt/41", "fmt/42", "fmt/43", "fmt/44", "x-fmt/390", "x-fmt/391", "x-fmt/398", "fmt/645", "fmt/1507",  # JPEG
    "fmt/11", "fmt/12", "fmt/13", "fmt/935",  # PNG
    "fmt/3", "fmt/4",  # GIF
    "fmt/115", "fmt/116", "fmt/117", "fmt/118", "fmt/119", "x-fmt/25", "x-fmt/270",  # BMP of Windows 2 and later, OS/2
    "fmt/353", "fmt/154", "fmt/155", "fmt/156", "fmt/1917", "x-fmt/387", "x-fmt/388", "x-fmt/399",  # TIFF
    "x-fmt/392", "fmt/151", "fmt/1794",  # JPEG 2000
    "fmt/566", "fmt/567", "fmt/568",  # WebP
    "fmt/2062",  # AVIF
})  # fmt: skip
TOLD = ("width", "height", "bits", "channels", "frames", "dpi_x", "dpi_y", "icc", "scanned_text")


def facts(source_name: str, job: Job, /) -> dict[str, Fact]:
    """`width`, `height`, `bits`, `channels`, `frames`, `dpi_x`, `dpi_y` (0: unknown), `icc`, `scanned_text`.

    Troubles: `source-damaged`, `source-empty`, `bomb-suspected`.
    """
    answer = job.call("tasks.sealed.picture_facts:facts", source_name)
    told = isinstance(answer, dict) and set(answer) == set(TOLD)
    if told and all(type(answer[name]) is NAMES[name] for name in TOLD):
        return dict(answer)
    raise Trouble("tool-crash", tool="picture facts", signal="an answer of the wrong shape")
