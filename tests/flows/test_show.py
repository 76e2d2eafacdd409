"""What the terminal shows: names are escaped and shortened, plain terminals get ASCII, nothing is lost."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from flows.command import result, show
from tasks.config.home import Home
from tasks.premis.model import Ending
from tasks.sip.refusal import Refused
from tests.tasks.report.standings import row, summary


class Screen(io.TextIOWrapper):
    """A terminal or pipe with an encoding of its own."""

    def __init__(self, encoding: str, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def text(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)


def screen(monkeypatch: pytest.MonkeyPatch, encoding: str = "utf-8", *, terminal: bool = False) -> Screen:
    one = Screen(encoding, terminal=terminal)
    monkeypatch.setattr(sys, "stdout", one)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return one


@pytest.mark.parametrize(
    ("path", "width", "shown"),
    [
        ("báo-cáo/quý-1.doc", 60, "báo-cáo/quý-1.doc"),
        ("a/b/c/d/very-long-name.pdf", 20, "a/…/very-long-name.pdf"),
        ("a-single-name-that-is-much-too-long.pdf", 10, "a-single-name-that-is-much-too-long.pdf"),
        ("folder/a-name-that-is-too-long.pdf", 10, "folder/a-name-that-is-too-long.pdf"),
        ("one/two/three/file.pdf", 16, "one/…/file.pdf"),
    ],
)
def test_a_long_path_loses_folders_in_its_middle_and_never_the_name(path: str, width: int, shown: str) -> None:
    assert show.shortened(path, width) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\nb", "a\\u000ab"), ("\x1b[2Jx", "\\u001b[2Jx"), ("\u202egpj.exe", "\\u202egpj.exe"), ("a\tb", "a\\u0009b")],
)
def test_a_name_cannot_steer_the_terminal(name: str, shown: str) -> None:
    assert show.shortened(name, 80) == shown


def test_what_the_locale_cannot_show_is_escaped_and_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    out = screen(monkeypatch, "ascii")
    show.say("quý-1 → x")
    assert out.text() == "qu\\xfd-1 \\u2192 x\n"


@pytest.mark.parametrize(("encoding", "good"), [("utf-8", True), ("UTF8", True), ("ascii", False), ("latin-1", False)])
def test_only_utf8_gets_shapes_beyond_ascii(monkeypatch: pytest.MonkeyPatch, encoding: str, good: bool) -> None:
    screen(monkeypatch, encoding)
    assert show.unicode_ok() is good


@pytest.mark.parametrize("ending", list(Ending))
def test_without_utf8_the_shape_is_ascii_and_the_word_stays(monkeypatch: pytest.MonkeyPatch, ending: Ending) -> None:
    screen(monkeypatch, "ascii")
    assert show.mark(ending).isascii()
    assert show.mark(ending).split()[1] == ending.value


def test_a_terminal_gets_colour_on_shape_and_word(monkeypatch: pytest.MonkeyPatch) -> None:
    screen(monkeypatch, terminal=True)
    assert show.mark(Ending.HELD) == "\x1b[33m◆ held   \x1b[0m"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_is_left_out_where_it_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    screen(monkeypatch, terminal=True)
    monkeypatch.setenv(name, value)
    assert show.mark(Ending.HELD) == "◆ held   "


def test_a_pipe_gets_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    screen(monkeypatch)
    assert "\x1b" not in show.mark(Ending.FAILED)


def test_a_fault_has_what_was_seen_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    out = screen(monkeypatch)
    one = row("a.pdf", Ending.FAILED, "source-damaged", what="it ends early")
    show.fault(one, one.file)
    assert out.text() == (
        "✕ a.pdf  source-damaged\n"
        "  The file is damaged: it ends early. No complete master can be made from it.\n"
        "  → Ask the producer for a new copy; deliver it under the same name.\n"
    )


@pytest.mark.parametrize("columns", [120, 140])
def test_on_a_wide_terminal_all_faults_stand_in_the_same_columns(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    out = screen(monkeypatch, terminal=True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    rows = [
        row("a.pdf", Ending.FAILED, "source-damaged", what="it ends early"),
        row("hợp-đồng/hợp-đồng-2011.pdf", Ending.HELD, "source-encrypted"),
    ]
    show.faults([(one, one.file) for one in rows])
    lines = out.text().splitlines()
    assert max(map(len, lines)) <= columns
    assert {line.index(said) for line in lines for said in ("The file", "→") if said in line} == {50}
    assert lines[0].startswith(f"✕ {'a.pdf':26}   {'source-damaged':16}   The file is damaged: it ends early.")


@pytest.mark.parametrize("columns", [80, 140])
def test_a_faults_name_begins_no_line_and_no_colour_on_any_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    out = screen(monkeypatch, terminal=True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    one = row("a\n\x1b[31mb.pdf", Ending.FAILED, "source-damaged", what="it ends early")
    show.faults([(one, one.file)])
    assert "\x1b" not in out.text()
    assert out.text().startswith("✕ a\\u000a\\u001b[31mb.pdf ")


def test_where_names_leave_the_words_no_room_all_faults_have_them_below(monkeypatch: pytest.MonkeyPatch) -> None:
    out = screen(monkeypatch, terminal=True)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    rows = [
        row("a.pdf", Ending.FAILED, "source-damaged", what="it ends early"),
        row("x" * 60 + ".pdf", Ending.HELD, "source-encrypted"),
    ]
    show.faults([(one, one.file) for one in rows])
    lines = out.text().splitlines()
    assert len([line for line in lines if line.startswith("  The file")]) == 2
    assert lines[0] == f"✕ a.pdf{'source-damaged':>113}"


def test_a_fault_without_utf8_is_ascii_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    out = screen(monkeypatch, "ascii")
    one = row("quý.pdf", Ending.FAILED, "source-damaged", what="it ends early")
    show.fault(one, one.file)
    first, _, advice = out.text().splitlines()
    assert first == "x qu\\xfd.pdf  source-damaged"
    assert advice == "  -> Ask the producer for a new copy; deliver it under the same name."


def test_the_end_of_a_run_names_verdict_numbers_trouble_and_where_to_look(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = screen(monkeypatch)
    one = summary(files=3, done=2, held=1, attention=(row("a.pdf"),))
    result.result(Home(tmp_path), [one], worked=True, seconds=112)
    lines = out.text().splitlines()
    assert lines[0].startswith("2 of 3 files are in good order. 1 needs a person.")
    assert lines[0].endswith("1 min 52 s")
    assert any(line.startswith("✓ done") and " 2 " in line for line in lines)
    assert any(line.startswith("◆ a.pdf") for line in lines)
    assert any(line.startswith("Originals ") for line in lines)
    assert any(line.startswith("Report ") and f"{one.aip}.html" in line for line in lines)
    assert lines[-1].startswith("Look ")


def test_what_was_refused_beside_what_was_taken_is_told_with_its_code_and_its_faults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    faults = "\n".join(f"fault {n}" for n in range(18))
    refused = [Refused("lô-hỏng", f"The bag is none.\n{faults}", "bag-invalid")]
    refused += [Refused(f"lô-{n}", "It holds no file.", "batch-unfit", known=True) for n in range(11)]
    for worked in (True, False):
        out = screen(monkeypatch)
        result.result(Home(tmp_path), [summary(done=1)], refused, worked=worked, seconds=1)
        assert "✕ lô-hỏng  bag-invalid\n  The bag is none.\n  fault 0\n" in out.text()
        assert "  fault 8\n  and 9 more: perenne run --json\n" in out.text()
        assert "✕ lô-0  batch-unfit (still)\n" in out.text()
        assert "and 2 more: perenne status\n" in out.text()


def test_a_run_without_work_says_since_when_all_is_settled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out = screen(monkeypatch)
    result.result(Home(tmp_path), [summary(files=3, done=2, held=1)], worked=False, seconds=1)
    first, second = out.text().splitlines()
    assert first.startswith("Nothing to do: văn-bản-2003 is settled since 2")
    assert second == "No new version, no new master. 1 file needs a person. Look: perenne status văn-bản-2003"


def test_a_batch_with_an_alarm_is_never_called_settled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out = screen(monkeypatch)
    damaged = replace(summary(files=3, done=3, attention=(row("v1/content/a"),)), alarm=True)
    result.result(Home(tmp_path), [damaged, summary(batch="lô-2", done=1)], worked=False, seconds=1)
    assert "văn-bản-2003 is settled" not in out.text()
    assert "Nothing to do: lô-2 is settled" in out.text()
    assert "◆ văn-bản-2003/v1/content/a  text-lost\n" in out.text()
    assert "No new version, no new master. ALARM: 1 AIP is not as stored. Look: perenne status " in out.text()


def test_at_most_ten_faults_are_shown_and_the_rest_is_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out = screen(monkeypatch)
    rows = tuple(row(f"{n}.pdf") for n in range(14))
    result.result(Home(tmp_path), [summary(files=14, held=14, attention=rows)], worked=True, seconds=1)
    assert out.text().count("text-lost") == 10
    assert "and 4 more: perenne status " in out.text()


def test_a_json_answer_keeps_vietnamese_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    out = screen(monkeypatch)
    show.answer({"batch": "văn-bản"})
    assert json.loads(out.text()) == {"batch": "văn-bản"}
    assert "văn-bản" in out.text()


def test_no_line_of_a_french_sentence_begins_with_its_colon(monkeypatch: pytest.MonkeyPatch) -> None:
    out = screen(monkeypatch, terminal=True)
    monkeypatch.setenv("COLUMNS", "60")
    show.paragraph(f"{'a' * 54} mots : fin « oui »")
    assert out.text().splitlines() == ["a" * 54, "mots : fin « oui »"]


@pytest.mark.parametrize(("columns", "gap"), [(80, 3), (64, 2), (60, 1)])
def test_a_table_stays_within_the_terminal_as_long_as_one_space_is_between_its_columns(
    monkeypatch: pytest.MonkeyPatch, columns: int, gap: int
) -> None:
    screen(monkeypatch, terminal=True)
    monkeypatch.setenv("COLUMNS", str(columns))
    head, body = show.table(["lot", "fichiers", "quand"], [["a" * 32, "13", "1 déc. 2026 à 10 h"]])
    assert body == (" " * gap).join(["a" * 32, "      13", "1 déc. 2026 à 10 h"])
    assert len(body) + 2 <= columns or gap == 1
    assert len(head) == len(body)
