"""The comparison finds what a master must not do."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from tasks.premis.model import Trouble
from tasks.sealed.raster import compare, convert
from tests.tasks.sealed.raster.support import noise, palette_image, pillow, png, smooth, tiff


def told(folder: Path, source: bytes, product: bytes) -> dict[str, object]:
    (folder / "source").write_bytes(source)
    (folder / "product").write_bytes(product)
    return compare.compare(str(folder / "source"), str(folder / "product"))


def master(folder: Path, source: bytes) -> bytes:
    (folder / "source").write_bytes(source)
    convert.convert(str(folder / "source"), str(folder / "master"))
    return (folder / "master").read_bytes()


def test_one_flipped_pixel_is_found(tmp_path: Path) -> None:
    pixels = noise(50, 60, 3)
    changed = pixels.copy()
    changed[17, 23, 1] ^= 1
    answer = told(tmp_path, png(pixels), tiff(changed, photometric="rgb"))
    assert (answer["lost"], answer["total"], answer["rounded"]) == (1, 3000, 0)


def test_a_flipped_bit_of_16_is_found(tmp_path: Path) -> None:
    pixels = noise(50, 60, 3, dtype=np.uint16)
    changed = pixels.copy()
    changed[0, 0, 0] ^= 1
    assert told(tmp_path, png(pixels), tiff(changed, photometric="rgb"))["lost"] == 1


def test_a_rounding_decoder_passes_only_when_the_first_library_gives_the_product_exactly(tmp_path: Path) -> None:
    jpeg = pillow(smooth(200, 300, 3), "JPEG")
    made = master(tmp_path, jpeg)
    pixels = tifffile.imread(io.BytesIO(made)).copy()
    pixels[5, 5, 0] += 1 if pixels[5, 5, 0] < 255 else -1
    assert told(tmp_path, jpeg, made)["lost"] == 0
    answer = told(tmp_path, jpeg, tiff(pixels, photometric="rgb"))
    assert answer["lost"] == 1


def test_a_lost_frame_is_found_with_all_its_pixels(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for _ in range(3):
            writer.write(noise(10, 12), metadata=None, compression="lzw")
    source = out.getvalue()
    first = tifffile.imread(io.BytesIO(source), key=0)
    answer = told(tmp_path, source, tiff(first))
    assert answer["faults"] == ["frames"]
    assert (answer["lost"], answer["total"]) == (240, 360)


def test_16_bits_cut_to_8_are_found(tmp_path: Path) -> None:
    pixels = noise(20, 20, 3, dtype=np.uint16)
    answer = told(tmp_path, png(pixels), tiff((pixels >> 8).astype(np.uint8), photometric="rgb"))
    assert answer["lost"] == 400
    assert "bits" in str(answer["faults"])


def test_dropped_alpha_is_found(tmp_path: Path) -> None:
    pixels = noise(20, 20, 4)
    answer = told(tmp_path, png(pixels), tiff(pixels[..., :3], photometric="rgb"))
    assert answer["lost"] == 400
    assert "channels" in str(answer["faults"])


def test_alpha_declared_as_multiplied_in_is_found(tmp_path: Path) -> None:
    pixels = noise(20, 20, 4)
    answer = told(tmp_path, png(pixels), tiff(pixels, photometric="rgb", extrasamples=["assocalpha"]))
    assert "kind of alpha" in str(answer["faults"])


def test_inverted_grey_is_found(tmp_path: Path) -> None:
    pixels = noise(20, 20)
    answer = told(tmp_path, png(pixels), tiff(pixels, photometric="miniswhite"))
    assert int(str(answer["lost"])) == 400


def test_a_wrong_palette_is_found(tmp_path: Path) -> None:
    source = pillow(palette_image(8), "PNG", bits=8)
    made = bytearray(master(tmp_path, source))
    place = tifffile.TiffFile(io.BytesIO(bytes(made))).pages[0].tags[320].valueoffset
    made[place + 1] ^= 0x80
    assert int(str(told(tmp_path, source, bytes(made))["lost"])) > 0


def test_a_picture_turned_by_a_quarter_is_found(tmp_path: Path) -> None:
    pixels = noise(20, 30, 3)
    answer = told(tmp_path, png(pixels), tiff(np.ascontiguousarray(np.rot90(pixels)), photometric="rgb"))
    assert "size" in str(answer["faults"])


def test_a_product_that_is_no_tiff_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(Trouble) as caught:
        told(tmp_path, png(noise(9, 9)), b"II*\0garbage")
    assert caught.value.code == "tiff-invalid"


def test_resolution_and_profile_that_did_not_come_along_are_named(tmp_path: Path) -> None:
    pixels = noise(20, 30, 3)
    source = pillow(pixels, "PNG", dpi=(300, 300), icc_profile=b"not a profile, but carried")
    answer = told(tmp_path, source, tiff(pixels, photometric="rgb"))
    assert answer["missing"] == ["ICC profile", "resolution"]
    assert told(tmp_path, source, master(tmp_path, source))["missing"] == []


@pytest.mark.parametrize("kind", ["cmyk of 16 bits", "moving WebP", "lossless JPEG"])
def test_where_no_second_library_reads_the_source_it_is_said(kind: str, tmp_path: Path) -> None:
    if kind == "moving WebP":
        frames = [palette_image(9).convert("RGB") for _ in range(3)]
        out = io.BytesIO()
        frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
        source = out.getvalue()
    elif kind == "lossless JPEG":
        source = imagecodecs.ljpeg_encode(noise(16, 16, dtype=np.uint16))
    else:
        source = tiff(noise(9, 8, 4, dtype=np.uint16), photometric="separated", compression="lzw")
    answer = told(tmp_path, source, master(tmp_path, source))
    assert answer["second"] == ""
    assert answer["lost"] == 0
    assert answer["faults"] == []
