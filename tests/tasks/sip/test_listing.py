"""The listing of an archive is read with bounds, whatever the job that wrote it was made to say."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest

from tasks.config.home import Settings
from tasks.sip import faults, listing
from tasks.sip.batch import BatchRefused


def line(number: object, name: bytes, **said: object) -> bytes:
    member = {"name": name.hex(), "at": 0, "size": 1, "mtime": 0, "kind": "", "encrypted": False, "packing": "", **said}
    return json.dumps([number, member]).encode() + b"\n"


def read(*lines: bytes, most: int = 10**6) -> list[listing.Member]:
    return listing.read(io.BytesIO(b"".join(lines)), Settings(archive_max_files=most))


@pytest.mark.parametrize(
    "foreign",
    [
        line(0, b"a" * 9000),
        b"[" * 16_000 + b"\n",
        b"[0, {}]\n",
        b"null\n",
        line("0", b"a"),
        line(0, b"a", size=-1),
        line(0, b"a", at=-1),
        line(0, b"a", size="1"),
        line(0, b"a", mtime=1.5),
        b"9" * 10_000 + b"\n",
        b"\xff\n",
    ],
)
def test_a_line_of_another_shape_refuses_the_delivery(foreign: bytes) -> None:
    with pytest.raises(BatchRefused) as caught:
        read(line(0, b"good"), foreign)
    assert caught.value.code == "tool-crash"


def test_no_more_members_are_read_than_were_asked_for() -> None:
    assert len(read(line(0, b"a"), line(1, b"b"), most=2)) == 2
    with pytest.raises(BatchRefused):
        read(line(0, b"a"), line(1, b"b"), most=1)


@pytest.mark.parametrize(
    ("name", "kept"),
    [(b"./a", b"a"), (b".//a", b"a"), (b"./././a/./b", b"a/./b"), (b"./", b"./"), (b".", b"."), (b".a", b".a")],
)
def test_what_means_the_place_where_one_is_is_no_part_of_a_name(name: bytes, kept: bytes) -> None:
    (member,) = read(line(0, name))
    assert member.entry.raw == kept
    assert member.received == (name if name != kept else b"")


def test_a_size_beyond_all_numbers_is_a_bomb() -> None:
    with pytest.raises(BatchRefused) as caught:
        listing.judge(read(line(0, b"a", size=10**400)), (), 1, Settings())
    assert caught.value.code == "bomb-suspected"


def test_deep_names_are_judged_without_keeping_each_of_their_folders() -> None:
    found = read(*(line(n, b"%d" % n + b"/folder" * 500) for n in range(2000)))
    tracemalloc.start()
    try:
        with pytest.raises(BatchRefused) as caught:
            listing.judge(found, (), 1, Settings())
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert caught.value.detail["count"] == "2000"
    assert len(caught.value.faults) == faults.MOST


def test_a_file_is_no_folder_of_another_even_when_their_names_do_not_follow_each_other() -> None:
    with pytest.raises(BatchRefused, match="a: both a file and a folder"):
        listing.judge(read(line(0, b"a"), line(1, b"a-b"), line(2, b"a/c")), (), 1, Settings())
    listing.judge(read(line(0, b"a"), line(1, b"a-b"), line(2, b"a0")), (), 1, Settings())


@pytest.mark.parametrize("name", [b"~$bao-cao.docx", b"~WRL0001.tmp", b"Q:A.doc", b"a/~/b", b"~cu/a.txt"])
def test_a_tilde_or_a_colon_alone_leads_nowhere(name: bytes) -> None:
    found = read(line(0, name))
    listing.judge(found, [], 1, Settings())


@pytest.mark.parametrize("name", [b"~/a", b"~\\a", b"C:/a", b"c:\\a", b"/a", b"\\a", b"..", b"a/..\\b"])
def test_a_home_a_drive_a_root_and_a_folder_above_lead_outside(name: bytes) -> None:
    with pytest.raises(BatchRefused) as caught:
        listing.judge(read(line(0, name)), [], 1, Settings())
    assert caught.value.code == "name-unsafe"
