"""Names: what a producer called a file is never lost, and never harms the store."""

from __future__ import annotations

import os
import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.store.names import ELEMENT_BYTES, Taken, checked, content_path, logical_path, raw_path, safe_raw_path

NAMES = st.one_of(
    st.binary(min_size=1, max_size=60),
    st.text(alphabet="aA./%\\ ê\u0302\n\x7f\x85", min_size=1, max_size=12).map(str.encode),
)
NFC, NFD = unicodedata.normalize("NFC", "Quyết định"), unicodedata.normalize("NFD", "Quyết định")


@given(NAMES)
def test_the_received_bytes_come_back_from_the_logical_path(raw):
    assert raw_path(logical_path(raw)) == raw


@given(NAMES)
def test_a_logical_path_has_nothing_that_ocfl_or_json_cannot_say(raw):
    logical = logical_path(raw)
    logical.encode("utf-8")
    assert not any(element in {"", ".", ".."} for element in logical.split("/"))
    assert not any(letter == "\\" or unicodedata.category(letter) == "Cc" for letter in logical)
    assert checked(logical) == logical


@pytest.mark.parametrize("name", ["a.pdf", NFC, NFD, "CON", "a b/c d.doc", "ảnh/tệp (1).jpg", "x" * 255])
def test_clean_utf8_stays_as_it_is(name):
    assert logical_path(name.encode()) == name


@pytest.mark.parametrize(
    ("raw", "logical"),
    [
        (b"100%.txt", "100%25.txt"),
        (b"a\\b", "a%5Cb"),
        (b"two\nlines", "two%0Alines"),
        (b"\x7f", "%7F"),
        ("\x85".encode(), "%C2%85"),
        ("Quyết".encode("cp1258", "ignore") + b"\xf2", "Quyt%F2"),
        (b".", "%2E"),
        (b"../etc", "%2E%2E/etc"),
        (b"a//b/", "a/%2Fb%2F"),
        (b"/root", "%2Froot"),
    ],
)
def test_what_cannot_be_said_becomes_percent_escapes(raw, logical):
    assert logical_path(raw) == logical


def test_an_empty_name_is_refused():
    with pytest.raises(ValueError, match="empty name"):
        logical_path(b"")


@pytest.mark.parametrize("wrong", ["", "a//b", "/a", "a/", "..", "a\\b", "100%", "line\n", "\udcff", "%2e"])
def test_a_path_that_is_not_logical_is_refused(wrong):
    with pytest.raises(ValueError, match="path"):
        checked(wrong)


@pytest.mark.parametrize("logical", ["originals/a.pdf", f"originals/{NFC}.doc", f"originals/{NFD}.doc", "a" * 200])
def test_a_clean_logical_path_is_its_content_path(logical):
    assert content_path(logical, Taken()) == logical


@pytest.mark.parametrize(
    "logical",
    [
        "ế" * 85,
        "originals/CON",
        "a/nul.txt",
        "a:b",
        "what?",
        "ends.",
        "ends /b",
        "100%25",
        "Numbered/1",
        "a/" * 600 + "b",
    ],
)
def test_a_path_that_some_file_system_refuses_gets_a_number(logical):
    assert content_path(logical, Taken()) == "numbered/000001"


@pytest.mark.parametrize(
    ("first", "second"),
    [("A.txt", "a.txt"), (NFC, NFD), ("Straße", "STRASSE"), ("A/1", "a/2"), ("a", "A/b"), ("A/b", "a")],
)
def test_paths_that_clash_without_case_or_normalization_do_not_share_a_version(first, second):
    taken = Taken()
    assert content_path(first, taken) == first
    assert content_path(second, taken) == "numbered/000001"


@given(st.lists(NAMES.map(logical_path), unique=True, max_size=20))
def test_content_paths_of_a_version_are_apart_on_any_file_system(logicals):
    taken = Taken()
    paths = [content_path(logical, taken) for logical in logicals]
    folded = [unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold()) for path in paths]
    assert len(set(folded)) == len(folded)
    assert all(len(os.fsencode(element)) <= ELEMENT_BYTES for path in paths for element in path.split("/"))


@given(NAMES)
def test_a_received_name_never_leads_out_of_its_folder(raw):
    path = safe_raw_path(logical_path(raw))
    assert not path.startswith(b"/")
    assert b"\0" not in path
    assert ".." not in PurePosixPath(os.fsdecode(path)).parts


def test_a_harmless_received_name_is_given_back_as_it_was():
    raw = b"a %/b\\\n\xff"
    assert safe_raw_path(logical_path(raw)) == raw
