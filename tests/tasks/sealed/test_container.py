"""An archive gives all that it holds or is told to be damaged, whatever wrote it and whatever became of it since."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import json
import lzma
import os
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.premis.model import Trouble
from tasks.sealed.container import members, plain, unpack
from tests.test_full import namespaces

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
}
FILES = {f"tệp-{n}": b"%d" % n * 300 for n in range(5)}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    return tmp_path


def tar(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return into.getvalue()


def told(data: bytes, *, files: int = 10**6, names: int = 1 << 28) -> tuple[dict[str, Any], dict[bytes, Any]]:
    """The answer, and the members by name."""
    Path("given").write_bytes(data)
    Path("told").unlink(missing_ok=True)
    answer = members("given", "told", 1 << 32, files, names)
    rows = [json.loads(line) for line in Path("told").read_text(encoding="ascii").splitlines()]
    return answer, {bytes.fromhex(row["name"]): {"number": number, **row} for number, row in rows}


def content(data: bytes) -> tuple[dict[bytes, bytes], dict[bytes, str]]:
    """What could be unpacked, and what could not; the archive holds nothing besides."""
    answer, found = told(data)
    assert (answer["cut"], answer["faults"]) == ("", [])
    name = "given"
    if answer["plain"]:
        Path(name := "made plain").unlink(missing_ok=True)
        plain("given", name, answer["plain"])
    wrong = unpack(name, [(row["number"], row["at"], row["size"]) for row in found.values() if not row["kind"]])
    names = {row["number"]: name for name, row in found.items()}
    good = {names[int(p.name)]: p.read_bytes() for p in Path("out").iterdir()}
    for path in Path("out").iterdir():
        path.unlink()
    return good, {names[int(number)]: why for number, why in wrong.items()}


def raw(files: dict[str, bytes]) -> dict[bytes, bytes]:
    return {os.fsencode(name): data for name, data in files.items()}


def damaged(data: bytes) -> str:
    with pytest.raises(Trouble) as caught:
        told(data)
    assert caught.value.code == "source-damaged"
    return caught.value.detail["what"]


# --- tar ------------------------------------------------------------------------------------------------------------

PLAIN = tar({f"f{n}": b"%d" % n * 300 for n in range(5)}, tarfile.USTAR_FORMAT)  # a file is a header and one block
HURT = {
    "a header of chance bytes": (PLAIN[:1024] + os.urandom(512) + PLAIN[1536:], "no header where the next file begins"),
    "a header of zeros": (PLAIN[:1024] + bytes(512) + PLAIN[1536:], "something follows its end"),
    "cut between two files": (PLAIN[:2048], "without the mark of its end"),
    "cut in a file": (PLAIN[:1700], "unexpected end of data"),
    "cut in a header": (PLAIN[:1200], "no header where the next file begins"),
    "cut after the last file": (PLAIN[:5120], "without the mark of its end"),
    "another tar after it": (PLAIN + PLAIN, "something follows its end"),
    "its second half a hole": (PLAIN[:2048] + bytes(17 << 20), "nothing but zeros from byte 2048"),
}


@pytest.mark.parametrize("mode", PACKED)
@pytest.mark.parametrize("hurt", HURT)
def test_a_tar_that_was_hurt_is_damaged_and_no_shorter_one(hurt: str, mode: str) -> None:
    data, why = HURT[hurt]
    assert why in damaged(PACKED[mode](data))


@pytest.mark.parametrize("mode", ["tar.gz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize("after", [b"something else", PLAIN, b"\0" * 8 + b"x"])
def test_what_follows_a_compressed_stream_is_not_passed_over(mode: str, after: bytes) -> None:
    assert damaged(PACKED[mode](PLAIN) + after)


@pytest.mark.parametrize("mode", ["tar.gz", "tar.bz2", "tar.xz"])
def test_two_compressed_tars_one_after_the_other_are_damaged(mode: str) -> None:
    assert "something follows its end" in damaged(PACKED[mode](PLAIN) * 2)


@pytest.mark.parametrize("mode", ["tar.gz", "tar.bz2", "tar.xz"])
def test_a_tar_compressed_in_pieces_with_padding_is_whole(mode: str) -> None:
    pieces = [PACKED[mode](PLAIN[:900]), bytes(8), PACKED[mode](PLAIN[900:]), bytes(20_000)]
    assert len(content(b"".join(pieces))[0]) == 5


@pytest.mark.parametrize("end", [512, 1024, 1536, 10_240, 1 << 20])
def test_a_tar_is_whole_from_one_block_of_zeros_on(end: int) -> None:
    assert len(content(PLAIN[:5120] + bytes(end))[0]) == 5


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_tar_is_read_to_its_end(form: int) -> None:
    files = FILES | {"d/" * 60 + "deep": b"x", "empty": b""}
    assert content(tar(files, form)) == (raw(files), {})


@pytest.mark.parametrize("options", [[], ["-b1"], ["-b4096"], ["--format=v7"], ["--format=posix"], ["-z"]])
def test_what_the_tar_of_the_machine_writes_is_whole(place: Path, options: list[str]) -> None:
    (place / "lô").mkdir()
    for name in ("a", "b"):
        (place / "lô" / name).write_bytes(name.encode() * 5000)
    (place / "lô" / "same").hardlink_to(place / "lô" / "a")
    made = subprocess.run(["tar", "-c", *options, "lô"], check=True, capture_output=True).stdout
    good, wrong = content(made)
    assert {name.rpartition(b"/")[2] for name in good} == {b"a", b"b", b"same"}
    assert (good["lô/same".encode()], wrong) == (b"a" * 5000, {})


def special(*infos: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w", format=form) as archive:
        for info in infos:
            archive.addfile(info, io.BytesIO(b"data"[: info.size]))
    return into.getvalue()


def info(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "", **pax: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname, made.pax_headers = size, kind, link, pax
    return made


def test_a_second_name_of_nothing_is_told_and_the_others_are_given() -> None:
    good, wrong = content(special(info("a", 4), info("b", kind=tarfile.LNKTYPE, link="gone"), info("c", 4)))
    assert good == {b"a": b"data", b"c": b"data"}
    assert "a second name of 'gone', which is no file in it" in wrong[b"b"]


def test_a_second_name_of_a_second_name_is_a_file_and_one_of_a_link_is_a_link() -> None:
    made = special(
        info("a", 4),
        info("b", kind=tarfile.LNKTYPE, link="./a"),
        info("c", kind=tarfile.LNKTYPE, link="b"),
        info("link", kind=tarfile.SYMTYPE, link="link2"),
        info("link2", kind=tarfile.LNKTYPE, link="link"),
    )
    assert content(made)[0] == dict.fromkeys((b"a", b"b", b"c"), b"data")
    assert told(made)[1][b"link2"]["kind"] == "link"


@pytest.mark.parametrize("mtime", ["inf", "-inf", "nan", "1e400"])
def test_a_time_that_is_none_costs_no_file(mtime: str) -> None:
    made = special(info("a", 4, mtime=mtime), info("b", 4))
    assert content(made) == ({b"a": b"data", b"b": b"data"}, {})
    assert told(made)[1][b"a"]["mtime"] == 0


def test_a_size_that_leads_back_ends_in_damage_and_not_in_a_circle() -> None:
    header = bytearray(PLAIN[:512])
    header[124:136] = (-1024).to_bytes(12, "big", signed=True)
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:]))
    assert "a header of -1024 bytes" in damaged(PLAIN[:1024] + bytes(header) + PLAIN[1536:])


@pytest.mark.parametrize(("size", "why"), [("-1024", "a size below zero"), ("9" * 40, "")])
def test_a_size_that_no_file_has_is_damage(size: str, why: str) -> None:
    strange = info("b", 4)
    strange.pax_headers = {"size": size}
    assert why in damaged(special(info("a", 4), strange))


@pytest.mark.slow
def test_a_file_far_back_in_a_compressed_tar_is_reached(place: Path) -> None:
    large = (1 << 30) + (1 << 28)
    with gzip.open("given", "wb", compresslevel=1) as file:
        first = info("first", large)
        file.write(first.tobuf())
        for _ in range(large >> 20):
            file.write(bytes(1 << 20))
        file.write(special(info("last", 4)))
    size = members("given", "told", 1 << 32, 9, 1 << 20)["plain"]
    assert isinstance(size, int)
    _, last = Path("told").read_text(encoding="ascii").splitlines()
    number, row = json.loads(last)
    plain("given", "made plain", size)
    assert unpack("made plain", [(number, row["at"], row["size"])]) == {}
    assert Path("out/1").read_bytes() == b"data"


@pytest.mark.parametrize("size", [len(PLAIN) - 1, len(PLAIN) + 1])
def test_a_compressed_tar_that_unpacks_to_another_size_than_before_is_damaged(size: int) -> None:
    Path("given").write_bytes(gzip.compress(PLAIN))
    with pytest.raises(Trouble, match="damaged"):
        plain("given", "made plain", size)
    assert not Path("made plain").exists()


@pytest.mark.parametrize("pack", [tar, lambda files: zipped(files)])
def test_a_listing_stops_where_there_is_too_much(pack: Callable[[dict[str, bytes]], bytes]) -> None:
    made = pack({f"f{n}": b"" for n in range(9)})
    assert told(made, files=9)[0]["cut"] == ""
    assert told(made, files=8)[0]["cut"] == "files"
    assert told(made, names=17)[0]["cut"] == "names"


# --- zip ------------------------------------------------------------------------------------------------------------


def zipped(files: dict[str, bytes], comment: bytes = b"", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
        archive.comment = comment
    return into.getvalue()


class Pipe(io.RawIOBase):
    """What cannot be sought in, so that sizes follow the files."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += data
        return len(data)


