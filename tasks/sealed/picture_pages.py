"""Where the pages of a picture file belong: resolution and orientation of each full page. Runs inside a job only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from tasks.sealed.raster import containers, tiff_source
from tasks.sealed.raster.frame import ASSOCIATED, COLOURS, UNASSOCIATED, Array, Frame, Space, expanded, reading

LIBRARIES = ("Pillow", "tifffile", "imagecodecs", "numpy")
CREDIBLE_DPI = (50.0, 4800.0)
"""What a picture may claim; 1 dpi and 10 000 dpi are writers' mistakes."""
PER_INCH = {2: 1.0, 3: 2.54}
"""TIFF ResolutionUnit: inch, centimetre; 1 is no unit."""
ORIENTATION, X_RESOLUTION, Y_RESOLUTION, UNIT, ICC = 274, 282, 283, 296, 34675


@dataclass(frozen=True, slots=True)
class Place:
    """How one page is shown: TIFF/EXIF Orientation (1 to 8), its claimed resolution or None, its ICC profile."""

    orientation: int = 1
    dpi: tuple[float, float] | None = None
    icc: bytes = b""


def kind(path: str) -> str:
    """The picture format that the first bytes name, "" when it is none that we read."""
    with Path(path).open("rb") as file:
        return containers.kind(file.read(64))


def places(path: str) -> list[Place]:
    """One Place for every full-resolution page or frame, in the order of `raster.decode`; Trouble `source-damaged`."""
    if kind(path) == "tiff":
        with reading("TIFF"), tifffile.TiffFile(path) as tiff:
            return [_tiff_place(page.tags) for _, page in tiff_source.pages(tiff)]
    with reading("picture"), Image.open(path) as image:
        claimed = image.info.get("dpi")
        orientation = int(image.getexif().get(ORIENTATION, 1) or 1)
        dpi = _credible(*claimed[:2]) if claimed else None
        place = Place(orientation if 1 <= orientation <= 8 else 1, dpi, bytes(image.info.get("icc_profile") or b""))
        frames = 1 if image.format in ("JPEG", "MPO") else int(getattr(image, "n_frames", 1))
        return [place] * frames


def _tiff_place(tags: Any) -> Place:
    orientation = int(tags.valueof(ORIENTATION, 1) or 1)
    factor = PER_INCH.get(int(tags.valueof(UNIT, 2) or 2))
    across, down = (_ratio(tags.valueof(tag, None)) for tag in (X_RESOLUTION, Y_RESOLUTION))
    dpi = _credible(across * factor, down * factor) if factor else None
    return Place(orientation if 1 <= orientation <= 8 else 1, dpi, bytes(tags.valueof(ICC, b"") or b""))


def _ratio(value: Any) -> float:
    if isinstance(value, tuple) and len(value) == 2:
        return float(value[0]) / float(value[1]) if value[1] else 0.0
    return float(value) if isinstance(value, int | float) else 0.0


def _credible(across: float, down: float) -> tuple[float, float] | None:
    low, high = CREDIBLE_DPI
    good = all(math.isfinite(value) and low <= value <= high for value in (across, down))
    return (round(float(across), 2), round(float(down), 2)) if good else None


def upright(samples: Array, orientation: int) -> Array:
    """Samples as a viewer shows them (TIFF 6.0, Orientation): rows from the top, columns from the left."""
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return np.ascontiguousarray(samples)


def eight_bits(samples: Array) -> Array:
    """Samples of any depth as 0 to 255, for looking and for OCR; floats are spread over their own range."""
    if samples.dtype == np.uint8:
        return samples
    if samples.dtype.kind == "u":
        return (samples >> (8 * (samples.dtype.itemsize - 1))).astype(np.uint8)
    finite = np.nan_to_num(samples.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    return np.round((finite - low) * (255.0 / (high - low) if high > low else 0.0)).astype(np.uint8)


def see_through(one: Frame) -> bool:
    """Whether any pixel is transparent; many writers add an alpha channel that says nothing."""
    if not one.extra or one.extra[0] not in (ASSOCIATED, UNASSOCIATED):
        return False
    alpha = one.samples[..., COLOURS[one.space]]
    return bool(alpha.min() < _top(one))


def on_white(one: Frame) -> Frame:
    """The picture in direct samples (0 is black) without alpha: what alpha lets through is white paper."""
    shown = expanded(one)
    colours = COLOURS[shown.space]
    picture = shown.samples[..., :colours]
    if see_through(shown):
        top = _top(shown)
        alpha = shown.samples[..., colours : colours + 1].astype(np.float64) / top
        ink = picture * (alpha if shown.extra[0] == UNASSOCIATED else 1.0)
        mixed = ink + (0.0 if shown.space is Space.CMYK else top) * (1.0 - alpha)
        picture = np.round(np.clip(mixed, 0, top)).astype(picture.dtype) if picture.dtype.kind == "u" else mixed
    return Frame(np.ascontiguousarray(picture), shown.space, shown.bits, shown.source_bits)


def _top(one: Frame) -> float:
    if one.samples.dtype.kind != "u":
        return 1.0
    return 1.0 if one.bits == 1 else float(np.iinfo(one.samples.dtype).max)


def bilevel(one: Frame) -> Array:
    """A picture of 1 bit as 0 and 255, whatever stands for its ones."""
    return np.where(one.samples[..., 0] != 0, np.uint8(255), np.uint8(0))


def gray(one: Frame) -> Array:
    """The picture in 8-bit gray on white, good enough to see where there is ink (ITU-R BT.601 luma)."""
    shown = on_white(one)
    if shown.bits == 1:
        return bilevel(shown)
    eight = eight_bits(shown.samples)
    if shown.space is Space.CMYK:
        light = 255 - eight[..., :3].astype(np.float32)
        eight = (light * (255 - eight[..., 3:4].astype(np.float32)) / 255).astype(np.uint8)
    if eight.shape[2] == 1 or shown.space in (Space.LAB, Space.ICC_LAB):
        return eight[..., 0]
    luma = eight[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.round(luma).astype(np.uint8)
