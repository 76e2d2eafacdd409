"""Volatile fields of a Word document, fixed to the text that they were saved with, before LibreOffice computes anew.

Unfrozen, a DATE field prints the day of the migration, FILENAME the name of a temporary file, PRINTDATE nothing. Fields
that depend on the pages (PAGE, NUMPAGES, TOC, PAGEREF) stay alive: their saved text belongs to another layout.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import docx
from docx.opc.part import XmlPart
from lxml import etree

from tasks.sealed.office.package import Package, attribute, local, refuse_entities

LIBRARIES = ("python-docx", "lxml")

VOLATILE = frozenset((
    "DATE", "TIME", "SAVEDATE", "PRINTDATE", "CREATEDATE", "EDITTIME", "FILENAME", "FILESIZE", "TEMPLATE",
    "USERNAME", "USERINITIALS", "USERADDRESS", "AUTHOR", "LASTSAVEDBY", "TITLE", "SUBJECT", "KEYWORDS",
    "COMMENTS", "DOCPROPERTY", "DOCVARIABLE", "INFO", "REVNUM", "NUMWORDS", "NUMCHARS", "INCLUDETEXT", "LINK",
    "DDE", "DDEAUTO", "REF", "QUOTE", "ASK", "FILLIN", "IF", "DATABASE", "MERGEFIELD",
))  # fmt: skip
"""What a field computes from the day, the machine or another place of the document or beyond it."""


@dataclass(slots=True)
class _Field:
    """A complex field that is open: what it computes, and the elements that make it a field."""

    code: str = ""
    parts: list[Any] = field(default_factory=list)
    separated: bool = False


def freeze(source: str, product: str) -> int | None:
    """Writes `source`, a docx, to `product` with its volatile fields replaced by their saved text.

    Returns how many fields were replaced; with 0 nothing is written. None when python-docx does not read the file.
    Raises Trouble `source-damaged` or `bomb-suspected` as `Package` does.
    """
    with Package(source) as package:
        for name in package.names:
            if name.endswith((".xml", ".rels")):
                refuse_entities(package.read(name))
    try:
        document = docx.Document(source)
    except (ValueError, KeyError, AttributeError, etree.XMLSyntaxError):
        return None  # a template, or a package that python-docx finds odd; LibreOffice may still read it
    parts = [part for part in document.part.package.iter_parts() if isinstance(part, XmlPart)]
    count = sum(_freeze(part.element) for part in parts)
    if count:
        document.save(product)
    return count


def _freeze(root: Any) -> int:
    return _freeze_simple(root) + _freeze_complex(root)


def _freeze_simple(root: Any) -> int:
    """w:fldSimple carries its code in an attribute and its saved text inside."""
    count = 0
    for simple in list(root.iter("{*}fldSimple")):
        if _name(attribute(simple, "instr")) in VOLATILE and len(simple):
            parent, at = simple.getparent(), simple.getparent().index(simple)
            for run in reversed(list(simple)):
                parent.insert(at, run)
            parent.remove(simple)
            count += 1
    return count


def _freeze_complex(root: Any) -> int:
    """w:fldChar begin, code, separate, saved text, end: everything but the saved text is taken out."""
    fields: list[_Field] = []
    frozen: list[_Field] = []
    for element in root.iter("{*}fldChar", "{*}instrText"):
        kind = attribute(element, "fldCharType") if local(element) == "fldChar" else "code"
        if kind == "begin":
            fields.append(_Field())
        if not fields:
            continue
        open_field = fields[-1]
        open_field.parts.append(element)
        if kind == "code" and not open_field.separated:
            open_field.code += element.text or ""
        elif kind == "separate":
            open_field.separated = True
        elif kind == "end":
            fields.pop()
            inside_code = any(not outer.separated for outer in fields)
            if open_field.separated and not inside_code and _name(open_field.code) in VOLATILE:
                frozen.append(open_field)
    for done in frozen:
        for element in done.parts:
            element.getparent().remove(element)
    return len(frozen)


def _name(code: str) -> str:
    return code.split()[0].upper() if code.split() else ""
