"""The text of WordprocessingML (docx, docm, dotx, dotm), transitional and strict, down to the run."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.sealed.office import SourceText
from tasks.sealed.office.package import Element, Package, attribute, local

_OFF = {"0", "false", "off", "none"}
_SPACES = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_SKIPPED = {"instrText", "delInstrText", "pPr", "rPr", "sectPr", "tblPr", "trPr", "tcPr", "sdtPr", "fldData"}


def read(package: Package, main: str) -> SourceText:
    """The text of the document whose main part is `main`: body, headers, footers, foot- and endnotes, text boxes."""
    text = SourceText("document")
    body = package.xml(main)
    styles = _hidden_styles(package, main)
    reader = _Reader(text, styles)
    reader.part(body)
    for part in _margins(package, main, body):
        reader.part(package.xml(part))
    for kind, reference in (("footnotes", "footnoteReference"), ("endnotes", "endnoteReference")):
        used = {attribute(e, "id") for e in body.iter("{*}" + reference)}
        for part in package.related(main, kind):
            for note in package.xml(part):
                if attribute(note, "id") in used:
                    reader.part(note)
    for part in package.related(main, "comments"):
        text.notes += [t for c in package.xml(part) if (t := "".join(x.text or "" for x in c.iter("{*}t")))]
    for part in package.related(main, "diagramDrawing"):
        text.shown += ["".join(t.text or "" for t in p.iter("{*}t")) for p in package.xml(part).iter("{*}p")]
    return text


def _hidden_styles(package: Package, main: str) -> frozenset[str]:
    """The ids of the styles whose letters are hidden."""
    return frozenset(
        attribute(style, "styleId")
        for part in package.related(main, "styles")
        for style in package.xml(part).iter("{*}style")
        if any(_on(v) for v in style.iterfind("{*}rPr/{*}vanish"))
    )


def _on(switch: Element) -> bool:
    return attribute(switch, "val") not in _OFF


def _margins(package: Package, main: str, body: Element) -> Iterator[str]:
    """The headers and footers that a section prints: those of the first page only where there is a title page."""
    relations = package.relations(main)
    even = any(
        _on(e) for part in package.related(main, "settings") for e in package.xml(part).iter("{*}evenAndOddHeaders")
    )
    seen = set()
    for section in body.iter("{*}sectPr"):
        first = any(_on(e) for e in section.iterfind("{*}titlePg"))
        for reference in section:
            if local(reference) not in ("headerReference", "footerReference"):
                continue
            kind, relation = attribute(reference, "type"), relations.get(attribute(reference, "id"))
            printed = kind == "default" or (kind == "first" and first) or (kind == "even" and even)
            if printed and relation and package.has(relation.target) and relation.target not in seen:
                seen.add(relation.target)
                yield relation.target


class _Reader:
    """Walks a part once; keeps one buffer a paragraph and a mode (shown, hidden, deleted) a run."""

    def __init__(self, text: SourceText, hidden_styles: frozenset[str]) -> None:
        self._text = text
        self._hidden_styles = hidden_styles

    def part(self, root: Element) -> None:
        """Read everything below `root`."""
        self._inside(root, [], "shown")

    def _inside(self, element: Element, line: list[tuple[str, str]], mode: str) -> None:
        for child in element:
            name = local(child)
            if name == "p" or name == "txbxContent":
                own: list[tuple[str, str]] = []
                self._inside(child, own, mode)
                self._flush(own)
            elif name == "AlternateContent":
                self._alternative(child, line, mode)
            elif name in ("del", "moveFrom"):
                self._inside(child, line, "deleted")
            elif name == "r":
                self._inside(child, line, "hidden" if mode == "shown" and self._vanished(child) else mode)
            elif name in ("t", "delText"):
                line.append((mode, child.text or ""))
            elif name in _SPACES:
                line.append((mode, _SPACES[name]))
            elif name not in _SKIPPED:
                self._inside(child, line, mode)

    def _alternative(self, element: Element, line: list[tuple[str, str]], mode: str) -> None:
        """Markup compatibility (ECMA-376 part 3): the first choice, else the fallback; both say the same."""
        branch = next((c for c in element if local(c) == "Choice"), None)
        if branch is None:
            branch = next((c for c in element if local(c) == "Fallback"), None)
        if branch is not None:
            self._inside(branch, line, mode)

    def _vanished(self, run: Element) -> bool:
        for properties in run.iterfind("{*}rPr"):
            for e in properties:
                if local(e) == "vanish":
                    return _on(e)
            if any(local(e) == "rStyle" and attribute(e, "val") in self._hidden_styles for e in properties):
                return True
        return False

    def _flush(self, line: list[tuple[str, str]]) -> None:
        for mode in ("shown", "hidden", "deleted"):
            if words := "".join(t for m, t in line if m == mode).strip():
                getattr(self._text, mode).append(words)
