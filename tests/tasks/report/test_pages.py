"""The pages: hostile names are shown and not obeyed, nothing can be loaded or run, and each language is whole."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.premis.model import Agent, Ending, EventType, Outcome
from tasks.report.html import aip as html
from tasks.report.html import file as file_html
from tasks.report.html import index as index_html
from tasks.report.html import run as run_html
from tasks.report.html.frame import STYLE, command, quoted
from tasks.report.html.needs import CARDS, ROWS, Need, next_command
from tasks.report.pictures import Pair, Picture
from tasks.report.places import file_page
from tasks.report.shelf import Shelved
from tasks.words import LANGUAGES, Language, spoken
from tasks.words.catalogue import catalogue
from tests.tasks.premis.events import AIP, event
from tests.tasks.report.accounts import WHEN, Read, account, bad, good, page, stands
from tests.tasks.report.runs_made import ran
from tests.tasks.report.standings import policy, row

HOSTILE = [
    "<script>alert(1)</script>.pdf",
    '"><img src=x onerror=alert(1)>',
    "a&amp;b<b>.doc",
    "'; DROP TABLE files; --",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "$(reboot) `reboot`.pdf",
]


def every(tmp_path: Path, name: str = "a.pdf", batch: str = "văn-bản-2003") -> dict[str, str]:
    """One page of every kind, each with a file of that name that needs a person."""
    law = policy(tmp_path)
    one = stands(tmp_path, law, [name, "b.pdf"], [*bad(law, 1, name), *good(law, 3, "b.pdf")], batch=batch)
    told = account(tmp_path, one, law)
    shelved = Shelved(str(AIP), batch, 2, 2, 1, 1, 0, alarm=False, written="2026-11-22T02:05:00+00:00", worst="held")
    done = ran(one.summary, why="x", batch=batch, message="")
    return {
        "aip": html.page(told, {}, root="/srv/a b/perenne", when=WHEN),
        "file": file_html.page(told, told.stories[0], None, review="/r", when=WHEN),
        "run": run_html.page(done, there=lambda place: True, when=WHEN),
        "index": index_html.page([shelved], [], when=WHEN),
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_wherever_it_stands(tmp_path: Path, name: str) -> None:
    for kind, told in every(tmp_path, name, batch=name).items():
        seen = Read(told)
        assert seen.faults == [], kind
        assert not {"script", "img", "iframe", "form"} & set(seen.tags), kind
        assert not [key for _, key, _ in seen.attributes if key.startswith("on")], kind
        assert name.rpartition("/")[2] in seen.text, kind


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb.pdf", "a\\u000ab.pdf"),
        ("\u202efdp.exe", "\\u202efdp.exe"),
        ("a\x1b[31m.pdf", "a\\u001b[31m.pdf"),
        ("a\x00.pdf", "a\\u0000.pdf"),
        ("a\u00a0b.pdf", "a\\u00a0b.pdf"),
        ("\ud800.pdf", "\\ud800.pdf"),
    ],
)
def test_control_letters_are_shown_and_not_obeyed(tmp_path: Path, name: str, shown: str) -> None:
    for kind, told in every(tmp_path, name, batch=name).items():
        assert f">{shown}</bdi>" in told, kind
        assert name not in told, kind


def test_vietnamese_names_stand_as_they_are_apart_from_the_text_around(tmp_path: Path) -> None:
    told = every(tmp_path, "báo-cáo/quý-3.doc")["aip"]
    assert '<bdi class="path" translate="no">báo-cáo/quý-3.doc</bdi>' in told


@pytest.mark.parametrize("kind", ["aip", "file", "run", "index"])
def test_a_page_forbids_scripts_and_loading_and_has_none(tmp_path: Path, kind: str) -> None:
    told = every(tmp_path)[kind]
    (rule,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', told)
    assert "default-src &#x27;none&#x27;" in rule
    assert "script" not in rule
    seen = Read(told)
    assert "script" not in seen.tags
    assert not {"src", "background", "action", "srcset"} & {key for _, key, _ in seen.attributes}
    assert "@import" not in told
    assert "url(" not in told
    assert not re.search(r"(href|src)=.?(https?:)?//", told)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_page_is_sound_html_in_the_language_in_force(tmp_path: Path, lang: Language) -> None:
    with spoken(lang):
        told = every(tmp_path)
    english = [forms[1] for key, row in catalogue().items() if key.startswith("page-") for forms in [row["en"]]]
    long = [form for form in english if len(form) > 12 and "{" not in form]
    for kind, text in told.items():
        seen = Read(text)
        assert seen.faults == [], kind
        assert f'<html lang="{lang}">' in text
        if lang != "en":
            assert [form for form in long if form in seen.text] == [], kind


def test_a_page_with_a_fault_is_found_out_by_the_reader_of_these_tests() -> None:
    wrong = '<!doctype html>\n<html lang="en"><h2 id="a"></h2><p><div id="a"></div></p><img><table><tr><td></td></tr>'
    faults = " ".join(Read(wrong).faults)
    for fault in ("heads", "<div> inside <p>", "id a twice", "without words", "without a name", "left open"):
        assert fault in faults


def test_verdict_then_safety_then_what_needs_a_person_then_the_rest(tmp_path: Path) -> None:
    law = policy(tmp_path)
    one = stands(tmp_path, law, ["a.pdf", "b.pdf"], [*bad(law, 1, "a.pdf"), *good(law, 3, "b.pdf")])
    text = Read(page(tmp_path, one, law)).text
    order = [
        "1 of 2 files is in good order. 1 needs a person.",
        "All 2 originals are safe in AIP",
        "What needs a person",
        "3 of 61 words of the source are missing or wrong in the product.",
        "Compare both documents.",
        "Formats, before and after",
        "How it was done",
        "Check it yourself",
        "All 2 files",
    ]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_a_page_without_trouble_has_no_section_of_trouble(tmp_path: Path) -> None:
    law = policy(tmp_path)
    text = Read(page(tmp_path, stands(tmp_path, law, ["b.pdf"], good(law, 3, "b.pdf")), law)).text
    assert "The only file is in good order." in text
    for part in ("What needs a person", "Notes, when you have time", "Waits for the next run"):
        assert part not in text


def test_a_file_tells_before_and_after_and_what_was_checked(tmp_path: Path) -> None:
    law = policy(tmp_path)
    one = stands(tmp_path, law, ["b.pdf"], good(law, 3, "b.pdf"))
    text = Read(page(tmp_path, one, law)).text
    assert "b.pdf Acrobat PDF 1.4 → becomes PDF/A-2b valid PDF/A" in text
    assert "61 B of originals" in text
    assert "LibreOffice 7.4.7.2" in text
    assert "paper keep 1 A first rule." in text


def test_every_shape_stands_beside_its_word(tmp_path: Path) -> None:
    for told in every(tmp_path).values():
        for found in re.finditer(r'<use href="#s-(\w+)"></use></svg>(<span class="vh">)?(\w*)', told):
            assert found[3], told[found.start() - 200 : found.end() + 50]


def test_cards_then_rows_then_a_count_with_the_command(tmp_path: Path) -> None:
    law, names = policy(tmp_path), [f"{n:04}.pdf" for n in range(CARDS + ROWS + 7)]
    events = [e for n, name in enumerate(names) for e in bad(law, n, name)]
    told = page(tmp_path, stands(tmp_path, law, names, events), law)
    need = told.partition('id="h-need"')[2].partition("</section>")[0]
    assert need.count("<article") == CARDS
    assert need.count("<tr>") == ROWS + 1
    assert "And 7 more:" in need
    assert f"perenne status {shlex.quote('văn-bản-2003')}" in need.replace("&#x27;", "'")


def test_more_than_a_thousand_files_are_told_by_folder(tmp_path: Path) -> None:
    law, names = policy(tmp_path), [f"f{n % 7}/{n}.pdf" for n in range(1001)]
    told = page(tmp_path, stands(tmp_path, law, names, []), law)
    assert told.count("<bdi") < 20 + ROWS + CARDS
    assert "1,001 files, by folder" in told
    assert ">f6/</bdi>" in told


def test_an_alarm_stands_first_and_no_original_is_called_safe(tmp_path: Path) -> None:
    law = policy(tmp_path)
    rot = event(
        9, "x", kind=EventType.FIXITY, outcome=Outcome.FAIL, code="fixity-broken", rule="",
        detail={"path": "v1/content/originals/b.pdf"},
    )  # fmt: skip
    one = stands(tmp_path, law, ["b.pdf"], [*good(law, 3, "b.pdf"), replace(rot, objects=())])
    text = Read(page(tmp_path, one, law)).text
    assert text.index("ALARM: 1 AIP is not as stored.") < text.index("What needs a person")
    assert "safe in AIP" not in text
    assert "nothing in an earlier one was changed" not in text
    assert "a master is published" not in text
    assert "v1/content/originals/b.pdf" in text
    assert "perenne verify" in text


def test_the_page_of_a_file_tells_its_events_oldest_first_with_agents_and_figures(tmp_path: Path) -> None:
    law = policy(tmp_path)
    came = event(
        0, "originals/a.pdf", kind=EventType.INGESTION, rule="", agents=(Agent("Perenne", "0.1.0"),)
    )  # fmt: skip
    one = stands(tmp_path, law, ["a.pdf"], [came, *bad(law, 1, "a.pdf")])
    told = account(tmp_path, one, law)
    text = Read(file_html.page(told, told.stories[0], None, review="/r", when=WHEN)).text
    order = [
        "Copied into the store, read back",
        "similarity 0.998",
        "Perenne 0.1.0",
        "3 of 61 words",
        "LibreOffice 7.4",
    ]
    after = text[text.index("What was done, in order") :]
    places = [after.index(part) for part in order]
    assert places == sorted(places)
    assert "abababab" in text.replace(" ", "")


def test_pictures_stand_side_by_side_with_words_for_those_who_do_not_see_them(tmp_path: Path) -> None:
    law = policy(tmp_path)
    told = account(tmp_path, stands(tmp_path, law, ["a.pdf"], bad(law, 1, "a.pdf")), law)
    drawn = Picture(b"png", 446, 632, 3, 18)
    text = html.page(told, {told.stories[0].row: Pair(None, drawn)}, root="/", when=WHEN)
    assert '<img src="data:image/png;base64,cG5n" alt="Product, page 3 of 18" width="446" height="632">' in text
    assert "No picture can be drawn of it." in text
    assert Read(text).faults == []


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (row("a.pdf", Ending.FAILED, "source-damaged", what="x"), ["perenne", "run", "/in/lô"]),
        (row("a.pdf", Ending.FAILED, "tool-crash", tool="x"), ["reprocess", "--which", "failed", "--path", "a.pdf"]),
        (row("a.pdf", Ending.HELD, "text-lost"), ["reprocess", "--which", "held", "--path", "a.pdf"]),
        (row("a.pdf", Ending.FAILED, "fixity-broken", path="a"), ["perenne", "verify", "lô"]),
        (row("a.pdf", Ending.WAITING, "tool-timeout"), ["perenne", "run"]),
    ],
)
def test_the_command_belongs_to_what_is_to_be_done(one: object, words: list[str]) -> None:
    told = next_command(Need(one, "lô", "/in/lô"))  # type: ignore[arg-type]
    assert [word for word in words if word not in told] == []


@pytest.mark.parametrize("name", [*HOSTILE, "it's.pdf", "a\nb\t'\\.pdf", "\u202efdp.exe", "a b", "-rf"])
def test_a_name_in_a_command_is_one_word_for_the_shell(name: str) -> None:
    made = quoted(name)
    assert made.isprintable()
    found = subprocess.run(
        ["bash", "-c", f"printf %s {made}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    ).stdout
    assert found.decode() == name
    assert "<script" not in command("perenne", name)


def test_pages_of_files_are_told_apart_and_their_names_are_plain() -> None:
    places = {file_page(AIP, name) for name in [*HOSTILE, "a/b", "a_b", "A/b"]}
    assert len(places) == len(HOSTILE) + 3
    assert all(re.fullmatch(rf"{AIP}/[0-9a-f]{{16}}\.html", place) for place in places)


# --- contrast ------------------------------------------------------------------------------------------------------


def colours(style: str) -> dict[str, str]:
    """The custom properties of one :root."""
    return dict(re.findall(r"--([a-z]+):(#[0-9a-f]{3,6})", style))


def light(hex_: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    full = hex_[1:] if len(hex_) == 7 else "".join(c * 2 for c in hex_[1:])
    parts = [int(full[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio."""
    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_text_has_a_contrast_of_at_least_four_and_a_half_to_one_on_every_ground() -> None:
    assert round(contrast("#000", "#ffffff"), 1) == 21.0
    bright, dark, printed = (colours(root) for root in re.findall(r":root\{([^}]*)\}", STYLE))
    assert set(bright) - set(dark) == set()
    assert bright["paper"] != dark["paper"]
    grounds, lines = {"paper", "wash"}, {"line"}
    for name, scheme in {"light": bright, "dark": dark, "print": bright | printed}.items():
        texts = set(scheme) - grounds - lines
        assert len(texts) == 8
        low = {
            (name, text, ground): round(contrast(scheme[text], scheme[ground]), 2)
            for text, ground in itertools.product(sorted(texts), sorted(grounds))
            if contrast(scheme[text], scheme[ground]) < 4.5
        }
        assert low == {}


def test_no_colour_is_written_into_a_page_outside_of_the_properties() -> None:
    rest = re.sub(r":root\{[^}]*\}", "", STYLE)
    assert re.findall(r"#[0-9a-f]{3,8}\b(?=[;} ])", rest) == ["#fff"]  # the paper under a picture
