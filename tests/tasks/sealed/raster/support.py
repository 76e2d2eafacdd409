"""Pictures built from numbers, and a job that calls sealed functions directly."""

from __future__ import annotations

import hashlib
import importlib
import io
import struct
import zlib
from pathlib import Path
from typing import Any, cast

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from tasks.premis.model import Identification, Limits, Source, SourceFile
from tasks.tools.job import Job

RANDOM = np.random.default_rng(20261124)


class DirectJob:
    """What an action or validator needs of a job, without the sandbox; the current folder is the job's."""

    limits = Limits()

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "in").mkdir(exist_ok=True)
        (folder / "out").mkdir(exist_ok=True)

    def call(self, function: str, /, *args: Any, **named: Any) -> Any:
        module, name = function.split(":")
        return getattr(importlib.import_module(module), name)(*args, **named)

    def digest(self, name: str) -> tuple[int, str]:
        data = (self.folder / name).read_bytes()
        return len(data), hashlib.sha256(data).hexdigest()


def job(folder: Path) -> Job:
    return cast(Job, DirectJob(folder))


def source(folder: Path, data: bytes, puid: str | None = None) -> Source:
    """The job's source `in/source`, holding `data`."""
    (folder / "in").mkdir(exist_ok=True)
    (folder / "in" / "source").write_bytes(data)
    file = SourceFile("a/source", len(data), hashlib.sha256(data).hexdigest())
    return Source(file, "in/source", Identification(puid), {})


def noise(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return RANDOM.normal(size=shape).astype(kind)
    if kind.kind == "b":
        return RANDOM.integers(0, 2, shape).astype(bool)
    info = np.iinfo(kind)
    return RANDOM.integers(info.min, info.max, shape, dtype=kind, endpoint=True)


def smooth(height: int, width: int, channels: int) -> np.ndarray:
    """A soft picture, which lossy codings keep well."""
    y, x = np.mgrid[:height, :width]
    bands = [((y * (k + 1) + x * 2) * 255 // (2 * width + 4 * height)) % 256 for k in range(channels)]
    return np.stack(bands, axis=2).astype(np.uint8)


def tiff(array: np.ndarray, **named: Any) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, array, metadata=None, **named)
    return out.getvalue()


def pillow(array: np.ndarray | Image.Image, kind: str, mode: str | None = None, **named: Any) -> bytes:
    out = io.BytesIO()
    image = (
        array if isinstance(array, Image.Image) else Image.fromarray(array, mode) if mode else Image.fromarray(array)
    )
    image.save(out, kind, **named)
    return out.getvalue()


def palette_image(colours: int, size: tuple[int, int] = (19, 23)) -> Image.Image:
    """Indices into `colours` random colours."""
    image = Image.fromarray(RANDOM.integers(0, colours, size, dtype=np.uint8))
    image = image.convert("L").copy()
    table = RANDOM.integers(0, 256, 3 * colours).tolist()
    turned = Image.new("P", image.size)
    turned.putdata(list(image.tobytes()))
    turned.putpalette(table)
    return turned


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunks(png: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with more chunks right behind its header."""
    return png[:33] + b"".join(chunk(*one) for one in chunks) + png[33:]


def png(array: np.ndarray) -> bytes:
    return bytes(imagecodecs.png_encode(array))