def piped(files: dict[str, bytes], **options: Any) -> bytes:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:  # type: ignore[arg-type]
        for name, data in files.items():
            with archive.open(name, "w", **options) as member:
                member.write(data)
    return bytes(pipe.data)


WHOLE = {
    "stored": zipped(FILES, method=zipfile.ZIP_STORED),
    "deflated": zipped(FILES),
    "bzip2": zipped(FILES, method=zipfile.ZIP_BZIP2),
    "lzma": zipped(FILES, method=zipfile.ZIP_LZMA),
    "a comment": zipped(FILES, comment=b"PK\x05 of the archive"),
    "sizes after each file": piped(FILES),
    "long sizes": piped(FILES, force_zip64=True),
    "zeros at its end": zipped(FILES) + bytes(512),
    "folders": zipped(FILES | {"folder/": b""}),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_every_usual_zip_is_whole(kind: str) -> None:
    assert content(WHOLE[kind]) == (raw(FILES), {})


@pytest.mark.parametrize("options", [[], ["-0"], ["-fd"], ["-fz"]])
def test_what_the_zip_of_the_machine_writes_is_whole(place: Path, options: list[str]) -> None:
    (place / "lô").mkdir()
    (place / "lô" / "a").write_bytes(b"a" * 5000)
    subprocess.run(["zip", "-qr", *options, "made.zip", "lô"], check=True)
    assert content((place / "made.zip").read_bytes()) == ({"lô/a".encode(): b"a" * 5000}, {})


@pytest.mark.slow
def test_a_zip_of_more_files_than_its_end_can_count_is_whole() -> None:
    assert len(told(zipped({f"{n:x}": b"" for n in range(70_000)}))[1]) == 70_000


def test_a_folder_that_holds_bytes_is_listed() -> None:
    assert told(zipped({"secret.doc/": b"bytes in a folder", "b/": b""}))[1].keys() == {b"secret.doc/"}


def central(data: bytes, name: bytes) -> int:
    """Where the row of a name begins in the list of files."""
    return data.rindex(b"PK\x01\x02", 0, data.rindex(name))


def without(data: bytes, name: bytes) -> bytes:
    """A zip whose list is silent about one of its files, the last."""
    at = central(data, name)
    end = data.rindex(b"PK\x05\x06")
    row = list(struct.unpack("<4s4H2IH", data[end:]))
    row[3], row[4], row[5] = row[3] - 1, row[4] - 1, row[5] - (end - at)
    return data[:at] + struct.pack("<4s4H2IH", *row)


ZIP = zipped({"one": b"1", "two": b"2", "last": b"3"})
MORE = {
    "two zips": (ZIP + zipped({"b": b"x"}), "before its first file are in no file that it lists"),
    "a program before it": (b"MZ" + os.urandom(5000) + ZIP, "before its first file are in no file"),
    "a file that is not listed": (without(ZIP, b"last"), "after two are in no file that it lists"),
    "something after it": (ZIP + b"and more", "8 bytes follow its end"),
    "a torn comment": (zipped({"a": b"x"}, comment=b"a comment")[:-3], "it breaks off in its comment"),
    "a wrong count": (ZIP[:-12] + struct.pack("<H", 7) + ZIP[-10:], "it says that it lists 7 files and lists 3"),
}


@pytest.mark.parametrize("more", MORE)
def test_what_a_zip_holds_and_does_not_list_is_told(more: str) -> None:
    data, why = MORE[more]
    (fault,) = told(data)[0]["faults"]
    assert why in fault


def test_two_files_of_a_zip_that_share_their_bytes_are_told() -> None:
    data = bytearray(ZIP)
    at = central(ZIP, b"two")
    data[at + 42 : at + 46] = bytes(4)  # where its header is: at the first's
    faults = told(bytes(data))[0]["faults"]
    assert "two and one share bytes" in faults


def test_a_zip_marked_as_the_only_volume_is_whole() -> None:
    made = bytearray(b"PK00" + ZIP)
    assert told(bytes(made))[0]["faults"] == []


def test_a_header_damaged_in_a_zip_costs_its_file_alone() -> None:
    at = ZIP.index(b"PK\x03\x04", 4)
    good, wrong = content(ZIP[:at] + b"????" + ZIP[at + 4 :])
    assert (good, wrong.keys()) == ({b"one": b"1", b"last": b"3"}, {b"two"})


def test_a_zip_name_that_is_not_what_its_mark_says_is_kept_as_its_bytes() -> None:
    made = zipped({"tệp": b"x", "good": b"y"}).replace("tệp".encode(), b"t\xe1\xbbp?")
    assert content(made) == ({b"t\xe1\xbbp?": b"x", b"good": b"y"}, {})


def test_the_unicode_name_is_believed_only_of_the_name_that_it_was_made_for() -> None:
    names: list[bytes] = []
    for crc in (zlib.crc32(b"bao"), 1):
        field = struct.pack("<BI", 1, crc) + "báo".encode()
        one = zipfile.ZipInfo("bao")
        one.extra = struct.pack("<HH", 0x7075, len(field)) + field
        into = io.BytesIO()
        with zipfile.ZipFile(into, "w") as archive:
            archive.writestr(one, b"x")
        names += told(into.getvalue())[1]
    assert names == ["báo".encode(), b"bao"]


def test_what_a_member_of_a_zip_is_and_when_it_was_made_is_told() -> None:
    one = zipfile.ZipInfo("link", (2003, 11, 21, 8, 30, 2))
    one.external_attr = (stat.S_IFLNK | 0o777) << 16
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr(one, b"x")
    assert told(into.getvalue())[1][b"link"] == {
        "number": 0, "name": b"link".hex(), "at": 35, "size": 1,
        "mtime": 1_069_403_402, "kind": "link", "encrypted": False, "packing": "",
    }  # fmt: skip


@pytest.mark.parametrize("cut", [10, 60, 150, -1, -10, -22])
def test_a_zip_that_was_cut_is_damaged(cut: int) -> None:
    assert damaged(ZIP[:cut])


def test_an_archive_that_its_disk_does_not_give_is_told_as_such_and_not_as_damaged() -> None:
    name = "/proc/self/mem"  # a regular file, of which the first byte cannot be read
    unread = {"unread": errno.EIO}
    assert members(name, "listing", 1 << 32, 10, 1 << 20) == unread
    assert plain(name, "plain", 10) == unread
    assert unpack(name, [(0, 0, 1)]) == unread


READ_ONLY = """
mount --bind out out && mount -o remount,bind,ro out && exec "$@"
"""
UNPACK = """
import sys
from tasks.sealed.container import members, unpack
print(members("given", "out/listing", 1 << 32, 10, 1 << 20), unpack("given", [(0, int(sys.argv[1]), 5)]))
"""


@pytest.mark.skipif(not namespaces(), reason="no mount namespace can be made here")
def test_files_that_our_disk_does_not_take_are_not_told_as_damaged_members() -> None:
    _, found = told(tar({"a": b"bytes"}))
    alone = ["unshare", "-m" if os.geteuid() == 0 else "-Urm", "sh", "-c", READ_ONLY, "sh"]
    done = subprocess.run(
        [*alone, sys.executable, "-c", UNPACK, str(found[b"a"]["at"])], capture_output=True, text=True, check=False
    )
    locked = {"unread": errno.EROFS}
    assert (done.stdout.strip(), done.stderr) == (f"{locked} {locked}", "")
