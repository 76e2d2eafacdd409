"""What a file's facts say of its size."""

from __future__ import annotations

import pytest

from tasks.aip.estimate import measured
from tasks.premis.model import Fact

A4 = {"width": 2480, "height": 3508, "frames": 1}


@pytest.mark.parametrize(
    ("facts", "raw_mb"),
    [
        ({"channels": 1, "bits": 1}, 1.09),  # a fax: eight pixels a byte
        ({"channels": 3, "bits": 1}, 26.1),  # a palette of two colours
        ({"channels": 1, "bits": 8}, 8.7),
        ({"channels": 1, "bits": 4}, 8.7),
        ({"channels": 3, "bits": 8}, 26.1),
        ({"channels": 4, "bits": 16}, 69.6),
        ({"channels": 1, "bits": 1, "frames": 3}, 3.26),
    ],
)
def test_the_bytes_of_a_picture_are_those_of_its_uncompressed_tiff(facts: dict[str, Fact], raw_mb: float) -> None:
    assert measured(100, A4 | facts)["raw_mb"] == pytest.approx(raw_mb, rel=0.01)


def test_what_a_file_says_of_itself_is_believed_within_bounds() -> None:
    found = measured(1, {"width": 10**9, "height": 10**9, "channels": 10, "bits": 64, "pages": 10**12, "frames": -3})
    assert found["megapixel"] == 200_000
    assert found["page"] == 200_000
