"""Numbers, sizes and times as each language writes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tasks import words
from tasks.words import Language, spoken
from tasks.words.numbers import localized


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0.0 s"), (4.21, "4.2 s"), (41, "41 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (112, "1 min 52 s"),
        (3599.6, "1 h 00"), (7500, "2 h 05"), (90000, "25 h 00"),
    ],
)  # fmt: skip
def test_a_duration_is_as_fine_as_it_is_long(seconds: float, told: str) -> None:
    assert words.duration(seconds) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "10 s"), (41, "50 s"), (50, "50 s"), (51, "1 min"), (61, "2 min"), (90 * 60, "90 min"), (5401, "2 h")],
)
def test_what_is_left_is_rounded_up(seconds: float, told: str) -> None:
    assert words.roughly(seconds) == told


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (61_000, "61 kB"), (61_240, "61.2 kB"), (9_996, "10 kB"),
        (12_340_000, "12.3 MB"), (214_000_000, "214 MB"), (999_600, "1 MB"), (1_200_000_000, "1.20 GB"),
        (9_996_000_000, "10.0 GB"), (412_000_000_000, "412 GB"), (3_250_000_000_000, "3.25 TB"),
    ],
)  # fmt: skip
def test_a_size_is_decimal_and_has_three_digits(number: int, told: str) -> None:
    assert words.size(number) == told


@pytest.mark.parametrize(
    ("lang", "told"),
    [
        ("en", "1,904 61% 61.2 kB 1 min 52 s"),
        ("vi", "1.904 61% 61,2 kB 1 phút 52 giây"),
        ("fr", "1\u202f904 61\u202f% 61,2 ko 1 min 52 s"),
    ],
)
def test_each_language_writes_numbers_its_own_way(lang: Language, told: str) -> None:
    with spoken(lang):
        amounts = (words.number(1904), words.percent(0.619), words.size(61_240), words.duration(112))
        assert " ".join(amounts) == told


def test_a_share_that_is_not_all_is_never_told_as_all() -> None:
    assert words.percent(0.9999) == "99%"
    assert words.percent(1.0) == "100%"


@pytest.mark.usefixtures("hanoi")
@pytest.mark.parametrize(
    ("lang", "told"),
    [
        ("en", "22 Nov 2026, 02:05 (UTC+07:00)"),
        ("vi", "02:05 ngày 22/11/2026 (UTC+07:00)"),
        ("fr", "22 nov. 2026, 02:05 (UTC+07:00)"),
    ],
)
def test_a_moment_is_told_in_local_time_with_its_offset(lang: Language, told: str) -> None:
    with spoken(lang):
        assert words.moment(datetime(2026, 11, 21, 19, 5, tzinfo=UTC)) == told


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("48.5 kB", "48,5 ko"), ("512 bytes", "512 o"), ("1,904", "1\u202f904"), ("0.982", "0,982"),
        ("61%", "61\u202f%"), ("120 s", "120 s"),
        ("22 Nov 2026, 02:05 (UTC+07:00)", "22 nov. 2026, 02:05 (UTC+07:00)"),
        ("22 Nov 2026, 02:05 (UTC-03:30)", "22 nov. 2026, 02:05 (UTC-03:30)"),
    ],
)  # fmt: skip
def test_an_amount_in_the_log_is_told_as_the_language_writes_it(written: str, told: str) -> None:
    with spoken("fr"):
        assert localized(written) == told


@pytest.mark.parametrize("written", ["1.4", "118", "fmt/40", "7.4.7", "2011", "báo cáo.pdf", ""])
def test_a_version_a_name_or_a_year_stays_as_it_is(written: str) -> None:
    with spoken("fr"):
        assert localized(written) == written
