"""ISO 19005-2, 6.2.11 Fonts."""

from __future__ import annotations

import logging
import re

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.fonts import composite, dictionaries, simple
from tasks.sealed.pdfa.fonts.rebuild import rebuild
from tasks.sealed.pdfa.fonts.usage import Usage, scan
from tasks.sealed.pdfa.objects import PdfObject, dictionary, name_at

# What fontTools says of damaged fonts is not for anybody: the repair log says it where it matters.
logging.getLogger("fontTools").setLevel(logging.CRITICAL)

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def repair(document: Document) -> None:
    """Mends font dictionaries and embeds stand-ins for fonts that draw something and are not embedded.

    In pass 2, when veraPDF named a clause of 6.2.11, fonts that disagree with their own program are built anew.
    """
    missing: list[PdfObject] = []
    seen: set[tuple[int, int]] = set()
    for font in document.census.fonts:
        if font.objgen not in seen:
            seen.add(font.objgen)
            if _mend(document, font):
                missing.append(font)
    steered = document.asked("6.2.11")
    if not missing and not steered:
        return
    usage = scan(document.pdf)
    for font in missing:
        if usage.matters(font):
            _embed(document, font, usage)
    if steered:
        embedded_anew = {font.objgen for font in missing}
        for font in document.census.fonts:
            if font.objgen in seen and font.objgen not in embedded_anew:
                seen.discard(font.objgen)
                rebuild(document, font, usage)


def _mend(document: Document, font: PdfObject) -> bool:
    """Mends one font's dictionary; returns whether its program is missing."""
    subtype = name_at(font, "/Subtype")
    if subtype == "/Type3":
        return False
    if subtype == "/Type0":
        cidfont = composite.descendant(font)
        if cidfont is None:
            return False
        descriptor = dictionary(cidfont, "/FontDescriptor")
        embedded = dictionaries.program(descriptor) is not None
        composite.dictionaries(document, font, cidfont, embedded=embedded)
        if embedded:
            dictionaries.compact_cid(document, descriptor)
        return not embedded
    dictionaries.agreement(document, font)
    descriptor = dictionary(font, "/FontDescriptor")
    if dictionaries.program(descriptor) is None:
        return True
    dictionaries.simple(document, font, descriptor)
    return False


def _embed(document: Document, font: PdfObject, usage: Usage) -> None:
    if name_at(font, "/Subtype") != "/Type0" and CHINESE.search(name_at(font, "/BaseFont")):
        composite.of_gbk_name(document, font)
    if name_at(font, "/Subtype") == "/Type0":
        composite.embed(document, font, composite.descendant(font), usage)
    else:
        simple.embed(document, font, usage)
