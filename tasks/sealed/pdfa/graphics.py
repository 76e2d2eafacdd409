"""ISO 19005-2, 6.2.5 to 6.2.8: graphics states, rendering intents, halftones, images."""

from __future__ import annotations

from pikepdf import Array, Dictionary, Name

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.objects import PdfObject, array, flag, integer, is_dictionary, is_stream, name, name_at

BLEND_MODES = frozenset(
    f"/{mode}"
    for mode in [
        "Normal",
        "Compatible",
        "Multiply",
        "Screen",
        "Overlay",
        "Darken",
        "Lighten",
        "ColorDodge",
        "ColorBurn",
        "HardLight",
        "SoftLight",
        "Difference",
        "Exclusion",
        "Hue",
        "Saturation",
        "Color",
        "Luminosity",
    ]
)
INTENTS = frozenset({"/RelativeColorimetric", "/AbsoluteColorimetric", "/Perceptual", "/Saturation"})
STATE_KEYS = frozenset({"/CA", "/ca", "/OP", "/op", "/SA", "/BM", "/LW", "/UCR", "/BG", "/SM", "/AIS", "/TK"})
BITS = frozenset({1, 2, 4, 8, 16})


def _is_state(holder: PdfObject) -> bool:
    kind = name_at(holder, "/Type")
    return is_dictionary(holder) and (kind == "/ExtGState" or (kind == "" and not STATE_KEYS.isdisjoint(holder.keys())))


def graphics_state(document: Document, holder: PdfObject) -> None:
    """6.2.5: no transfer functions (/TR, /TR2 but /Default), no /HTP, /HTO; halftones of types 1 and 5 only."""
    state = _is_state(holder) or (
        # A graphics state may hold nothing but the forbidden key; a soft mask has /TR of its own, which is allowed.
        is_dictionary(holder) and name_at(holder, "/Type") in ("", "/ExtGState") and "/S" not in holder
    )
    if not state:
        return
    document.drop(holder, "/TR", "6.2.5", "transfer function", "loss")
    if name_at(holder, "/TR2") != "/Default":
        document.drop(holder, "/TR2", "6.2.5", "transfer function", "loss")
    for key in ("/HTP", "/HTO"):
        document.drop(holder, key, "6.2.5", "halftone origin")


def blend_mode(document: Document, holder: PdfObject) -> None:
    """6.2.10: only the blend modes of ISO 32000-1; an array of them becomes its first known one."""
    mode = holder.get("/BM")
    if isinstance(mode, Array):
        known = [entry for entry in mode if name(entry) in BLEND_MODES]
        holder["/BM"] = known[0] if known else Name.Normal
        document.log("6.2.10", "list of blend modes cut to the first known one")
    elif name(mode) not in BLEND_MODES:
        holder["/BM"] = Name.Normal
        document.log("6.2.10", "unknown blend mode made Normal", "guess", name=name(mode))


def rendering_intent(document: Document, holder: PdfObject) -> None:
    """6.2.6: only the four rendering intents of ISO 32000-1."""
    for key in ("/RI", "/Intent"):
        if key in holder and isinstance(holder[key], Name) and name_at(holder, key) not in INTENTS:
            if key == "/Intent" and name_at(holder, "/Subtype") != "/Image":
                continue
            document.drop(holder, key, "6.2.6", "unknown rendering intent")


def halftone(document: Document, holder: PdfObject) -> None:
    """6.2.5: halftones of type 1 or 5, without /HalftoneName and without a transfer function."""
    document.drop(holder, "/HalftoneName", "6.2.5", "name of a halftone")
    document.drop(holder, "/TransferFunction", "6.2.5", "transfer function of a halftone", "loss")
    if integer(holder, "/HalftoneType") in (1, 5):
        return
    if is_stream(holder):
        holder.write(b"")
    for key in sorted(set(holder.keys()) - {"/Length", "/Filter"}):
        del holder[key]
    holder["/HalftoneType"], holder["/Frequency"], holder["/Angle"] = 1, 60, 45
    holder["/SpotFunction"] = Name.Round
    document.log("6.2.5", "halftone of a forbidden type", "loss")


def image(document: Document, holder: PdfObject) -> None:
    """6.2.8.1: images are not smoothed, have no alternates and no OPI; bits a component as ISO 32000-1 allows."""
    if not is_stream(holder) or name_at(holder, "/Subtype") != "/Image":
        return
    if flag(holder, "/Interpolate"):
        document.drop(holder, "/Interpolate", "6.2.8.1", "smoothing of an enlarged picture", "loss")
    document.drop(holder, "/Alternates", "6.2.8.1", "alternate picture", "loss")
    document.drop(holder, "/OPI", "6.2.8.1", "OPI of a picture")
    if flag(holder, "/ImageMask") and integer(holder, "/BitsPerComponent", 1) != 1:
        holder["/BitsPerComponent"] = 1
        document.log("6.2.8.1", "bits of a mask made 1")
    filters = {name(entry) for entry in [holder.get("/Filter"), *array(holder, "/Filter")]}
    coded = not filters.isdisjoint({"/DCTDecode", "/JPXDecode", "/DCT"})
    if coded and "/BitsPerComponent" in holder and integer(holder, "/BitsPerComponent") not in BITS:
        holder["/BitsPerComponent"] = 8
        document.log("6.2.8.1", "bits a component of a JPEG made 8")
    if "/JPXDecode" in filters:
        document.census.jpeg2000.append(holder)


def group(document: Document, holder: PdfObject) -> None:
    """6.2.4.3 also binds the colour space of a transparency group; the census gathers them."""
    value = holder.get("/Group")
    if isinstance(value, Dictionary) and "/CS" in value:
        document.census.groups.append(value)
