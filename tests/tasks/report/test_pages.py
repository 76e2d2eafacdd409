"""The report of one AIP: hostile names are shown and not obeyed, and the page can load and run nothing."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tasks.config.home import Home
from tasks.premis.model import Ending
from tasks.report import pages
from tests.tasks.report.standings import policy, row, summary

HOSTILE = [
    "<script>alert(1)</script>.pdf",
    '"><img src=x onerror=alert(1)>',
    "a&amp;b<b>.doc",
    "'; DROP TABLE files; --",
    "</title><script>alert(1)</script>",
]


class Tags(HTMLParser):
    """Gathers tags, attributes and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    return tags


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_wherever_it_stands(tmp_path: Path, name: str) -> None:
    one = row(name, code="name-unsafe", name=name)
    page = pages.page(
        summary(batch=name, files=2, done=1, held=1, attention=(one,), notes=(row(name, Ending.DONE, "no-rule"),)),
        policy(tmp_path),
    )
    seen = read(page)
    assert not {"script", "img", "b>"} & set(seen.tags)
    assert not [key for key, _ in seen.attributes if key.startswith("on")]
    assert "".join(seen.text).count(name) >= 4


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb.pdf", "a\\u000ab.pdf"),
        ("\u202efdp.exe", "\\u202efdp.exe"),
        ("a\x1b[31m.pdf", "a\\u001b[31m.pdf"),
        ("a\x00.pdf", "a\\u0000.pdf"),
    ],
)
def test_control_letters_are_shown_and_not_obeyed(tmp_path: Path, name: str, shown: str) -> None:
    page = pages.page(summary(held=1, attention=(row(name),)), policy(tmp_path))
    assert f"<bdi>{shown}</bdi>" in page
    assert name not in page


def test_vietnamese_names_stand_as_they_are(tmp_path: Path) -> None:
    page = pages.page(summary(held=1, attention=(row("báo-cáo/quý-3.doc"),)), policy(tmp_path))
    assert "<bdi>báo-cáo/quý-3.doc</bdi>" in page


def test_the_page_forbids_scripts_and_loading_and_has_none(tmp_path: Path) -> None:
    page = pages.page(summary(held=1, attention=(row("a.pdf"),)), policy(tmp_path))
    (rule,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert "default-src 'none'" in rule
    assert "script" not in rule
    seen = read(page)
    assert "script" not in seen.tags
    assert not {"src", "background", "action"} & {key for key, _ in seen.attributes}
    assert "@import" not in page
    assert "url(" not in page


def test_the_verdict_stands_first_and_every_row_has_shape_and_word(tmp_path: Path) -> None:
    page = pages.page(summary(files=3, done=2, held=1, attention=(row("a.pdf"),)), policy(tmp_path))
    assert page.index("2 of 3 files are in good order.") < page.index("What needs a person")
    assert "◆ held" in page
    assert "✓ done" in page


def test_a_page_without_trouble_has_no_section_of_trouble(tmp_path: Path) -> None:
    page = pages.page(summary(files=2, done=2), policy(tmp_path))
    assert "What needs a person" not in page
    assert "Worth knowing" not in page


def test_many_rows_end_in_a_count(tmp_path: Path) -> None:
    rows = tuple(row(f"{n}.pdf") for n in range(pages.ROWS + 5))
    page = pages.page(summary(files=len(rows), held=len(rows), attention=rows), policy(tmp_path))
    assert page.count("<bdi>") == pages.ROWS
    assert "and 5 more" in page


def test_the_index_links_every_report_that_is_there_also_those_of_earlier_runs(tmp_path: Path) -> None:
    law, home = policy(tmp_path), Home(tmp_path / "home")
    first = replace(summary(batch="<lô> & 1", done=1), aip=uuid.UUID(int=1))
    second = replace(summary(batch="lô-2", files=2, held=2), aip=uuid.UUID(int=2))
    for one in (first, second):
        pages.write(home, one, law)
        pages.index(home, [one])
    index = (home.reports / "index.html").read_text(encoding="utf-8")
    assert f'href="{first.aip}.html"' in index
    assert f'href="{second.aip}.html"' in index
    assert "&lt;lô&gt; &amp; 1" in index
    assert "<lô>" not in index


def test_a_strange_file_among_the_reports_is_not_linked(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.reports.mkdir(parents=True)
    (home.reports / "evil.html").write_text("<title>x</title>", encoding="utf-8")
    pages.index(home, [summary(done=1)])
    assert "evil" not in (home.reports / "index.html").read_text(encoding="utf-8")


def test_writing_leaves_no_temporary_file(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    written = [pages.write(home, summary(done=1), policy(tmp_path)), pages.index(home, [summary(done=1)])]
    assert sorted(home.reports.iterdir()) == sorted(written)
