"""The last touch on a PDF that another program made (LibreOffice, OCRmyPDF, WeasyPrint): equal input, equal bytes."""

from __future__ import annotations

import re

import pikepdf
from pikepdf import Array, Pdf

from tasks.sealed.pdfa.ledger import Ledger
from tasks.sealed.pdfa.metadata import date_information, declare
from tasks.sealed.pdfa.objects import PdfObject, array, is_stream, name, reachable, stream
from tasks.sealed.pdfa.saving import open_source, save

HEADER = 128


def settle(source: str, product: str, *, seed: str, date: str, part: int = 2) -> dict[str, object]:
    """Writes `source` to `product` with ids and dates that come from the original alone, declared as PDF/A-`part`b.

    `seed` is the original's SHA-256, `date` an ISO 8601 time with zone that becomes every date of the file's own
    metadata. Part 3 is declared when files are embedded, since part 2 forbids them. Nothing that is drawn changes.
    Returns {"part", "log"}. Raises Trouble `source-damaged` or `source-encrypted`, ValueError on a bad seed or date.
    """
    ledger = Ledger()
    with open_source(source) as pdf:
        part = 3 if part == 2 and len(pdf.attachments) else part
        date_information(pdf, date)
        date_profiles(pdf, date)
        declare(pdf, ledger, part, date=date)
        save(pdf, product, seed, part=part)
    return {"part": part, "log": ledger.entries()}


def date_profiles(pdf: Pdf, date: str) -> None:
    """Sets the creation time in every ICC profile (ICC.1, 7.2.8) to `date`: LibreOffice writes the time of its run."""
    stamp = b"".join(int(part).to_bytes(2, "big") for part in re.findall(r"\d+", date)[:6])
    for profile in _profiles(pdf):
        try:
            data = profile.read_bytes()
        except pikepdf.PdfError:
            continue
        if len(data) > HEADER and data[36:40] == b"acsp":
            # The profile's own digest covers its date; zeros say that it was not computed.
            profile.write(data[:24] + stamp + data[36:84] + bytes(16) + data[100:])


def _profiles(pdf: Pdf) -> list[PdfObject]:
    found = [stream(intent, "/DestOutputProfile") for intent in array(pdf.Root, "/OutputIntents")]
    found += [
        value[1]
        for value in reachable(pdf)
        if isinstance(value, Array) and len(value) > 1 and name(value[0]) == "/ICCBased"
    ]
    return list({profile.objgen: profile for profile in found if is_stream(profile)}.values())
