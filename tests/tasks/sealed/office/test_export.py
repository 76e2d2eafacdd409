from __future__ import annotations

import struct
from pathlib import Path

import pikepdf
import pytest
from PIL import ImageCms

from tasks.sealed.office_export import still
from tests.tasks.sealed import paper

DATE = "2003-04-03T10:30:00Z"


def profiles(path: Path) -> list[bytes]:
    with pikepdf.open(path) as pdf:
        return [o.read_bytes() for o in pdf.objects if isinstance(o, pikepdf.Stream) and "/N" in o]


def test_a_profiles_birth_comes_from_the_source_and_nothing_else_of_it_changes(tmp_path: Path) -> None:
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = paper.pdf(tmp_path / "a.pdf", ["one"])
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        stream = pdf.make_stream(data, N=3)
        pdf.Root.OutputIntents = pikepdf.Array([pikepdf.Dictionary(DestOutputProfile=stream)])
        pdf.save(path)
    assert still(str(path), str(tmp_path / "b.pdf"), date=DATE) == 1
    (made,) = profiles(tmp_path / "b.pdf")
    assert struct.unpack(">6H", made[24:36]) == (2003, 4, 3, 10, 30, 0)
    assert made[:24] + made[36:] == data[:24] + data[36:]


def test_a_pdf_without_a_profile_is_left_alone(tmp_path: Path) -> None:
    path = paper.pdf(tmp_path / "a.pdf", ["one"])
    assert still(str(path), str(tmp_path / "b.pdf"), date=DATE) == 0
    with pytest.raises(ValueError, match="yesterday"):
        still(str(path), str(tmp_path / "b.pdf"), date="yesterday")
