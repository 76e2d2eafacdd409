"""ISO 19005-2, 6.9 Optional content."""

from __future__ import annotations

from pikepdf import Array, Dictionary, String

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.objects import PdfObject, array, dictionary, is_dictionary, text


def repair(document: Document) -> None:
    """6.9: every configuration has its own name, lists every group if it has an /Order, and switches nothing (/AS)."""
    properties = dictionary(document.pdf.Root, "/OCProperties")
    if properties is None:
        return
    groups = [group for group in array(properties, "/OCGs") if is_dictionary(group)]
    for group in groups:
        if not text(group.get("/Name")):
            group["/Name"] = String("Layer")
            document.log("6.9", "layer without a name named", "guess")
    if not is_dictionary(properties.get("/D")):
        properties["/D"] = Dictionary()
    taken: set[str] = set()
    for configuration in [properties["/D"], *array(properties, "/Configs")]:
        if is_dictionary(configuration):
            _configuration(document, configuration, groups, taken)


def _configuration(document: Document, configuration: Dictionary, groups: list[PdfObject], taken: set[str]) -> None:
    document.drop(configuration, "/AS", "6.9", "layers switched by events", "loss")
    base = text(configuration.get("/Name")) or ("Default" if not taken else "Configuration")
    chosen, number = base, 2
    while chosen in taken:
        chosen, number = f"{base} {number}", number + 1
    taken.add(chosen)
    if chosen != text(configuration.get("/Name")):
        configuration["/Name"] = String(chosen)
        document.log("6.9", "configuration of layers named", name=chosen)
    order = configuration.get("/Order")
    if not isinstance(order, Array):
        return
    listed = _listed(order)
    missing = [group for group in groups if group.objgen not in listed]
    for group in missing:
        order.append(group)
    if missing:
        document.log("6.9", "layer added to the order shown", count=len(missing))


def _listed(order: Array) -> set[tuple[int, int]]:
    """Returns the groups that an /Order names at any depth; the walk is bounded by what it has seen."""
    found: set[tuple[int, int]] = set()
    pending: list[PdfObject] = [order]
    arrays = 0
    while pending and arrays < 10_000:
        value = pending.pop()
        arrays += 1
        for entry in value:
            if isinstance(entry, Array):
                pending.append(entry)
            elif is_dictionary(entry):
                found.add(entry.objgen)
    return found
