"""The text of PresentationML (pptx, pptm, ppsx, potx …): shapes, tables and diagrams of each slide; notes apart."""

from __future__ import annotations

from tasks.sealed.office import SourceText
from tasks.sealed.office.package import Element, Package, local

_FIELDS = {"slidenum", "datetime"}


def read(package: Package, main: str) -> SourceText:
    """The text of the presentation whose main part is `main`, slide by slide; hidden slides count as shown.

    (The export prints hidden slides, because a slide that was skipped in the talk is still a part of the record.)
    """
    text = SourceText("presentation")
    for slide in slides(package, main):
        text.shown += paragraphs(package.xml(slide))
        for part in package.related(slide, "diagramDrawing"):
            text.shown += paragraphs(package.xml(part))
        for part in package.related(slide, "notesSlide"):
            text.notes += paragraphs(package.xml(part))
    return text


def slides(package: Package, main: str) -> list[str]:
    """The parts of the slides in the order of the presentation."""
    relations = package.relations(main)
    ids = [_relation_id(e) for e in package.xml(main).iterfind("{*}sldIdLst/{*}sldId")]
    return [relations[i].target for i in ids if i in relations and package.has(relations[i].target)]


def _relation_id(element: Element) -> str:
    """A sldId has two attributes named id; the namespaced one is the relationship's."""
    for key, value in element.attrib.items():
        if key.endswith("}id"):
            return str(value)
    return ""


def paragraphs(root: Element) -> list[str]:
    """The paragraphs of DrawingML text below `root`; slide numbers and automatic dates are left out."""
    found = []
    for paragraph in root.iter("{*}p"):
        if _in_fallback(paragraph):
            continue
        line = []
        for e in paragraph.iter("{*}t", "{*}br"):
            parent = e.getparent()
            if local(e) == "br":
                line.append("\n")
            elif not (local(parent) == "fld" and parent.get("type", "").rstrip("0123456789") in _FIELDS):
                line.append(e.text or "")
        if words := "".join(line).strip():
            found.append(words)
    return found


def _in_fallback(element: Element) -> bool:
    return any(local(a) == "Fallback" and _has_choice(a) for a in element.iterancestors())


def _has_choice(fallback: Element) -> bool:
    return any(local(c) == "Choice" for c in fallback.getparent())
