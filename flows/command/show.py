"""How anything stands on the terminal: shapes, colours, widths, names that cannot steer it (face.md §3)."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len

from tasks.premis.model import Ending
from tasks.report import phrases
from tasks.report.summary import ASCII, SHAPES, Row
from tasks.words import visible

COLOURS = {Ending.DONE: "32", Ending.KEPT: "90", Ending.HELD: "33", Ending.FAILED: "31", Ending.WAITING: "90"}
COLOUR = re.compile("\x1b\\[(?:0|1|3[123]|90)m")
_CLINGS = re.compile(r" (?=[:;!?»])|(?<=«) ")
_GLUE = "\ue000"
"""In the place of a space at which no line may end."""
_TYPED = re.compile(r"[\w@%+=:,./-]+")
LABEL = 12
NARROWEST, WIDEST, WIDE = 60, 140, 110
"""Columns that are made use of, and from how many on a fault's message stands beside its name."""
LEAST_WORDS = 48
"""Columns that are enough for the words beside a name and a code."""


def unicode_ok() -> bool:
    """Whether the locale can show more than ASCII."""
    return (sys.stdout.encoding or "").lower().replace("-", "") in ("utf8", "utf8sig")


def colour_wanted() -> bool:
    """Whether nobody refused it: NO_COLOR counts when it is not empty (no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured() -> bool:
    """Colour only for a person who did not refuse it."""
    return sys.stdout.isatty() and colour_wanted()


def columns() -> int:
    """How many columns an answer may take."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size((80, 20)).columns))


def mark(ending: Ending, *, word: bool = True) -> str:
    """Shape and word of an ending, padded, or the shape alone; colour goes on these alone."""
    shape = (SHAPES if unicode_ok() else ASCII)[ending]
    return _in_colour(padded(f"{shape} {phrases.ended(ending)}", word_columns()) if word else shape, COLOURS[ending])


def word_columns() -> int:
    """How many columns shape and word take, whichever word it is."""
    return 2 + max(cell_len(phrases.ended(ending)) for ending in Ending)


def strong(text: str) -> str:
    """Advice is bold."""
    return _in_colour(text, "1")


