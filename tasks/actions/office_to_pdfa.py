"""Word processor documents, sheets and presentations to PDF/A-2b by the resident LibreOffice.

PUIDs: those of `office_filters.toml`, which forces the import filter: LibreOffice's own guess makes a document of
anything. Its exit proves nothing, so the validators `pdfa` and `words` judge the product.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tasks.actions import Migration
from tasks.premis.model import Measure, Note, Product, Role, Source, Trouble
from tasks.tools.job import Job

VERSION = "1"
FACTS = ("encrypted", "kind", "macros", "comments", "embedded", "signed")

RAW, FROZEN, MASTER = "out/raw.pdf", "out/frozen", "out/master.pdf"
TOOL = "LibreOffice"
PUIDS = {2: "fmt/477", 3: "fmt/480"}
"""PDF/A of level B, by part."""
NO_DATE = "1970-01-01T00:00:00Z"
"""The product's dates when the source does not say when it was saved; nobody takes it for a real one."""
KINDS = {"document": "writer", "spreadsheet": "calc", "presentation": "impress"}

EXPORT: Mapping[str, str | int | bool] = {
    "ExportBookmarks": True,
    "ExportNotes": False,  # comments become annotations without an appearance, which ISO 19005-2 6.3.3 forbids
    "ExportNotesPages": False,
    "ExportHiddenSlides": True,  # a slide that was skipped in the talk is still a part of the record
    "IsSkipEmptyPages": False,
    "UseLosslessCompression": True,  # pictures keep their pixels: +45 % in size where there are many
    "ReduceImageResolution": False,
    "ExportFormFields": False,  # fields are drawn with what they hold
    "UseTaggedPDF": True,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """A LibreOffice import filter and the application that lays its documents out."""

    name: str
    kind: str


@cache
def filters() -> Mapping[tuple[str, str], Filter]:
    """The import filter by (PUID, application); the application is "" where the PUID alone decides."""
    table = tomllib.loads((Path(__file__).parent / "office_filters.toml").read_text("utf-8"))
    found: dict[tuple[str, str], Filter] = {}
    for name, row in table.items():
        found |= {(puid, ""): Filter(name, row["kind"]) for puid in row["puids"]}
        found |= {(puid, row["kind"]): Filter(name, row["kind"]) for puid in row.get("generic", ())}
    return found


def migrate(
    source: Source, job: Job, /, *, part: Literal[2, 3] = 2, fit: Literal["page", "columns", "width"] = "columns"
) -> Migration:
    """Makes `out/master.pdf`, PDF/A-`part`b with ids and dates that come from the source.

    `fit`, for sheets: `page` prints them as their page set-up says, which cuts text that its column has no room for;
    `columns` first widens such columns; `width` also makes every sheet one page wide.
    Volatile fields of a docx (today's date, the file's name …) keep the text that they were saved with.
    Raises Trouble `source-empty`, `source-encrypted`, `source-damaged` (LibreOffice does not open it),
    `product-missing`, and what the door raises; ValueError when `part` is neither 2 nor 3 or no filter fits.
    """
    if part not in PUIDS:
        raise ValueError(f"part must be 2 or 3, not {part!r}")
    if source.file.size == 0:
        raise Trouble("source-empty")
    if source.facts.get("encrypted", "none") == "open":
        raise Trouble("source-encrypted")
    reader = _filter(source)
    name, frozen = _frozen(source, job)
    pages = _converted(job, name, reader, part, fit)
    made = _settled(source, job, part)
    size, sha256 = job.digest(MASTER)
    measures = (*pages, Measure("fields_frozen", str(frozen))) if frozen is not None else pages
    return Migration((Product(Role.MASTER, MASTER, PUIDS[made], size, sha256),), _notes(source), measures)


def _filter(source: Source) -> Filter:
    puid = source.identification.puid or ""
    kind = KINDS.get(str(source.facts.get("kind", "")), "")
    found = filters().get((puid, "")) or filters().get((puid, kind))
    if found:
        return found
    if any(known == puid for known, _ in filters()):
        raise Trouble("source-damaged", what="the container holds no document that can be recognised")
    raise ValueError(f"no LibreOffice filter for {puid}")


def _frozen(source: Source, job: Job) -> tuple[str, int | None]:
    """The file to convert and how many volatile fields were fixed in it; None where nothing can be fixed."""
    if source.identification.puid != "fmt/412":
        return source.name, None
    name = f"{FROZEN}.docx"
    count = job.call("tasks.sealed.office_freeze:freeze", source.name, name)
    if count is None:
        return source.name, None
    if type(count) is not int or count < 0:
        raise Trouble("tool-crash", tool="field freezing", signal="an answer of another shape")
    return (name, count) if count else (source.name, 0)


def _converted(job: Job, name: str, reader: Filter, part: int, fit: str) -> tuple[Measure, ...]:
    request = {
        "files": [name],
        "source": name,
        "product": RAW,
        "filter": reader.name,
        "kind": reader.kind,
        "export": {**EXPORT, "SelectPdfVersion": part},
        "password": None,
        "fit": fit,
    }
    answer: Mapping[str, Any] = job.ask("office", request)
    if answer.get("ok") is True:
        _demand_product(job)
        pages = answer.get("pages")
        return (Measure("pages", str(pages)),) if type(pages) is int else ()
    text = str(answer.get("text", ""))[:200] or "no reason given"
    if answer.get("error") == "load":
        raise Trouble("source-damaged", what=f"{TOOL} does not open it ({text})")
    if answer.get("error") == "store" and "wrote nothing" in text:
        raise Trouble("product-missing", tool=TOOL)
    raise Trouble("tool-crash", tool=TOOL, signal=text)


def _demand_product(job: Job) -> None:
    """The office's word is no product: raises Trouble `product-missing` when there is none, or an empty one."""
    try:
        with job.open(RAW) as made:
            if made.read(1):
                return
    except Trouble as trouble:
        if trouble.code != "product-missing":
            raise
    raise Trouble("product-missing", tool=TOOL)


def _repaired(job: Job, function: str, **named: Any) -> int:
    """Makes the master of the raw export; one that cannot be read is the office's fault and not the source's."""
    try:
        return _part(job.call(f"tasks.sealed.pdfa:{function}", RAW, MASTER, **named))
    except Trouble as trouble:
        if trouble.code not in ("source-damaged", "source-encrypted"):
            raise
        what = trouble.detail.get("what", trouble.code)
        raise Trouble("tool-crash", tool=TOOL, signal=f"its product cannot be read: {what}"[:200]) from None


def _settled(source: Source, job: Job, part: int) -> int:
    """Writes the master from the raw export and returns its part; repairs once what veraPDF refuses."""
    date = job.call("tasks.sealed.office_facts:saved", source.name)
    date = date if isinstance(date, str) and date else NO_DATE
    fixed: dict[str, Any] = {"seed": source.file.sha256, "date": date, "part": part}
    made = _repaired(job, "settle", **fixed)
    verdict = job.ask("verapdf", {"files": [MASTER], "path": MASTER, "flavour": f"{made}b"})
    if verdict.get("valid") is True:
        return made
    rows = verdict.get("clauses")
    clauses = sorted({str(row[0]) for row in rows if isinstance(row, list) and row}) if isinstance(rows, list) else []
    return _repaired(job, "repair", clauses=clauses or None, **fixed)


def _part(answer: Any) -> int:
    part = answer.get("part") if isinstance(answer, dict) else None
    if part not in PUIDS:
        raise Trouble("tool-crash", tool="PDF repair", signal="an answer of another shape")
    return int(part)


def _notes(source: Source) -> tuple[Note, ...]:
    """What a page cannot hold and only the original still has."""
    counted = {"comments": source.facts.get("comments"), "embedded files": source.facts.get("embedded")}
    names = ["macros"] if source.facts.get("macros") else []
    names += [f"{name} ({count})" for name, count in counted.items() if count]
    notes = [Note("content-removed", {"names": ", ".join(names)})] if names else []
    if source.facts.get("signed"):
        notes.append(Note("signature-present", {"state": "not verified"}))
    return tuple(notes)
