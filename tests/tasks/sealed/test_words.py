from __future__ import annotations

from pathlib import Path

import pytest

from tasks.premis.model import Trouble
from tasks.sealed.words import compare, missing, words
from tests.tasks.sealed import paper
from tests.tasks.sealed.office import files
from tests.tasks.sealed.office.files import paragraph, run


def test_words_are_letters_and_digits_in_one_form() -> None:
    assert words(["Điều 3.\u00ad – ﬁn_d Việt", "Vie\u0323\u0302t"]) == ["điều", "3", "fin", "d", "việt", "việt"]


def test_every_occurrence_needs_one_of_its_own() -> None:
    found = missing(["to be or not to be"], ["to be or not"])
    assert dict(found.lost) == {"to": 1, "be": 1}


def test_a_word_that_the_page_cuts_is_found_by_its_neighbours() -> None:
    assert not missing(["an important matter"], ["an impor-\ntant mat ter"]).lost


def test_a_word_is_not_found_inside_a_stranger() -> None:
    assert dict(missing(["the art of war"], ["the of war", "party"]).lost) == {"art": 1}


def test_what_a_cell_has_no_room_for_is_clipped_and_not_lost() -> None:
    found = missing(["Provinces in China", "gone"], ["Provinces"], sheet=True)
    assert dict(found.clipped) == {"in": 1, "china": 1}
    assert dict(found.lost) == {"gone": 1}
    assert missing(["Provinces in China"], ["Provinces"]).lost.total() == 2


def test_a_document_and_its_page_are_compared(tmp_path: Path) -> None:
    source = files.docx(tmp_path / "a.docx", paragraph(run("été one two"), run("unseen", "<w:vanish/>")))
    found = compare(str(source), str(paper.pdf(tmp_path / "a.pdf", ["one two"])))
    assert (found["total"], found["lost"], found["accented"], found["accented_lost"]) == (3, 1, 1, 1)
    assert (found["hidden"], found["kind"], found["words"]) == (1, "document", ["été"])


def test_legacy_letters_are_counted_as_wrong_words(tmp_path: Path) -> None:
    shown = "Tr\xad\xeang h\xeep \xae\xad\xeec h\xad\xebng \xad\xabu \xae\xb7i "
    source = files.docx(tmp_path / "a.docx", paragraph(run(shown * 5)))
    found = compare(str(source), str(paper.pdf(tmp_path / "a.pdf", [shown * 5])))
    assert found["legacy"] > 10  # type: ignore[operator]


def test_a_source_that_cannot_be_read_is_told_and_not_taken_for_empty(tmp_path: Path) -> None:
    (tmp_path / "a.wpd").write_bytes(b"\xffWPC" + bytes(100))
    assert compare(str(tmp_path / "a.wpd"), "none.pdf") == {"unread": "no independent reader for this format"}


def test_a_product_that_is_no_pdf_is_missing(tmp_path: Path) -> None:
    source = files.docx(tmp_path / "a.docx", paragraph(run("x")))
    (tmp_path / "a.pdf").write_bytes(b"nothing")
    with pytest.raises(Trouble) as caught:
        compare(str(source), str(tmp_path / "a.pdf"))
    assert caught.value.code == "product-missing"
