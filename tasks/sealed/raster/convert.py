"""The action's half inside the job: any supported picture into one baseline TIFF, every page and frame."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

from tasks.premis.model import Trouble
from tasks.sealed.raster import decode, metadata_formats, structure, write
from tasks.sealed.raster.frame import Budget, Frame, budget
from tasks.sealed.raster.metadata import Metadata

LIBRARIES = ("tifffile", "imagecodecs", "Pillow", "numpy")
UNCOMPRESSED = 1


def convert(
    source: str, out: str, *, compression: str = "none", pixels: int = 600_000_000, size: int = 1 << 30
) -> dict[str, object]:
    """Writes the master `out` of the picture `source` and tells what was done.

    `pixels` is the most a frame may have, `size` the most bytes that all frames together may unpack to.
    Answer: `kept` (the source is already an uncompressed TIFF of our profile; nothing was written), `kind`, `library`,
    `frames`, `width`, `height`, `channels`, `bits` of the first frame. Troubles: `source-damaged`, `bomb-suspected`,
    `output-too-large`.
    """
    path = Path(source)
    if not path.stat().st_size:
        raise Trouble("source-empty")
    picture = decode.picture(path, budget(path, pixels, size))
    if picture.kind == "tiff" and already(path):
        return {"kept": True, "kind": "tiff", "library": picture.library, "frames": picture.count}
    first: dict[str, object] = {}
    pairs = _noting(first, zip(picture.frames, _told(path, picture), strict=False))
    frames = write.write(Path(out), pairs, compression=compression, total=picture.count)
    if frames != picture.count:
        raise Trouble("source-damaged", what=f"{frames} of {picture.count} frames can be read")
    return {"kept": False, "kind": picture.kind, "library": picture.library, "frames": frames, **first}


def already(path: Path) -> bool:
    """Whether a TIFF is a master as it stands: sound, and uncompressed."""
    return not structure.problems(path, compressions=(UNCOMPRESSED,))[0]


def _told(path: Path, picture: decode.Picture) -> Iterator[Metadata]:
    told = metadata_formats.read(path)
    if picture.kind == "tiff":
        return chain(told, repeat(Metadata()))
    return chain(told[:1], repeat(told[0].later()))


def _noting(first: dict[str, object], pairs: Iterator[tuple[Frame, Metadata]]) -> Iterator[tuple[Frame, Metadata]]:
    for one, told in pairs:
        if not first:
            first.update(width=one.width, height=one.height, channels=one.channels, bits=one.bits)
        yield one, told


def unlimited(path: Path) -> Budget:
    """A budget for a product that this job has just written and that the door has already measured."""
    return Budget(1 << 40, 1 << 50, max(1, path.stat().st_size))
