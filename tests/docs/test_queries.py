"""Every query of docs/queries.md is run by DuckDB on a log made here, and must give the rows that it promises."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from tasks.premis import log
from tasks.premis.model import Agent, AgentKind, Ending, Event, EventType, Outcome
from tests.tasks.premis.events import AIP, RUN, START, event, master

PAGE = Path(__file__).parents[2] / "docs" / "queries.md"
QUARTER = "originals/báo-cáo/quý-3.doc"
STORES = "originals/báo-cáo/kho.pdf"
LATER_RUN = uuid.UUID(int=RUN.int + 1)
LATER = START + timedelta(days=1)
PIKEPDF = Agent("pikepdf", "10.18.0")
PERSON = Agent("an archivist", "", AgentKind.PERSON)
MADE, SECOND = master("masters/quý-3/doc-2u.pdf"), master("masters/kho/pdf-2u.pdf", "ef" * 32)


def queries() -> list[tuple[str, str]]:
    """The page's queries, each with the heading it stands under; the view is the first."""
    found: list[tuple[str, str]] = []
    heading = ""
    for line, block in re.findall(
        r"^## ([^\n]+)$|^```sql\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        heading = line or heading
        if block:
            found.append((heading, block))
    return found


def first_night() -> list[Event]:
    return [
        event(1, QUARTER, kind=EventType.INGESTION, rule=""),
        event(2, QUARTER, products=(MADE,), ending=Ending.DONE, code="same", agents=(PIKEPDF, PERSON)),
        event(3, STORES, rule="pdf-2u", ending=Ending.WAITING, outcome=Outcome.FAIL, code="tool-timeout"),
        event(4, "originals/hđ.pdf", rule="pdf-2u", ending=Ending.HELD, outcome=Outcome.FAIL, code="source-encrypted"),
    ]


def second_night() -> list[Event]:
    damaged = {"what": "48 of 213 kB can be read"}
    return [
        event(5, STORES, rule="pdf-2u", products=(SECOND,), ending=Ending.DONE, outcome=Outcome.WARNING,
              code="fonts-replaced", agents=(Agent("pikepdf", "10.17.0"),), run=LATER_RUN, time=LATER),
        event(6, "originals/x.pdf", rule="pdf-2u", ending=Ending.FAILED, outcome=Outcome.FAIL, code="source-damaged",
              detail=damaged, run=LATER_RUN, time=LATER + timedelta(seconds=1)),
    ]  # fmt: skip


EXPECTED = {
    "What went wrong in the last run": [
        [("originals/x.pdf", "failed", "source-damaged", '{"what":"48 of 213 kB can be read"}')]
    ],
    "The history of one file": [
        [
            (START + timedelta(seconds=1), "ingestion", "success", None, None, ["LibreOffice 7.4.7.2"]),
            (
                START + timedelta(seconds=2),
                "normalization",
                "success",
                "done",
                "same",
                ["pikepdf 10.18.0", "an archivist "],
            ),
        ],
        [
            (START + timedelta(seconds=1), "ingestion", "success"),
            (START + timedelta(seconds=2), "normalization", "success"),
        ],
    ],
    "Everything made by one version of a tool": [[(MADE.path, MADE.sha256, AIP, START + timedelta(seconds=2))]],
    "Masters by rule": [[("doc-2u", 1, 0), ("pdf-2u", 1, 1)]],
    "Files that need a person": [
        [
            (AIP, "originals/hđ.pdf", "pdf-2u", "held", "source-encrypted", START + timedelta(seconds=4)),
            (AIP, "originals/x.pdf", "pdf-2u", "failed", "source-damaged", LATER + timedelta(seconds=1)),
        ]
    ],
    "How long each tool worked": [
        [("LibreOffice", "7.4.7.2", 4, 98), ("pikepdf", "10.17.0", 1, 35), ("pikepdf", "10.18.0", 1, 14)]
    ],
}


@pytest.fixture
def duck(tmp_path, monkeypatch):
    """DuckDB with the page's view, in a log of a sealed day (one of its parts still there) and an open one."""
    part = log.append(first_night(), tmp_path, name="normalize-0001")
    left_over = part.read_bytes()
    log.compact(tmp_path, START.date())
    part.parent.mkdir()
    part.write_bytes(left_over)  # as if power had failed before the part was removed
    log.append(second_night(), tmp_path, name="normalize-0001")
    monkeypatch.chdir(tmp_path)
    with duckdb.connect() as connection:
        connection.execute(queries()[0][1])
        yield connection


def test_the_view_holds_each_event_once(duck):
    assert duck.execute("select count(*), count(distinct event_id) from events").fetchall() == [(6, 6)]


@pytest.mark.parametrize("heading", EXPECTED)
def test_the_query_gives_the_rows_it_promises(duck, heading):
    answers = [duck.execute(block).fetchall() for under, block in queries()[1:] if under == heading]
    assert answers == EXPECTED[heading]


def test_every_query_of_the_page_is_tested():
    assert queries()[0][0] == "The view"
    assert {heading for heading, _ in queries()[1:]} == EXPECTED.keys()
