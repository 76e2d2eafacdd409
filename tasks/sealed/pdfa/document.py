"""What a repair works on: the open file, its log, and the census of objects that later clauses need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pikepdf import Array, Dictionary, Name, Pdf, Stream

from tasks.sealed.pdfa.ledger import Kind, Ledger
from tasks.sealed.pdfa.objects import PdfObject, dictionary, is_stream


@dataclass(slots=True)
class Census:
    """Objects of one kind, in the order in which the walk met them."""

    fonts: list[PdfObject] = field(default_factory=list)
    resources: list[PdfObject] = field(default_factory=list)
    groups: list[PdfObject] = field(default_factory=list)
    files: list[PdfObject] = field(default_factory=list)
    separations: list[PdfObject] = field(default_factory=list)
    profiles: list[PdfObject] = field(default_factory=list)
    jpeg2000: list[PdfObject] = field(default_factory=list)
    drawings: list[PdfObject] = field(default_factory=list)
    """Form XObjects and tiling patterns: streams of content besides the pages' own."""


@dataclass(slots=True)
class Document:
    """An open PDF under repair.

    `clauses` are the clauses of veraPDF's refusal that steer pass 2 ("6.2.11.5"), empty in pass 1. `part` becomes 3
    when files are embedded. `spaces` are the device colour spaces in use, "/DeviceRGB" or "/DeviceCMYK".
    """

    pdf: Pdf
    ledger: Ledger = field(default_factory=Ledger)
    part: int = 2
    clauses: frozenset[str] = frozenset()
    census: Census = field(default_factory=Census)
    spaces: set[str] = field(default_factory=set)
    replaced_fonts: dict[str, str] = field(default_factory=dict)
    """Fonts that were not embedded → the family that stands in."""
    unknown: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Fonts of which some shown codes got no glyph or a meaning that nothing proves → (such codes, all codes)."""
    drawn_font: PdfObject = None
    """The Helvetica that looks of form fields were drawn with."""

    def log(self, clause: str, what: str, kind: Kind = "fix", *, name: str = "", count: int = 1) -> None:
        """Writes a line of the repair log."""
        self.ledger.write(clause, what, kind, name=name, count=count)

    def drop(self, holder: PdfObject, key: str, clause: str, what: str, kind: Kind = "fix") -> None:
        """Deletes a key, if it is there, and tells."""
        if key in holder:
            del holder[key]
            self.log(clause, what, kind)

    def unknown_glyph(self, font: str, count: int, total: int) -> None:
        """Notes that `count` of the `total` codes shown in a font could not be given their glyph with certainty."""
        self.unknown[font] = (count, total)
        self.log("6.2.11.4.1", "letter shapes that nobody knows", "guess", name=font, count=count)

    def asked(self, *families: str) -> bool:
        """Says whether pass 2 was asked for one of these clauses or for a part of one."""
        return any(
            clause == family or clause.startswith(f"{family}.") for clause in self.clauses for family in families
        )

    def stream(self, data: bytes, entries: Mapping[str, PdfObject] | None = None) -> Stream:
        """Returns a new indirect stream with these dictionary entries."""
        made = self.pdf.make_stream(data)
        for key, value in (entries or {}).items():
            made[key] = value
        return made

    def form(self, content: bytes, box: list[float], resources: Dictionary | None = None) -> Stream:
        """Returns a new form XObject with the /BBox `box`."""
        return self.stream(
            content,
            {
                "/Type": Name.XObject,
                "/Subtype": Name.Form,
                "/BBox": Array([round(side, 4) for side in box]),
                "/Resources": resources if resources is not None else Dictionary(),
            },
        )

    def contents(self) -> Iterator[Stream]:
        """Yields every stream of drawing operators once: pages, forms, patterns, glyphs of Type 3 fonts."""
        seen: set[tuple[int, int]] = set()
        for stream in self._all_contents():
            if is_stream(stream) and stream.objgen not in seen:
                seen.add(stream.objgen)
                yield stream

    def _all_contents(self) -> Iterator[PdfObject]:
        for page in self.pdf.pages:
            content = page.obj.get("/Contents")
            yield from content if isinstance(content, Array) else [content]
        yield from self.census.drawings
        for font in self.census.fonts:
            yield from (glyph for _, glyph in (dictionary(font, "/CharProcs") or Dictionary()).items())
