"""ISO 19005-2, 6.3 Annotations: permitted types, flags, and one normal appearance each."""

from __future__ import annotations

from pikepdf import Array, Dictionary, Name, Stream

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.drawing import Box
from tasks.sealed.pdfa.objects import (
    PdfObject,
    dictionary,
    flag,
    inherited,
    integer,
    is_dictionary,
    is_stream,
    name,
    name_at,
    rectangle,
)
from tasks.sealed.pdfa.shapes import draw_markup
from tasks.sealed.pdfa.widgets import draw_button, draw_field

PERMITTED = frozenset(
    f"/{kind}"
    for kind in [
        "Text",
        "Link",
        "FreeText",
        "Line",
        "Square",
        "Circle",
        "Polygon",
        "PolyLine",
        "Highlight",
        "Underline",
        "Squiggly",
        "StrikeOut",
        "Stamp",
        "Caret",
        "Ink",
        "Popup",
        "FileAttachment",
        "Widget",
        "PrinterMark",
        "TrapNet",
        "Watermark",
        "Redact",
    ]
)
INVISIBLE, HIDDEN, PRINT, NO_VIEW, TOGGLE = 1, 2, 4, 32, 256
NEVER_SEEN = HIDDEN | NO_VIEW
UNSEEN = INVISIBLE | HIDDEN | NO_VIEW | TOGGLE
PRIVATE_LOOK = "/PerenneHiddenAP"


def repair(document: Document) -> None:
    """6.3.1 to 6.3.3 for every annotation of every page."""
    form = dictionary(document.pdf.Root, "/AcroForm")
    redraw = flag(form, "/NeedAppearances")
    for page in document.pdf.pages:
        annotations = page.obj.get("/Annots")
        for annotation in annotations if isinstance(annotations, Array) else ():
            if is_dictionary(annotation):
                _annotation(document, annotation, redraw)


def _annotation(document: Document, annotation: PdfObject, redraw: bool) -> None:
    subtype = _subtype(document, annotation)
    unseen = _flags(document, annotation, subtype)
    _attachment(document, annotation)
    _normal_only(document, annotation)
    if subtype == "/Widget":
        # 6.4.1: a widget has no action of its own, whatever its kind.
        document.drop(annotation, "/A", "6.4.1", "action of a form field", "loss")
    if subtype in ("/Popup", "/Link"):
        if unseen and subtype == "/Link":
            annotation["/Border"] = Array([0, 0, 0])
        return
    sides = rectangle(annotation.get("/Rect")) or (0.0, 0.0, 0.0, 0.0)
    box = Box(sides)
    kind = name(inherited(annotation, "/FT")) if subtype == "/Widget" else ""
    if unseen:
        _make_empty(document, annotation, box, kind)
    elif box.width == 0 and box.height == 0 and "/AP" not in annotation:
        return
    elif kind == "/Btn":
        _button(document, annotation, box)
    else:
        if redraw and kind in ("/Tx", "/Ch") and inherited(annotation, "/V") is not None and "/AP" in annotation:
            del annotation["/AP"]
            document.log("6.4.1", "look of a field drawn anew from its value", "guess")
        _single(document, annotation, box, subtype, kind)


def _subtype(document: Document, annotation: PdfObject) -> str:
    """6.3.1: sound, film, 3D and unknown annotations become stamps that keep their look."""
    subtype = name_at(annotation, "/Subtype")
    if subtype in PERMITTED:
        return subtype
    annotation["/Subtype"] = Name.Stamp
    document.log("6.3.1", f"annotation {subtype[1:] or 'without a type'} made a stamp", "loss")
    return "/Stamp"


def _flags(document: Document, annotation: PdfObject, subtype: str) -> bool:
    """6.3.2: sets Print, clears Hidden, Invisible, NoView and ToggleNoView; returns whether nobody saw it before."""
    flags = integer(annotation, "/F")
    if subtype == "/Popup" and "/F" not in annotation:
        return False
    wanted = (flags & ~UNSEEN) | PRINT
    if flags != wanted or "/F" not in annotation:
        annotation["/F"] = wanted
        document.log("6.3.2", "flags of an annotation")
    return bool(flags & NEVER_SEEN)


def _attachment(document: Document, annotation: PdfObject) -> None:
    """ISO 19005-3, 6.8: the file of a FileAttachment is listed in /AF, which takes an indirect object."""
    specification = annotation.get("/FS")
    if is_dictionary(specification) and not specification.is_indirect:
        annotation["/FS"] = document.pdf.make_indirect(specification)
        document.census.files = [
            entry for entry in document.census.files if entry.is_indirect or not entry.is_same_object_as(specification)
        ]
        document.census.files.append(annotation["/FS"])


