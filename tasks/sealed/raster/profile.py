"""Small ICC profiles for sources that declare their colours otherwise (PNG: sRGB, gAMA, cHRM; JP2: 16, 17).

TIFF has one dependable place for this: the ICC profile. The bytes depend on the declared numbers alone.
Source: ICC.1:2010 (version 4.2): header, XYZ and parametricCurve types; PNG 3rd edition section 11.3.2.
"""

from __future__ import annotations

import struct

import numpy as np

from tasks.sealed.raster.frame import Array

D50 = (0.9642, 1.0, 0.8249)
BT709 = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
"""White x y, red x y, green x y, blue x y; also sRGB's."""
SRGB_CURVE = (3, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def srgb(*, gray: bool = False) -> bytes:
    """The sRGB colour space (IEC 61966-2-1), or grey with its curve."""
    return _profile("sRGB", BT709, *SRGB_CURVE, gray=gray)


def gamma(value: float, primaries: tuple[float, ...] = BT709, *, gray: bool = False) -> bytes:
    """A pure power curve. `value` is PNG's gAMA (as 0.45455); without cHRM viewers take BT.709's primaries."""
    return _profile(f"gamma {value:.5f}", primaries, 0, (1 / value,), gray=gray)


def _profile(name: str, primaries: tuple[float, ...], shape: int, curve: tuple[float, ...], *, gray: bool) -> bytes:
    trc = b"para" + struct.pack(">IHH", 0, shape, 0) + b"".join(_fixed(one) for one in curve)
    tags = [(b"desc", _words(name)), (b"cprt", _words("No rights reserved")), (b"wtpt", _xyz(D50))]
    if gray:
        tags.append((b"kTRC", trc))
    else:
        matrix, adaptation = _colorants(primaries)
        tags.append((b"chad", b"sf32\0\0\0\0" + b"".join(_fixed(float(one)) for one in adaptation.reshape(-1))))
        tags += [(code, _xyz(tuple(matrix[:, at]))) for at, code in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))]
        tags += [(code, trc) for code in (b"rTRC", b"gTRC", b"bTRC")]
    return _assemble(tags, b"GRAY" if gray else b"RGB ")


def _assemble(tags: list[tuple[bytes, bytes]], space: bytes) -> bytes:
    at = 128 + 4 + 12 * len(tags)
    table, body, places = struct.pack(">I", len(tags)), b"", {}
    for code, data in tags:
        if data not in places:
            places[data] = at + len(body)
            body += data + bytes(-len(data) % 4)
        table += code + struct.pack(">II", places[data], len(data))
    head = struct.pack(">II", at + len(body), 0) + b"\x04\x20\0\0" + b"mntr" + space + b"XYZ "
    head += struct.pack(">6H", 2010, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + b"".join(_fixed(one) for one in D50)
    return head.ljust(128, b"\0") + table + body


def _colorants(primaries: tuple[float, ...]) -> tuple[Array, Array]:
    """Columns red, green, blue in XYZ adapted to D50 (Bradford), and the adaptation."""
    pairs = zip(primaries[::2], primaries[1::2], strict=True)
    white, *corners = [np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in pairs]
    unit = np.stack(corners, axis=1)
    raw = unit * np.linalg.solve(unit, white)
    cones = np.diag((BRADFORD @ np.array(D50)) / (BRADFORD @ white))
    adaptation = np.linalg.inv(BRADFORD) @ cones @ BRADFORD
    return adaptation @ raw, adaptation


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(value: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(float(one)) for one in value)


def _words(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, len(data), 28) + data
