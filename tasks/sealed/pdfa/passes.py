"""PDF → PDF/A in place, in two passes: the table from clauses of ISO 19005-2 to the functions that obey them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pikepdf import Array

from tasks.sealed.pdfa import actions, colour, content, files, fonts, graphics, jpeg2000, layers, structure
from tasks.sealed.pdfa.annotations import repair as repair_annotations
from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.fonts import dictionaries
from tasks.sealed.pdfa.integrity import demand
from tasks.sealed.pdfa.metadata import date_information, declare
from tasks.sealed.pdfa.objects import PdfObject, is_dictionary, reachable
from tasks.sealed.pdfa.saving import damage, digest, open_source, save
from tasks.sealed.pdfa.settling import date_profiles

ObjectRule = Callable[[Document, PdfObject], None]
DocumentRule = Callable[[Document], None]


@dataclass(frozen=True, slots=True)
class Clause:
    """A rule for every dictionary or stream that has one of these keys."""

    number: str
    keys: frozenset[str]
    obey: ObjectRule


def _clause(number: str, keys: str, obey: ObjectRule) -> Clause:
    return Clause(number, frozenset(keys.split()), obey)


def _resources(document: Document, holder: PdfObject) -> None:
    resources = holder.get("/Resources")
    if is_dictionary(resources):
        document.census.resources.append(resources)


def _drawings(document: Document, holder: PdfObject) -> None:
    document.census.drawings.append(holder)


OBJECT_RULES: tuple[Clause, ...] = (
    _clause("6.1.7.1", "/F /FFilter /FDecodeParms", structure.outside_data),
    _clause("6.2.2", "/Resources", _resources),
    _clause("6.2.2", "/BBox", _drawings),
    _clause("6.2.4.3", "/ColorSpace /CS", colour.device_use),
    _clause("6.2.4.3", "/Group", graphics.group),
    _clause("6.2.5", "/TR /TR2 /HTP /HTO", graphics.graphics_state),
    _clause("6.2.5", "/HalftoneType", graphics.halftone),
    _clause("6.2.6", "/RI /Intent", graphics.rendering_intent),
    _clause("6.2.8", "/Width /Height /Interpolate /Alternates", graphics.image),
    _clause("6.2.9", "/OPI /PS /Ref /Subtype2 /Subtype", structure.postscript),
    _clause("6.2.10", "/BM", graphics.blend_mode),
    _clause("6.2.11", "/Font", dictionaries.register),
    _clause("6.2.11", "/BaseFont /CharProcs /FontDescriptor /DescendantFonts", dictionaries.font),
    _clause("6.4.3", "/V", actions.signature),
    _clause("6.5.1", "/A /OpenAction /PA", actions.action),
    _clause("6.5.1", "/Next", actions.following),
    _clause("6.5.2", "/AA", actions.triggers),
    _clause("6.8", "/EF", files.specification),
)
"""Obeyed in this order for each object, parents before children, so that nothing below a removed key is met."""

DOCUMENT_RULES: tuple[tuple[str, DocumentRule], ...] = (
    ("6.1", structure.repair),
    ("6.3", repair_annotations),
    ("6.4", actions.repair),
    ("6.9", layers.repair),
    ("6.8", files.repair),
    ("6.2.2", content.repair),
    ("6.2.8.3", jpeg2000.repair),
    ("6.2.11", fonts.repair),
    ("6.2.3", colour.repair),
)
"""Obeyed after the walk, once each: annotations may add fonts and colours, so these come later."""


def repair(
    source: str,
    product: str,
    *,
    part: int = 2,
    clauses: Sequence[str] | None = None,
    seed: str | None = None,
    date: str | None = None,
) -> dict[str, object]:
    """Writes `source` as PDF/A-`part`b to `product`; part 2 becomes 3 when files are embedded.

    Pass 1 (`clauses` None) leaves embedded font programs and content streams alone. Pass 2 starts from the source
    again and does what pass 1 does, and for the clauses that veraPDF refused ("6.2.11.5") the dearer repairs as well.
    `seed` (SHA-256) and `date` (ISO 8601) fix the ids and dates of a source that another program just made; by default
    the ids come from the source's own digest and its dates stay.
    Returns {"part", "log", "fonts": {missing font: stand-in}, "unknown": {font: [codes without a glyph, codes]},
    "recovered": what was damaged in the source's structure, "" for a sound one}.
    Raises Trouble `source-encrypted` or `source-damaged`. The product is not judged here.
    """
    with open_source(source) as pdf:
        recovered = damage(pdf)
        document = Document(pdf, part=part, clauses=frozenset(clauses or ()))
        if pdf.is_encrypted:
            document.log("6.1.3", "restriction of rights (owner password)", "loss")
        demand(document, recovered)
        _walk(document)
        for _, obey in DOCUMENT_RULES:
            obey(document)
        declare(pdf, document.ledger, document.part, date=date)
        if date is not None:
            date_information(pdf, date)
            date_profiles(pdf, date)
        save(pdf, product, seed or digest(source), part=document.part)
    return {
        "part": document.part,
        "log": document.ledger.entries(),
        "fonts": dict(document.replaced_fonts),
        "unknown": {font: list(counts) for font, counts in document.unknown.items()},
        "recovered": recovered,
    }


def _walk(document: Document) -> None:
    for value in reachable(document.pdf):
        structure.limits(document, value)
        if isinstance(value, Array):
            if len(value) > 1:
                colour.space(document, value)
            continue
        keys = set(value.keys())
        for clause in OBJECT_RULES:
            if not clause.keys.isdisjoint(keys):
                clause.obey(document, value)
