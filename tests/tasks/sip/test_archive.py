"""A ZIP or TAR is judged before anything of it is unpacked, and its files become originals under their own names."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import struct
import subprocess
import tarfile
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.config.home import Home
from tasks.premis import log
from tasks.premis.model import aip_id
from tasks.sip import archive
from tasks.sip.batch import BatchError, BatchRefused, batch, in_inbox, not_taken, ready
from tasks.sip.ingest import ingest
from tasks.sip.taking import Ingested
from tasks.store.ocfl import Store
from tasks.tools import shared
from tests.tasks.sip.test_bag import made as made_bag

pytestmark = pytest.mark.slow

FILES = {"báo-cáo/quý-1.txt": b"one", "quý 2.txt": b"two", "empty": b"", "inner.zip": b"PK\x03\x04 any bytes"}
MOST_FILES = 1500


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One home for all, so that the door opens once; each test delivers under a name of its own."""
    home = Home(tmp_path_factory.mktemp("home")).prepare()
    (home.root / "perenne.toml").write_text(f"archive_max_gb = 3\narchive_max_files = {MOST_FILES}\n", encoding="utf-8")
    yield home
    shared.close()


@pytest.fixture
def home(place: Home) -> Home:
    for path in place.inbox.iterdir():
        path.unlink()
    return place


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"lô-{zlib.crc32(request.node.name.encode()):x}"


