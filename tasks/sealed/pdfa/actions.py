"""ISO 19005-2, 6.4 Interactive forms and 6.5 Actions."""

from __future__ import annotations

from pikepdf import Array, Dictionary

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.objects import PdfObject, dictionary, is_dictionary, name_at, text

ALLOWED = frozenset({"/GoTo", "/GoToR", "/GoToE", "/Thread", "/URI", "/Named", "/SubmitForm"})
NAMED = frozenset({"/NextPage", "/PrevPage", "/FirstPage", "/LastPage"})
SIGNER = ("/Name", "/M", "/Location", "/Reason", "/ContactInfo")
HOLDERS = ("/A", "/OpenAction", "/PA")


def permitted(action: PdfObject) -> bool:
    """6.5.1: says whether PDF/A-2 permits an action; of the named ones only the four that turn pages."""
    kind = name_at(action, "/S")
    return kind in ALLOWED and (kind != "/Named" or name_at(action, "/N") in NAMED)


def action(document: Document, holder: PdfObject) -> None:
    """6.5.1: forbidden actions (JavaScript, Launch, Sound, Movie, ResetForm, ImportData, Hide, SetOCGState …) go."""
    for key in HOLDERS:
        value = dictionary(holder, key)
        if value is not None and "/S" in value and not permitted(value):
            document.drop(holder, key, "6.5.1", f"action {name_at(value, '/S')[1:]}", "loss")


def following(document: Document, holder: PdfObject) -> None:
    """6.5.1 binds the actions that follow an action too (/Next, one or an array)."""
    if not is_dictionary(holder) or "/S" not in holder:
        return
    value = holder.get("/Next")
    if isinstance(value, Array):
        kept = [entry for entry in value if is_dictionary(entry) and permitted(entry)]
        if len(kept) != len(value):
            holder["/Next"] = Array(kept)
            document.log("6.5.1", "action that follows another", "loss", count=len(value) - len(kept))
    elif is_dictionary(value) and not permitted(value):
        document.drop(holder, "/Next", "6.5.1", "action that follows another", "loss")


def triggers(document: Document, holder: PdfObject) -> None:
    """6.5.2: additional actions (/AA) of the catalog, pages, fields and annotations go."""
    if name_at(holder, "/Type") != "/Font":
        document.drop(holder, "/AA", "6.5.2", "actions triggered by events", "loss")


def signature(document: Document, holder: PdfObject) -> None:
    """6.4.3: a signature does not survive the first changed byte; its field stays, unsigned.

    Who signed, when and why stays as private data of the field: the signature itself is in the original.
    """
    value = dictionary(holder, "/V")
    if value is None or "/ByteRange" not in value:
        return
    kept = {key: value.get(key) for key in SIGNER if key in value}
    holder["/PerenneSigner"] = Dictionary(kept)
    del holder["/V"]
    document.log("6.4.3", "value of a digital signature", "loss", name=text(value.get("/Name")))


def repair(document: Document) -> None:
    """6.4.1, 6.4.2 and 6.5.1: the form's dictionary (XFA, NeedAppearances) and the document's JavaScript."""
    root = document.pdf.Root
    form = root.get("/AcroForm")
    if is_dictionary(form):
        document.drop(form, "/XFA", "6.4.2", "XFA form", "loss")
        document.drop(form, "/SigFlags", "6.4.3", "flags of a signed form")
        document.drop(form, "/NeedAppearances", "6.4.1", "order to redraw the fields")
    elif form is not None:
        document.drop(root, "/AcroForm", "6.4.1", "form that is no dictionary", "loss")
    names = dictionary(root, "/Names")
    if names is not None:
        document.drop(names, "/JavaScript", "6.5.1", "JavaScript of the document", "loss")
