"""What pictures say about themselves comes along, or is named."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, IptcImagePlugin

from tasks.sealed.raster import compare, convert, ifd, metadata_formats, profile
from tests.tasks.sealed.raster.support import noise, pillow, png, smooth, tiff, with_chunks

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int = 6) -> Image.Exif:
    made = Image.Exif()
    made[271], made[274], made[306], made[315] = "Maker", orientation, "2001:02:03 04:05:06", "Nguyen"
    made.get_ifd(0x8769).update({36867: "2001:02:03 04:05:06", 33434: (1, 125), 37500: b"maker's own note", 40961: 1})
    made.get_ifd(0x8825).update({1: "N", 2: (21.0, 1.0, 42.0), 3: "E", 4: (105.0, 51.0, 15.0)})
    return made


def migrated(folder: Path, source: bytes) -> tuple[list[str], tifffile.TiffPage]:
    """Names of what is missing in the master of `source`, and the master's first page."""
    (folder / "source").write_bytes(source)
    convert.convert(str(folder / "source"), str(folder / "master"))
    missing = compare.missing(folder / "source", folder / "master")
    page = tifffile.TiffFile(io.BytesIO((folder / "master").read_bytes())).pages[0]
    assert isinstance(page, tifffile.TiffPage)
    return missing, page


def photoshop(iptc: bytes) -> bytes:
    block = b"8BIM" + struct.pack(">HBBI", 0x0404, 0, 0, len(iptc)) + iptc + bytes(len(iptc) & 1)
    return b"\xff\xed" + struct.pack(">H", len(block) + 16) + b"Photoshop 3.0\0" + block


def test_exif_gps_profile_xmp_and_resolution_of_a_jpeg_come_along(tmp_path: Path) -> None:
    source = pillow(smooth(20, 30, 3), "JPEG", exif=exif(), icc_profile=PROFILE, xmp=XMP, dpi=(300, 200), comment=b"hi")
    missing, page = migrated(tmp_path, source)
    assert missing == []
    assert page.tags[274].value == 6
    assert (page.tags[282].value, page.tags[283].value, page.tags[296].value) == ((300, 1), (200, 1), 2)
    assert bytes(page.tags[34675].value) == PROFILE
    assert bytes(page.tags[700].value) == XMP
    assert (page.tags[271].value, page.tags[315].value, page.tags[270].value) == ("Maker", "Nguyen", "hi")
    assert page.tags[34665].value["DateTimeOriginal"] == "2001:02:03 04:05:06"
    assert page.tags[34665].value["MakerNote"] == b"maker's own note"
    assert page.tags[34853].value["GPSLatitude"] == (21, 1, 1, 1, 42, 1)


def test_pillow_reads_the_exif_of_the_master_as_that_of_the_source(tmp_path: Path) -> None:
    source = pillow(smooth(20, 30, 3), "JPEG", exif=exif())
    migrated(tmp_path, source)
    with Image.open(io.BytesIO(source)) as before, Image.open(tmp_path / "master") as after:
        for directory in (0x8769, 0x8825):
            assert dict(after.getexif().get_ifd(directory)) == dict(before.getexif().get_ifd(directory))


def test_iptc_and_photoshop_resources_of_a_jpeg_come_along(tmp_path: Path) -> None:
    iptc = b"\x1c\x02\x78\x00\x05Hello"
    data = pillow(smooth(20, 30, 3), "JPEG")
    missing, page = migrated(tmp_path, data[:2] + photoshop(iptc) + data[2:])
    assert missing == []
    assert bytes(page.tags[33723].value) == iptc
    with Image.open(tmp_path / "master") as image:
        assert IptcImagePlugin.getiptcinfo(image) == {(2, 120): b"Hello"}


def test_a_profile_in_several_parts_is_put_together(tmp_path: Path) -> None:
    long = bytes(range(256)) * 600
    missing, page = migrated(tmp_path, pillow(smooth(9, 9, 3), "JPEG", icc_profile=long))
    assert missing == []
    assert bytes(page.tags[34675].value) == long


