"""Does a picture look like a page of text? Measured on strokes and lines, explained by its figures; numpy alone.

The picture is brought to at most `LONGEST` pixels. Paper is what most of the surface is (block by block, so that
shadows do not matter), ink is what is clearly darker. The angle at which the rows of ink are sharpest is the angle of
the lines. Along that angle the picture is cut into columns; in each, a run of rows with ink between rows without is a
*band*, and a band is *text-like* when its strokes are thin for its height and follow each other like letters do.
Text is found when there are enough such bands and they hold enough of the ink. Calibrated on photographs,
drawings, screens, slides and pages; what is too small to be read (thumbnails of pages) is mostly not found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.sealed.raster.frame import Array

LONGEST = 1400
"""Pixels of the longest side that is looked at; letters of 10 points at 300 dpi are then 15 high."""
SMALLEST = 60
"""Pixels below which no side may lie: icons are not pages."""
BLOCK = 48
PAPER_LIGHT = 110
"""The paper's luminance (0 to 255) at least."""
PAPER_NEAR = 28
"""Steps of luminance within which a pixel still is paper."""
PAPER_SHARE = 0.50
"""Share of the surface that must be paper."""
INK_BELOW = 52
"""Steps below the paper at which ink begins."""
INK_LEAST, INK_MOST = 0.0004, 0.35
"""Share of the surface that ink may cover."""
ANGLES = tuple(range(-14, 15))
"""Degrees of skew that are tried."""
COLUMN = 96
"""Width of the columns in which bands are sought; narrower in small pictures."""
BAND_LEAST, BAND_MOST = 4, 90
"""Rows of a band of text."""
DENSITY_LEAST, DENSITY_MOST = 0.015, 0.62
"""Share of ink in a band of text."""
STROKE_MOST = 0.45
"""Mean run of ink along a row, as a share of the band's height: strokes are thin."""
STROKES_MEAN, STROKES_PEAK = 1.8, 4
"""Strokes met along the rows of a band, on average and in its fullest row: letters stand side by side."""
FEW_BANDS, FEW_SHARE = 4, 0.28
"""A few bands make a text when they hold this share of the ink."""
MANY_BANDS, MANY_SHARE = 30, 0.18
"""Many bands make a text even beside a picture, which holds most of the ink."""


@dataclass(frozen=True, slots=True)
class Look:
    """The figures of one direction of reading: shares of paper and ink, angle, text-like bands, their share of ink."""

    paper: float = 0.0
    ink: float = 0.0
    angle: int = 0
    bands: int = 0
    share: float = 0.0

    @property
    def text(self) -> bool:
        """The verdict."""
        few = self.bands >= FEW_BANDS and self.share >= FEW_SHARE
        return few or (self.bands >= MANY_BANDS and self.share >= MANY_SHARE)


def look(gray: Array) -> Look:
    """The figures of a grey picture (uint8, 255 is white), read upright or on its side, whichever is more like text."""
    small = shrunk(gray, step(gray.shape))
    if min(small.shape) < SMALLEST:
        return Look()
    paper = _paper(small)
    near = float(np.mean(np.abs(small - paper) <= PAPER_NEAR))
    ink = small < paper - INK_BELOW
    covered = float(np.mean(ink))
    if float(np.median(paper)) < PAPER_LIGHT or near < PAPER_SHARE or not INK_LEAST <= covered <= INK_MOST:
        return Look(near, covered)
    upright = _lines(ink, near, covered)
    if upright.text:
        return upright
    return max(upright, _lines(np.rot90(ink), near, covered), key=lambda one: (one.text, one.bands * one.share))


def step(shape: tuple[int, ...]) -> int:
    """By how much a picture of so many rows and columns is made smaller before it is looked at."""
    return max(1, -(-max(shape[:2]) // LONGEST))


def shrunk(gray: Array, by: int) -> Array:
    """The picture `by` times smaller, each new pixel the mean of those it stands for, as 16-bit integers."""
    height, width = (side // by for side in gray.shape)
    if by == 1 or not height or not width:
        return gray.astype(np.int16)
    blocks = gray[: height * by, : width * by].reshape(height, by, width, by)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32)).astype(np.int16)


def _paper(small: Array) -> Array:
    """The luminance of the paper under each pixel: bright for its block, but never far below the whole page's."""
    height, width = small.shape
    tall, wide = -(-height // BLOCK), -(-width // BLOCK)
    padded = np.pad(small, ((0, tall * BLOCK - height), (0, wide * BLOCK - width)), mode="edge")
    blocks = padded.reshape(tall, BLOCK, wide, BLOCK).transpose(0, 2, 1, 3).reshape(tall, wide, -1)
    local = np.percentile(blocks, 85, axis=2)
    level = np.maximum(local, 0.8 * np.median(local))
    return np.repeat(np.repeat(level, BLOCK, 0), BLOCK, 1)[:height, :width].astype(np.int16)


def _lines(ink: Array, near: float, covered: float) -> Look:
    starts = ink.copy()
    starts[:, 1:] &= ~ink[:, :-1]
    y, x = np.nonzero(ink)
    angle = _angle(y, x)
    first_y, first_x = np.nonzero(starts)
    column = min(COLUMN, ink.shape[1])
    slope = float(np.tan(np.radians(angle)))
    lowest = int(np.floor(min(0.0, -slope * ink.shape[1])))
    rows = ink.shape[0] + int(abs(slope) * ink.shape[1]) + 2
    columns = -(-ink.shape[1] // column)

    def counted(at_y: Array, at_x: Array) -> Array:
        row = np.rint(at_y - slope * at_x).astype(np.int64) - lowest
        flat = np.bincount((at_x // column) * rows + np.clip(row, 0, rows - 1), minlength=columns * rows)
        return flat.reshape(columns, rows)

    bands, held = 0, 0
    for dark, begun in zip(counted(y, x), counted(first_y, first_x), strict=True):
        found, inside = _bands(dark, begun, column)
        bands, held = bands + found, held + inside
    return Look(near, covered, angle, bands, held / max(1, len(y)))


def _angle(y: Array, x: Array) -> int:
    """The skew at which the profile of rows is sharpest."""
    step = max(1, len(y) // 60_000)
    some_y, some_x = y[::step], x[::step]

    def sharpness(angle: int) -> float:
        row = np.rint(some_y - np.tan(np.radians(angle)) * some_x).astype(np.int64)
        profile = np.bincount(row - row.min())
        return float(np.sum(np.diff(profile.astype(np.float64)) ** 2))

    return max(ANGLES, key=lambda angle: (sharpness(angle), -abs(angle)))


def _bands(dark: Array, begun: Array, column: int) -> tuple[int, int]:
    """Text-like bands of one column, and the pixels of ink that they hold."""
    filled = np.concatenate([[False], dark > 0, [False]])
    edges = np.flatnonzero(filled[1:] != filled[:-1])
    found = held = 0
    for top, end in zip(edges[::2], edges[1::2], strict=True):
        height = int(end - top)
        if not BAND_LEAST <= height <= BAND_MOST:
            continue
        total, strokes = int(dark[top:end].sum()), int(begun[top:end].sum())
        density = total / (height * column)
        if not DENSITY_LEAST <= density <= DENSITY_MOST or total > STROKE_MOST * height * strokes:
            continue
        if strokes < STROKES_MEAN * height or int(begun[top:end].max()) < STROKES_PEAK:
            continue
        found, held = found + 1, held + total
    return found, held
