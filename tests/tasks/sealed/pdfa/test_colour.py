from __future__ import annotations

from pathlib import Path

import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream

from tasks.sealed.pdfa import profiles
from tests.tasks.sealed.pdfa.pdfs import repaired

CMYK, RGB = b"0 0 0 1 k 10 10 20 20 re f", b"1 0 0 rg 10 10 20 20 re f"


def intent(pdf: Pdf) -> bytes:
    return pdf.Root.OutputIntents[0].DestOutputProfile.read_bytes()


def test_a_page_of_rgb_gets_an_srgb_intent(tmp_path: Path) -> None:
    with repaired(tmp_path, content=RGB).pdf as pdf:
        assert intent(pdf)[16:20] == b"RGB "
        assert "/ColorSpace" not in pdf.pages[0].Resources


def test_a_page_of_both_gets_a_cmyk_intent_and_a_default_for_rgb(tmp_path: Path) -> None:
    result = repaired(tmp_path, content=CMYK + b" " + RGB)
    with result.pdf as pdf:
        assert intent(pdf)[16:20] == b"CMYK"
        assert pdf.pages[0].Resources.ColorSpace.DefaultRGB[0] == Name.ICCBased
    assert result.lines("6.2.4.3")


def test_a_usable_intent_of_the_file_stays(tmp_path: Path) -> None:
    def press(pdf: Pdf) -> None:
        profile = Stream(pdf, profiles.cmyk())
        profile.N = 4
        entries = Dictionary(Type=Name.OutputIntent, S=Name.GTS_PDFX, DestOutputProfile=profile)
        pdf.Root.OutputIntents = Array([pdf.make_indirect(entries)])

    with repaired(tmp_path, press, content=RGB).pdf as pdf:
        assert pdf.Root.OutputIntents[0].S == Name.GTS_PDFA1
        assert intent(pdf) == profiles.cmyk()
        assert "/DefaultRGB" in pdf.pages[0].Resources.ColorSpace


@pytest.mark.parametrize(("make", "space", "size"), [(profiles.cmyk, b"CMYK", 4), (profiles.gray, b"GRAY", 1)])
def test_a_profile_says_its_own_size_and_space(make, space: bytes, size: int) -> None:
    data = make()
    assert int.from_bytes(data[:4], "big") == len(data)
    assert data[16:20] == space
    assert data[36:40] == b"acsp"


def test_the_cmyk_profile_puts_paper_at_white_and_ink_at_black() -> None:
    from io import BytesIO

    from PIL import Image, ImageCms

    to_rgb = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(BytesIO(profiles.cmyk())), ImageCms.createProfile("sRGB"), "CMYK", "RGB"
    )
    colours = [(0, 0, 0, 0), (0, 0, 0, 255), (255, 0, 0, 0), (0, 255, 255, 0)]
    white, black, cyan, red = (
        ImageCms.applyTransform(Image.new("CMYK", (1, 1), colour), to_rgb).getpixel((0, 0)) for colour in colours
    )
    assert min(white) >= 250
    assert max(black) <= 60
    assert cyan[2] > cyan[0] + 100
    assert red[0] > red[2] + 100


def test_a_broken_icc_profile_is_replaced_and_called_a_guess(tmp_path: Path) -> None:
    def spoil(pdf: Pdf) -> None:
        profile = Stream(pdf, b"not a profile")
        profile.N = 3
        pdf.pages[0].Resources.ColorSpace = Dictionary(C0=Array([Name.ICCBased, profile]))

    result = repaired(tmp_path, spoil)
    assert result.lines("6.2.4.2", "guess")


def test_a_missing_colorant_is_described_by_the_tint_function_of_its_space(tmp_path: Path) -> None:
    def spots(pdf: Pdf) -> None:
        tint = Stream(pdf, b"{ pop dup dup dup }")
        tint.FunctionType, tint.Domain = 4, Array([0, 1, 0, 1])
        tint.Range = Array([0, 1, 0, 1, 0, 1, 0, 1])
        inks = Array([Name.Gold, Name.Silver])
        space = Array([Name.DeviceN, inks, Name.DeviceCMYK, pdf.make_indirect(tint)])
        pdf.pages[0].Resources.ColorSpace = Dictionary(C0=space)

    result = repaired(tmp_path, spots)
    with result.pdf as pdf:
        colorants = pdf.pages[0].Resources.ColorSpace.C0[4].Colorants
        assert colorants.Gold[3].read_bytes() == b"{ 0  pop dup dup dup  }"
        assert colorants.Silver[3].read_bytes() == b"{ 0 exch  pop dup dup dup  }"


def test_transfer_functions_unknown_blend_modes_and_smoothing_go(tmp_path: Path) -> None:
    def change(pdf: Pdf) -> None:
        image = Stream(pdf, bytes(3))
        for key, value in {
            "/Type": Name.XObject, "/Subtype": Name.Image, "/Width": 1, "/Height": 1,
            "/ColorSpace": Name.DeviceRGB, "/BitsPerComponent": 8, "/Interpolate": True,
        }.items():  # fmt: skip
            image[key] = value
        resources = pdf.pages[0].Resources
        resources.XObject = Dictionary(I0=image)
        resources.ExtGState = Dictionary(G0=Dictionary(Type=Name.ExtGState, TR=Name.Identity, BM=Name.Strange))

    result = repaired(tmp_path, change)
    with result.pdf as pdf:
        state = pdf.pages[0].Resources.ExtGState.G0
        assert "/TR" not in state
        assert Name.Normal == state.BM
        assert "/Interpolate" not in pdf.pages[0].Resources.XObject.I0
    assert result.lines("6.2.5", "loss")
    assert result.lines("6.2.10", "guess")
    assert result.lines("6.2.8.1", "loss")
