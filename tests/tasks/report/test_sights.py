"""Which files lie behind a row of a report, and which page of them tells source and product apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.aip.ledger import About, Ledger
from tasks.config.home import Home
from tasks.premis.model import Ending, EventType, Outcome
from tasks.report import summary
from tasks.report.sights import Sight, sights
from tasks.store.reader import Entry
from tests.tasks.premis.events import AIP, event, master
from tests.tasks.report import standings

TEXT_LOST = {"lost": "3", "total": "9"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def waiting(home: Home, number: int = 0) -> Path:
    return home.review / str(AIP) / f"{number:064x}"


def test_a_held_row_has_its_original_the_product_in_review_and_the_page_of_the_event(home: Home) -> None:
    found, rows = standings.held(home, ["a.pdf", "thư/b.pdf"])
    assert list(sights(home, found, rows)) == [
        (rows[0], Sight(home.root / "a.pdf", waiting(home, 0), 3)),
        (rows[1], Sight(home.root / "thư/b.pdf", waiting(home, 1), 3)),
    ]


@pytest.mark.parametrize(
    ("code", "detail", "page"),
    [
        ("text-lost", TEXT_LOST, None),
        ("pages-differ", {"before": "3", "after": "2"}, None),
        ("pages-differ", {"before": "3 (page 2: 595 x 842 pt)", "after": "3 (page 2: 612 x 792 pt)"}, 2),
        ("look-differs", {"page": "12", "areas": "?", "score": "unknown"}, 12),
        ("look-differs", {"page": "0", "areas": "1", "score": "0"}, None),
        ("look-differs", {"page": "-1", "areas": "1", "score": "0"}, None),
        ("look-differs", {"page": "9" * 400, "areas": "1", "score": "0"}, None),
        ("look-differs", {"page": "٣", "areas": "1", "score": "0"}, None),
    ],
)
def test_a_page_is_taken_from_the_event_where_it_names_one(
    home: Home, code: str, detail: Mapping[str, str], page: int | None
) -> None:
    found, rows = standings.held(home, ["a.pdf"], code=code, detail=detail)
    assert [sight.page for _, sight in sights(home, found, rows)] == [page]


def test_of_several_checks_that_refused_a_file_the_product_of_the_one_that_the_row_tells_of_counts(home: Home) -> None:
    found, rows = standings.held(home, ["a.pdf"])
    other = event(
        0, "originals/a.pdf", kind=EventType.VALIDATION, outcome=Outcome.FAIL, code="text-lost", rule="paper",
        products=(master("masters/a.pdf/paper-2.pdf", f"{7:064x}"),),
    )  # fmt: skip
    waiting(home, 7).write_bytes(b"%PDF-")
    both = replace(found, events=(other, *found.events))
    assert [sight.product for _, sight in sights(home, both, rows)] == [waiting(home, 0)]


def test_a_product_that_is_no_longer_in_review_or_is_no_file_is_not_shown(home: Home) -> None:
    found, rows = standings.held(home, ["a.pdf", "b.pdf"])
    waiting(home, 0).unlink()
    waiting(home, 1).unlink()
    waiting(home, 1).mkdir()
    assert list(sights(home, found, rows)) == []


def test_an_original_that_has_changed_since_is_not_shown_beside_an_old_product(home: Home) -> None:
    found, rows = standings.held(home, ["a.pdf", "b.pdf"])
    changed = {path: replace(entry, sha256="ee" * 32) for path, entry in found.state.items() if "a.pdf" in path}
    assert list(sights(home, replace(found, state=changed), rows)) == []


def test_a_row_of_another_time_or_rule_has_nothing_to_see(home: Home) -> None:
    found, (row,) = standings.held(home, ["a.pdf"])
    for other in (replace(row, time="2001-01-01T00:00:00+00:00"), replace(row, rule="words"), replace(row, rule="")):
        assert list(sights(home, found, [other])) == []


@pytest.mark.parametrize(
    ("ending", "made", "expected"),
    [
        (Ending.DONE, master("masters/a.tif/tiff.tif", "11" * 32), "master"),
        (Ending.DONE, master("masters/a.tif/tiff.tif", "22" * 32), ""),  # superseded
        (Ending.DONE, master("transcripts/a.tif/tiff.txt", "33" * 32), ""),
        (Ending.KEPT, master("masters/a.tif/tiff.tif", "11" * 32), ""),
        (Ending.FAILED, master("masters/a.tif/tiff.tif", "11" * 32), ""),
    ],
)
def test_a_done_row_has_the_master_that_the_head_holds(home: Home, ending: Ending, made, expected: str) -> None:
    paths = {
        "originals/a.tif": ("original", standings.SHA256),
        "masters/a.tif/tiff.tif": ("master", "11" * 32),
        "transcripts/a.tif/tiff.txt": ("transcript", "33" * 32),
    }
    state = {path: Entry("cd" * 64, sha256, home.root / name) for path, (name, sha256) in paths.items()}
    last = event(1, "originals/a.tif", code="same", ending=ending, rule="tiff", products=(made,))
    found = list(sights(home, Ledger(AIP, About("b"), 2, state, (last,)), [summary.row(last, None)]))
    assert [sight for _, sight in found] == (
        [Sight(home.root / "original", home.root / expected, 1)] if expected else []
    )