def zipped(path: Path, files: dict[str, bytes], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inside, data in files.items():
            archive.writestr(zipfile.ZipInfo(inside, (2003, 11, 21, 8, 30, 0)), data, **options)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for inside, data in files.items():
            info = tarfile.TarInfo(inside)
            info.size, info.mtime = len(data), 1_069_403_400
            archive.addfile(info, io.BytesIO(data))
    return path


def taken(home: Home, path: Path) -> Ingested:
    (done,) = ingest(batch(path), home, Store(home.store), uuid.uuid4())
    return done


def state(home: Home, name: str) -> dict[str, bytes]:
    inventory = Store(home.store).inventory(aip_id(name))
    assert inventory is not None
    return {path: entry.path.read_bytes() for path, entry in inventory.state().items()}


def originals(home: Home, name: str) -> dict[str, bytes]:
    return {p.removeprefix("originals/"): d for p, d in state(home, name).items() if p.startswith("originals/")}


def refused(home: Home, path: Path) -> BatchRefused:
    with pytest.raises(BatchRefused) as caught:
        taken(home, path)
    assert Store(home.store).inventory(batch(path).aip) is None
    (event,) = log.read_many(home.log, [batch(path).aip])[batch(path).aip]
    assert event.code == caught.value.code
    assert not any((home.work / "unpacked").glob("*"))
    return caught.value


@pytest.mark.parametrize("mode", ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
def test_every_file_of_an_archive_becomes_an_original(home: Home, name: str, mode: str) -> None:
    path = home.inbox / f"{name}.{mode}"
    packed = {"tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}
    zipped(path, FILES) if mode == "zip" else tarred(path, FILES, packed[mode])
    before = path.read_bytes()
    done = taken(home, path)
    assert (done.version, done.new, done.troubles) == (1, 4, ())
    assert originals(home, name) == FILES
    assert path.read_bytes() == before
    assert not any((home.work / "unpacked").glob("*"))


def test_the_digests_of_the_container_are_kept_in_the_aip_and_in_the_log(home: Home, name: str) -> None:
    path = zipped(home.inbox / f"{name}.zip", FILES)
    taken(home, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert sha256 in state(home, name)["metadata/submission/v1.container.json"].decode()
    told = [e.detail for e in log.read_many(home.log, [aip_id(name)])[aip_id(name)] if "container" in e.detail]
    assert [(d["container"], d["sha256"]) for d in told] == [(path.name, sha256)]


def test_the_time_of_a_file_in_an_archive_is_recorded(home: Home, name: str) -> None:
    taken(home, zipped(home.inbox / f"{name}.zip", {"a": b"x"}))
    assert '"mtime_ns": "1069403400000000000"' in state(home, name)["metadata/submission/v1.json"].decode()


def test_the_same_archive_again_does_nothing_and_a_larger_one_is_a_supplement(home: Home, name: str) -> None:
    path = zipped(home.inbox / f"{name}.zip", FILES)
    taken(home, path)
    assert (taken(home, path).version, taken(home, path).new) == (1, 0)
    zipped(path, {**FILES, "new": b"new"})
    assert (taken(home, path).version, len(originals(home, name))) == (2, 5)
    path.unlink()
    folder = home.inbox / name
    folder.mkdir()
    try:
        (folder / "new").write_bytes(b"newer")
        assert taken(home, folder).version == 3
    finally:
        (folder / "new").unlink()
        folder.rmdir()


def test_names_are_stored_as_the_bytes_that_they_are(home: Home, name: str) -> None:
    path = tarred(home.inbox / f"{name}.tar", {os.fsdecode(b"B\xb8o.txt"): b"x", "new\nline": b"y"})
    taken(home, path)
    assert set(originals(home, name)) == {"B%B8o.txt", "new%0Aline"}


def test_the_unicode_name_of_a_zip_counts_before_the_old_one(home: Home, name: str) -> None:
    old, new = "bao cao.txt", "báo cáo.txt"
    field = struct.pack("<BI", 1, zlib.crc32(old.encode())) + new.encode()
    info = zipfile.ZipInfo(old)
    info.extra = struct.pack("<HH", 0x7075, len(field)) + field
    path = home.inbox / f"{name}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, b"x")
    taken(home, path)
    assert set(originals(home, name)) == {new}


def test_a_second_name_of_the_same_file_in_a_tar_is_a_file_too(home: Home, name: str) -> None:
    path = home.inbox / f"{name}.tar"
    with tarfile.open(path, "w") as archive:
        first, second = tarfile.TarInfo("first"), tarfile.TarInfo("second")
        first.size = 4
        second.type, second.linkname = tarfile.LNKTYPE, "first"
        archive.addfile(first, io.BytesIO(b"data"))
        archive.addfile(second)
    taken(home, path)
    assert originals(home, name) == {"first": b"data", "second": b"data"}


@pytest.mark.parametrize(
    ("kind", "told"), [(tarfile.SYMTYPE, "link"), (tarfile.FIFOTYPE, "FIFO"), (tarfile.CHRTYPE, "device")]
)
def test_what_is_no_file_in_an_archive_is_told_and_never_made(home: Home, name: str, kind: bytes, told: str) -> None:
    path = home.inbox / f"{name}.tar"
    with tarfile.open(path, "w") as archive:
        strange, plain = tarfile.TarInfo("strange"), tarfile.TarInfo("plain")
        strange.type, strange.linkname = kind, "/etc/passwd"
        archive.addfile(strange)
        archive.addfile(plain)
    (trouble,) = taken(home, path).troubles
    assert (trouble.code, trouble.detail["kind"]) == ("not-a-file", told)
    assert set(originals(home, name)) == {"plain"}


def test_a_link_in_a_zip_is_told(home: Home, name: str) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = zipped(home.inbox / f"{name}.zip", {"a": b"x"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")
    assert [t.code for t in taken(home, path).troubles] == ["not-a-file"]


@pytest.mark.parametrize("inside", ["../../evil", "/etc/evil", "a/../../evil", "C:\\evil", "..\\evil", "~/evil"])
@pytest.mark.provokes("name-unsafe")
def test_a_name_that_points_outside_refuses_the_whole_archive(home: Home, name: str, inside: str) -> None:
    path = tarred(home.inbox / f"{name}.tar", {"good": b"x", inside: b"evil"})
    caught = refused(home, path)
    assert caught.code == "name-unsafe"
    assert inside in str(caught)


@pytest.mark.provokes("bomb-suspected")
@pytest.mark.parametrize("mode", ["zip", "tar.gz", "tar.xz"])
def test_a_bomb_is_not_unpacked(home: Home, name: str, mode: str) -> None:
    path = home.inbox / f"{name}.{mode}"
    size = 2 << 30

    class Zeros(io.RawIOBase):
        left = size

        def read(self, count: int = -1) -> bytes:
            count = min(count if count >= 0 else self.left, self.left)
            self.left -= count
            return bytes(count)

    if mode == "zip":
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("zeros", "w", force_zip64=True) as member,
        ):
            for _ in range(size >> 20):
                member.write(bytes(1 << 20))
    else:
        with tarfile.open(
            path, "w:" + mode[4:], **({"preset": 0} if mode == "tar.xz" else {"compresslevel": 1})
        ) as tar:
            info = tarfile.TarInfo("zeros")
            info.size = size
            tar.addfile(info, Zeros())  # type: ignore[arg-type]
    assert refused(home, path).code == "bomb-suspected"


def test_a_zip_that_lies_about_sizes_gives_no_more_than_it_says(home: Home, name: str) -> None:
    path = zipped(home.inbox / f"{name}.zip", {"good": b"good", "liar": bytes(100_000)})
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", 100_000), struct.pack("<I", 10)))
    done = taken(home, path)
    assert [(t.code, t.source.path) for t in done.troubles if t.source] == [("member-damaged", "originals/liar")]
    assert originals(home, name) == {"good": b"good"}


@pytest.mark.parametrize("mode", ["zip", "tar", "tar.gz"])
def test_an_archive_unpacked_in_many_portions_is_as_it_came(
    home: Home, name: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "SLICE_FILES", 7)
    path, files = home.inbox / f"{name}.{mode}", {f"d{n % 3}/{n}": b"%d" % n * n for n in range(50)}
    zipped(path, files) if mode == "zip" else tarred(path, files, "w" + mode[3:].replace(".", ":"))
    if mode != "zip":
        linked(path, "last", "d1/4")
    taken(home, path)
    assert originals(home, name) == files | ({} if mode == "zip" else {"last": files["d1/4"]})


def linked(path: Path, name: str, target: str) -> None:
    """Add a second name of a file that is far before it."""
    plain = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    (tar := path.with_name("new")).write_bytes(plain)
    with tarfile.open(tar, "a") as into:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.LNKTYPE, target
        into.addfile(info)
    path.write_bytes(gzip.compress(tar.read_bytes()) if path.suffix == ".gz" else tar.read_bytes())
    tar.unlink()


@pytest.mark.provokes("member-damaged")
def test_a_file_damaged_in_an_archive_is_told_and_the_others_are_stored(home: Home, name: str) -> None:
    path = home.inbox / f"{name}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("bad", b"bytes to be damaged")
        archive.writestr("good", b"good")
    path.write_bytes(path.read_bytes().replace(b"to be damaged", b"that were hurt"[:13]))
    (trouble,) = taken(home, path).troubles
    assert trouble.code == "member-damaged"
    assert "Bad CRC-32" in trouble.detail["what"]
    assert originals(home, name) == {"good": b"good"}


@pytest.mark.provokes("source-damaged")
@pytest.mark.parametrize("mode", ["zip", "tar.gz"])
def test_a_torn_archive_is_refused(home: Home, name: str, mode: str) -> None:
    path = home.inbox / f"{name}.{mode}"
    files = {str(n): os.urandom(5000) for n in range(9)}
    zipped(path, files) if mode == "zip" else tarred(path, files, "w:gz")
    path.write_bytes(path.read_bytes()[:20_000])
    assert refused(home, path).code == "source-damaged"


def test_an_archive_that_is_none_is_refused(home: Home, name: str) -> None:
    path = home.inbox / f"{name}.zip"
    path.write_bytes(b"not an archive at all")
    assert refused(home, path).code == "source-damaged"


def repacked(path: Path, *, method: int = zipfile.ZIP_DEFLATED, flags: int = 0) -> Path:
    """The archive with another method and more flags in both headers of its last file, as other programs write them."""
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = data.rindex(mark) + place
        struct.pack_into("<2H", data, at, struct.unpack_from("<H", data, at)[0] | flags, method)
    path.write_bytes(data)
    return path


@pytest.mark.provokes("source-encrypted")
def test_an_archive_with_a_password_is_refused(home: Home, name: str) -> None:
    path = repacked(zipped(home.inbox / f"{name}.zip", {"a": b"x", "secret": b"y"}), flags=1)
    caught = refused(home, path)
    assert caught.code == "source-encrypted"
    assert "secret: asks for a password" in str(caught)


@pytest.mark.provokes("packing-unknown")
@pytest.mark.parametrize(
    ("method", "said"),
    [
        (1, "Shrink"),
        (6, "Implode"),
        (9, "Deflate64"),
        (93, "Zstandard"),
        (95, "XZ"),
        (98, "PPMd"),
        (4711, "method 4711"),
    ],
)
def test_a_zip_whose_packing_cannot_be_undone_is_refused_before_anything_is_unpacked(
    home: Home, name: str, method: int, said: str
) -> None:
    path = repacked(zipped(home.inbox / f"{name}.zip", {"a": b"x", "tệp lớn": b"y" * 99}), method=method)
    caught = refused(home, path)
    assert (caught.code, caught.faults) == ("packing-unknown", (f"tệp lớn: packed with {said}",))
    assert caught.detail == {"how": said, "count": "1", "first": "tệp lớn"}
    assert "deliver the folder. Or pack it as TAR, or as ZIP with Deflate" in str(caught)


def test_a_patch_in_a_zip_is_refused_as_a_packing(home: Home, name: str) -> None:
    path = repacked(zipped(home.inbox / f"{name}.zip", {"a": b"x"}), flags=0x20)
    assert refused(home, path).detail["how"] == "a patch of another file"


def test_what_else_is_wrong_with_an_archive_comes_before_its_packing_and_is_told_with_it(home: Home, name: str) -> None:
    path = repacked(zipped(home.inbox / f"{name}.zip", {"a/b": b"x", "a": b"y"}), method=9)
    caught = refused(home, path)
    assert (caught.code, caught.detail["count"]) == ("archive-unfit", "1")
    assert caught.faults == ("a: both a file and a folder", "a: packed with Deflate64")


def test_a_zip_that_zip_packed_with_bzip2_is_taken_and_one_that_it_locked_is_not(home: Home, name: str) -> None:
    for inside, data in FILES.items():
        (home.root / "made" / inside).parent.mkdir(parents=True, exist_ok=True)
        (home.root / "made" / inside).write_bytes(data * 50)
    for ending, options in (("zip", ["-Z", "bzip2"]), ("locked.zip", ["-P", "mật khẩu"])):
        path = home.inbox / f"{name}.{ending}"
        subprocess.run(["zip", "-qr", *options, path, "."], cwd=home.root / "made", check=True)
    assert {i.compress_type for i in zipfile.ZipFile(home.inbox / f"{name}.zip").infolist()} >= {zipfile.ZIP_BZIP2}
    assert taken(home, home.inbox / f"{name}.zip").troubles == ()
    assert originals(home, name) == {inside: data * 50 for inside, data in FILES.items()}
    assert refused(home, path).code == "source-encrypted"


def test_a_file_under_aes_is_told_as_locked_and_not_as_packed(home: Home, name: str) -> None:
    path = repacked(zipped(home.inbox / f"{name}.zip", {"a": b"x"}), method=99)
    assert refused(home, path).code == "source-encrypted"


@pytest.mark.provokes("archive-unfit")
def test_names_that_cannot_stand_beside_each_other_are_all_told(home: Home, name: str) -> None:
    path = tarred(home.inbox / f"{name}.tar", {"a": b"1", "a/b": b"2", "c": b"3"})
    with tarfile.open(path, "a") as archive:
        archive.addfile(tarfile.TarInfo("c"))
    caught = refused(home, path)
    assert caught.code == "archive-unfit"
    assert "a: both a file and a folder" in str(caught)
    assert "c: 2 times in it" in str(caught)


@pytest.mark.parametrize(
    ("inside", "why"),
    [
        ("/".join("a" * 102), "it lies more than 100 folders deep"),
        ("b" * 766, "a part of its name is longer than 765 bytes"),
        ("/".join(["c" * 700] * 6), "its name is longer than 4096 bytes"),
        ("/a" * 32_000, "its name is longer than 4096 bytes"),
        ("secret.doc/", "called a folder, and not an empty one"),
    ],
)
def test_a_name_that_no_file_system_holds_refuses_the_archive(home: Home, name: str, inside: str, why: str) -> None:
    caught = refused(home, zipped(home.inbox / f"{name}.zip", {"good": b"x", inside.lstrip("/"): b"bytes"}))
    assert caught.code == "archive-unfit"
    assert why in str(caught)
    assert len(str(caught)) < 2000


def test_a_long_vietnamese_name_of_windows_is_taken(home: Home, name: str) -> None:
    long = "ế" * 251 + ".txt"
    taken(home, zipped(home.inbox / f"{name}.zip", {long: b"x"}))
    assert set(originals(home, name)) == {long}


@pytest.mark.parametrize("mode", ["zip", "tar.gz"])
def test_an_archive_of_too_many_files_is_refused_by_their_count(home: Home, name: str, mode: str) -> None:
    files = {str(n): b"" for n in range(MOST_FILES + 1)}
    path = home.inbox / f"{name}.{mode}"
    zipped(path, files) if mode == "zip" else tarred(path, files, "w:gz")
    caught = refused(home, path)
    assert caught.code == "archive-unfit"
    assert f"more than {MOST_FILES} files and folders (archive_max_files)" in str(caught)


def test_of_very_many_faults_the_first_are_kept_and_all_are_counted(home: Home, name: str) -> None:
    path = home.inbox / f"{name}.tar"
    tarred(path, {f"../{n}": b"" for n in range(MOST_FILES)})
    caught = refused(home, path)
    assert (len(caught.faults), f"and {MOST_FILES - 20:,} more" in str(caught)) == (1000, True)


@pytest.mark.parametrize("mode", ["zip", "tar"])
def test_a_file_is_the_same_be_its_folder_packed_by_its_name_or_as_the_place_where_one_is(
    home: Home, name: str, mode: str
) -> None:
    path = home.inbox / f"{name}.{mode}"
    files = {"./a.txt": b"a", "././b/./.c": b"c", "d": b"d"}
    zipped(path, files) if mode == "zip" else tarred(path, files)
    taken(home, path)
    assert originals(home, name) == {"a.txt": b"a", "b/%2E/.c": b"c", "d": b"d"}
    told = {
        e.source.path: bytes.fromhex(e.detail["name_bytes"])
        for e in log.read_many(home.log, [aip_id(name)])[aip_id(name)]
        if e.source and "name_bytes" in e.detail
    }
    assert told == {"originals/a.txt": b"./a.txt", "originals/b/%2E/.c": b"././b/./.c"}
    path.unlink()
    assert taken(home, zipped(home.inbox / f"{name}.zip", {"a.txt": b"a"})).new == 0


def test_one_name_given_twice_with_and_without_its_place_is_told(home: Home, name: str) -> None:
    caught = refused(home, tarred(home.inbox / f"{name}.tar", {"./a": b"1", "a": b"2"}))
    assert "a: 2 times in it" in str(caught)


def test_a_place_outside_is_seen_behind_the_place_where_one_is(home: Home, name: str) -> None:
    assert refused(home, tarred(home.inbox / f"{name}.tar", {"good": b"", "./../evil": b"x"})).code == "name-unsafe"


def test_a_zip_that_holds_more_than_it_lists_is_refused(home: Home, name: str, tmp_path: Path) -> None:
    first, second = zipped(tmp_path / "1", {"a": b"1"}), zipped(tmp_path / "2", {"b": b"2"})
    path = home.inbox / f"{name}.zip"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    caught = refused(home, path)
    assert caught.code == "archive-unfit"
    assert "before its first file are in no file that it lists" in str(caught)


@pytest.mark.parametrize("mode", ["tar", "tar.gz"])
def test_a_tar_that_breaks_off_between_two_files_is_refused(home: Home, name: str, mode: str) -> None:
    path = tarred(home.inbox / f"{name}.{mode}", {str(n): b"x" * 500 for n in range(5)})
    cut = path.read_bytes()[:2048]
    path.write_bytes(gzip.compress(cut) if mode == "tar.gz" else cut)
    assert refused(home, path).code == "source-damaged"


def test_a_second_name_of_nothing_in_a_tar_is_told_and_the_others_are_stored(home: Home, name: str) -> None:
    path = tarred(home.inbox / f"{name}.tar", {"good": b"x"})
    with tarfile.open(path, "a") as archive:
        lost = tarfile.TarInfo("lost")
        lost.type, lost.linkname = tarfile.LNKTYPE, "nowhere"
        archive.addfile(lost)
    (trouble,) = taken(home, path).troubles
    assert trouble.code == "member-damaged"
    assert set(originals(home, name)) == {"good"}


def test_a_name_of_other_bytes_than_its_zip_says_is_stored_as_its_bytes(home: Home, name: str) -> None:
    path = zipped(home.inbox / f"{name}.zip", {"tệp": b"x", "good": b"y"})
    path.write_bytes(path.read_bytes().replace("tệp".encode(), b"t\xe1\xbbp?"))
    taken(home, path)
    assert originals(home, name) == {"t%E1%BBp?": b"x", "good": b"y"}


@pytest.mark.parametrize("top", ["./", "./gói/"])
def test_a_bag_packed_as_the_place_where_one_is_is_a_bag(home: Home, name: str, tmp_path: Path, top: str) -> None:
    bag = made_bag(tmp_path / "bag")
    files = {top + str(p.relative_to(bag)): p.read_bytes() for p in sorted(bag.rglob("*")) if p.is_file()}
    taken(home, tarred(home.inbox / f"{name}.tar", files))
    assert set(originals(home, name)) == {"báo-cáo/quý-1.txt", "báo-cáo/quý-2.txt", "100%25.txt"}


def test_an_empty_archive_is_refused(home: Home, name: str) -> None:
    assert refused(home, zipped(home.inbox / f"{name}.zip", {})).code == "archive-unfit"


@pytest.mark.parametrize("top", ["", "gói/"])
def test_a_bag_in_an_archive_is_judged_as_a_bag(home: Home, name: str, tmp_path: Path, top: str) -> None:
    bag = made_bag(tmp_path / "bag")
    files = {top + str(p.relative_to(bag)): p.read_bytes() for p in sorted(bag.rglob("*")) if p.is_file()}
    path = zipped(home.inbox / f"{name}.zip", files)
    taken(home, path)
    assert set(originals(home, name)) == {"báo-cáo/quý-1.txt", "báo-cáo/quý-2.txt", "100%25.txt"}
    assert "metadata/submission/v1/manifest-sha512.txt" in state(home, name)


def test_a_bag_that_macos_packed_is_a_bag_and_what_the_finder_added_stays_beside_it(
    home: Home, name: str, tmp_path: Path
) -> None:
    bag = made_bag(tmp_path / "bag")
    files = {f"gói/{p.relative_to(bag)}": p.read_bytes() for p in sorted(bag.rglob("*")) if p.is_file()}
    taken(home, zipped(home.inbox / f"{name}.zip", {**files, "__MACOSX/gói/._bagit.txt": b"a colour"}))
    assert set(originals(home, name)) == {"báo-cáo/quý-1.txt", "báo-cáo/quý-2.txt", "100%25.txt"}
    assert state(home, name)["metadata/submission/v1.container/__MACOSX/gói/._bagit.txt"] == b"a colour"


def test_a_link_that_came_beside_a_bag_is_a_fault_of_the_bag(home: Home, name: str, tmp_path: Path) -> None:
    bag = made_bag(tmp_path / "bag")
    files = {f"gói/{p.relative_to(bag)}": p.read_bytes() for p in sorted(bag.rglob("*")) if p.is_file()}
    path = tarred(home.inbox / f"{name}.tar", files)
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("__MACOSX/passwd")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert refused(home, path).code == "bag-invalid"


def test_a_broken_bag_in_an_archive_stores_nothing(home: Home, name: str, tmp_path: Path) -> None:
    bag = made_bag(tmp_path / "bag")
    (bag / "data/báo-cáo/quý-1.txt").write_bytes(b"eno")
    files = {str(p.relative_to(bag)): p.read_bytes() for p in sorted(bag.rglob("*")) if p.is_file()}
    assert refused(home, zipped(home.inbox / f"{name}.zip", files)).code == "bag-mismatch"


def test_an_archive_of_the_inbox_is_a_batch_named_without_its_ending(home: Home) -> None:
    for file in ("a.zip", "b.tar.gz", "c.TGZ", "d.rar", ".zip"):
        (home.inbox / file).write_bytes(b"x")
    assert [b.name for b in in_inbox(home.inbox)] == ["a", "b", "c"]
    assert not_taken(home.inbox) == ["d.rar"]
    one = batch(home.inbox / "a.zip")
    then = (home.inbox / "a.zip").stat().st_mtime
    assert not ready(one, quiet_s=60, now=then + 59)
    assert ready(one, quiet_s=60, now=then + 61)
    (home.inbox / "a.ready").touch()
    assert ready(one, quiet_s=60, now=then)


def test_two_deliveries_of_one_name_are_refused_by_name(home: Home) -> None:
    for file in ("a.zip", "a.tar"):
        (home.inbox / file).write_bytes(b"x")
    with pytest.raises(BatchError, match="are called the same"):
        batch(home.inbox / "a.zip")


def test_a_backup_of_gnu_tar_has_the_names_that_gnu_tar_gave(home: Home, name: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "báo-cáo").mkdir(parents=True)
    for inside, data in {"a.txt": b"one", "báo-cáo/b.txt": b"two", "báo-cáo/" + "d" * 120: b"long"}.items():
        (source / inside).write_bytes(data)
    (source / "z.txt").hardlink_to(source / "a.txt")
    path = home.inbox / f"{name}.tar"
    made = ["tar", "--format=gnu", "--sort=name", "-V", "a label", "-g", tmp_path / "list", "-C", source, "-cf", path]
    subprocess.run([*made, "."], check=True)
    assert taken(home, path).troubles == ()
    found = {"a.txt": b"one", "báo-cáo/b.txt": b"two", "báo-cáo/" + "d" * 120: b"long", "z.txt": b"one"}
    assert originals(home, name) == found


@pytest.mark.parametrize(("system", "mode"), [(3, stat.S_IFIFO), (0, stat.S_IFIFO), (0, stat.S_IFLNK)])
def test_a_mode_makes_no_pipe_of_a_file_with_bytes_and_says_nothing_without_unix(
    home: Home, name: str, system: int, mode: int
) -> None:
    info = zipfile.ZipInfo("a.txt")
    info.create_system, info.external_attr = system, (mode | 0o600) << 16
    with zipfile.ZipFile(home.inbox / f"{name}.zip", "w") as archive:
        archive.writestr(info, b"x" * 100)
    assert taken(home, home.inbox / f"{name}.zip").troubles == ()
    assert originals(home, name) == {"a.txt": b"x" * 100}
