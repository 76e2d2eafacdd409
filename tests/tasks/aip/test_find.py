"""An AIP answers to its batch's name in whatever Unicode form a person types it."""

from __future__ import annotations

import unicodedata
import uuid
from pathlib import Path

import pytest

from tasks.aip.find import UnknownAip, find_aip, find_aips
from tasks.config.home import Home
from tasks.premis.model import aip_id
from tasks.sip.batch import batch
from tasks.sip.ingest import ingest
from tasks.store.ocfl import Store

FORMS = ("NFC", "NFD")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path).prepare()


def taken(home: Home, name: str) -> uuid.UUID:
    (home.inbox / name).mkdir()
    (home.inbox / name / "a.txt").write_bytes(b"a")
    (done,) = ingest(batch(home.inbox / name), home, Store(home.store), uuid.uuid4())
    return done.aip


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("typed", FORMS)
@pytest.mark.parametrize("written", FORMS)
@pytest.mark.parametrize("name", ["văn-bản-2003", "Quyết định về việc", "Hồ sơ đã nộp lưu"])
def test_an_aip_answers_to_its_name_in_either_unicode_form(
    home: Home, name: str, written: str, typed: str, gone: bool
) -> None:
    there, said = (unicodedata.normalize(form, name) for form in (written, typed))
    aip = taken(home, there)
    taken(home, "khác")
    assert aip == aip_id(there)  # what a producer wrote stays
    assert find_aips(home, [said], gone=gone) == {aip: there}
    assert find_aip(home, said) == find_aip(home, f"{said} ({str(aip)[:8]})") == aip


def test_two_aips_whose_names_look_the_same_are_told_with_their_ids_and_neither_is_taken(home: Home) -> None:
    names = {form: unicodedata.normalize(form, "Hồ sơ đất đai") for form in FORMS}
    aips = {form: taken(home, name) for form, name in names.items()}
    taken(home, "khác")
    for name in names.values():
        with pytest.raises(UnknownAip, match="Several AIPs answer") as caught:
            find_aips(home, [name])
        assert all(f"({str(aip)[:8]})" in str(caught.value) for aip in aips.values())
        assert "khác" not in str(caught.value)
    for form, aip in aips.items():
        assert find_aips(home, [str(aip)[:8]]) == {aip: names[form]}
