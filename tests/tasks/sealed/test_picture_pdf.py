from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pikepdf
import pytest
import tifffile
from PIL import Image, ImageCms

from tasks.premis.model import Trouble
from tasks.sealed import look, picture_pdf
from tests.tasks.sealed import paper


def pages(source: Path, **keywords: Any) -> tuple[Path, dict[str, Any]]:
    product = source.with_name("pages.pdf")
    return product, picture_pdf.pages(str(source), str(product), **keywords)


def page_box(product: Path) -> list[float]:
    with pikepdf.open(product) as opened:
        return [round(float(side), 1) for side in opened.pages[0].mediabox]


def test_the_stream_of_a_jpeg_is_untouched(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    paper.sentence(mode="RGB").save(source, dpi=(200, 200))
    product, answer = pages(source)
    assert paper.image_bytes(product, raw=True) == [source.read_bytes()]
    assert (answer["kept"], answer["assumed"], answer["dpi_x"]) == (1, 0, "200")


def test_the_idat_of_a_plain_png_is_untouched(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    paper.sentence().save(source, dpi=(300, 300))
    product, answer = pages(source)
    [stream] = paper.image_bytes(product, raw=True)
    assert stream in source.read_bytes()
    assert answer["kept"] == 1


def test_a_page_is_as_large_as_its_resolution_says(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    Image.new("L", (400, 600), 200).save(source, dpi=(200, 200))
    product, _ = pages(source)
    assert page_box(product) == [0, 0, 144, 216]


@pytest.mark.parametrize("claimed", [None, (1, 1), (0, 0), (30000, 30000)])
def test_a_picture_without_a_credible_resolution_gets_the_stated_one_and_says_so(
    tmp_path: Path, claimed: tuple[int, int] | None
) -> None:
    source = tmp_path / "a.png"
    Image.new("L", (400, 600), 200).save(source, **({"dpi": claimed} if claimed else {}))
    product, answer = pages(source, default_dpi=200)
    assert (answer["assumed"], answer["dpi_x"]) == (1, "200")
    assert page_box(product) == [0, 0, 144, 216]


def test_a_picture_of_one_pixel_still_gets_a_page_that_pdf_allows(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    Image.new("L", (1, 1), 200).save(source, dpi=(300, 300))
    product, answer = pages(source)
    assert page_box(product) == [0, 0, 3, 3]
    assert answer["assumed"] == 1


def test_resolution_in_centimetres_is_converted(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    tifffile.imwrite(source, np.full((60, 40), 200, np.uint8), resolution=(118.11, 118.11), resolutionunit=3)
    assert pages(source)[1]["dpi_x"] == "300"


def test_every_page_of_a_tiff_becomes_a_page_with_its_own_resolution(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    with tifffile.TiffWriter(source) as writer:
        for number, dpi in enumerate((100, 200, 400)):
            writer.write(np.full((200, 200), 50 * number, np.uint8), resolution=(dpi, dpi), resolutionunit=2)
    product, answer = pages(source)
    assert answer["pages"] == 3
    with pikepdf.open(product) as opened:
        assert [float(page.mediabox[2]) for page in opened.pages] == [144, 72, 36]
    assert [set(samples) for samples in paper.image_bytes(product)] == [{0}, {50}, {100}]


def test_reduced_copies_inside_a_tiff_are_no_pages(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    with tifffile.TiffWriter(source) as writer:
        writer.write(np.zeros((200, 200), np.uint8), subfiletype=0)
        writer.write(np.zeros((20, 20), np.uint8), subfiletype=1)
    assert pages(source)[1]["pages"] == 1


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF"])
def test_black_stays_black_whatever_holds_one_bit(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "a"
    paper.sentence(mode="1").save(source, kind, dpi=(200, 200))
    product, _ = pages(source)
    answer = look.compare(str(source), str(product))
    assert (answer["blank"], answer["differing"]) == ([], [])
    assert float(answer["least"]) > 0.99


def test_a_bilevel_tiff_keeps_its_pixels_in_group_4(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    bilevel = paper.sentence(mode="1")
    bilevel.save(source, compression="group4", dpi=(200, 200))
    product, _ = pages(source)
    with pikepdf.open(product) as opened:
        [image] = paper.images(opened)
        assert "/CCITTFaxDecode" in image.Filter.unparse().decode()
        shown = pikepdf.PdfImage(image).as_pil_image()
    assert shown.convert("L").tobytes() == bilevel.convert("L").tobytes()


def test_sixteen_bits_stay_sixteen_bits(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    samples = np.arange(64 * 64 * 3, dtype=np.uint16).reshape(64, 64, 3) * 5
    tifffile.imwrite(source, samples, photometric="rgb", resolution=(300, 300), resolutionunit=2)
    product, answer = pages(source)
    [stored] = paper.image_bytes(product)
    assert answer["reduced"] == 0
    assert np.array_equal(np.frombuffer(stored, ">u2").reshape(64, 64, 3), samples)


def test_floating_point_is_reduced_and_says_so(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    tifffile.imwrite(source, np.linspace(0, 1, 4096, dtype=np.float32).reshape(64, 64))
    product, answer = pages(source)
    assert answer["reduced"] == 1
    [stored] = paper.image_bytes(product)
    assert (min(stored), max(stored)) == (0, 255)


def test_transparency_becomes_white_paper_and_says_so(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    picture = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (0, 0, 20, 40))
    picture.save(source, dpi=(100, 100))
    product, answer = pages(source)
    [stored] = paper.image_bytes(product)
    shown = np.frombuffer(stored, np.uint8).reshape(40, 40, 3)
    assert answer["flattened"] == 1
    assert shown[0, 0].tolist() == [0, 0, 255]
    assert shown[0, 39].tolist() == [255, 255, 255]


def test_an_alpha_channel_that_hides_nothing_is_no_loss(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    paper.sentence(mode="RGBA").save(source, dpi=(200, 200))
    product, answer = pages(source)
    assert answer["flattened"] == 0
    assert paper.image_bytes(product) == [paper.sentence(mode="RGB").tobytes()]


def test_a_cmyk_tiff_stays_cmyk(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    picture = Image.new("CMYK", (30, 20), (10, 20, 30, 40))
    picture.save(source, dpi=(300, 300))
    product, _ = pages(source)
    assert paper.image_bytes(product) == [picture.tobytes()]
    with pikepdf.open(product) as opened:
        [image] = paper.images(opened)
        assert image.ColorSpace == pikepdf.Name.DeviceCMYK


def test_a_cmyk_jpeg_is_untouched_and_looks_right(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    paper.sentence(mode="RGB").convert("CMYK").save(source, dpi=(200, 200))
    product, _ = pages(source)
    assert paper.image_bytes(product, raw=True) == [source.read_bytes()]
    answer = look.compare(str(source), str(product))
    assert (answer["blank"], answer["differing"]) == ([], [])


def test_a_profile_of_the_right_kind_goes_along(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = tmp_path / "a.tif"
    paper.sentence(mode="RGB").save(source, dpi=(200, 200), icc_profile=profile)
    product, _ = pages(source)
    with pikepdf.open(product) as opened:
        [image] = paper.images(opened)
        assert image.ColorSpace[0] == pikepdf.Name.ICCBased
        assert image.ColorSpace[1].read_bytes() == profile


def test_a_jpeg_turned_by_its_orientation_keeps_its_stream_and_turns_its_page(tmp_path: Path) -> None:
    source, exif = tmp_path / "a.jpg", Image.Exif()
    exif[274] = 6
    paper.sentence().save(source, dpi=(200, 200), exif=exif)
    product, answer = pages(source)
    with pikepdf.open(product) as opened:
        assert opened.pages[0].Rotate == 90
    assert answer["kept"] == 1


def test_a_jpeg_2000_is_untouched(tmp_path: Path) -> None:
    source = tmp_path / "a.jp2"
    source.write_bytes(imagecodecs.jpeg2k_encode(np.asarray(paper.sentence()), level=0, codecformat="jp2"))
    product, answer = pages(source, default_dpi=200)
    compared = look.compare(str(source), str(product))
    assert (compared["compared"], compared["blank"], compared["differing"]) == (1, [], [])
    assert paper.image_bytes(product, raw=True) == [source.read_bytes()]
    assert answer["kept"] == 1


def test_a_hundred_and_twenty_pages_are_bound_in_order(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    with tifffile.TiffWriter(source) as writer:
        for number in range(120):
            writer.write(np.full((8, 8), number, np.uint8), resolution=(72, 72))
    product, answer = pages(source)
    assert answer["pages"] == 120
    assert [samples[0] for samples in paper.image_bytes(product)] == list(range(120))


def test_equal_pictures_give_equal_bytes_and_leave_nothing_behind(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    paper.sentence().save(source)
    first = pages(source)[0].read_bytes()
    assert pages(source)[0].read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "pages.pdf"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_a_picture_cut_short_is_damaged(tmp_path: Path, kind: str) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((300, 300), 90).save(buffer, kind)
    source = tmp_path / "a"
    source.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    with pytest.raises(Trouble) as caught:
        pages(source)
    assert caught.value.code == "source-damaged"
