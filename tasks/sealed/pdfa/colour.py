"""ISO 19005-2, 6.2.3 and 6.2.4: output intents, device colour, ICC profiles, Separation and DeviceN."""

from __future__ import annotations

import re
from collections.abc import Callable

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream, String

from tasks.sealed.pdfa import profiles
from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.objects import (
    BROKEN,
    PdfObject,
    array,
    dictionary,
    integer,
    is_dictionary,
    is_stream,
    name,
    name_at,
    stream,
)
from tasks.sealed.pdfa.tints import along_one_axis

DEVICE = {"/DeviceRGB": "/DeviceRGB", "/RGB": "/DeviceRGB", "/DeviceCMYK": "/DeviceCMYK", "/CMYK": "/DeviceCMYK"}
COMPONENTS = {b"RGB ": 3, b"CMYK": 4, b"GRAY": 1, b"Lab ": 3}
REPLACEMENTS: dict[int, Callable[[], bytes]] = {1: profiles.gray, 3: profiles.srgb, 4: profiles.cmyk}
HEADER = 128
INPUT_CLASSES = frozenset({b"prtr", b"mntr", b"scnr", b"spac"})
INTENT_CLASSES = frozenset({b"prtr", b"mntr"})
PROCESS_COLORANTS = frozenset({"/Cyan", "/Magenta", "/Yellow", "/Black", "/None"})
OPERAND = rb"(?:[-+.\d]+\s+)"
USES = {
    "/DeviceCMYK": re.compile(rb"(?:^|[\s\]>)])" + OPERAND + rb"{4}[kK](?=[\s/\[<(]|$)|/DeviceCMYK\b|/CMYK\b"),
    "/DeviceRGB": re.compile(rb"(?:^|[\s\]>)])" + OPERAND + rb"{3}(?:rg|RG)(?=[\s/\[<(]|$)|/DeviceRGB\b|/RGB\b"),
}


def device_use(document: Document, holder: PdfObject) -> None:
    """6.2.4.3: notes which device colour spaces images, shadings, resources and groups name."""
    spaces = holder.get("/ColorSpace") if "/ColorSpace" in holder else holder.get("/CS")
    values = [value for _, value in spaces.items()] if is_dictionary(spaces) else [spaces]
    document.spaces |= {DEVICE[name(value)] for value in values if name(value) in DEVICE}


def space(document: Document, holder: PdfObject) -> None:
    """6.2.4.2 and 6.2.4.4: a colour space given as an array: its profile, its alternate, its colorants."""
    family = name(holder[0]) if len(holder) > 1 else ""
    if family in ("/Indexed", "/Pattern") or family in ("/Separation", "/DeviceN"):
        base = holder[2] if family in ("/Separation", "/DeviceN") and len(holder) > 3 else holder[1]
        document.spaces |= {DEVICE[name(base)]} if name(base) in DEVICE else set()
    if family == "/ICCBased" and is_stream(holder[1]):
        _profile(document, holder[1])
    elif family == "/Separation" and len(holder) >= 4:
        document.census.separations.append(holder)
    elif family == "/DeviceN" and len(holder) >= 4:
        _colorants(document, holder)


def _profile(document: Document, profile: Stream) -> None:
    """6.2.4.2: a profile is of ICC version 2 or 4, of a class for input, and has as many components as /N says."""
    try:
        data = profile.read_bytes()
    except pikepdf.PdfError:
        data = b""
    wanted = integer(profile, "/N")
    if _sound(data, INPUT_CLASSES) and COMPONENTS.get(data[16:20]) == wanted:
        return
    count = wanted or COMPONENTS.get(data[16:20], 0)
    if count not in REPLACEMENTS:
        return
    profile.write(REPLACEMENTS[count]())
    profile["/N"] = count
    if "/Alternate" in profile:
        del profile["/Alternate"]
    document.log("6.2.4.2", "unusable ICC profile replaced by a common one", "guess")


def _sound(data: bytes, classes: frozenset[bytes]) -> bool:
    """Says whether the header is that of an ICC profile of one of these classes, version 4 or earlier."""
    return len(data) > HEADER and data[12:16] in classes and data[8] < 5 and data[36:40] == b"acsp"


def _colorants(document: Document, holder: PdfObject) -> None:
    """6.2.4.4: every spot colorant of a DeviceN space is described in /Colorants.

    A missing description is taken from the space's own tint function along that colorant's axis, never invented:
    an invented tint was invisible in one renderer and wrong in another.
    """
    inks = [name(entry) for entry in holder[1]] if isinstance(holder[1], Array) else []
    attributes = holder[4] if len(holder) > 4 and is_dictionary(holder[4]) else Dictionary()
    known = dictionary(attributes, "/Colorants") or Dictionary()
    process = {name(entry) for entry in array(dictionary(attributes, "/Process"), "/Components")}
    missing = [ink for ink in inks if ink and ink not in known and ink not in process and ink not in PROCESS_COLORANTS]
    for ink in missing:
        tint = along_one_axis(document, holder[3], inks.index(ink), len(inks))
        if tint is None:
            document.log("6.2.4.4", "colorant whose tint cannot be derived", "guess", name=ink)
            continue
        known[ink] = Array([Name.Separation, Name(ink), holder[2], tint])
        document.log("6.2.4.4", "colorant described by the tint function of its space", name=ink)
    if missing:
        attributes["/Colorants"] = known
        if len(holder) > 4:
            holder[4] = attributes
        else:
            holder.append(attributes)


