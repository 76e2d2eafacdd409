"""What all pages share: the frame, shapes with their words, names, commands, tables."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from tasks.premis.model import Ending
from tasks.report import phrases
from tasks.report.html.safe import Content, Html, el, join, seen
from tasks.words import language, moment, number, text

STYLE = (Path(__file__).parents[1] / "page.css").read_text(encoding="utf-8")
SHAPES = (Path(__file__).parents[1] / "shapes.html").read_text(encoding="utf-8")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""What a page may load: nothing but the pictures that it carries."""
ORDER = (Ending.DONE, Ending.KEPT, Ending.WAITING, Ending.HELD, Ending.FAILED)
"""How people see the endings side by side."""


def page(title: str, told: Content, main: Content, *, root: str = "", when: datetime, foot: Content = None) -> str:
    """A whole page. `told` stands beside the name of Perenne, `root` is the way to the folder of the reports."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width,initial-scale=1"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="generator", content="Perenne"),
        el("link", rel="icon", href="data:,"),
        el("title", title),
        el("style", Html(STYLE)),
    )
    top = el(
        "header",
        el("p", el("a", "Perenne", href=f"{root}index.html"), class_="brand"),
        el("p", told),
        el("p", el("time", moment(when), datetime=when.isoformat(timespec="seconds")), class_="when"),
        class_="top",
    )
    body = el(
        "body",
        Html(SHAPES),
        el("a", text("page-skip"), class_="skip", href="#main"),
        top,
        el("main", main, id="main"),
        el("footer", foot or text("page-foot")),
    )
    return f"<!doctype html>\n{el('html', head, body, lang=language())}\n"


def verdict(told: str, ending: Ending | None = None) -> Html:
    """The first sentence of a page, each of its sentences on a line."""
    lines = [s if s.endswith((".", "!", "?")) else f"{s}." for s in told.split(". ")]
    return el("h1", *(el("span", line) for line in lines), class_=ending.value if ending else None)


def shape(name: str) -> Html:
    """A shape; a word always stands beside it."""
    return el("svg", el("use", href=f"#s-{name}"), class_="shape", aria_hidden="true")


def word(ending: Ending) -> Html:
    """The shape and the word of an ending."""
    return el("span", shape(ending.value), phrases.ended(ending), class_=f"word {ending.value}")


def file(path: str) -> Html:
    """A name of a file or batch: apart from the text around it, and never translated."""
    return el("bdi", seen(path), class_="path", translate="no")


def code(told: str) -> Html:
    """A word for machines."""
    return el("code", told, translate="no")


def command(*words: str) -> Html:
    """A command to copy: what is not plain is quoted for the shell."""
    return line(" ".join(quoted(w) for w in words))


def line(told: str) -> Html:
    """A line for the shell, quoted already."""
    return el("pre", el("code", told, translate="no"), class_="cmd")


def quoted(one: str) -> str:
    """A word as a shell takes it; letters that cannot be seen stand in `$'…'`."""
    if one.isprintable():
        return shlex.quote(one)
    return "$'" + "".join(_in_dollars(c) for c in one) + "'"


def _in_dollars(letter: str) -> str:
    if letter in "'\\":
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"


def digest(told: str) -> Html:
    """A digest in groups of eight, by style alone, so that copying gives the plain string."""
    groups = [el("span", told[at : at + 8]) for at in range(0, len(told), 8)]
    return el("code", *(join(el("wbr") if at else None, group) for at, group in enumerate(groups)), class_="dg")


def section(name: str, title: Content, *content: Content) -> Html:
    """A part of a page under its title."""
    return el("section", el("h2", title, id=f"h-{name}"), *content, aria_labelledby=f"h-{name}")


def pairs(rows: Iterable[tuple[Content, Content] | None]) -> Html:
    """Names and what they are."""
    return el("dl", *(join(el("dt", k), el("dd", v)) for k, v in filter(None, rows)), class_="kv")


Cell = tuple[str, Content]
"""A class of the style sheet, and what stands in the cell. The class "head" makes it the head of its row."""


def table(
    kind: str, heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[Cell]], foot: Sequence[Cell] = ()
) -> Html:
    """A table; `heads` are (class, name). On a narrow screen each row becomes a block, so cells know their names."""
    names = [name for _, name in heads]
    top = el("tr", *(el("th", name, scope="col", class_=kind_ or None) for kind_, name in heads))
    body = [_row(row, names) for row in rows]
    return el(
        "table",
        el("thead", top),
        el("tbody", *body),
        el("tfoot", _row(foot, names)) if foot else None,
        class_=kind,
    )


def _row(cells: Sequence[Cell], names: Sequence[str]) -> Html:
    made = []
    for (kind, content), name in zip(cells, names, strict=True):
        if kind == "head":
            made.append(el("th", content, scope="row"))
        else:
            made.append(el("td", content, class_=kind or None, data_name=name))
    return el("tr", *made)


def count(value: int) -> str:
    """A number in a table; nothing for none."""
    return number(value) if value else ""


def more(left: int, *words: str) -> Html | None:
    """How many are not shown, and the command that shows them."""
    return el("div", el("p", text("page-and-more-here", n=left)), command(*words), class_="left") if left > 0 else None


def facts(*told: tuple[str, str] | None) -> Html:
    """Further figures in a row: each is (figure, sentence), and the figure stands out in its sentence."""
    return el("ul", *(el("li", *_standing_out(*one)) for one in told if one), class_="facts")


def _standing_out(figure: str, sentence: str) -> Iterable[Content]:
    before, found, after = sentence.partition(figure)
    return [before, el("b", found), after]


def numbers(cells: Iterable[tuple[Ending, int, str]]) -> Html | None:
    """The endings as a bar and as large numbers, each with what it means; those that are none are left out."""
    there = [(ending, count, told) for ending, count, told in cells if count]
    if not there:
        return None
    bar = [el("span", class_=ending.value, style=f"flex:{count} 0 7px") for ending, count, _ in there]
    large = [
        el("div", el("dt", word(ending)), el("dd", el("b", number(count)), el("span", told)))
        for ending, count, told in there
    ]
    return join(el("div", *bar, class_="bar", aria_hidden="true"), el("dl", *large, class_="nums"))
