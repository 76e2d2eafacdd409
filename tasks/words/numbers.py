"""Numbers, sizes, times and moments as a language writes them (face.md, “Numbers”). Sizes decimal, three digits."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from tasks.words.language import Language, language

NARROW = "\u202f"
"""The space that French puts inside numbers and before units: narrow, and never a line's end."""
_THOUSANDS: dict[Language, str] = {"en": ",", "vi": ".", "fr": NARROW}
_POINT: dict[Language, str] = {"en": ".", "vi": ",", "fr": ","}
_UNITS: dict[Language, tuple[str, ...]] = {
    "en": ("B", "kB", "MB", "GB", "TB"),
    "vi": ("B", "kB", "MB", "GB", "TB"),
    "fr": ("o", "ko", "Mo", "Go", "To"),
}
_TIMES: dict[Language, tuple[str, str, str]] = {
    "en": ("s", "min", "h"),
    "vi": ("giây", "phút", "giờ"),
    "fr": ("s", "min", "h"),
}
_MONTHS: dict[Language, tuple[str, ...]] = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "fr": ("janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."),
    "vi": tuple(f"{month:02d}" for month in range(1, 13)),
}


def number(value: int) -> str:
    """`1,904` · `1.904` · `1 904`."""
    return f"{value:,}".replace(",", _THOUSANDS[language()])


def decimal(value: float, digits: int) -> str:
    """A number with so many digits after its point: `1.20` · `1,20`."""
    whole, _, rest = f"{value:,.{digits}f}".partition(".")
    return whole.replace(",", _THOUSANDS[language()]) + (_POINT[language()] + rest if rest else "")


def percent(share: float) -> str:
    """A share from 0 to 1, rounded down so that 100 % means all: `61%` · `61 %`."""
    gap = NARROW if language() == "fr" else ""
    return f"{math.floor(100 * share + 1e-9)}{gap}%"


def listed(names: Sequence[str]) -> str:
    """`a`, `a, b`."""
    return ", ".join(names)


def size(amount: int) -> str:
    """Bytes, decimal, three digits: `61 kB`, `214 MB`, `1.20 GB`."""
    value, units = float(amount), list(_UNITS[language()])
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        del units[0]
    kept = len(units) <= 2  # from GB on the zeros after the point are kept: they tell how exact it is
    digits = 0 if value >= 99.5 or len(units) == len(_UNITS["en"]) else 1 if value >= 9.995 else 2
    while digits and not kept and round(value, digits) == round(value, digits - 1):
        digits -= 1
    return f"{decimal(value, digits)} {units[0]}"


def duration(seconds: float) -> str:
    """`4.2 s`, `41 s`, `1 min 52 s`, `2 h 05`."""
    second, minute, hour = _TIMES[language()]
    if seconds < 9.95:
        return f"{decimal(seconds, 1)} {second}"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} {second}"
    if whole < 3600:
        return f"{whole // 60} {minute} {whole % 60} {second}"
    return f"{number(whole // 3600)} {hour} {whole % 3600 // 60:02d}"


def roughly(seconds: float) -> str:
    """What is left, rounded up, for nobody knows better: `10 s`, `1 min`, `2 h`."""
    second, minute, hour = _TIMES[language()]
    if seconds <= 50:
        return f"{max(10, math.ceil(seconds / 10) * 10)} {second}"
    if seconds <= 90 * 60:
        return f"{math.ceil(seconds / 60)} {minute}"
    return f"{math.ceil(seconds / 3600)} {hour}"


def clock(seconds: float) -> str:
    """The time that something has taken, as a clock: `0:41`, `12:05`, `2:03:09`."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def moment(at: datetime) -> str:
    """`22 Nov 2026, 02:05 (UTC+07:00)` · `02:05 ngày 22/11/2026 (UTC+07:00)`, in the machine's zone."""
    at = at.astimezone()
    return f"{_date_and_time(at)} (UTC{offset(at)})"


def day(at: datetime) -> str:
    """`22 Nov 2026` · `22/11/2026` · `22 nov. 2026`, in the machine's zone."""
    at = at.astimezone()
    month = _MONTHS[language()][at.month - 1]
    return f"{at:%d/%m/%Y}" if language() == "vi" else f"{at.day} {month} {at.year}"


def _date_and_time(at: datetime) -> str:
    return f"{at:%H:%M} ngày {day(at)}" if language() == "vi" else f"{day(at)}, {at:%H:%M}"


def offset(at: datetime) -> str:
    """`+07:00`."""
    zone = at.strftime("%z")
    return f"{zone[:3]}:{zone[3:5]}"


# --- what a detail of the log says ---------------------------------------------------------------------------------
# The log is written in one way (face.md: “log and JSON in UTC”), whatever language the machine spoke that day.

_SIZE = re.compile(r"(\d[\d,]*)(?:\.(\d+))? (bytes|B|kB|MB|GB|TB)")
_SECONDS = re.compile(r"(\d[\d,]*)(?:\.(\d+))? s")
_SHARE = re.compile(r"(\d+)(?:\.(\d+))?%")
_PLAIN = re.compile(r"(\d{1,3}(?:,\d{3})+|0)(?:\.(\d+))?")  # not `1.4`, which is a format's version
_MOMENT = re.compile(r"(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}), (\d\d):(\d\d) \(UTC([+-]\d\d):(\d\d)\)")


def localized(value: str) -> str:
    """A detail that is an amount or a moment, as the language in force writes it; anything else as it is."""
    for pattern, shown in _SHOWN:
        if found := pattern.fullmatch(value):
            return shown(found)
    return value


def _as_number(found: re.Match[str]) -> str:
    whole = number(int(found[1].replace(",", ""))) if "," in found[1] else found[1]
    return whole + (_POINT[language()] + found[2] if found[2] else "")


def _as_size(found: re.Match[str]) -> str:
    unit = "B" if found[3] == "bytes" else found[3]
    return f"{_as_number(found)} {found[3] if language() == 'en' else _UNITS[language()][_UNITS['en'].index(unit)]}"


def _as_share(found: re.Match[str]) -> str:
    return f"{_as_number(found)}{NARROW if language() == 'fr' else ''}%"


def _as_moment(found: re.Match[str]) -> str:
    month = _MONTHS["en"].index(found[2]) + 1
    hours, minutes = int(found[6]), int(found[7])
    zone = timedelta(hours=hours, minutes=-minutes if hours < 0 else minutes)
    local = datetime(int(found[3]), month, int(found[1]), int(found[4]), int(found[5])).astimezone()
    if local.utcoffset() == zone:
        return moment(local)
    at = datetime(int(found[3]), month, int(found[1]), int(found[4]), int(found[5]))
    return f"{_date_and_time(at)} (UTC{found[6]}:{found[7]})"


_SHOWN: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (_MOMENT, _as_moment),
    (_SIZE, _as_size),
    (_SECONDS, lambda found: f"{_as_number(found)} {_TIMES[language()][0]}"),
    (_SHARE, _as_share),
    (_PLAIN, _as_number),
)
