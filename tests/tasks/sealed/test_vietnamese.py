from __future__ import annotations

import unicodedata

import pytest

from tasks.sealed import vietnamese

TEXT = "Căn cứ Nghị định số 115 của Chính phủ về việc hướng dẫn thực hiện, giếng nước và kỹ thuật được giữ gìn"
LETTERS = "áàảãạăắằẳẵặâấầẩẫậéèẻẽẹêếềểễệíìỉĩịóòỏõọôốồổỗộơớờởỡợúùủũụưứừửữựýỳỷỹỵđ"
LEGACY = ("tcvn3", "viscii", "vps", "vni")


def with_its_tone_behind(letter: str) -> str:
    marks = unicodedata.normalize("NFD", letter)
    tones = "".join(m for m in marks if m in "\u0300\u0301\u0303\u0309\u0323")
    return unicodedata.normalize("NFC", "".join(m for m in marks if m not in tones)) + tones


def encode(text: str, encoding: str) -> bytes:
    """By the table turned round; letters without a code stay as they are."""
    if encoding == "cp1258":
        return "".join(map(with_its_tone_behind, text)).encode("cp1258")
    entries = (e.split("=", 1) for e in vietnamese._data()[encoding]["letters"].split())
    codes = {letter: bytes.fromhex(code) for code, letter in reversed(list(entries))}
    return b"".join(codes.get(c) or c.encode("ascii") for c in text)


@pytest.mark.parametrize("encoding", LEGACY)
def test_every_small_letter_comes_back(encoding: str) -> None:
    assert vietnamese.decode(encode(LETTERS, encoding), encoding) == LETTERS


def test_known_bytes_of_the_standards_are_known_letters() -> None:
    assert vietnamese.decode(b"Tr\xad\xeang h\xeep", "tcvn3") == "Trường hợp"
    assert vietnamese.decode(b"Vi\xaet Nam", "viscii") == "Việt Nam"
    assert vietnamese.decode(b"Co\xe4ng ho\xf8a", "vni") == "Cộng hòa"
    assert vietnamese.decode("Vi\u1ec7t".encode("utf-8").replace(b"\xe1\xbb\x87", b"\xea\xf2"), "cp1258") == "Việt"


@pytest.mark.parametrize("encoding", [*LEGACY, "cp1258"])
def test_the_right_table_scores_best(encoding: str) -> None:
    data = encode(TEXT, encoding)
    scores = {e: vietnamese.score(vietnamese.decode(data, e))[0] for e in vietnamese.ENCODINGS}
    assert max(scores, key=lambda e: scores[e]) == encoding


@pytest.mark.parametrize("word", ["giếng", "gì", "nghiêng", "khuỷu", "được", "Việt", "Ở"])
def test_syllables_of_the_language_are_legal(word: str) -> None:
    assert vietnamese.legal(word)


@pytest.mark.parametrize("word", ["việch", "đượć", "années", "español", "für", "tàp", "ắ"])
def test_other_words_are_not(word: str) -> None:
    assert not vietnamese.legal(word)


@pytest.mark.parametrize("encoding", ["tcvn3", "vni"])
def test_a_document_in_legacy_letters_is_found_out(encoding: str) -> None:
    shown = encode(TEXT, encoding).decode("cp1252", "replace")
    found = vietnamese.legacy(shown)
    assert found is not None
    assert found[0] == encoding
    assert found[1] >= 10


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "Où l’été naïf où Noël fût ambigu à côté d’un maître aïeul déjà âgé",
        "Четыре балла и семь лет тому назад",
        "plain",
    ],
)
def test_unicode_in_any_language_is_not_mistaken_for_it(text: str) -> None:
    assert vietnamese.legacy(text * 5) is None
