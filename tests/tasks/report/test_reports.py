"""Writing reports: whole or not at all, only where something changed, and never at the cost of a run."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.aip import fixity
from tasks.config.home import Home
from tasks.premis.model import aip_id
from tasks.report import pages, runs
from tasks.report.places import aip_page, file_page, run_page
from tasks.report.shelf import NAME, shelf
from tasks.report.standing import standings
from tasks.sip.batch import batch
from tasks.sip.ingest import ingest
from tasks.sip.refusal import Refused
from tasks.store.ocfl import Store
from tests.tasks.premis.events import AIP
from tests.tasks.report.accounts import bad, good, stands
from tests.tasks.report.runs_made import ran
from tests.tasks.report.standings import policy


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").prepare()


def silent(told: str) -> None:
    raise AssertionError(told)


def read(home: Home, place: str) -> str:
    return (home.reports / place).read_text(encoding="utf-8")


def test_an_aip_gets_its_page_its_json_and_a_page_for_each_file_that_needs_a_person(tmp_path: Path, home: Home) -> None:
    law = policy(tmp_path)
    one = stands(tmp_path, law, ["a.pdf", "b.pdf"], [*bad(law, 1, "a.pdf"), *good(law, 3, "b.pdf")])
    pages.write(home, one, law, warn=silent)
    told = json.loads(read(home, aip_page(AIP).replace(".html", ".json")))
    assert (told["files"], told["ended"]["held"], told["worst"]) == (2, 1, "held")
    assert [(r["file"], r["page"]) for r in told["attention"]] == [("a.pdf", file_page(AIP, "a.pdf"))]
    assert [f["ended"] for f in told["list"]] == ["held", "done"]
    page, of_file = read(home, aip_page(AIP)), read(home, file_page(AIP, "a.pdf"))
    assert f'href="{file_page(AIP, "a.pdf")}"' in page
    assert f'href="../{aip_page(AIP)}"' in of_file
    assert [p.name for p in (home.reports / str(AIP)).iterdir()] == [Path(file_page(AIP, "a.pdf")).name]


def test_the_page_of_a_file_that_needs_nobody_any_more_is_removed_and_strange_files_stay(
    tmp_path: Path, home: Home
) -> None:
    law = policy(tmp_path)
    pages.write(home, stands(tmp_path, law, ["a.pdf"], bad(law, 1, "a.pdf")), law, warn=silent)
    (home.reports / str(AIP) / "mine.html").write_text("x")
    pages.write(home, stands(tmp_path, law, ["a.pdf"], good(law, 9, "a.pdf")), law, warn=silent)
    assert [p.name for p in (home.reports / str(AIP)).iterdir()] == ["mine.html"]


def test_a_report_that_would_come_out_the_same_is_left_as_it_is(tmp_path: Path, home: Home) -> None:
    law = policy(tmp_path)
    one, page = stands(tmp_path, law, ["b.pdf"], good(law, 3, "b.pdf")), home.reports / aip_page(AIP)
    pages.write(home, one, law, warn=silent)
    before = page.stat().st_ino
    pages.write(home, one, law, warn=silent)
    assert page.stat().st_ino == before
    pages.write(home, stands(tmp_path, law, ["b.pdf"], good(law, 3, "b.pdf")[:-1]), law, warn=silent)
    assert page.stat().st_ino != before
    page.unlink()
    pages.write(home, one, law, warn=silent)
    assert page.is_file()


def test_what_cannot_be_written_is_a_warning_and_leaves_nothing_half(tmp_path: Path, home: Home) -> None:
    law, told = policy(tmp_path), list[str]()
    shutil.rmtree(home.reports)
    home.reports.write_text("a file where the folder should be")
    one = stands(tmp_path, law, ["a.pdf"], bad(law, 1, "a.pdf"))
    pages.write(home, one, law, warn=told.append)
    pages.index(home, warn=told.append)
    pages.ran(home, ran(one.summary), warn=told.append)
    assert len(told) == 4  # an index goes with a run
    assert all("could not be written; the run goes on." in t for t in told)
    assert home.reports.read_text() == "a file where the folder should be"


def test_writing_leaves_no_temporary_file(tmp_path: Path, home: Home) -> None:
    law = policy(tmp_path)
    one = stands(tmp_path, law, ["a.pdf"], bad(law, 1, "a.pdf"))
    pages.write(home, one, law, warn=silent)
    pages.ran(home, done := ran(one.summary), warn=silent)
    found = {str(p.relative_to(home.reports)) for p in home.reports.rglob("*") if p.is_file()}
    pair = {aip_page(AIP), run_page(done.run)}
    wanted = pair | {p.replace(".html", ".json") for p in pair}
    assert found == wanted | {file_page(AIP, "a.pdf"), "index.html", NAME}


# --- the index -----------------------------------------------------------------------------------------------------


def test_the_index_says_how_every_aip_stands_newest_first_and_links_the_runs(tmp_path: Path, home: Home) -> None:
    law, other = policy(tmp_path), uuid.UUID(int=2)
    first = stands(tmp_path, law, ["a.pdf"], bad(law, 1, "a.pdf"), aip=uuid.UUID(int=1), batch="<lô> & 1")
    second = stands(tmp_path, law, ["b.pdf"], [], aip=other, batch="lô-2")
    for one in (first, second):
        pages.write(home, one, law, warn=silent)
    pages.ran(home, done := ran(first.summary), warn=silent)
    index = read(home, "index.html")
    for one in (first, second):
        assert f'href="{aip_page(one.ledger.id)}"' in index
    assert f'href="{run_page(done.run)}"' in index
    assert "&lt;lô&gt; &amp; 1" in index
    assert "1 file needs a person." in index
    assert [s.needing for s in sorted(shelf(home), key=lambda s: s.batch)] == [1, 0]


def test_the_index_reads_no_report_twice_and_forgets_those_that_are_gone(tmp_path: Path, home: Home) -> None:
    law = policy(tmp_path)
    for number in (1, 2):
        one = stands(tmp_path, law, ["a.pdf"], [], aip=uuid.UUID(int=number), batch=f"lô-{number}")
        pages.write(home, one, law, warn=silent)
    assert len(shelf(home)) == 2
    seen = home.reports / f"{uuid.UUID(int=1)}.json"
    stat = seen.stat()
    seen.write_text(" " * stat.st_size)  # nobody would find a row in it
    os.utime(seen, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert {s.batch for s in shelf(home)} == {"lô-1", "lô-2"}
    seen.unlink()
    assert {s.batch for s in shelf(home)} == {"lô-2"}


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"a": 1}', '{"x": {"row": {}, "stamp": []}}'])
def test_a_torn_list_of_the_index_is_made_anew(tmp_path: Path, home: Home, torn: str) -> None:
    law = policy(tmp_path)
    pages.write(home, stands(tmp_path, law, ["a.pdf"], []), law, warn=silent)
    (home.reports / NAME).write_text(torn)
    assert [s.batch for s in shelf(home)] == ["văn-bản-2003"]


def test_a_strange_file_among_the_reports_is_not_linked(tmp_path: Path, home: Home) -> None:
    (home.reports / "evil.json").write_text('{"batch": "evil"}')
    (home.reports / f"{uuid.UUID(int=9)}.json").write_text('{"batch": "evil"}')
    pages.index(home, warn=silent)
    assert "evil" not in read(home, "index.html")
    assert "There is no report yet." in read(home, "index.html")


# --- runs ----------------------------------------------------------------------------------------------------------


def test_the_report_of_a_run_says_how_it_ended_over_all_its_batches(tmp_path: Path, home: Home) -> None:
    law = policy(tmp_path)
    one = stands(tmp_path, law, ["a.pdf", "b.pdf"], [*bad(law, 1, "a.pdf"), *good(law, 3, "b.pdf")])
    pages.write(home, one, law, warn=silent)
    pages.ran(home, done := ran(one.summary, why="The archive ends early."), warn=silent)
    page, told = read(home, run_page(done.run)), json.loads(read(home, run_page(done.run).replace(".html", ".json")))
    for part in ("1 of 2 files is in good order.", "1 delivery is refused.", "The archive ends early.", "7 min 0 s"):
        assert part in page
    assert f'href="../{aip_page(AIP)}"' in page
    assert f'href="../{file_page(AIP, "a.pdf")}"' in page
    assert (told["kind"], told["reason"], told["needing"], told["seconds"]) == ("night", "delivered again", 1, 420.0)
    assert told["batches"][0]["report"] == aip_page(AIP)


def test_a_run_that_was_stopped_says_why_and_that_nothing_is_lost(home: Home) -> None:
    stopped = ran(state="Stopped", code="disk-full", message="The disk of /work is full.")
    pages.ran(home, stopped, warn=silent)
    page = read(home, run_page(stopped.run))
    assert page.index("The disk of /work is full.") < page.index("Nothing that was done is lost")
    assert "Free space, then start again" in page


def test_a_delivery_that_another_run_holds_is_not_called_refused(tmp_path: Path) -> None:
    law = policy(tmp_path)
    done = ran(stands(tmp_path, law, ["b.pdf"], good(law, 3, "b.pdf")).summary, message="1 of 1 in good order.")
    busy = replace(done, refused=(Refused("lô-2", "Another run holds it.", "store-busy"),))
    assert busy.verdict == "The only file is in good order."
    assert replace(busy, summaries=()).verdict == "1 of 1 in good order."
    bad_one = replace(busy, refused=(*busy.refused, Refused("lô-3", "No file.", "batch-unfit")))
    assert bad_one.verdict == "The only file is in good order. 1 delivery is refused."
    assert replace(bad_one, summaries=()).verdict == "1 delivery is refused."


def test_a_file_without_a_page_is_not_linked_from_a_run(tmp_path: Path, home: Home) -> None:
    law = policy(tmp_path)
    one = stands(tmp_path, law, ["a.pdf"], bad(law, 1, "a.pdf"))
    pages.ran(home, done := ran(one.summary), warn=silent)
    assert file_page(AIP, "a.pdf") not in read(home, run_page(done.run))


def test_the_last_night_and_the_last_that_went_through_are_found(tmp_path: Path, home: Home) -> None:
    assert (runs.last_night(home), runs.last_good_night(home), runs.runs(home, 9)) == (None, None, [])
    made = [
        ran(days=0, state="Needs a person"),
        ran(days=1, state="Stopped", code="disk-full", message="Full."),
        ran(days=2, kind="batch", state="Done"),
    ]
    for number, one in enumerate(made):
        pages.ran(home, one, warn=silent)
        path = home.reports / run_page(one.run).replace(".html", ".json")
        os.utime(path, ns=(number * 10**9, number * 10**9))
    (home.reports / "runs" / "torn.json").write_text("{")
    night, whole = runs.last_night(home), runs.last_good_night(home)
    assert night is not None
    assert (night.code, night.whole) == ("disk-full", False)
    assert whole is not None
    assert (whole.state, whole.started) == ("Needs a person", "2026-11-21T19:00:00+00:00")
    assert [r.kind for r in runs.runs(home, 2)] == ["batch", "night"]


# --- verification --------------------------------------------------------------------------------------------------


def test_a_verification_writes_the_report_of_a_damaged_aip_and_of_one_that_is_mended(home: Home) -> None:
    folder = home.inbox / "lô-1"
    folder.mkdir(parents=True)
    (folder / "1.txt").write_text("one")
    store, aip = Store(home.store), aip_id("lô-1")
    ingest(batch(folder), home, store, uuid.uuid4())
    pages.verified(home, [aip], set(), warn=silent)  # it had none
    page = home.reports / aip_page(aip)
    before = page.stat().st_ino
    pages.verified(home, [aip], set(), warn=silent)
    assert page.stat().st_ino == before  # nothing changed
    original = next(store.object_path(aip).rglob("1.txt"))
    original.chmod(0o644)
    for content, alarm in ((b"0ne", True), (b"one", False)):
        original.write_bytes(content)
        found = fixity.check(aip, "lô-1", home, uuid.uuid4(), lambda: None)
        assert bool(found.alarms) is alarm
        pages.verified(home, [aip], {aip} if found.alarms else set(), warn=silent)
        assert ("ALARM: 1 AIP is not as stored." in read(home, aip_page(aip))) is alarm
        assert [s.alarm for s in shelf(home)] == [alarm]


def test_an_aip_that_is_gone_has_a_report_that_says_so(home: Home) -> None:
    folder = home.inbox / "lô-1"
    folder.mkdir(parents=True)
    (folder / "1.txt").write_text("one")
    store, aip = Store(home.store), aip_id("lô-1")
    ingest(batch(folder), home, store, uuid.uuid4())
    shutil.rmtree(store.object_path(aip))
    pages.verified(home, [aip], {aip}, warn=silent)
    page = read(home, aip_page(aip))
    assert "ALARM: 1 AIP is not as stored." in page
    assert "safe in AIP" not in page
    assert "lô-1" in page


def test_the_report_of_a_real_aip_tells_what_the_log_has(home: Home, tmp_path: Path) -> None:
    folder = home.inbox / "lô-1"
    folder.mkdir(parents=True)
    (folder / "1.txt").write_text("one")
    ingest(batch(folder), home, Store(home.store), uuid.uuid4())
    law = policy(tmp_path)
    (one,) = standings(home, [aip_id("lô-1")], law)
    pages.write(home, replace(one), law, warn=silent)
    told = json.loads(read(home, aip_page(aip_id("lô-1")).replace(".html", ".json")))
    assert told["bytes"]["originals"] == 3
    assert {"name": "Perenne", "version": told["stamp"]["made_by"].split()[1], "kind": "software"} in told["agents"]
    assert told["waiting"][0]["file"] == "1.txt"
