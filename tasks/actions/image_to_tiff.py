"""Pictures to baseline TIFF 6.0: every page and frame, pixels and metadata, in one file written by our own writer.

PUIDs: fmt/41-44, x-fmt/390, x-fmt/391, x-fmt/398, fmt/645, fmt/1507 (JPEG) · fmt/11-13, fmt/935 (PNG, moving PNG) ·
fmt/3, fmt/4 (GIF) · fmt/115-119, x-fmt/25, x-fmt/270 (BMP) · fmt/353, fmt/154-156, fmt/1917, x-fmt/387, x-fmt/388,
x-fmt/399 (TIFF) · x-fmt/392, fmt/151, fmt/1794 (JPEG 2000) · fmt/566-568 (WebP) · fmt/2062 (AVIF).
A TIFF that already is an uncompressed one of our profile stays the master itself.
"""

from __future__ import annotations

from typing import Any, Literal

from tasks.actions import Migration
from tasks.premis.model import Measure, Product, Role, Source, Trouble
from tasks.tools.job import Job

VERSION = "2"
MASTER, PUID = "out/master.tif", "fmt/353"
COMPRESSIONS = ("none", "deflate")


def migrate(
    source: Source, job: Job, /, *, compression: Literal["none", "deflate"] = "none", megapixels: int = 600
) -> Migration:
    """Makes `out/master.tif` (fmt/353), or says that the source is its own master.

    `compression` is `none` or `deflate` (both lossless). A frame of more than `megapixels`, or frames that together
    unpack to more bytes than the job may write, raise Trouble `bomb-suspected`; a picture that cannot be read to its
    end raises `source-damaged`. Measures: `frames`, and of a new master `width`, `height`, `channels`, `bits`.
    """
    if compression not in COMPRESSIONS:
        raise ValueError(f"compression must be one of {', '.join(COMPRESSIONS)}, not {compression!r}")
    answer = _checked(
        job.call(
            "tasks.sealed.raster.convert:convert", source.name, MASTER, compression=compression,
            pixels=megapixels * 1_000_000, size=job.limits.output_bytes,
        )
    )  # fmt: skip
    frames = (Measure("frames", str(answer["frames"])),)
    if answer["kept"]:
        return Migration((Product(Role.MASTER, source.name, source.identification.puid or PUID),), measures=frames)
    size, sha256 = job.digest(MASTER)
    units = (("width", "px"), ("height", "px"), ("channels", ""), ("bits", "bit"))
    figures = tuple(Measure(name, str(answer[name]), unit) for name, unit in units)
    return Migration((Product(Role.MASTER, MASTER, PUID, size, sha256),), measures=frames + figures)


def _checked(answer: Any) -> dict[str, Any]:
    """The answer, when it has the shape that was promised."""
    if isinstance(answer, dict) and isinstance(answer.get("kept"), bool):
        names = ("frames",) if answer["kept"] else ("frames", "width", "height", "channels", "bits")
        if all(type(answer.get(name)) is int for name in names):
            return answer
    raise Trouble("tool-crash", tool="picture conversion", signal="an answer of the wrong shape")
