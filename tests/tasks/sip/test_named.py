"""Which delivery a name or a path on the command line means; what Perenne itself keeps is none."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

import pytest

from tasks.config.home import Home
from tasks.sip.batch import BatchError
from tasks.sip.named import delivered, named


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home whose store and inbox are links to other disks, with one delivery."""
    home = Home(tmp_path / "perenne")
    for name in ("store", "inbox"):
        (tmp_path / "disks" / name / "below").mkdir(parents=True)
        home.root.mkdir(exist_ok=True)
        (home.root / name).symlink_to(tmp_path / "disks" / name)
    home.prepare()
    (home.inbox / "lô-1").mkdir()
    (home.inbox / "lô-1" / "a.txt").write_bytes(b"a")
    return home


def test_a_delivery_of_the_inbox_and_one_elsewhere_are_taken(home: Home, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (home.root / "mine").mkdir()
    assert named("lô-1", home).path == delivered(home.inbox / "lô-1", home).path == home.inbox / "lô-1"
    for path in (tmp_path / "elsewhere", tmp_path / "disks" / "inbox" / "lô-1", home.root / "mine"):
        assert named(str(path), home).path == path


def test_the_inbox_is_no_batch_and_its_refusal_says_how_all_deliveries_are_taken(home: Home, tmp_path: Path) -> None:
    for path in (home.inbox, tmp_path / "disks" / "inbox", home.inbox / "lô-1" / ".."):
        with pytest.raises(BatchError, match=r"the inbox itself.* without a name, perenne run takes every one"):
            named(str(path), home)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("perenne", "is where Perenne keeps everything"),
        ("perenne/store", "is where Perenne keeps the AIPs"),
        ("disks/store", "is where Perenne keeps the AIPs"),
        ("disks/store/below", "where Perenne keeps the AIPs"),
        ("perenne/log", "is where Perenne keeps the log"),
        ("perenne/work", "is where Perenne keeps its work"),
        ("perenne/review", "is where Perenne keeps what waits"),
        ("perenne/reports", "is where Perenne keeps the reports"),
        ("perenne/prefect", "is where Perenne keeps Prefect"),
        ("perenne/policies", "is where Perenne keeps the policies"),
        (".", "holds .*perenne, where Perenne keeps everything"),
        ("/", "/ holds .*perenne, where Perenne keeps everything"),
        ("disks", "holds .*store, where Perenne keeps the AIPs"),
    ],
)
def test_what_perenne_keeps_is_no_batch_nor_is_a_folder_around_it(
    home: Home, tmp_path: Path, place: str, said: str
) -> None:
    before = sorted(home.root.rglob("*"))
    with pytest.raises(BatchError, match=said):
        named(os.path.join(tmp_path, place), home)
    assert sorted(home.root.rglob("*")) == before


def test_a_folder_around_a_linked_inbox_is_no_batch(tmp_path: Path) -> None:
    (tmp_path / "deliveries" / "in").mkdir(parents=True)
    (tmp_path / "perenne").mkdir()
    (tmp_path / "perenne" / "inbox").symlink_to(tmp_path / "deliveries" / "in")
    with pytest.raises(BatchError, match="holds the inbox"):
        delivered(tmp_path / "deliveries", Home(tmp_path / "perenne").prepare())


FORMS = ("NFC", "NFD")
NAMES = ("văn-bản-2003", "Quyết định về việc", "Hồ sơ đã nộp lưu", "ảnh")  # đ has one form alone


@pytest.mark.parametrize("typed", FORMS)
@pytest.mark.parametrize("written", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_a_delivery_answers_to_its_name_in_either_unicode_form(
    home: Home, tmp_path: Path, name: str, written: str, typed: str
) -> None:
    there, said = unicodedata.normalize(written, name), unicodedata.normalize(typed, name)
    for folder in (home.inbox / there, tmp_path / there / there):
        folder.mkdir(parents=True)
    (home.inbox / f"{there}-gói.zip").write_bytes(b"PK")
    assert named(said, home).path == home.inbox / there
    assert named(said, home).name == there  # what a producer wrote stays
    archive = home.inbox / f"{there}-gói.zip"
    ending = unicodedata.normalize(typed, "-gói")
    assert named(f"{said}{ending}", home).path == named(f"{said}{ending}.zip", home).path == archive
    assert named(f"{tmp_path}/{said}/{said}", home).path == tmp_path / there / there


def test_two_deliveries_that_differ_in_their_unicode_form_alone_are_told_and_neither_is_taken(
    home: Home, tmp_path: Path
) -> None:
    both = [unicodedata.normalize(form, "Hồ sơ đất đai") for form in FORMS]
    for folder in (home.inbox, tmp_path / "elsewhere"):
        for name in both:
            (folder / name).mkdir(parents=True)
    for name in both:
        with pytest.raises(BatchError, match="2 deliveries are called") as caught:
            named(name, home)
        written = re.findall(r"/\S+(?=[,.])", str(caught.value))
        assert {named(path, home).path for path in written} == {home.inbox / one for one in both}
        assert named(f"{tmp_path}/elsewhere/{name}", home).path == tmp_path / "elsewhere" / name  # it is there so
    mixed = "elsewhere/" + both[0].replace(unicodedata.normalize("NFC", "ồ"), unicodedata.normalize("NFD", "ồ"))
    with pytest.raises(BatchError, match="2 deliveries are called"):
        named(f"{tmp_path}/{mixed}", home)