def _in_colour(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if coloured() and text else text


def tick(good: bool) -> str:
    """The shape of a check that passed or did not."""
    return mark(Ending.DONE if good else Ending.FAILED, word=False)


def arrow() -> str:
    """What stands before advice."""
    return "→" if unicode_ok() else "->"


def padded(text: str, width: int, *, right: bool = False) -> str:
    """A text with spaces to a width in columns, whatever its letters take."""
    gap = " " * max(0, width - cell_len(text))
    return gap + text if right else text + gap


def ends(left: str, right: str, width: int) -> str:
    """Two texts at the two ends of a line."""
    return f"{left}{' ' * max(2, width - cell_len(left) - cell_len(right))}{right}"


def answer(value: Any) -> None:
    """A JSON answer on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def clean(text: str) -> str:
    """A text with its control letters spelled out, but for line ends and our own colours: no name moves the cursor."""
    parts = COLOUR.split(text)
    shown = [visible(part, but="\n") for part in parts]
    return "".join(a + b for a, b in zip(shown, [*COLOUR.findall(text), ""], strict=True))


def say(text: str = "") -> None:
    """A line of the answer; what the locale cannot show is escaped, never lost."""
    encoding = sys.stdout.encoding or "ascii"
    sys.stdout.write(clean(text).encode(encoding, "backslashreplace").decode(encoding) + "\n")


def paragraph(text: str, *, indent: int = 0, first: str = "") -> None:
    """A text that a terminal breaks between words; in a pipe it stays one line, for whoever searches it."""
    lead = first or " " * indent
    for number, line in enumerate(_lines(text, columns() - indent)):
        say((lead if number == 0 else " " * indent) + line)


def _lines(text: str, width: int) -> list[str]:
    if not sys.stdout.isatty():
        return [text]
    whole = _CLINGS.sub(_GLUE, text)  # French: no line begins with a colon
    lines = textwrap.wrap(whole, width, break_long_words=False, break_on_hyphens=False) or [""]
    return [line.replace(_GLUE, " ") for line in lines]


def labelled(label: str, told: str) -> None:
    """A line of what is where: the label first, all of one width."""
    paragraph(told, indent=LABEL, first=padded(label, LABEL))


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1, last_left: bool = False
) -> Iterator[str]:
    """Lines of a table: the first `left` columns are words, the others numbers, each as wide as its widest cell.

    On a terminal that is too narrow for that and two columns before it, less space stands between them.
    """
    cells = [head, *rows]
    widths = [max(cell_len(row[number]) for row in cells) for number in range(len(head))]
    room = columns() - 2 - sum(widths) if sys.stdout.isatty() else WIDEST
    gap = next((n for n in (3, 2) if n * (len(widths) - 1) <= room), 1)
    for row in cells:
        told = [padded(cell, widths[n], right=left <= n < len(row) - last_left) for n, cell in enumerate(row)]
        yield (" " * gap).join(told).rstrip()


def fault(row: Row, name: str) -> None:
    """One file that needs a person: what was seen, what it means, what to do."""
    faults([(row, name)])


def faults(rows: Sequence[tuple[Row, str]]) -> None:
    """Files that need a person, each with its name, all in the same shape.

    On a wide terminal file, code and words stand in columns, where that leaves the words enough room.
    """
    width, rows = columns(), [(row, visible(name)) for row, name in rows]
    names = max((cell_len(name) for _, name in rows), default=0)
    codes = max((len(row.code) for row, _ in rows), default=0)
    beside = names + codes + 8
    in_columns = sys.stdout.isatty() and width >= WIDE and width - beside >= LEAST_WORDS
    for row, name in rows:
        if in_columns:
            _in_columns(row, padded(name, names), padded(row.code, codes), width - beside)
        else:
            _below(row, name, width)


def _in_columns(row: Row, name: str, code: str, room: int) -> None:
    seen, *more = _lines(row.seen, room)
    say(f"{mark(row.ending, word=False)} {name}   {code}   {seen}")
    margin = " " * (cell_len(name) + len(code) + 8)
    for line in more:
        say(f"{margin}{line}")
    for number, line in enumerate(_lines(row.do, room - 2) if row.do else ()):
        say(f"{margin}{arrow() if number == 0 else ' '} {strong(line)}")


def _below(row: Row, name: str, width: int) -> None:
    shape, short = mark(row.ending, word=False), shortened(name, width - len(row.code) - 6)
    say(f"{shape} {ends(short, row.code, width - 2) if sys.stdout.isatty() else f'{short}  {row.code}'}")
    paragraph(row.seen, indent=2)
    if row.do:
        advice(row.do)


def advice(text: str) -> None:
    """What to do, after an arrow."""
    for number, line in enumerate(_lines(text, columns() - 4)):
        say(f"  {arrow() if number == 0 else ' '} {strong(line)}")


def shell(word: str) -> str:
    """A word as a person types it into a shell: in quotes only where it needs them, and Vietnamese letters do not."""
    return word if _TYPED.fullmatch(word) else shlex.quote(word)


def one_line(name: str) -> str:
    """A name on one line."""
    return name.replace("\n", "\\u000a")


def shortened(path: str, width: int) -> str:
    """A path that lost folders in its middle when it is too long, never the file's name."""
    path = visible(path)
    parts = path.split("/")
    while cell_len("/".join(parts)) > width and len(parts) > 2:
        parts = [*parts[: len(parts) // 2], *parts[len(parts) // 2 + 1 :]]
    shown = "/".join(parts)
    return shown if shown == path else f"{parts[0]}/…/{parts[-1]}"
