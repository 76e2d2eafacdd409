from __future__ import annotations

import re

import pytest

from tasks.premis import codes
from tasks.premis.model import Ending, Outcome
from tasks.words import LANGUAGES, Language, spoken
from tests.tasks.premis.events import event

ROW = """
[text-lost]
word = "held"
premis = "fail"
en = ["{lost} of {total} words are missing.", "Compare."]
vi = ["{lost} trong {total} từ bị mất.", "So."]
fr = ["{lost} mots sur {total} manquent.", "Comparez."]
"""


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", codes.CODES)
def test_every_code_says_something_in_every_language_with_and_without_details(name, lang):
    full = dict.fromkeys(codes.code(name).holes, "X")
    with spoken(lang):
        assert "?" not in codes.message(name, full)
        assert "{" not in codes.message(name, {})
        assert "{" not in codes.advice(name, {})


@pytest.mark.parametrize("name", [c.code for c in codes.CODES.values() if c.word in ("held", "failed", "waiting")])
def test_whatever_did_not_go_well_comes_with_advice(name):
    assert all(codes.code(name).text(lang).advice for lang in LANGUAGES)


def test_details_fill_the_message_and_a_missing_one_shows_a_question_mark():
    assert codes.message("text-lost", {"lost": "3", "more": "x"}).startswith("3 of ? words")
    assert codes.message("tool-crash", {"tool": "{evil.__class__}", "signal": "%s"}).startswith(
        "{evil.__class__} broke"
    )


def test_an_unknown_code_is_a_mistake_of_the_caller():
    with pytest.raises(KeyError):
        codes.code("no-such-code")


def test_the_words_and_flags_of_the_face_are_in_force():
    assert codes.code("source-changing").stored is False
    assert {c.code for c in codes.CODES.values() if c.transient} == {
        "tool-timeout", "source-changing", "store-busy", "tool-missing", "product-lost",
    }  # fmt: skip
    assert codes.code("scan-low-confidence").premis is Outcome.WARNING


def test_a_code_ends_as_its_word_and_a_note_as_what_it_stands_beside():
    assert codes.ending("source-encrypted") is Ending.HELD
    assert codes.ending("already-valid") is Ending.KEPT
    assert codes.ending("no-rule") is Ending.KEPT
    assert codes.ending("fonts-replaced", noted=Ending.DONE) is Ending.DONE


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('word = "held"', 'word = "hold"', "word is one of"),
        ('premis = "fail"', 'premis = "failure"', "failure"),
        ('premis = "fail"', 'premis = "success"', "held cannot be success"),
        ('word = "held"\n', "", "missing: word"),
        ('word = "held"', 'word = "held"\ntransient = true', "waiting is transient"),
        ('word = "held"', 'word = "waiting"', "waiting is transient"),
        ('word = "held"', 'word = "held"\nstored = "no"', "stored must be a bool"),
        ('word = "held"', 'word = "held"\ncolour = "red"', "unknown: colour"),
        ('"So."', '"So {this}."', "same holes"),
        ("{lost} trong", "{lost!r} trong", "plain name"),
        ("{lost} of", "{0} of", "plain name"),
        ("{lost} of", "{lost.x} of", "plain name"),
        ("{lost} of", "{lost of", "row"),
        ('["{lost} of {total} words are missing.", "Compare."]', '["x"]', "message, advice"),
        ('["{lost} of {total} words are missing.", "Compare."]', '["", ""]', "empty"),
        ("[text-lost]", "[Text_Lost]", "lower-case"),
        ("[text-lost]", "[text-lost", "codes:"),
        ("[text-lost]", "stray = 1\n[text-lost]", "a code is a table"),
    ],
)
def test_a_broken_row_is_refused_at_load_and_named(old, new, says):
    assert ROW.count(old) >= 1
    with pytest.raises(codes.CodesError, match="codes:") as caught:
        codes.load(ROW.replace(old, new, 1))
    assert says in str(caught.value) or says == "row"


def test_worst_comes_first():
    def end(path, code, ending, outcome=Outcome.FAIL, **detail):
        return event(1, path=path, code=code, ending=ending, outcome=outcome, detail=detail)

    in_order = [
        end("z", "fixity-broken", Ending.FAILED),
        end("y", "bag-mismatch", Ending.FAILED),
        end("a", "source-damaged", Ending.FAILED),
        end("b", "pdfa-invalid", Ending.FAILED),
        end("z", "source-encrypted", Ending.HELD),
        end("b", "text-lost", Ending.HELD, lost="612", total="1,004"),
        end("a", "text-lost", Ending.HELD, lost="3", total="1,004"),
        end("c", "text-lost", Ending.HELD, lost="3", total="1,004"),
        end("a", "pages-differ", Ending.HELD, before="4", after="2"),
        end("a", "parts-lost", Ending.HELD, lost="1", total="7"),
        end("b", "look-differs", Ending.HELD, score="0.61"),
        end("a", "look-differs", Ending.HELD, score="0.97"),
        end("a", "scan-low-confidence", Ending.HELD, share="12%"),
        end("b", "scan-low-confidence", Ending.HELD, share="61%"),
        end("a", "tool-timeout", Ending.WAITING),
        end("a", "fonts-replaced", Ending.DONE, Outcome.WARNING),
        end("a", "same", Ending.DONE, Outcome.SUCCESS),
        end("b", "kept-by-rule", Ending.KEPT, Outcome.SUCCESS),
    ]
    mixed = [*in_order[9:], *in_order[:9]]
    assert sorted(mixed, key=codes.worst_first) == in_order


@pytest.mark.parametrize(("lang", "most"), [("en", 15), ("fr", 15), ("vi", 22)])
def test_no_sentence_is_longer_than_people_read_at_once(lang: Language, most: int) -> None:
    long = [
        f"{code.code}: {sentence}"
        for code in codes.CODES.values()
        for text in code.text(lang)
        for sentence in re.split(r"(?<=[.])\s+", text)
        if len([word for word in sentence.split() if re.search(r"\w", word)]) > most  # of Vietnamese the syllables
    ]
    assert long == []


def test_vietnamese_texts_speak_of_the_matter_and_to_nobody() -> None:
    you = re.compile(r"\b([Bb]ạn|anh chị|quý vị)\b")
    assert [code.code for code in codes.CODES.values() if you.search(" ".join(code.vi))] == []
