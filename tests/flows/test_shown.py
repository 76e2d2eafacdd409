"""What a run leaves on its page: the summary, the table, the line of its progress, and the code it carries."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prefect.exceptions import FailedRun
from prefect.states import Completed, Failed

from flows.ingest import _state
from flows.ui import artifacts, live, states
from flows.ui.markdown import Account, Inbox, markdown
from tasks.aip.past import Because
from tasks.aip.progress import Stage
from tasks.premis.model import Ending
from tasks.report.places import file_page
from tasks.report.planned import because
from tasks.report.summary import Row
from tasks.sip.refusal import Refused
from tasks.words import LANGUAGES, spoken
from tests.tasks.report.standings import summary

NEW = Refused("mới", "It holds no file.", "batch-unfit")
OLD = Refused("cũ", "It holds no file.", "batch-unfit", known=True)
BUSY = Refused("bận", "Another run works on it.", "store-busy")
FULL = Refused("đầy", "The store is full.", "disk-full")


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with spoken("en"):
        yield


def row(file: str, *, new: bool = True, code: str = "text-lost") -> Row:
    return Row(file, Ending.HELD, code, {}, stored=True, new=new, rule="r", time="2026-11-22T02:05:00+00:00")


def account(*summaries: object, refused: tuple[Refused, ...] = (), inbox: Inbox | None = None) -> Account:
    return Account(
        tuple(summaries),  # type: ignore[arg-type]
        refused,
        inbox or Inbox(),
        night=True,
        policy="default-7",
        seconds=112,
        reports="http://127.0.0.1:4201",
        page="runs/1.html",
    )


def test_the_summary_names_what_a_night_left_in_the_inbox() -> None:
    told = markdown(account(summary(files=2, done=2), inbox=Inbox(("đang-ghi",), ("ghi_chú.txt",))))
    assert "- **đang-ghi**: waits" in told
    assert "- **ghi\\_chú.txt**: not taken" in told
    assert "In the inbox" not in markdown(account(summary(files=2, done=2)))


def test_new_matters_stand_above_the_numbers_and_older_ones_below() -> None:
    one = replace(summary(files=3, done=1, held=2), attention=(row("cũ.doc", new=False), row("mới.doc")))
    told = markdown(account(one, refused=(OLD, NEW)))
    order = ["**✕ mới**", "mới.doc", "| ✓ done |", "Older matters", "**✕ cũ**", "cũ.doc"]
    places = [told.index(part) for part in order]
    assert places == sorted(places)
    assert told.startswith("## 1 of 3 files")
    assert told.count("Older matters") == 1
    assert "[Open the report of this run](http://127.0.0.1:4201/runs/1.html)" in told


def test_the_table_begins_with_what_is_new_and_its_first_columns_say_what_to_do() -> None:
    one = replace(summary(files=3, done=1, held=2), attention=(row("cũ.doc", new=False), row("mới.doc")))
    found = artifacts.table(account(one, refused=(OLD, NEW)))
    assert [r["file"] for r in found] == ["mới", "cũ", "mới.doc", "cũ.doc"]
    assert list(found[0]) == ["file", "code", "do", "seen", "report"]
    assert found[2]["code"] == "◆ text-lost"
    assert all(r["do"] for r in found)
    assert found[2]["report"].startswith("http://127.0.0.1:4201/")


def test_a_file_leads_to_its_own_page_where_it_has_one(tmp_path: Path) -> None:
    one = replace(summary(files=2, held=2), attention=(row("có.doc"), row("không.doc")), new=2)
    own = file_page(one.aip, "có.doc")
    (tmp_path / own).parent.mkdir()
    (tmp_path / own).touch()
    told = replace(account(one), folder=tmp_path)
    places = [f"http://127.0.0.1:4201/{own}", f"http://127.0.0.1:4201/{one.aip}.html"]
    assert [r["report"] for r in artifacts.table(told)] == places
    assert all(f"]({place})" in markdown(told) for place in places)


def test_a_card_begins_with_the_news() -> None:
    one = account(replace(summary(files=3, done=2, held=1), attention=(row("mới.doc"),), new=1), refused=(NEW,))
    red = Failed(name="Needs a person", message="a long sentence about a delivery, and another one")
    assert artifacts.description(red, one)[:45] == "1 delivery is refused. 1 of 3 needs a person:"
    assert "summary" not in artifacts.description(red, one)
    green = Completed(name="Done", message="2 of 2 in good order.")
    said = artifacts.description(green, account(summary(files=2, done=2), inbox=Inbox(("một", "hai"))))
    assert said == "2 of 2 in good order. 2 batches wait in the inbox."


def test_a_producers_name_does_not_become_a_link_in_the_summary() -> None:
    bad = replace(summary(files=1, held=1), attention=(row("](http://elsewhere)\n# x"),))
    told = markdown(account(bad))
    assert re.findall(r"(?<!\\)\]\(http://elsewhere", told) == []
    assert "elsewhere" in told
    assert "\n# x" not in told


def test_a_name_is_shown_as_it_is_in_text_and_in_a_link_of_which_prefect_shows_the_letters_as_written() -> None:
    bad = replace(summary(files=1, held=1), attention=(row("mật_khẩu (1) #2.pdf"), row("a](x)|`b.pdf")))
    told = markdown(account(bad, refused=(replace(NEW, batch="lô_1 (2)"),)))
    assert "**[mật_khẩu (1) #2.pdf](http://127.0.0.1:4201/" in told
    assert "**[a\\](x)\\|\\`b.pdf](http://127.0.0.1:4201/" in told
    assert "**✕ lô\\_1 \\(2\\)**" in told


def test_an_ingest_that_refused_some_did_its_work_and_counts_them_and_only_the_machine_stops_it() -> None:
    refused = _state([], [NEW], night=True)
    assert (refused.is_completed(), refused.name) == (True, "1 refused")
    assert "mới: batch-unfit: It holds no file." in (refused.message or "")
    assert _state([], [OLD], night=True).name == "Nothing to do"
    assert _state([], [OLD, NEW], night=False).name == "2 refused"
    assert _state([], [BUSY], night=True).name == "Nothing to do"
    busy = _state([], [BUSY], night=False)
    assert (busy.name, states.code_of(busy)) == ("Stopped", "store-busy")
    full = _state([], [NEW, FULL], night=True)
    assert (full.name, states.code_of(full)) == ("Stopped", "disk-full")


def test_a_night_tells_what_is_new_first_and_counts_what_is_older() -> None:
    one = replace(summary(batch="mới", files=3, done=1, held=2), new=1)
    two = summary(batch="cũ", files=2, done=1, held=1)
    told = states.finished((one, two), worked=True, night=True)
    said = "1 new file needs a person: 1 in mới. 2 older matters still need a person. 2 of 5 in good order."
    assert (told.name, told.message) == ("Needs a person", said)
    by_name = states.finished((one,), worked=True)
    assert by_name.message == "2 of 3 need a person: 2 held. Open the artifact “summary”."


def test_a_part_of_a_run_is_green_and_counts_what_the_run_above_it_is_red_for() -> None:
    red = states.finished((summary(files=3, done=1, held=2),), worked=True, data=("x",))
    part = states.counted(red, {"done": 1, "held": 2, "failed": 0})
    assert (part.is_completed(), part.name, states.data_of(part)) == (True, "1 done, 2 held", ("x",))
    stopped = states.stopped("full", "disk-full")
    assert states.counted(stopped, {"done": 1}) is stopped


def test_the_trace_of_a_red_end_is_kept_out_of_the_log_and_no_other() -> None:
    log = logging.getLogger("prefect.flow_runs")
    assert not log.filter(logging.LogRecord("x", 40, "", 1, "m", (), (FailedRun, FailedRun(), None)))
    assert log.filter(logging.LogRecord("x", 40, "", 1, "m", (), (ValueError, ValueError(), None)))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_code_of_a_stopped_run_is_carried_whatever_language_its_message_is_in(lang: object) -> None:
    with spoken(lang):  # type: ignore[arg-type]
        stopped = states.stopped("Kho đã đầy: còn 0 B", "disk-full", (NEW,))
        assert states.code_of(stopped) == "disk-full"
        assert states.data_of(stopped) == (NEW,)
        assert states.code_of(states.onward(stopped, "x")) == "disk-full"
        assert states.code_of(states.also(stopped, Inbox())) == "disk-full"
        assert states.put_down("").name == states.PUT_DOWN == "Put down"
    assert states.code_of(states.stopped("disk-full: only words")) == ""


def stage(name: str, files: int, done: int, *, over: bool = False, seconds: float = 10.0) -> Stage:
    return Stage(name, files, done, {}, seconds, over)


def test_the_line_shows_the_work_while_it_goes_on_and_how_long_it_took_at_its_end() -> None:
    ingest, identify = stage("ingest", 3, 1), stage("identify", 60, 0)
    work, done = stage("normalize", 60, 30), stage("normalize", 60, 60, over=True, seconds=112)
    assert live.now([]) is None
    assert live.now([stage("normalize", 0, 0)]) is None
    assert live.told(live.now([ingest]) or ingest) == "ingest: 1 of 3, about 20 s left"
    assert live.now([replace(ingest, over=True), identify]) == identify
    assert live.now([replace(ingest, over=True), identify, work]) == work
    assert live.told(work) == "30 of 60 files, about 10 s left"
    assert live.now([done, stage("package", 2, 2, over=True)]) == done
    assert live.told(done) == "60 of 60 files, 1 min 52 s"


def test_every_reason_of_a_plan_has_its_words() -> None:
    assert len({because(reason) for reason in Because}) == len(Because)
