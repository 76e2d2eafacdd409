"""Writes the reports: pages and JSON of AIPs, of single files, of runs, and the index. Made anew, never edited.

A report is a view. One that cannot be written costs a warning and not the run: the log and the store have it all.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tasks.config.home import Home
from tasks.policy.load import find, load
from tasks.policy.rules import Policy
from tasks.report import data, runs
from tasks.report.account import Account, account
from tasks.report.html import aip as aip_html
from tasks.report.html import file as file_html
from tasks.report.html import index as index_html
from tasks.report.html import run as run_html
from tasks.report.pictures import Album, Pair
from tasks.report.places import INDEX, aip_page, file_page, run_page
from tasks.report.ran import Ran
from tasks.report.shelf import shelf
from tasks.report.shelf import write as put
from tasks.report.standing import Stands, standings
from tasks.report.summary import Row, Summary
from tasks.words import text

FILE_PAGES = 200
"""So many files of an AIP get a page of their own; the rest are counted, with the command that shows them."""
_FILE_PAGE = re.compile(r"[0-9a-f]{16}\.html")

Warn = Callable[[str], object]
"""Takes the sentence that a report could not be written: the log of the run."""


def write(home: Home, stands: Stands, policy: Policy, *, warn: Warn, album: Album | None = None) -> None:
    """The report of one AIP, and the pages of its files that need a person, unless they stand there already."""
    with harmless(warn, stands.summary.batch):
        pictured = album is not None
        if _stands_there(home, stands.summary, policy, pictured=pictured):
            return
        one = gather(home, stands, policy)
        pictures = album.pairs(stands.ledger, one.summary.attention) if album is not None else {}
        _write(home, one, pictures, pictured=pictured)


def gather(home: Home, stands: Stands, policy: Policy) -> Account:
    """What the pages of one AIP tell."""
    languages = stands.ledger.about.languages or home.settings().languages
    return account(stands.ledger, stands.known, policy, languages, stands.summary, FILE_PAGES)


def index(home: Home, *, warn: Warn) -> None:
    """The first page: every AIP that has a report, and the last runs. Reads only the reports that changed."""
    with harmless(warn, INDEX):
        home.reports.mkdir(parents=True, exist_ok=True)
        made = index_html.page(shelf(home), runs.runs(home, index_html.RUNS), when=datetime.now(UTC))
        put(home.reports / INDEX, made)


def ran(home: Home, one: Ran, *, warn: Warn) -> None:
    """The report of a run that is over, however it ended; then the index, which names it."""
    with harmless(warn, f"run {one.run}"):
        page = home.reports / run_page(one.run)
        put(page, run_html.page(one, there=lambda place: (home.reports / place).is_file(), when=datetime.now(UTC)))
        put(page.with_suffix(".json"), _json(one.as_json()))
    index(home, warn=warn)


def verified(home: Home, aips: Iterable[UUID], bad: Collection[UUID], *, warn: Warn) -> None:
    """After `aips` were read: the reports of the `bad` ones anew, of those that were bad before, and missing ones.

    By the policy of the settings, as `status` judges. The others stay as they are: nothing about them has changed.
    """
    wanted: list[UUID] = []
    with harmless(warn, "verify"):
        policy = load(find(home.settings().policy, home))
        wanted += [aip for aip in aips if aip in bad or (_there(home, aip) or {"alarm": True}).get("alarm")]
        for stands in standings(home, wanted, policy):
            write(home, stands, policy, warn=warn)
    if wanted:
        index(home, warn=warn)


@contextlib.contextmanager
def harmless(warn: Warn, what: str) -> Iterator[None]:
    """Whatever goes wrong inside is a warning: no report is worth a run."""
    try:
        yield
    except Exception as error:
        warn(text("page-not-written", what=what, why=f"{type(error).__name__}: {error}"))


def _write(home: Home, one: Account, pictures: Mapping[Row, Pair], *, pictured: bool) -> None:
    aip, when = one.summary.aip, datetime.now(UTC)
    page, review = home.reports / aip_page(aip), str(home.review / str(aip))
    written = set()
    for story in one.stories:
        place = home.reports / file_page(aip, story.row.file)
        put(place, file_html.page(one, story, pictures.get(story.row), review=review, when=when))
        written.add(place.name)
    put(page, aip_html.page(one, pictures, root=str(home.root), when=when))
    # Last, since it says what the pages were made from: a run that is killed before makes them again.
    put(page.with_suffix(".json"), _json(data.aip_json(one, when=when, pictured=pictured)))
    _clear(home, aip, written)


def _clear(home: Home, aip: UUID, written: Collection[str]) -> None:
    """Remove the pages of files that need nobody any more."""
    folder = home.reports / str(aip)
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if _FILE_PAGE.fullmatch(path.name) and path.name not in written:
            path.unlink(missing_ok=True)


def _stands_there(home: Home, summary: Summary, policy: Policy, *, pictured: bool) -> bool:
    """Whether the report would come out as it is; one with pictures is as good as one without."""
    page = home.reports / aip_page(summary.aip)
    if summary.alarm or not page.is_file() or (found := _there(home, summary.aip)) is None:
        return False
    return found.get("stamp") in [data.stamp(summary, policy, pictured=with_) for with_ in (pictured, True)]


def _there(home: Home, aip: UUID) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((home.reports / aip_page(aip)).with_suffix(".json").read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else None
    return None


def _json(told: Mapping[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"
