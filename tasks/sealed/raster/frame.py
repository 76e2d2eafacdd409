"""One decoded picture: samples and what they mean, in TIFF's own terms."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.premis.model import Trouble

Array = npt.NDArray[Any]
ASSOCIATED, UNASSOCIATED = 1, 2
"""TIFF ExtraSamples: alpha that is multiplied in, alpha that is not."""


class Space(IntEnum):
    """TIFF PhotometricInterpretation of the samples; bilevel and grey both say 1 (0 is black)."""

    GRAY = 1
    RGB = 2
    PALETTE = 3
    CMYK = 5
    LAB = 8
    ICC_LAB = 9


COLOURS = {Space.GRAY: 1, Space.RGB: 3, Space.PALETTE: 1, Space.CMYK: 4, Space.LAB: 3, Space.ICC_LAB: 3}


@dataclass(frozen=True, slots=True)
class Frame:
    """A page or frame. `samples` is (height, width, samples a pixel); bilevel samples are 0 and 1 in uint8.

    `bits` is what is stored (1, 8, 16, 32, 64), `source_bits` what the source held; `extra` are ExtraSamples values;
    `palette` is (entries, 3) of 16 bits; `white_is_zero` marks samples kept in the inverted sense of a TIFF source.
    """

    samples: Array
    space: Space
    bits: int = 8
    source_bits: int = 8
    extra: tuple[int, ...] = ()
    palette: Array | None = None
    white_is_zero: bool = False

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.samples.shape[0])

    @property
    def width(self) -> int:
        """Pixels a row."""
        return int(self.samples.shape[1])

    @property
    def channels(self) -> int:
        """Samples a pixel, alpha included."""
        return int(self.samples.shape[2])


def frame(
    samples: Array, space: Space | None = None, *, source_bits: int | None = None, alpha: int = UNASSOCIATED
) -> Frame:
    """A frame from an array; without `space` 1 and 2 channels are grey, 3 and 4 RGB; a channel too many is alpha."""
    cube = samples if samples.ndim == 3 else samples[..., None]
    if not cube.size:
        raise Trouble("source-damaged", what=f"a picture of {cube.shape[1]} by {cube.shape[0]} pixels")
    if cube.dtype == np.bool_:
        return Frame(np.ascontiguousarray(cube).view(np.uint8), Space.GRAY, 1, 1)
    kind = space or (Space.GRAY if cube.shape[2] < 3 else Space.RGB)
    surplus = cube.shape[2] - COLOURS[kind]
    if surplus < 0:
        raise Trouble("source-damaged", what=f"{cube.shape[2]} channels where {kind.name} needs {COLOURS[kind]}")
    extra = ((alpha,) + (0,) * (surplus - 1)) if surplus else ()
    bits = cube.dtype.itemsize * 8
    return Frame(cube, kind, bits, source_bits or bits, extra)


def widen(samples: Array, bits: int) -> Array:
    """Samples of 2 to 15 bits as 8 or 16 bits, by repeating their bits; other depths come back as they are."""
    if bits not in range(2, 16) or bits == 8 or samples.dtype.kind != "u":
        return samples
    target = 8 if bits < 8 else 16
    wide = samples.astype(np.uint32)
    out = np.zeros_like(wide)
    shift = target - bits
    while shift > -bits:
        out |= (wide << shift) if shift >= 0 else (wide >> -shift)
        shift -= bits
    return out.astype(np.uint8 if target == 8 else np.uint16)


def expanded(one: Frame) -> Frame:
    """The same picture in direct samples where 0 is black: palettes looked up, inverted grey turned round.

    This is the form in which two readings are compared; a palette of 8-bit colours gives 8 bits a channel.
    """
    if one.palette is not None:
        index = one.samples[..., 0]
        if index.size and int(index.max()) >= len(one.palette):
            raise Trouble("source-damaged", what="a pixel names a colour that its palette lacks")
        eight = bool(np.all(one.palette % 257 == 0))
        table = (one.palette // 257).astype(np.uint8) if eight else one.palette.astype(np.uint16)
        colours = table[index]
        rest = one.samples[..., 1:]
        joined = np.concatenate([colours, rest.astype(colours.dtype)], axis=2) if rest.shape[2] else colours
        bits = 8 if eight else 16
        return Frame(joined, Space.RGB, bits, bits, one.extra)
    if not one.white_is_zero:
        return one
    top = 1 if one.bits == 1 else np.iinfo(one.samples.dtype).max
    return replace(one, samples=(top - one.samples).astype(one.samples.dtype), white_is_zero=False)


def unsupported(what: str) -> Trouble:
    """The Trouble for a sound file of a variant that no reader here knows."""
    return Trouble("source-damaged", what=f"{what}: a variant that is not known here")


@dataclass(slots=True)
class Budget:
    """How much may be unpacked: pixels a frame and bytes in all. Asked before each decoding."""

    pixels: int
    size: int
    packed: int
    spent: int = field(default=0)

    def take(self, width: int, height: int, channels: int, bits: int) -> None:
        """Count a frame. Troubles: `bomb-suspected` when it would break the budget, `source-damaged` without area."""
        if width <= 0 or height <= 0:
            raise Trouble("source-damaged", what=f"a picture of {width} by {height} pixels")
        self.spent += height * ((width * channels * bits + 7) // 8)
        if width * height > self.pixels or self.spent > self.size:
            ratio = self.spent // max(1, self.packed)
            raise Trouble("bomb-suspected", ratio=str(ratio), size=f"{self.spent / 1e9:.1f} GB")


def budget(path: Path, pixels: int, size: int) -> Budget:
    """The budget of one file: `pixels` a frame, `size` bytes for all its frames."""
    return Budget(pixels, size, path.stat().st_size)


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """Turns a decoder's complaint into Trouble `source-damaged` and keeps its warnings quiet.

    Memory, disk and process troubles pass through: they say nothing about the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except OSError as error:
        if error.errno is not None:
            raise
        # Pillow's words for an unknown header carry an address of memory, which no log needs.
        text = "its header cannot be read" if "cannot identify" in str(error) else str(error)
        raise Trouble("source-damaged", what=f"{what}: {text}"[:300]) from error
    except (Trouble, MemoryError):
        raise
    except Exception as error:
        # Any kind: struct.error, zlib.error and the libraries' own classes derive from Exception alone.
        raise Trouble("source-damaged", what=f"{what}: {error}"[:300]) from error