def _normal_only(document: Document, annotation: PdfObject) -> None:
    """6.3.3: an appearance dictionary holds /N and nothing else."""
    appearance = annotation.get("/AP")
    if appearance is None:
        return
    if not is_dictionary(appearance) or not isinstance(appearance.get("/N"), Dictionary | Stream):
        document.drop(annotation, "/AP", "6.3.3", "appearance without a normal one", "loss")
        return
    for key in sorted(set(appearance.keys()) - {"/N"}):
        state = "under the mouse" if key == "/R" else "while pressed"
        document.drop(appearance, key, "6.3.3", f"appearance {state}", "loss")


def _make_empty(document: Document, annotation: PdfObject, box: Box, kind: str) -> None:
    """Gives a hidden annotation, which must lose its flag, an empty look; the old look stays as private data."""
    if "/AP" in annotation:
        annotation[PRIVATE_LOOK] = annotation["/AP"]
    empty = document.form(b"", box.frame)
    states = _states(annotation) if kind == "/Btn" else []
    annotation["/AP"] = Dictionary({"/N": Dictionary(dict.fromkeys(states, empty)) if states else empty})
    if states and name_at(annotation, "/AS") not in states:
        annotation["/AS"] = Name.Off
    document.log("6.3.2", f"hidden annotation {name_at(annotation, '/Subtype')[1:]} made an empty one", "loss")


def _normal(annotation: PdfObject) -> PdfObject:
    """Returns the normal appearance, None when there is none."""
    appearance = dictionary(annotation, "/AP")
    return appearance.get("/N") if appearance is not None else None


def _states(annotation: PdfObject) -> list[str]:
    """Returns the names of a button's states: Off and those of its look, its state and its value."""
    found = {"/Off": None}
    normal = _normal(annotation)
    if is_dictionary(normal):
        found |= dict.fromkeys(normal.keys())
    for value in (annotation.get("/AS"), inherited(annotation, "/V")):
        if len(name(value)) > 1:
            found[name(value)] = None
    return list(found) if len(found) > 1 else ["/Off", "/Yes"]


def _button(document: Document, annotation: PdfObject, box: Box) -> None:
    """6.3.3: the normal appearance of a button is a dictionary of its states."""
    normal = _normal(annotation)
    if is_dictionary(normal) and len(normal.keys()):
        for key, value in list(normal.items()):
            if not is_stream(value):
                normal[key] = document.form(b"", box.frame)
        return
    if is_stream(normal):
        state = name_at(annotation, "/AS")
        state = state if len(state) > 1 else "/Off"
        annotation["/AP"] = Dictionary({"/N": Dictionary({state: normal})})
        annotation["/AS"] = Name(state)
        document.log("6.3.3", "look of a button put into a dictionary of states")
        return
    states = _states(annotation)
    looks = {state: draw_button(document, annotation, box, on=state != "/Off") for state in states}
    annotation["/AP"] = Dictionary({"/N": Dictionary(looks)})
    if name_at(annotation, "/AS") not in states:
        value = name(inherited(annotation, "/V"))
        annotation["/AS"] = Name(value if value in states else "/Off")
    document.log("6.3.3", "look of a button drawn from its own data")


def _single(document: Document, annotation: PdfObject, box: Box, subtype: str, kind: str) -> None:
    """6.3.3: the normal appearance of every other annotation is one stream."""
    normal = _normal(annotation)
    if is_stream(normal):
        normal["/Subtype"] = Name.Form
        if "/BBox" not in normal:
            normal["/BBox"] = Array(box.frame)
        return
    if is_dictionary(normal):
        chosen = normal.get(name_at(annotation, "/AS") or "/Off")
        if not is_stream(chosen):
            streams = [value for _, value in normal.items() if is_stream(value)]
            chosen = streams[0] if len(streams) == 1 else document.form(b"", box.frame)
        annotation["/AP"] = Dictionary({"/N": chosen})
        document.log("6.3.3", "one look chosen among several", "guess")
        return
    drawn = (
        draw_field(document, annotation, box, kind) if subtype == "/Widget" else draw_markup(document, annotation, box)
    )
    label = subtype[1:] + kind.replace("/", " ")
    if drawn is None:
        document.log("6.3.3", f"empty look for {label}, which has no data to draw", "guess")
        drawn = document.form(b"", box.frame)
    else:
        document.log("6.3.3", f"look of {label} drawn from its own data")
    annotation["/AP"] = Dictionary({"/N": drawn})
