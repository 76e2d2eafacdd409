"""What LibreOffice writes into a PDF from its own clock: the colour profile that it builds anew for every export."""

from __future__ import annotations

import re
import struct

import pikepdf

LIBRARIES = ("pikepdf",)

_SIGNATURE = b"acsp"
_DATE = slice(24, 36)
"""dateTimeNumber of an ICC header (ICC.1:2010, 7.2.10): year, month, day, hour, minute, second."""


def still(source: str, product: str, *, date: str) -> int:
    """Writes `source` to `product` with `date` (`2003-04-03T10:00:00Z`) as the birth of every ICC profile in it.

    Returns how many profiles were set. Nothing else changes, so that repeats of an export differ in nothing that
    `tasks.sealed.pdfa.settle` does not fix. Raises ValueError for another form of date.
    """
    match = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z", date)
    if not match:
        raise ValueError(f"not a time in UTC: {date}")
    birth = struct.pack(">6H", *map(int, match.groups()))
    count = 0
    with pikepdf.open(source) as pdf:
        for item in pdf.objects:
            if not isinstance(item, pikepdf.Stream) or item.get("/N") is None:
                continue
            data = item.read_bytes()
            if data[36:40] == _SIGNATURE:
                item.write(data[: _DATE.start] + birth + data[_DATE.stop :])
                count += 1
        pdf.save(product)
    return count