def test_what_lies_behind_a_jpeg_is_named(tmp_path: Path) -> None:
    assert migrated(tmp_path, pillow(smooth(9, 9, 3), "JPEG") + b"a film follows")[0] == ["14 bytes behind the picture"]


@pytest.mark.parametrize(("unit", "dots", "expected"), [(1, 11811, (300, 300)), (0, 1, (0, 0))])
def test_dots_a_metre_become_exact_dots_a_centimetre(
    unit: int, dots: int, expected: tuple[int, int], tmp_path: Path
) -> None:
    source = with_chunks(png(noise(9, 9)), (b"pHYs", struct.pack(">IIB", dots, dots, unit)))
    missing, page = migrated(tmp_path, source)
    assert missing == []
    assert metadata_formats.read(tmp_path / "source")[0].dpi() == expected
    if unit:
        assert (page.tags[282].value, page.tags[296].value) == ((11811, 100), 3)
    else:
        assert page.tags[296].value == 1


def test_texts_of_a_png_come_along_in_ascii_or_in_xmp(tmp_path: Path) -> None:
    words = [
        (b"tEXt", b"Author\0Anne"),
        (b"zTXt", b"Title\0\0" + zlib.compress(b"A map")),
        (b"tEXt", b"Scale\0" + b"1:50000"),
    ]
    source = with_chunks(png(noise(9, 9)), *words, (b"iTXt", b"Place\0\0\0vi\0\0" + "Hà Nội & quanh".encode()))
    missing, page = migrated(tmp_path, source)
    assert missing == []
    assert (page.tags[315].value, page.tags[269].value, page.tags[270].value) == ("Anne", "A map", "Scale: 1:50000")
    assert "Place: Hà Nội &amp; quanh".encode() in bytes(page.tags[700].value)


def test_exif_profile_and_date_of_a_png_come_along(tmp_path: Path) -> None:
    source = with_chunks(
        png(noise(9, 9, 3)),
        (b"eXIf", exif(3).tobytes()[6:]),
        (b"iCCP", b"name\0\0" + zlib.compress(PROFILE)),
        (b"tIME", struct.pack(">HBBBBB", 2020, 1, 2, 3, 4, 5)),
    )
    missing, page = migrated(tmp_path, source)
    assert missing == []
    assert (page.tags[274].value, page.tags[306].value) == (3, "2020:01:02 03:04:05")
    assert bytes(page.tags[34675].value) == PROFILE


def test_unknown_chunks_are_named_and_advice_is_only_counted(tmp_path: Path) -> None:
    source = with_chunks(png(noise(9, 9)), (b"vpAg", b"12345678"), (b"bKGD", b"\0\0"))
    assert migrated(tmp_path, source)[0] == ["vpAg"]
    assert compare.minor(tmp_path / "source") == ["bKGD"]


def test_a_declared_srgb_becomes_a_profile_that_a_colour_engine_takes_for_srgb(tmp_path: Path) -> None:
    pixels = noise(16, 16, 3)
    missing, page = migrated(tmp_path, with_chunks(png(pixels), (b"sRGB", b"\0")))
    assert missing == []
    made = ImageCms.ImageCmsProfile(io.BytesIO(bytes(page.tags[34675].value)))
    turned = ImageCms.profileToProfile(Image.fromarray(pixels), made, ImageCms.createProfile("sRGB"))
    assert turned is not None
    assert np.abs(np.asarray(turned).astype(int) - pixels).max() <= 1


def test_a_declared_gamma_becomes_a_profile_with_that_curve() -> None:
    made = ImageCms.ImageCmsProfile(io.BytesIO(profile.gamma(1 / 2.2, gray=True)))
    linear = ImageCms.ImageCmsProfile(io.BytesIO(profile.gamma(1.0, gray=True)))
    gray = Image.fromarray(np.full((2, 2), 128, np.uint8))
    turned = ImageCms.profileToProfile(gray, made, linear)
    assert turned is not None
    assert abs(int(np.asarray(turned)[0, 0]) - 255 * (128 / 255) ** 2.2) <= 1


