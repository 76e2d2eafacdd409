from __future__ import annotations

import socket
from pathlib import Path

import pypdf
import pytest

from tasks.sealed import plain_text
from tasks.sealed.plain_text import decode, facts, make_pdfa
from tasks.sealed.words import compare
from tests.tasks.sealed.test_vietnamese import TEXT, encode

SEED = "ab" * 32

# WeasyPrint leaves its colour profile open
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def made(tmp_path: Path, data: bytes) -> tuple[dict[str, object], list[str]]:
    source, product = tmp_path / "a.txt", tmp_path / "a.pdf"
    source.write_bytes(data)
    answer = make_pdfa(str(source), str(product), seed=SEED)
    assert compare(str(source), str(product), plain=True)["lost"] == 0
    return answer, [page.extract_text() for page in pypdf.PdfReader(product).pages]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-8"])
def test_unicode_is_read_with_and_without_a_mark(encoding: str) -> None:
    text = "Điều 3. Hiệu lực thi hành of the decree\n" * 3
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize("encoding", ["tcvn3", "viscii", "vni", "cp1258"])
def test_legacy_vietnamese_is_known_by_its_syllables(encoding: str) -> None:
    decoded = decode(encode(TEXT, encoding))
    assert (decoded.encoding, decoded.text) == (encoding, TEXT)
    assert decoded.share == 1


def test_french_is_not_taken_for_vietnamese() -> None:
    text = "Où l’œuvre naïve d’un maître aïeul, conçue à Noël, fût-elle ambiguë, se lit à côté. " * 4
    decoded = decode(text.encode("cp1252"))
    assert (decoded.text, decoded.share) == (text, None)


def test_lines_and_letters_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\r\ntwo\rthree\n")
    assert facts(str(tmp_path / "a")) == {
        "encoding": "us-ascii", "lines": 3, "characters": 15, "kind": "text", "encrypted": "none"
    }  # fmt: skip


def test_the_same_text_gives_the_same_bytes(tmp_path: Path) -> None:
    made(tmp_path, "Giữ nguyên\tcột\n".encode())
    first = (tmp_path / "a.pdf").read_bytes()
    made(tmp_path, "Giữ nguyên\tcột\n".encode())
    assert (tmp_path / "a.pdf").read_bytes() == first


def test_a_form_feed_begins_a_page_and_controls_are_shown(tmp_path: Path) -> None:
    answer, pages = made(tmp_path, b"one\n\x0ctwo \x07bell\n")
    assert answer["controls"] == 1
    assert [page.split()[0] for page in pages] == ["one", "two"]
    assert "␇" in pages[1]


def test_markup_is_only_text_and_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    line = b'<img src="http://example.org/a.png"><style>@import "file:///etc/passwd"</style> &amp;\n'
    _, pages = made(tmp_path, line)
    assert '<img src="http://example.org/a.png">' in pages[0].replace("\n", "")
    assert "&amp;" in pages[0]


def test_very_long_lines_are_wrapped_and_lose_nothing(tmp_path: Path) -> None:
    _, pages = made(tmp_path, b"x" * 5000 + b" " + b"word " * 800)
    assert sum(page.count("x") for page in pages) == 5000
    assert sum(page.count("word") for page in pages) == 800


def test_right_to_left_lines_are_found_again(tmp_path: Path) -> None:
    made(tmp_path, "שלום עולם\nEnglish line\n".encode())


def test_slices_join_without_a_gap_or_a_repetition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_text, "SLICE", 3_000)
    lines = [f"line {n:04} " + "of the register " * (n % 7) for n in range(200)]
    _, pages = made(tmp_path, "\n".join(lines).encode())
    found = [int(word) for page in pages for word in page.split() if len(word) == 4 and word.isdigit()]
    assert found == list(range(200))
    assert min(page.count("line") for page in pages[:-1]) > 20


def test_an_empty_text_is_one_empty_page(tmp_path: Path) -> None:
    answer, pages = made(tmp_path, b"\n")
    assert (answer["pages"], pages) == (1, [""])
