"""Facts of a picture: size, depth, frames, resolution, profile, and whether it looks like a page of text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tasks.premis.model import Trouble
from tasks.sealed import picture_text
from tasks.sealed.raster import decode, metadata_formats
from tasks.sealed.raster.frame import Array, Frame, Space, budget, expanded

LIBRARIES = ("imagecodecs", "tifffile", "Pillow", "numpy")


def facts(source: str, *, pixels: int = 600_000_000, size: int = 4 << 30) -> dict[str, int | bool]:
    """`width`, `height`, `bits`, `channels` as the source has them, `frames`, `dpi_x`, `dpi_y`, `icc`, `scanned_text`.

    The resolution is 0 when unknown; `scanned_text` says that the first frame looks like a page of text.
    Troubles: `source-damaged`, `source-empty`, `bomb-suspected`.
    """
    path = Path(source)
    if not path.stat().st_size:
        raise Trouble("source-empty")
    picture = decode.picture(path, budget(path, pixels, size))
    first = next(picture.frames, None)
    if first is None:
        raise Trouble("source-damaged", what="no frame can be read")
    told = metadata_formats.read(path)[0]
    across, down = told.dpi()
    return {
        "width": first.width, "height": first.height, "bits": first.source_bits, "channels": first.channels,
        "frames": picture.count, "dpi_x": across, "dpi_y": down, "icc": bool(told.icc),
        "scanned_text": picture_text.look(small_gray(first)).text,
    }  # fmt: skip


def small_gray(one: Frame) -> Array:
    """`gray` at the size at which text is sought, made some rows at a time: a large sheet is never in memory twice."""
    by = picture_text.step(one.samples.shape)
    rows = by * max(1, 256 // by)
    parts = (replace(one, samples=one.samples[top : top + rows]) for top in range(0, one.height - by + 1, rows))
    return np.concatenate([picture_text.shrunk(gray(part), by).astype(np.uint8) for part in parts if part.height >= by])


def gray(one: Frame) -> Array:
    """What a viewer would see, in 8-bit grey: transparent places white, inks turned to light."""
    plain = expanded(one)
    samples = plain.samples
    if samples.dtype.kind != "u" or plain.bits > 16:
        return _stretched(samples[..., 0])
    eight = samples * np.uint8(255) if plain.bits == 1 else samples
    if plain.bits == 16:
        eight = (samples >> 8).astype(np.uint8)
    if plain.space is Space.CMYK:
        light = (255 - eight[..., :3].astype(np.uint16)) * (255 - eight[..., 3:4].astype(np.uint16)) // 255
        return _luminance(light.astype(np.uint8))
    if plain.space in (Space.GRAY, Space.LAB, Space.ICC_LAB):
        base = np.ascontiguousarray(eight[..., 0])
    else:
        base = _luminance(eight[..., :3])
    if not plain.extra or plain.extra[0] == 0:
        return base
    alpha = eight[..., eight.shape[2] - len(plain.extra)].astype(np.uint16)
    lit = base.astype(np.uint16) if plain.extra[0] == 1 else base.astype(np.uint16) * alpha // 255
    return np.asarray(np.minimum(255, lit + 255 - alpha), np.uint8)


def _luminance(rgb: Array) -> Array:
    """ITU-R BT.601 in integers."""
    red, green, blue = (rgb[..., at].astype(np.uint32) for at in range(3))
    return np.asarray(((red * 299 + green * 587 + blue * 114) // 1000).astype(np.uint8))


def _stretched(values: Array) -> Array:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    span = (high - low) or 1.0
    return np.nan_to_num((values.astype(np.float64) - low) / span * 255).astype(np.uint8)
