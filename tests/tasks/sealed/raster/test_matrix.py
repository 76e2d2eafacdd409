"""Every mode, depth and format: through the action and both validators, pixel for pixel."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from tasks.actions import image_to_tiff
from tasks.premis.model import Outcome
from tasks.validators import pixels
from tasks.validators import tiff as soundness
from tests.tasks.sealed.raster import support
from tests.tasks.sealed.raster.support import noise, palette_image, pillow, png, smooth, tiff

H, W = 37, 41


def moving(kind: str) -> bytes:
    frames = []
    for number in range(4):
        one = Image.new("RGBA", (20, 16), (0, 0, 0, 0))
        one.paste((50 * number, 20, 30, 255), (number * 2, number * 2, number * 2 + 6, number * 2 + 6))
        frames.append(one)
    out = io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=100)
    return out.getvalue()


CASES: dict[str, Callable[[], bytes]] = {
    "png gray 1": lambda: pillow(noise(H, W, dtype=bool), "PNG"),
    "png gray 2": lambda: gray_png(2),
    "png gray 4": lambda: gray_png(4),
    "png gray 8": lambda: png(noise(H, W)),
    "png gray 16": lambda: png(noise(H, W, dtype=np.uint16)),
    "png gray alpha 8": lambda: png(noise(H, W, 2)),
    "png gray alpha 16": lambda: png(noise(H, W, 2, dtype=np.uint16)),
    "png rgb 8": lambda: png(noise(H, W, 3)),
    "png rgb 16": lambda: png(noise(H, W, 3, dtype=np.uint16)),
    "png rgba 8": lambda: png(noise(H, W, 4)),
    "png rgba 16": lambda: png(noise(H, W, 4, dtype=np.uint16)),
    "png palette 1": lambda: pillow(palette_image(2), "PNG", bits=1),
    "png palette 4": lambda: pillow(palette_image(16), "PNG", bits=4),
    "png palette 8": lambda: pillow(palette_image(200), "PNG"),
    "png palette with clear colours": lambda: pillow(palette_image(16), "PNG", transparency=bytes([0, 90, 255])),
    "png gray with a clear colour": lambda: pillow(noise(H, W), "PNG", transparency=7),
    "png rgb with a clear colour": lambda: pillow(noise(H, W, 3), "PNG", transparency=(1, 2, 3)),
    "png moving": lambda: moving("PNG"),
    "jpeg gray": lambda: pillow(smooth(H, W, 1)[..., 0], "JPEG"),
    "jpeg rgb": lambda: pillow(smooth(H, W, 3), "JPEG", quality=90),
    "jpeg rgb progressive": lambda: pillow(smooth(H, W, 3), "JPEG", quality=80, progressive=True, subsampling=0),
    "jpeg cmyk": lambda: pillow(Image.fromarray(smooth(H, W, 4), "CMYK"), "JPEG", quality=95),
    "gif palette": lambda: pillow(palette_image(30), "GIF"),
    "gif with a clear colour": lambda: pillow(palette_image(4), "GIF", transparency=2),
    "gif moving": lambda: moving("GIF"),
    "bmp 1": lambda: pillow(noise(H, W, dtype=bool), "BMP"),
    "bmp gray": lambda: pillow(noise(H, W), "BMP"),
    "bmp palette": lambda: pillow(palette_image(100), "BMP"),
    "bmp rgb": lambda: pillow(noise(H, W, 3), "BMP"),
    "webp lossless": lambda: pillow(noise(H, W, 3), "WEBP", lossless=True),
    "webp lossless alpha": lambda: pillow(noise(H, W, 4), "WEBP", lossless=True, exact=True),
    "webp lossy": lambda: pillow(smooth(H, W, 3), "WEBP", quality=70),
    "jp2 gray 8": lambda: imagecodecs.jpeg2k_encode(noise(H, W), level=0, codecformat="jp2"),
    "jp2 gray 16": lambda: imagecodecs.jpeg2k_encode(noise(H, W, dtype=np.uint16), level=0, codecformat="jp2"),
    "jp2 rgb 8": lambda: imagecodecs.jpeg2k_encode(noise(H, W, 3), level=0, codecformat="jp2"),
    "jp2 rgb 8 lossy": lambda: imagecodecs.jpeg2k_encode(smooth(H, W, 3), level=40, codecformat="jp2"),
    "j2k rgb 8": lambda: imagecodecs.jpeg2k_encode(noise(H, W, 3), level=0, codecformat="j2k"),
    "avif rgb 8": lambda: imagecodecs.avif_encode(smooth(H, W, 3), level=100),
    "tiff 1": lambda: pillow(noise(H, W, dtype=bool), "TIFF"),
    "tiff 1 G3": lambda: pillow(noise(H, W, dtype=bool), "TIFF", compression="group3"),
    "tiff 1 G4": lambda: pillow(noise(H, W, dtype=bool), "TIFF", compression="group4"),
    "tiff 1 white is zero": lambda: tiff(noise(H, W, dtype=bool), photometric="miniswhite"),
    "tiff gray 4": lambda: tiff(noise(H, W) >> 4, bitspersample=4),
    "tiff gray 8 white is zero": lambda: tiff(noise(H, W), photometric="miniswhite"),
    "tiff gray 12": lambda: tiff(noise(H, W, dtype=np.uint16) >> 4, bitspersample=12),
    "tiff gray 16 LZW": lambda: tiff(noise(H, W, dtype=np.uint16), compression="lzw", predictor=True),
    "tiff gray 16 big endian": lambda: tiff(noise(H, W, dtype=np.uint16), byteorder=">"),
    "tiff gray float": lambda: tiff(noise(H, W, dtype=np.float32)),
    "tiff gray signed": lambda: tiff(noise(H, W, dtype=np.int16)),
    "tiff gray alpha": lambda: tiff(noise(H, W, 2), photometric="minisblack", extrasamples=["unassalpha"]),
    "tiff rgb 8 deflate": lambda: tiff(noise(H, W, 3), photometric="rgb", compression="zlib"),
    "tiff rgb 8 ZSTD": lambda: tiff(noise(H, W, 3), photometric="rgb", compression="zstd"),
    "tiff rgb 8 tiles": lambda: tiff(noise(70, 80, 3), photometric="rgb", tile=(32, 32)),
    "tiff rgb 16": lambda: tiff(noise(H, W, 3, dtype=np.uint16), photometric="rgb"),
    "tiff rgb 16 planes": lambda: tiff(noise(3, H, W, dtype=np.uint16), photometric="rgb", planarconfig="separate"),
    "tiff rgba 16": lambda: tiff(noise(H, W, 4, dtype=np.uint16), photometric="rgb", extrasamples=["unassalpha"]),
    "tiff rgba associated": lambda: tiff(noise(H, W, 4), photometric="rgb", extrasamples=["assocalpha"]),
    "tiff rgb JPEG": lambda: tiff(smooth(64, 64, 3), photometric="rgb", compression="jpeg", tile=(32, 32)),
    "tiff cmyk": lambda: tiff(noise(H, W, 4), photometric="separated"),
    "tiff lab": lambda: tiff(noise(H, W, 3), photometric="cielab"),
    "tiff palette": lambda: pillow(palette_image(100), "TIFF", compression="tiff_lzw"),
    "tiff three pages": lambda: pages(),
    "tiff turned": lambda: turned(),
}


def gray_png(bits: int) -> bytes:
    """2 and 4 bits of grey, which no encoder at hand writes."""
    import struct
    import zlib

    values = support.RANDOM.integers(0, 1 << bits, (H, W), dtype=np.uint8)
    single = np.unpackbits(values[..., None], axis=2)[..., -bits:].reshape(H, -1)
    rows = np.packbits(single, axis=1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    body = support.chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, bits, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + body + support.chunk(b"IDAT", zlib.compress(raw)) + support.chunk(b"IEND", b"")


def pages() -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(noise(H, W, 3), photometric="rgb", compression="lzw", metadata=None)
        writer.write(noise(20, 30, dtype=np.uint16), metadata=None)
        writer.write(noise(25, 30, dtype=bool), metadata=None)
    return out.getvalue()


def turned() -> bytes:
    return tiff(noise(H, W, 4), photometric="separated", extratags=[(274, 3, 1, 6, True)], compression="lzw")


@pytest.mark.parametrize("compression", ["none", "deflate"])
@pytest.mark.parametrize("case", CASES)
def test_every_pixel_of_every_frame_reaches_a_sound_master(
    case: str, compression: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job, source = support.job(tmp_path), support.source(tmp_path, CASES[case]())
    migration = image_to_tiff.migrate(source, job, compression=compression)
    (master,) = migration.products
    assert soundness.validate(source, master, job).outcome is Outcome.SUCCESS
    verdict = pixels.validate(source, master, job)
    assert (verdict.outcome, verdict.code) in {(Outcome.SUCCESS, ""), (Outcome.WARNING, "metadata-lost")}, verdict
    measures = {one.name: one for one in verdict.measures}
    assert measures["pixels_lost"].value == "0"
    assert measures["libraries"].value == "2", measures["libraries"]
    if "moving" not in case:
        assert verdict.outcome is Outcome.SUCCESS, verdict
