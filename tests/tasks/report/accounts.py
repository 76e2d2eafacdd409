"""AIPs as the pages see them, made by hand; and a reader of pages that knows what is wrong with HTML."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

from tasks.aip.ledger import About, Known, Ledger
from tasks.config.home import Home
from tasks.policy.rules import Policy
from tasks.premis.model import Ending, Event, EventType, Identification, Outcome
from tasks.report import pages
from tasks.report.account import Account
from tasks.report.html import aip as html
from tasks.report.standing import Stands
from tasks.report.summary import summarize
from tasks.store.reader import Entry
from tests.tasks.premis.events import AIP, event, master
from tests.tasks.report.standings import SHA256, ended

WHEN = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)
VOID = {"meta", "link", "img", "wbr", "br"}


def stands(
    tmp_path: Path,
    law: Policy,
    files: Sequence[str],
    events: Iterable[Event],
    *,
    aip: uuid.UUID = AIP,
    batch: str = "văn-bản-2003",
) -> Stands:
    """An AIP that stores these files, all of them fmt/18, and what these events made of them."""
    told = tuple(events)
    made = [o.path for e in told for o in e.objects if o.role == "outcome"]
    content = tmp_path / "content"
    content.write_bytes(b"x" * 61)
    state = {path: Entry("cd" * 64, SHA256, content) for path in (*(f"originals/{f}" for f in files), *made)}
    known = {
        f"originals/{f}": Known(Identification("fmt/18", "Acrobat PDF 1.4", "1.4", release="V125"), {}) for f in files
    }
    ledger = Ledger(aip, About(batch), 2, state, told)
    return Stands(ledger, known, summarize(ledger, known, law, "", None))


def good(law: Policy, number: int, file: str) -> list[Event]:
    """A file that is done: its check, and both its rules."""
    made = (master(f"masters/{file}/paper.pdf", SHA256),)
    one = ended(law, number, file, "paper", Ending.DONE, "same", detail={"target": "PDF/A-2b"})
    check = event(
        number, f"originals/{file}", kind=EventType.VALIDATION, detail={"check": "pdfa"}, rule="paper", asked=one.asked
    )
    two = ended(law, number, file, "words", Ending.KEPT, "kept-by-rule", detail={"because": "b", "format": "f"})
    return [check, replace(one, objects=(*one.objects, *made)), two]


def bad(law: Policy, number: int, file: str, code: str = "text-lost", **detail: str) -> list[Event]:
    """A file that is held by its first rule, the second is done."""
    given = detail or {"lost": "3", "total": "61"}
    word = Ending.FAILED if code.startswith("tool-") else Ending.HELD
    two = ended(law, number, file, "words", Ending.KEPT, "kept-by-rule", detail={"because": "b", "format": "f"})
    return [ended(law, number, file, "paper", word, code, detail=given), two]


def account(tmp_path: Path, one: Stands, law: Policy) -> Account:
    """What the pages tell of it."""
    return pages.gather(Home(tmp_path / "home"), one, law)


def page(tmp_path: Path, one: Stands, law: Policy) -> str:
    """Its page."""
    return html.page(account(tmp_path, one, law), {}, root="/srv/perenne", when=WHEN)


def refused(number: int, code: str = "bag-mismatch", **detail: str) -> Event:
    """A delivery that was refused as a whole."""
    told = event(number, "x", kind=EventType.INGESTION, outcome=Outcome.FAIL, code=code, rule="", detail=detail)
    return replace(told, objects=())


class Read(HTMLParser):
    """Reads a page: tags, attributes, text, and every fault of its structure."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.faults: list[str] = []
        if not page.startswith("<!doctype html>\n<html "):
            self.faults.append("no doctype")
        self.feed(page)
        self.close()
        self.faults += [f"<{tag}> is left open" for tag in self.open]
        self._names()

    @property
    def text(self) -> str:
        """All that is to be read."""
        return " ".join(" ".join(self.texts).split())

    def ids(self) -> list[str]:
        """Every id."""
        return [value for _, name, value in self.attributes if name == "id"]

    def links(self) -> list[str]:
        """Every href of an anchor."""
        return [value for tag, name, value in self.attributes if name == "href" and tag == "a"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        given = dict(attrs)
        if len(set(names)) < len(names):
            self.faults.append(f"<{tag}> says something twice")
        if self.open and self.open[-1] == "p" and tag in ("p", "div", "ul", "ol", "dl", "table", "pre", "section"):
            self.faults.append(f"<{tag}> inside <p>")
        if self.open and self.open[-1] in ("ul", "ol") and tag != "li":
            self.faults.append(f"<{tag}> inside a list")
        if self.open and self.open[-1] == "tr" and tag not in ("th", "td"):
            self.faults.append(f"<{tag}> inside a row")
        if tag == "a" and "a" in self.open:
            self.faults.append("a link inside a link")
        if tag == "img" and not given.get("alt"):
            self.faults.append("a picture without words")
        if tag == "th" and given.get("scope") not in ("row", "col"):
            self.faults.append("a head of nothing")
        if "table" in self.open and tag == "td" and not given.get("data-name"):
            self.faults.append("a cell without a name")
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> does not close {self.open[-1:]}")
        else:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "title"):
            self.texts.append(data)

    def _names(self) -> None:
        ids = self.ids()
        self.faults += [f"id {name} twice" for name in set(ids) if ids.count(name) > 1]
        wanted = [v for _, name, v in self.attributes if name == "aria-labelledby"]
        wanted += [v[1:] for _, name, v in self.attributes if name == "href" and v.startswith("#")]
        shapes = set(re.findall(r"s-[a-z]+", " ".join(ids)))
        self.faults += [f"nothing is called {name}" for name in wanted if name not in ids and name not in shapes]
        heads = [int(tag[1]) for tag in self.tags if re.fullmatch(r"h[1-6]", tag)]
        if heads.count(1) != 1 or heads[0] != 1:
            self.faults.append(f"heads {heads}")
        self.faults += [f"h{b} after h{a}" for a, b in itertools.pairwise(heads) if b > a + 1]
