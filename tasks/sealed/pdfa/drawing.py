"""What drawing a look of an annotation needs: a box, numbers, colours and borders as operators."""

from __future__ import annotations

from dataclasses import dataclass

from pikepdf import Array, Dictionary

from tasks.sealed.pdfa.document import Document
from tasks.sealed.pdfa.objects import PdfObject, array, dictionary, name_at, number

PAINT = {1: "g", 3: "rg", 4: "k"}
SPACE = {3: "/DeviceRGB", 4: "/DeviceCMYK"}


@dataclass(frozen=True, slots=True)
class Box:
    """An annotation's rectangle: (left, bottom, right, top) on the page."""

    sides: tuple[float, float, float, float]

    @property
    def width(self) -> float:
        """Its width in units of the page."""
        return self.sides[2] - self.sides[0]

    @property
    def height(self) -> float:
        """Its height in units of the page."""
        return self.sides[3] - self.sides[1]

    @property
    def frame(self) -> list[float]:
        """The /BBox of a look with its origin in the lower left corner; never empty."""
        return [0, 0, max(self.width, 1), max(self.height, 1)]


def numbers(*values: float) -> str:
    """Writes numbers as a content stream takes them: no exponent, at most four decimals."""
    return " ".join(f"{value:.4f}".rstrip("0").rstrip(".") or "0" for value in values)


def colour(document: Document, value: PdfObject, *, stroke: bool = False) -> str:
    """Returns the operator that sets a colour array of 1, 3 or 4 components; "" for none (transparent)."""
    parts = [number(part) for part in value] if isinstance(value, Array) else []
    operator = PAINT.get(len(parts))
    if operator is None:
        return ""
    if len(parts) in SPACE:
        document.spaces.add(SPACE[len(parts)])
    return f"{numbers(*parts)} {operator.upper() if stroke else operator}\n"


def border(annotation: Dictionary) -> tuple[float, str]:
    """Returns (width, dash operator) of an annotation's border (ISO 32000-1, 12.5.4)."""
    style = dictionary(annotation, "/BS")
    if style is not None:
        dashes = array(style, "/D") if name_at(style, "/S") == "/D" else []
        width = number(style.get("/W"), 1.0)
    else:
        parts = array(annotation, "/Border")
        width = number(parts[2], 1.0) if len(parts) > 2 else 1.0
        dashes = list(parts[3]) if len(parts) > 3 and isinstance(parts[3], Array) else []
    lengths = [max(number(dash), 0.0) for dash in dashes[:10]]
    return max(width, 0.0), f"[{numbers(*lengths)}] 0 d\n" if any(lengths) else ""
