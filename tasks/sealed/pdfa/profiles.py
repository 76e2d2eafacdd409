"""ICC profiles for ISO 19005-2, 6.2.4: sRGB from pikepdf, gray and CMYK built here, since no free one is everywhere.

The CMYK profile describes what readers draw for DeviceCMYK without a profile: the polynomial that PDF.js (Apache-2.0)
fitted to US Web Coated (SWOP). Its way back, Lab to CMYK, is the plain one; it serves no display.
"""

from __future__ import annotations

import struct
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tasks.sealed.pdfa.borrowed import load_srgb

Grid = NDArray[np.float64]

WHITE_D50 = (0.9642, 1.0, 0.8249)
INK_STEPS = 9
LAB_STEPS = 9
SRGB_TO_XYZ_D50 = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])

# Rows: products of inks cc cm cy ck c mm my mk m yy yk y kk k; columns: what each adds to red, green, blue (0..255).
INK_POLYNOMIAL = np.array(
    [
        [-4.387332384609988, 8.841041422036149, 0.8842522430003296],
        [54.48615194189176, 60.118027045597366, 8.078677503112928],
        [18.82290502165302, 6.871425592049007, 30.89978309703729],
        [212.25662451639585, 31.159100130055922, -0.23883238689178934],
        [-285.2331026137004, -79.2970844816548, -14.183576799673286],
        [1.7149763477362134, -15.310361306967817, 10.49593273432072],
        [-5.6096736904047315, 17.575251261109482, 63.02378494754052],
        [-17.873870861415444, 131.35250912493976, 50.606957656360734],
        [-5.497006427196366, -190.9453302588951, -112.23884253719248],
        [-2.5217340131683033, 4.444339102852739, 0.03296041114873217],
        [-21.248923337353073, 9.8632861493405, 115.60384449646641],
        [17.5119270841813, -24.86741582555878, -193.58209356861505],
        [-21.86122147463605, -20.737325471181034, -22.33816807309886],
        [-189.48180835922747, -187.80453709719578, -180.12613974708367],
    ]
)


def srgb() -> bytes:
    """Returns the sRGB profile that pikepdf ships."""
    return load_srgb()


@cache
def gray() -> bytes:
    """Returns a display profile of one component with gamma 2.2."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    return _profile(b"mntr", b"GRAY", b"XYZ ", "Gray gamma 2.2", [((b"kTRC",), curve)])


@cache
def cmyk() -> bytes:
    """Returns an output profile of four components."""
    axis = np.linspace(0.0, 1.0, INK_STEPS)
    inks = np.stack(np.meshgrid(axis, axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 4)
    axis = np.linspace(0.0, 1.0, LAB_STEPS)
    colours = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    to_lab = _lut8(4, 3, INK_STEPS, _encode_lab(_rgb_to_lab(_inks_to_rgb(inks))))
    to_inks = _lut8(3, 4, LAB_STEPS, np.rint(_rgb_to_inks(_lab_to_rgb(colours)) * 255))
    gamut = _lut8(3, 1, 2, np.zeros((8, 1)))
    tags = [
        ((b"A2B0", b"A2B1", b"A2B2"), to_lab),
        ((b"B2A0", b"B2A1", b"B2A2"), to_inks),
        ((b"gamt",), gamut),
    ]
    return _profile(b"prtr", b"CMYK", b"Lab ", "Coated CMYK approximation", tags)


def _inks_to_rgb(inks: Grid) -> Grid:
    c, m, y, k = inks.T
    products = np.stack([c * c, c * m, c * y, c * k, c, m * m, m * y, m * k, m, y * y, y * k, y, k * k, k], axis=-1)
    rgb: Grid = np.clip((255.0 + products @ INK_POLYNOMIAL) / 255.0, 0.0, 1.0)
    return rgb


def _rgb_to_inks(rgb: Grid) -> Grid:
    black = 1.0 - rgb.max(axis=-1, keepdims=True)
    return np.concatenate([(1.0 - rgb - black) / np.maximum(1.0 - black, 1e-9), black], axis=-1)


def _rgb_to_lab(rgb: Grid) -> Grid:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    relative = linear @ SRGB_TO_XYZ_D50.T / np.array(WHITE_D50)
    roots = np.where(relative > 216 / 24389, np.cbrt(relative), (24389 / 27 * relative + 16) / 116)
    x, y, z = roots.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _lab_to_rgb(encoded: Grid) -> Grid:
    """Turns lut8 Lab values scaled to 0..1 into sRGB, cut to its gamut."""
    light, a, b = encoded[:, 0] * 100, encoded[:, 1] * 255 - 128, encoded[:, 2] * 255 - 128
    y = (light + 16) / 116
    roots = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    relative = np.where(roots > 6 / 29, roots**3, (116 * roots - 16) * 27 / 24389)
    linear = np.clip((relative * np.array(WHITE_D50)) @ np.linalg.inv(SRGB_TO_XYZ_D50).T, 0.0, 1.0)
    rgb: Grid = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgb


def _encode_lab(lab: Grid) -> Grid:
    scaled = np.stack([lab[:, 0] * 2.55, lab[:, 1] + 128, lab[:, 2] + 128], axis=-1)
    encoded: Grid = np.rint(np.clip(scaled, 0, 255))
    return encoded


def _lut8(inputs: int, outputs: int, steps: int, values: Grid) -> bytes:
    """Returns an ICC lut8Type (ICC.1:2001-04, 6.5.8) with straight input and output tables."""
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    ramp = bytes(range(256))
    head = b"mft1\0\0\0\0" + bytes([inputs, outputs, steps, 0]) + identity
    return head + ramp * inputs + values.astype(np.uint8).tobytes() + ramp * outputs


def _profile(
    kind: bytes, space: bytes, connection: bytes, title: str, tags: list[tuple[tuple[bytes, ...], bytes]]
) -> bytes:
    """Returns an ICC profile of version 2.1 (ICC.1:2001-04, 6.1 and 6.3) with the tags every kind needs."""
    label = title.encode("ascii") + b"\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(label)) + label + bytes(4 + 4 + 2 + 1 + 67)
    white = b"XYZ \0\0\0\0" + _xyz(WHITE_D50)
    entries = [((b"desc",), description), ((b"cprt",), b"text\0\0\0\0No copyright\0"), ((b"wtpt",), white), *tags]
    count = sum(len(names) for names, _ in entries)
    body, table, start = b"", b"", 128 + 4 + 12 * count
    for names, data in entries:
        for signature in names:
            table += signature + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I", start + len(body)) + bytes(4) + b"\x02\x10\0\0" + kind + space + connection
    header += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz(WHITE_D50)
    return header.ljust(128, b"\0") + struct.pack(">I", count) + table + body


def _xyz(values: tuple[float, float, float]) -> bytes:
    return struct.pack(">3i", *(round(value * 65536) for value in values))