def repair(document: Document) -> None:
    """6.2.3 and 6.2.4.3: one output intent, and a default space where device colour is of the other kind."""
    _scan(document)
    _separations(document)
    intent = _intent(document)
    defaults: dict[str, Array] = {}
    if intent != "/DeviceRGB" and "/DeviceRGB" in document.spaces:
        defaults["/DefaultRGB"] = _based_on(document, profiles.srgb(), 3)
    if intent != "/DeviceCMYK" and "/DeviceCMYK" in document.spaces:
        defaults["/DefaultCMYK"] = _based_on(document, profiles.cmyk(), 4)
    if not defaults:
        return
    for resources in [*(page.obj.get("/Resources") for page in document.pdf.pages), *document.census.resources]:
        if is_dictionary(resources):
            spaces = dictionary(resources, "/ColorSpace")
            if spaces is None:
                resources["/ColorSpace"] = Dictionary()
                spaces = resources["/ColorSpace"]
            for key, value in defaults.items():
                if key not in spaces:
                    spaces[key] = value
    for group in document.census.groups:
        default = defaults.get(name_at(group, "/CS").replace("Device", "Default"))
        if default is not None:
            group["/CS"] = default
    document.log("6.2.4.3", "device colour given a default space", name=", ".join(sorted(defaults)))


def _scan(document: Document) -> None:
    """Looks for device colour operators in the content, as long as it can still change the answer."""
    for content in document.contents():
        wanted = {space: pattern for space, pattern in USES.items() if space not in document.spaces}
        if not wanted:
            return
        try:
            data = content.read_bytes()
        except BROKEN:
            document.log("6.1.6", "content that does not decode", "loss")
            continue
        document.spaces |= {space for space, pattern in wanted.items() if pattern.search(data)}


def _intent(document: Document) -> str:
    """Keeps the first usable profile among the output intents, else adds one; returns its device space."""
    root = document.pdf.Root
    for intent in array(root, "/OutputIntents"):
        profile = stream(intent, "/DestOutputProfile")
        data = _usable(profile)
        if data:
            intent["/S"] = Name.GTS_PDFA1
            if "/OutputConditionIdentifier" not in intent:
                intent["/OutputConditionIdentifier"] = String("Custom")
            profile["/N"] = COMPONENTS[data[16:20]]
            root["/OutputIntents"] = Array([intent])
            return {b"RGB ": "/DeviceRGB", b"CMYK": "/DeviceCMYK"}.get(data[16:20], "/DeviceGray")
    found = "/DeviceCMYK" if "/DeviceCMYK" in document.spaces else "/DeviceRGB"
    printed = found == "/DeviceCMYK"
    label = "Custom" if printed else "sRGB"
    profile = document.stream(profiles.cmyk() if printed else profiles.srgb(), {"/N": 4 if printed else 3})
    entries = {
        "/Type": Name.OutputIntent,
        "/S": Name.GTS_PDFA1,
        "/OutputConditionIdentifier": String(label),
        "/Info": String("Coated CMYK approximation" if printed else "sRGB"),
        "/DestOutputProfile": document.stream(
            profiles.cmyk() if printed else profiles.srgb(), {"/N": 4 if printed else 3}
        ),
    }
    root["/OutputIntents"] = Array([document.pdf.make_indirect(Dictionary(entries))])
    document.log("6.2.3", "output intent added", name="CMYK" if printed else "sRGB")
    return found


def _usable(profile: PdfObject) -> bytes:
    if profile is None:
        return b""
    try:
        data = bytes(profile.read_bytes())
    except pikepdf.PdfError:
        return b""
    return data if _sound(data, INTENT_CLASSES) and data[16:20] in COMPONENTS and data[16:20] != b"Lab " else b""


def _based_on(document: Document, data: bytes, components: int) -> Array:
    return Array([Name.ICCBased, document.stream(data, {"/N": components})])


def _separations(document: Document) -> None:
    """6.2.4.4: Separation spaces of one name share one tint and alternate; equal copies are made the same object."""
    first: dict[str, Array] = {}
    for holder in document.census.separations:
        ink = name(holder[1])
        if ink in ("/All", "/None", ""):
            continue
        model = first.setdefault(ink, holder)
        if model is holder or _same(model[3], holder[3]) is None:
            continue
        if _same(model[3], holder[3]):
            holder[2], holder[3] = model[2], model[3]
        else:
            document.log("6.2.4.4", "one ink with two tints", "guess", name=ink)


def _same(one: PdfObject, other: PdfObject) -> bool | None:
    """Compares two tint functions by content; None when they cannot be read."""
    try:
        if is_stream(one) and is_stream(other):
            return bool(one.read_bytes() == other.read_bytes())
        if is_dictionary(one) and is_dictionary(other):
            return bool(one.unparse() == other.unparse())
    except pikepdf.PdfError:
        return None
    return False
