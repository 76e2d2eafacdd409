"""The text of OpenDocument 1.0 to 1.4 and of its forerunner OpenOffice.org XML 1.0 (sxw, sxc, sxi).

Both use the same local names, so elements are known by these alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.sealed.office import SourceText
from tasks.sealed.office.package import Element, Package, attribute, local

MIMETYPES = {
    "application/vnd.oasis.opendocument.text": "document",
    "application/vnd.oasis.opendocument.text-master": "document",
    "application/vnd.oasis.opendocument.spreadsheet": "spreadsheet",
    "application/vnd.oasis.opendocument.presentation": "presentation",
    "application/vnd.oasis.opendocument.graphics": "drawing",
    "application/vnd.sun.xml.writer": "document",
    "application/vnd.sun.xml.calc": "spreadsheet",
    "application/vnd.sun.xml.impress": "presentation",
    "application/vnd.sun.xml.draw": "drawing",
}
_SPACES = {"s": " ", "tab": "\t", "tab-stop": "\t", "line-break": "\n"}
_VOLATILE = {"page-number", "page-count", "date", "time", "file-name", "sheet-name", "title"}
_NUMBERS = {"float", "percentage", "currency", "date", "time", "boolean"}
"""Values of a sheet that are no words: what a page shows of them is the number format's work."""
_SKIPPED = {"forms", "settings", "event-listeners", "scripts", "desc", "sequence-decls", "ruby-text"}


def kind(package: Package) -> str:
    """What the package says it is: document, spreadsheet, presentation, drawing; "" for anything else."""
    if not package.has("mimetype"):
        return ""
    mimetype = package.read("mimetype")[:100].decode("ascii", "replace").strip()
    return MIMETYPES.get(mimetype.removesuffix("-template"), "")


def encrypted(package: Package) -> bool:
    """Whether the manifest says that parts of the package are encrypted (OpenDocument 1.2 part 3, 3.4.1)."""
    if package.has("encrypted-package"):
        return True  # OpenDocument 1.4 wraps the whole package
    if not package.has("META-INF/manifest.xml"):
        return False
    return next(package.xml("META-INF/manifest.xml").iter("{*}encryption-data"), None) is not None


def read(package: Package) -> SourceText:
    """The text of content.xml, and the headers and footers of a text document from styles.xml."""
    text = SourceText(kind(package) or "document")
    root = package.xml("content.xml")
    reader = _Reader(text, _hidden_styles(root))
    for part in root:
        name = local(part)
        if name == "body":
            reader.inside(part, [], "shown")
    if package.has("styles.xml") and text.kind == "document":
        for page in package.xml("styles.xml").iter("{*}master-page"):
            for margin in page:
                if local(margin) in ("header", "footer") and attribute(margin, "display") != "false":
                    reader.inside(margin, [], "shown")
    return text


@dataclass(frozen=True, slots=True)
class _HiddenStyles:
    letters: frozenset[str]
    tables: frozenset[str]


def _hidden_styles(root: Element) -> _HiddenStyles:
    letters, tables = set(), set()
    for style in root.iter("{*}style"):
        for properties in style:
            if local(properties) == "text-properties" and attribute(properties, "display") == "none":
                letters.add(attribute(style, "name"))
            if local(properties) == "table-properties" and attribute(properties, "display") == "false":
                tables.add(attribute(style, "name"))
    return _HiddenStyles(frozenset(letters), frozenset(tables))


class _Reader:
    """Walks a body once; keeps one buffer a paragraph."""

    def __init__(self, text: SourceText, hidden: _HiddenStyles) -> None:
        self._text = text
        self._hidden = hidden

    def inside(self, element: Element, line: list[tuple[str, str]], mode: str) -> None:
        """Read everything below `element`; letters between elements belong to `line`."""
        if element.text and line is not None:
            line.append((mode, element.text))
        columns = _hidden_columns(element) if local(element) == "table" else frozenset()
        for child in element:
            self._child(child, line, mode, columns)
            if child.tail:
                line.append((mode, child.tail))

    def _child(self, child: Element, line: list[tuple[str, str]], mode: str, columns: frozenset[int]) -> None:
        name = local(child)
        if name in ("p", "h"):
            own: list[tuple[str, str]] = []
            self.inside(child, own, self._mode(child, mode))
            self._flush(own)
        elif name in _SPACES:
            line.append((mode, _SPACES[name]))
        elif name == "table-row":
            self._row(child, mode, columns)
        elif name in ("annotation", "notes"):
            self.inside(child, [], "notes")
        elif name == "tracked-changes":
            self.inside(child, [], "deleted")
        elif name in ("hidden-text", "hidden-paragraph"):
            self.inside(child, line, "hidden")
        elif name in ("change-info", "creator") or (name in _VOLATILE and len(child) == 0):
            pass
        elif name not in _SKIPPED:
            self.inside(child, line, self._mode(child, mode))

    def _row(self, row: Element, mode: str, columns: frozenset[int]) -> None:
        hidden = attribute(row, "visibility") in ("collapse", "filter")
        column = 0
        for cell in row:
            out = hidden or column in columns
            if not (self._text.kind == "spreadsheet" and attribute(cell, "value-type") in _NUMBERS):
                self.inside(cell, [], "hidden" if out and mode == "shown" else mode)
            column += int(attribute(cell, "number-columns-repeated") or 1)

    def _mode(self, element: Element, mode: str) -> str:
        if mode != "shown":
            return mode
        style, name = attribute(element, "style-name"), local(element)
        if name == "table" and style in self._hidden.tables:
            return "hidden"
        return "hidden" if name in ("span", "p", "h") and style in self._hidden.letters else mode

    def _flush(self, line: list[tuple[str, str]]) -> None:
        for mode in ("shown", "hidden", "deleted", "notes"):
            if words := "".join(t for m, t in line if m == mode).strip():
                getattr(self._text, mode).append(words)


def _hidden_columns(table: Element) -> frozenset[int]:
    hidden: set[int] = set()
    at = 0
    for column in table.iter("{*}table-column"):
        repeated = int(attribute(column, "number-columns-repeated") or 1)
        if attribute(column, "visibility") in ("collapse", "filter"):
            hidden.update(range(at, min(at + repeated, 16_384)))
        at += repeated
    return frozenset(hidden)
