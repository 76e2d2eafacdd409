"""HTML that cannot be broken by what stands in it: every text is escaped here, and nowhere else."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable
from typing import TypeAlias

VOID = frozenset({"meta", "link", "img", "wbr", "br"})
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of letters that are obeyed and not seen, or that no page may hold."""


class Html(str):
    """Text that is HTML already. Made by `el` and `join`, and from words of this project alone."""

    __slots__ = ()


Content: TypeAlias = "Html | str | Iterable[Content] | None"


def el(tag: str, *content: Content, **attributes: str | bool | None) -> Html:
    """An element. `class_="a"` is written class="a", `aria_label` aria-label; True is a bare name, None is left out."""
    inside = "".join(_attribute(name, value) for name, value in attributes.items() if value not in (None, False))
    if tag in VOID:
        return Html(f"<{tag}{inside}>")
    return Html(f"<{tag}{inside}>{join(*content)}</{tag}>")


def join(*content: Content) -> Html:
    """Contents one after the other; a plain text is escaped."""
    return Html("".join(_one(c) for c in content))


def seen(name: str) -> str:
    """A name with every letter that cannot be seen written out: `dòng\\u000amới.txt`, and so for odd spaces."""
    return "".join(c if c.isprintable() else _written(c) for c in name)


def _one(content: Content) -> str:
    if content is None:
        return ""
    if isinstance(content, Html):
        return content
    return _escaped(content) if isinstance(content, str) else join(*content)


def _attribute(name: str, value: str | bool | None) -> str:
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{_escaped(str(value))}"'


def _escaped(text: str) -> str:
    """A text inside HTML; what would be obeyed and not seen is written out."""
    if not text.isprintable():
        text = "".join(_written(c) if unicodedata.category(c) in UNSEEN else c for c in text)
    return html.escape(text)


def _written(letter: str) -> str:
    return f"\\u{ord(letter):04x}"