def test_profile_and_capture_resolution_of_a_jp2_come_along(tmp_path: Path) -> None:
    plain = imagecodecs.jpeg2k_encode(noise(9, 9, 3), level=0, codecformat="jp2")
    resolution = struct.pack(">I4sI4sHHHHbb", 26, b"res ", 18, b"resc", 11811, 1, 11811, 1, 0, 0)
    at = plain.index(b"jp2h") - 4
    size = struct.unpack_from(">I", plain, at)[0]
    source = plain[:at] + struct.pack(">I", size + 26) + plain[at + 4 : at + size] + resolution + plain[at + size :]
    missing, page = migrated(tmp_path, source)
    assert missing == []
    assert (page.tags[282].value, page.tags[296].value) == ((11811, 100), 3)


def test_webp_and_gif_and_bmp_bring_what_they_have(tmp_path: Path) -> None:
    missing, page = migrated(tmp_path, pillow(smooth(9, 9, 3), "WEBP", exif=exif(8), icc_profile=PROFILE, xmp=XMP))
    assert (missing, page.tags[274].value, bytes(page.tags[34675].value)) == ([], 8, PROFILE)
    missing, page = migrated(tmp_path, pillow(noise(9, 9), "GIF", comment=b"a word"))
    assert (missing, page.tags[270].value) == ([], "a word")
    missing, page = migrated(tmp_path, pillow(noise(9, 9, 3), "BMP", dpi=(300, 300)))
    assert (missing, page.tags[282].value, page.tags[296].value) == ([], (11811, 100), 3)


def test_each_page_of_a_tiff_keeps_its_own_words(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out, byteorder=">") as writer:
        for number in range(2):
            extra: list[Any] = [(285, 2, 0, f"sheet {number}", True), (33550, 12, 3, (0.5, 0.25, 0.0), True)]
            writer.write(noise(9, 9), metadata=None, compression="lzw", resolution=(200, 200), extratags=extra)
    missing, _ = migrated(tmp_path, out.getvalue())
    assert missing == []
    with tifffile.TiffFile(tmp_path / "master") as made:
        assert [page.tags[285].value for page in made.pages] == ["sheet 0", "sheet 1"]
        assert made.pages[1].tags[33550].value == (0.5, 0.25, 0.0)
        assert made.pages[1].tags[282].value == (200, 1)


def test_pictures_in_subifds_are_named_unless_they_are_reduced(tmp_path: Path) -> None:
    for reduced, expected in ((0, ["pictures in SubIFDs"]), (1, [])):
        out = io.BytesIO()
        with tifffile.TiffWriter(out) as writer:
            writer.write(noise(32, 32), metadata=None, subifds=1, compression="lzw")
            writer.write(noise(16, 16), metadata=None, subfiletype=reduced)
        assert migrated(tmp_path, out.getvalue())[0] == expected


@pytest.mark.parametrize("size", range(0, 400, 7))
def test_a_cut_exif_block_never_breaks_the_reader(size: int) -> None:
    block = exif().tobytes()[6:]
    for chain in ifd.directories(block[:size]):
        ifd.sub(block[:size], chain.get(34665))


def test_directories_in_a_circle_end(tmp_path: Path) -> None:
    block = bytearray(tiff(noise(4, 4)))
    at = struct.unpack_from("<I", block, 4)[0]
    count = struct.unpack_from("<H", block, at)[0]
    struct.pack_into("<I", block, at + 2 + 12 * count, at)
    assert len(ifd.directories(bytes(block))) == 1


def test_a_bigtiff_brings_its_pixels_and_says_what_it_does_not_bring(tmp_path: Path) -> None:
    source = tiff(noise(9, 9), bigtiff=True, resolution=(300, 300))
    assert migrated(tmp_path, source)[0] == ["everything but the pixels (BigTIFF)"]
