"""FIDO's Python interface on real small files, and around its traps."""

from __future__ import annotations

import os
import re
import signal
import zipfile
from pathlib import Path

import pytest

from tasks.pronom.fido import read_answer
from tasks.pronom.puid import is_puid
from tasks.sealed import fido


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def answer_for(name: str, data: bytes) -> tuple[list[str], str]:
    Path(name).write_bytes(data)
    answer = fido.identify(name)
    assert read_answer(answer).trouble == answer["trouble"]
    return answer["puids"], answer["basis"]


def test_a_signature_is_found_in_the_bytes_whatever_the_extension():
    assert answer_for("a.doc", b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n") == (["fmt/18"], "signature")


def test_a_word_document_is_found_inside_its_container():
    from docx import Document

    Document().save("a.docx")
    assert fido.identify("a.docx")["puids"] == ["fmt/412"]
    assert fido.identify("a.docx")["basis"] == "container"


def test_a_plain_zip_is_a_zip():
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.writestr("a.txt", "text")
    assert fido.identify("a.zip")["puids"] == ["x-fmt/263"]


def test_unknown_bytes_are_answered_by_the_extension_alone():
    puids, basis = answer_for("a.docx", b"neither")
    assert basis == "extension"
    assert "fmt/412" in puids


def test_unknown_bytes_without_a_known_extension_are_nothing():
    assert answer_for("a.zzz", b"\0\1\2") == ([], "nothing")


def test_an_empty_file_is_empty_and_not_guessed_from_its_name():
    assert answer_for("a.doc", b"") == ([], "empty")


def test_an_answer_names_the_release_it_rests_on():
    Path("a").write_bytes(b"a")
    assert re.fullmatch(r"V\d+ \(container signatures \d{8}\)", fido.identify("a")["release"])


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda name: Path(name).symlink_to("/etc/passwd"), lambda name: None]
)
def test_what_is_no_regular_file_is_an_error_and_is_not_waited_for(make):
    make("odd")
    answer = fido.identify("odd")
    assert answer["basis"] == "error"
    assert answer["trouble"]


def test_a_signature_that_does_not_come_to_its_end_is_stopped(monkeypatch):
    monkeypatch.setattr(fido, "LIMIT_S", 0.2)
    Path("a.mp3").write_bytes(bytes.fromhex("fffb20") * 11_000 + bytes(1000))
    before = signal.getsignal(signal.SIGALRM)
    answer = fido.identify("a.mp3")
    assert answer["basis"] == "error"
    assert "no answer within" in answer["trouble"]
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_container_that_fidos_parser_does_not_survive_is_an_error(monkeypatch):
    def burst(*_arguments):
        raise ValueError("a broken OLE2 file")

    monkeypatch.setattr(fido._engine(), "identify_file", burst)
    Path("a.xls").write_bytes(b"x")
    assert fido.identify("a.xls")["trouble"] == "ValueError: a broken OLE2 file"


def test_warming_leaves_nothing_to_compile():
    fido.warm()
    Path("a.bin").write_bytes(bytes(range(256)) * 40)
    before = set(re._cache)
    fido.identify("a.bin")
    assert not {key for key in set(re._cache) - before if key[0] is bytes}


def test_only_pronoms_own_identifiers_are_loaded():
    engine = fido._engine()
    assert all(is_puid(engine.get_puid(element)) for element in engine.formats)
