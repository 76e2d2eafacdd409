"""The validators' halves inside the job: is the TIFF sound, and are its pixels and metadata those of the source?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from tasks.premis.model import Trouble
from tasks.sealed.raster import convert, decode, metadata_formats, second, structure, tiff_source
from tasks.sealed.raster.frame import Array, Frame, budget, expanded

LIBRARIES = ("tifffile", "imagecodecs", "Pillow", "pypdfium2", "numpy")
ROWS = 256
"""Rows compared at a time: keeps the differences of an A0 sheet out of memory."""


@dataclass(slots=True)
class Tally:
    """Pixels compared and lost; `largest` is the largest difference of a sample, `faults` what else differs."""

    frames: int = 0
    total: int = 0
    lost: int = 0
    largest: int = 0
    faults: tuple[str, ...] = ()

    def fault(self, what: str) -> None:
        """Notes a difference that is not one of single pixels."""
        if what not in self.faults:
            self.faults = (*self.faults, what)


def soundness(product: str, *, deflate: bool = True) -> dict[str, object]:
    """`problems` of a TIFF against our profile, in plain words, and its number of `pages`."""
    found, pages = structure.problems(Path(product), compressions=(1, 8) if deflate else (1,))
    return {"problems": found, "pages": pages}


def compare(
    source: str, product: str, *, levels: int = 1, share: str = "0.0001", pixels: int = 600_000_000, size: int = 1 << 30
) -> dict[str, object]:
    """Compares every frame of `product`, read by tifffile, with `source`, read by another library than the master's.

    Two decoders of a coding that loses (JPEG, JPEG 2000 9/7) may round: up to `levels` steps in up to `share` of the
    pixels pass when the master's own decoder gives the product exactly. Answer: `first` and `second` (libraries; the
    second empty when none could read), `refused` (what it said), `frames`, `total`, `lost`, `rounded`, `faults`,
    `missing` (names of metadata not carried over), `minor` (left out on purpose).
    """
    path, made = Path(source), Path(product)
    picture = decode.picture(path, budget(path, pixels, size))
    other, tally, refused = _second(path, made, pixels, size)
    rounded = 0
    slight = tally is not None and tally.lost and not tally.faults and tally.largest <= levels
    if tally is None or (slight and other.rounding and tally.lost <= float(share) * tally.total):
        rounded = tally.lost if tally else 0
        tally = _tally(picture.frames, _product(made))
    return {
        "first": picture.library, "second": "" if refused else other.library, "refused": refused,
        "frames": tally.frames, "total": tally.total, "lost": tally.lost, "rounded": rounded,
        "faults": list(tally.faults),
        "missing": missing(path, made), "minor": minor(path),
    }  # fmt: skip


def _second(path: Path, made: Path, pixels: int, size: int) -> tuple[second.Reading, Tally | None, str]:
    """The second reading against the product; no tally when no second library reads the source to its end."""
    try:
        other = second.second(path, budget(path, pixels, size))
        if not other.library:
            return other, None, ""
        return other, _tally(other.frames, _product(made)), ""
    except Trouble as trouble:
        if trouble.code != "source-damaged":
            raise
        return second.Reading("", iter(())), None, trouble.detail["what"]


def _product(path: Path) -> Iterator[Frame]:
    try:
        yield from tiff_source.frames(path, convert.unlimited(path))
    except Trouble as trouble:
        raise Trouble("tiff-invalid", what=trouble.detail.get("what", trouble.code)) from trouble


def _tally(source: Iterator[Frame], product: Iterator[Frame]) -> Tally:
    tally = Tally()
    for one, other in zip_longest(source, product):
        if one is None or other is None:
            alone = one or other
            tally.fault("frames")
            tally.total += alone.width * alone.height
            tally.lost += alone.width * alone.height
            continue
        tally.frames += 1
        _count(tally, expanded(one), expanded(other))
    return tally


def _count(tally: Tally, one: Frame, other: Frame) -> None:
    total = one.width * one.height
    tally.total += total
    for name, before, after in (
        ("size", one.samples.shape[:2], other.samples.shape[:2]),
        ("channels", one.channels, other.channels),
        ("kind of alpha", _alpha(one), _alpha(other)),
        ("colour space", one.space, other.space),
        ("kind of samples", one.samples.dtype.kind, other.samples.dtype.kind),
    ):
        if before != after:
            tally.fault(f"{name} ({before} in the source, {after} in the product)")
    if one.samples.shape != other.samples.shape:
        tally.lost += total
        return
    left, right = _same_depth(one, other)
    if left.dtype != right.dtype:
        tally.fault(f"bits ({one.bits} in the source, {other.bits} in the product)")
        tally.lost += total
        return
    for top in range(0, one.height, ROWS):
        _differences(tally, left[top : top + ROWS], right[top : top + ROWS])


def _alpha(one: Frame) -> tuple[int, ...]:
    # Decoders do not tell the kind of alpha alike; what counts is whether it is multiplied in.
    return tuple(value for value in one.extra if value == 1)


def _same_depth(one: Frame, other: Frame) -> tuple[Array, Array]:
    """1 bit and 8 bits of the same black and white are the same picture; a cut of 16 to 8 bits is not."""
    if {one.bits, other.bits} == {1, 8}:
        return tuple(frame.samples * np.uint8(255) if frame.bits == 1 else frame.samples for frame in (one, other))  # type: ignore[return-value]
    return one.samples, other.samples


def _differences(tally: Tally, left: Array, right: Array) -> None:
    if left.dtype.kind == "f":
        differs = (left != right) & ~(np.isnan(left) & np.isnan(right))
        tally.largest = max(tally.largest, 255 if differs.any() else 0)
    elif np.array_equal(left, right):
        return
    else:
        gap = np.abs(left.astype(np.int64) - right.astype(np.int64))
        tally.largest = max(tally.largest, int(gap.max()))
        differs = gap > 0
    tally.lost += int(np.count_nonzero(differs.any(axis=2)))


def missing(source: Path, product: Path) -> list[str]:
    """Names of what the source tells of itself and the product does not tell alike."""
    before, after = metadata_formats.read(source), metadata_formats.read(product)
    names: list[str] = []
    for number, told in enumerate(before):
        kept = after[number].items() if number < len(after) else {}
        names += [name for name, value in told.items().items() if kept.get(name) != value]
        names += told.lost if source != product else ()
    return list(dict.fromkeys(names))


def minor(source: Path) -> list[str]:
    """Names of what was left out on purpose: thumbnails, advice to viewers."""
    return list(dict.fromkeys(name for told in metadata_formats.read(source) for name in told.minor))
