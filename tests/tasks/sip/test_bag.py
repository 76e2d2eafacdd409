"""A bag is judged by its own lists before anything is stored, and everything that is wrong with it is told."""

from __future__ import annotations

import hashlib
import os
import unicodedata
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.config.home import Home
from tasks.premis import log
from tasks.premis.model import Ending, EventType, Outcome, aip_id
from tasks.report.standing import refusals
from tasks.sip import bag as bags
from tasks.sip import tags
from tasks.sip.batch import BatchRefused, batch, walk
from tasks.sip.faults import Fault, Faults
from tasks.sip.ingest import ingest, take_in
from tasks.store.ocfl import Store

FILES = {"báo-cáo/quý-1.txt": b"one", "báo-cáo/quý-2.txt": b"two", "100%.txt": b"three"}
Harm = Callable[[Path, str], None]
ESCAPES = {"%": "%25", "\n": "%0A", "\r": "%0D"}


def escaped(name: str) -> str:
    return "".join(ESCAPES.get(letter, letter) for letter in name)


def made(root: Path, files: dict[str, bytes] | None = None, *, algorithm: str = "sha512", version: str = "1.0") -> Path:
    """A valid bag with an Oxum and a tag manifest."""
    files = FILES if files is None else files
    for name, data in files.items():
        (root / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "data" / name).write_bytes(data)
    lines = [f"{hashlib.new(algorithm, data).hexdigest()}  data/{escaped(name)}" for name, data in files.items()]
    tags = {
        "bagit.txt": f"BagIt-Version: {version}\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": f"Source-Organization: Lưu trữ\nPayload-Oxum: {sum(map(len, files.values()))}.{len(files)}\n",
        f"manifest-{algorithm}.txt": "".join(f"{line}\n" for line in lines),
    }
    for name, text in tags.items():
        (root / name).write_text(text, encoding="utf-8")
    sealed = [f"{hashlib.new(algorithm, text.encode()).hexdigest()} {name}\n" for name, text in tags.items()]
    (root / f"tagmanifest-{algorithm}.txt").write_text("".join(sealed), encoding="utf-8")
    return root


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home").prepare()


@pytest.fixture
def root(home: Home) -> Path:
    (home.inbox / "gói-1").mkdir()
    return made(home.inbox / "gói-1")


def told(root: Path) -> list[str]:
    return bags.read(root, walk(batch(root))).verify().words()


def taken(home: Home, name: str = "gói-1"):
    return ingest(batch(home.inbox / name), home, Store(home.store), uuid.uuid4())


def state(home: Home, version: int | None = None) -> dict[str, bytes]:
    inventory = Store(home.store).inventory(aip_id("gói-1"))
    assert inventory is not None
    return {path: entry.path.read_bytes() for path, entry in inventory.state(version).items()}


def test_the_payload_of_a_valid_bag_becomes_originals_and_its_tag_files_stay_beside_them(home: Home, root: Path):
    (done,) = taken(home)
    assert (done.version, done.new, done.troubles) == (1, 3, ())
    held = state(home)
    logical = {name.replace("%", "%25"): data for name, data in FILES.items()}
    assert {p.removeprefix("originals/"): d for p, d in held.items() if p.startswith("originals/")} == logical
    tags = {p.removeprefix("metadata/submission/v1/"): d for p, d in held.items() if "/submission/v1/" in p}
    assert tags == {p.name: p.read_bytes() for p in root.iterdir() if p.is_file()}
    (judged,) = [e for e in log.read(home.log) if e.type is EventType.VALIDATION]
    assert (judged.outcome, judged.detail["check"], judged.detail["algorithms"]) == (
        Outcome.SUCCESS,
        "bagit",
        "sha512",
    )


@pytest.mark.parametrize("version", bags.VERSIONS)
@pytest.mark.parametrize("algorithm", bags.ALGORITHMS)
def test_every_version_and_algorithm_is_understood(tmp_path: Path, version: str, algorithm: str):
    assert told(made(tmp_path / "b", algorithm=algorithm, version=version)) == []


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200 and name.strip() == name
)


@given(st.dictionaries(names, st.binary(max_size=9), min_size=1, max_size=5))
def test_any_name_that_a_bag_can_say_is_found(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]):
    split = [n for n in files if any(letter in n for letter in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")]
    root = made(tmp_path_factory.mktemp("b"), files)
    assert told(root) == [], split


def append(root: Path, name: str, text: str) -> None:
    with (root / name).open("a", encoding="utf-8") as file:
        file.write(text)


def linked(root: Path, name: str) -> None:
    """The file is now elsewhere, and a link to it in its place."""
    (root / name).rename(root.parent.parent / name)
    (root / name).symlink_to(root.parent.parent / name)


def piped(root: Path, name: str) -> None:
    (root / name).unlink()
    os.mkfifo(root / name)


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "a changed byte": (lambda r: (r / "data/báo-cáo/quý-1.txt").write_bytes(b"eno"), "other bytes than its sha512"),
    "a missing file": (lambda r: (r / "data/báo-cáo/quý-1.txt").unlink(), "named and not there"),
    "a file too many": (lambda r: (r / "data/new").write_bytes(b""), "not in the manifest of sha512"),
    "a changed tag file": (lambda r: append(r, "bag-info.txt", "X: y\n"), "bag-info.txt: other bytes than"),
    "a wrong count": (lambda r: (r / "bag-info.txt").write_text("Payload-Oxum: 1.1"), "Payload-Oxum says 1 bytes"),
    "a file elsewhere": (lambda r: append(r, "fetch.txt", "http://x/y 9 data/far\n"), "to be fetched from elsewhere"),
    "no manifest": (lambda r: (r / "manifest-sha512.txt").unlink(), "no manifest of the payload"),
    "an unknown algorithm": (lambda r: append(r, "manifest-crc32.txt", "00 data/x"), "crc32 is not known"),
    "no digest": (lambda r: append(r, "manifest-sha512.txt", "xyz data/x\n"), "line 4 is no digest and name"),
    "a short digest": (lambda r: append(r, "manifest-sha512.txt", "abcd data/x\n"), "line 4 is no digest and name"),
    "a name that climbs": (
        lambda r: append(r, "manifest-sha512.txt", f"{'0' * 128} data/../../etc/passwd\n"),
        "names what it may not: data/../../etc/passwd",
    ),
    "an absolute name": (
        lambda r: append(r, "manifest-sha512.txt", f"{'0' * 128} /etc/passwd\n"),
        "names what it may not: /etc/passwd",
    ),
    "a tag file among the payload": (
        lambda r: append(r, "manifest-sha512.txt", f"{'0' * 128} bagit.txt\n"),
        "names what it may not: bagit.txt",
    ),
    "a name twice": (
        lambda r: append(r, "manifest-sha512.txt", f"{'0' * 128} data/100%25.txt\n"),
        "named twice in manifest-sha512.txt",
    ),
    "a new version": (
        lambda r: (r / "bagit.txt").write_text("BagIt-Version: 9.9\nTag-File-Character-Encoding: UTF-8\n"),
        "BagIt 9.9 is not known",
    ),
    "a declaration that is none": (lambda r: (r / "bagit.txt").write_text("a bag\n"), "not the two lines of RFC 8493"),
    "an encoding nobody knows": (
        lambda r: (r / "bagit.txt").write_text("BagIt-Version: 1.0\nTag-File-Character-Encoding: KLINGON\n"),
        "the encoding KLINGON is not known",
    ),
    "bytes that are no text": (
        lambda r: (r / "manifest-sha512.txt").write_bytes(b"\xff\xfe\xff"),
        "it cannot be read as utf-8",
    ),
    "a count that is none": (
        lambda r: (r / "bag-info.txt").write_text("Payload-Oxum: many"),
        "Payload-Oxum is no number of bytes and of files: many",
    ),
    "a count of endless digits": (
        lambda r: (r / "bag-info.txt").write_text(f"Payload-Oxum: {'9' * 5000}.3"),
        "Payload-Oxum is no number of bytes and of files: 999",
    ),
    "a description without end": (
        lambda r: append(r, "bag-info.txt", "X: y\n" * (1 << 20)),
        "bag-info.txt: it is larger than 4 MB",
    ),
    "a list larger than any": (
        lambda r: os.truncate(r / "manifest-sha512.txt", tags.LARGEST_LIST + 1),
        "manifest-sha512.txt: it is larger than 512 MB",
    ),
    "a line without end": (
        lambda r: append(r, "manifest-sha512.txt", "0" * (tags.LONGEST_LINE + 1)),
        "line 4 is longer than 65536 letters",
    ),
    "an encoding that is none of text": (
        lambda r: (r / "bagit.txt").write_text("BagIt-Version: 1.0\nTag-File-Character-Encoding: idna\n"),
        "the encoding idna is not known",
    ),
    "a declaration that is a link": (lambda r: linked(r, "bagit.txt"), "bagit.txt: a link where only files may be"),
    "a description that is a link": (
        lambda r: linked(r, "bag-info.txt"),
        "bag-info.txt: a link where only files may be",
    ),
    "a list that is a link": (
        lambda r: linked(r, "manifest-sha512.txt"),
        "manifest-sha512.txt: a link where only files may be",
    ),
    "a link in the payload": (lambda r: (r / "data/link").symlink_to("/etc/passwd"), "a link where only files may be"),
    "a pipe in the payload": (lambda r: os.mkfifo(r / "data/pipe"), "a FIFO where only files may be"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_each_fault_of_a_bag_is_told(root: Path, wrong: str):
    harm, expected = WRONG[wrong]
    harm(root)
    assert any(expected in fault for fault in told(root)), told(root)


@pytest.mark.provokes("bag-mismatch")
def test_an_invalid_bag_stores_nothing_and_tells_all_its_faults_at_once(home: Home, root: Path):
    (root / "data/báo-cáo/quý-1.txt").write_bytes(b"eno")
    (root / "data/báo-cáo/quý-2.txt").unlink()
    (root / "data/new").write_bytes(b"")
    with pytest.raises(BatchRefused) as caught:
        taken(home)
    assert caught.value.code == "bag-mismatch"
    for name in ("quý-1.txt: other bytes", "quý-2.txt: named and not there", "data/new: not in the manifest"):
        assert name in str(caught.value)
    store = Store(home.store)
    assert store.inventory(aip_id("gói-1")) is None
    assert not list(store.stages.iterdir())
    assert next(log.read(home.log)).code == "bag-mismatch"


@pytest.mark.parametrize("harm", [linked, piped])
@pytest.mark.parametrize("name", ["bagit.txt", "bag-info.txt", "manifest-sha512.txt"])
def test_a_bag_is_one_even_when_what_says_so_is_no_file(home: Home, root: Path, name: str, harm: Harm):
    harm(root, name)
    (root / "data/báo-cáo/quý-1.txt").write_bytes(b"eno")
    assert not bags.complete(batch(root))
    (refused,) = take_in(batch(root), home, Store(home.store), uuid.uuid4())
    assert refused.code == "bag-invalid"
    assert Store(home.store).inventory(aip_id("gói-1")) is None


def test_a_list_of_nonsense_is_counted_to_its_end_and_told_as_far_as_anyone_reads(home: Home, root: Path):
    (root / "data/báo-cáo/quý-1.txt").write_bytes(b"eno")
    append(root, "manifest-sha512.txt", "x\n" * 50_000)
    bag = bags.read(root, walk(batch(root)))
    assert (bag.faults.count, len(bag.faults.told)) == (50_000, 1000)
    with pytest.raises(BatchRefused) as caught:
        taken(home)
    assert (caught.value.code, caught.value.detail["count"]) == ("bag-invalid", "50002")
    assert "and 49,982 more" in str(caught.value)


def test_a_fault_of_the_structure_counts_when_it_is_the_last_of_many():
    faults = Faults().extend(Fault("lost", structure=False) for _ in range(2000))
    assert not faults.broken
    faults.add(Fault("no list"))
    assert (faults.broken, faults.count, len(faults.told)) == (True, 2001, 1000)


def test_a_fault_is_told_in_few_words_whatever_a_producer_wrote():
    assert len(str(Fault("x" * 10_000, "y" * 10_000))) < 1100


@pytest.mark.parametrize(("encoding", "python"), [("UTF-16", "utf-16"), ("windows-1258", "cp1258"), ("UTF-8", "utf-8")])
def test_a_list_in_another_encoding_is_understood(tmp_path: Path, encoding: str, python: str):
    root = made(tmp_path / "b", {"Bào.txt": b"x"})
    (root / "tagmanifest-sha512.txt").unlink()
    for name in ("bag-info.txt", "manifest-sha512.txt"):
        (root / name).write_bytes((root / name).read_text(encoding="utf-8").replace("ư", "u").encode(python, "ignore"))
    (root / "bagit.txt").write_text(f"BagIt-Version: 1.0\nTag-File-Character-Encoding: {encoding}\n")
    assert told(root) == []


def test_every_encoding_that_is_known_is_one_of_text():
    for encoding in tags.ENCODINGS:
        assert b"data/a".decode("ascii").encode(encoding).decode(encoding) == "data/a"


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_lines_may_end_as_in_any_system(tmp_path: Path, end: str):
    root = made(tmp_path / "b")
    (root / "tagmanifest-sha512.txt").unlink()
    for path in root.glob("*.txt"):
        path.write_bytes(path.read_bytes().replace(b"\n", end.encode()))
    assert told(root) == []
    assert bags.complete(batch(root))
    (root / "bag-info.txt").write_bytes(b"X: y" + end.encode() + b"Payload-Oxum: 1.1" + end.encode())
    assert any("Payload-Oxum says 1 bytes" in fault for fault in told(root))


@pytest.mark.provokes("bag-invalid")
def test_a_bag_whose_lists_are_broken_is_invalid_and_named_so(home: Home, root: Path):
    append(root, "manifest-sha512.txt", "nonsense\n")
    (refused,) = take_in(batch(root), home, Store(home.store), uuid.uuid4())
    assert refused.code == "bag-invalid"
    assert "line 4 is no digest and name" in refused.why


def test_the_same_refusal_is_recorded_once(home: Home, root: Path):
    (root / "data/new").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(BatchRefused):
            taken(home)
    assert len(list(log.read(home.log))) == 1
    (root / "data/newer").write_bytes(b"")
    with pytest.raises(BatchRefused):
        taken(home)
    assert len(list(log.read(home.log))) == 2


def test_why_a_delivery_was_refused_can_be_asked_until_it_is_taken(home: Home, root: Path):
    assert refusals(home, ["gói-1"]) == {}
    (root / "data/new").write_bytes(b"")
    with pytest.raises(BatchRefused):
        taken(home)
    told = refusals(home, ["gói-1", "gói-2"])["gói-1"]
    assert (told.code, told.ending) == ("bag-mismatch", Ending.FAILED)
    (root / "data/new").unlink()
    taken(home)
    assert refusals(home, ["gói-1"]) == {}


def test_a_mended_bag_is_taken(home: Home, root: Path):
    (root / "data/new").write_bytes(b"")
    with pytest.raises(BatchRefused):
        taken(home)
    (root / "data/new").unlink()
    assert taken(home)[0].version == 1


def test_a_bag_delivered_again_with_more_files_is_a_supplement(home: Home, root: Path):
    taken(home)
    for path in root.glob("*manifest*"):
        path.unlink()
    made(root, {**FILES, "báo-cáo/quý-3.txt": b"three"})
    (done,) = taken(home)
    assert (done.version, done.new) == (2, 1)
    assert "originals/báo-cáo/quý-3.txt" in state(home)
    assert b"quy-3" not in state(home)["metadata/submission/v1/manifest-sha512.txt"]
    assert "quý-3".encode() in state(home)["metadata/submission/v2/manifest-sha512.txt"]


def test_a_bag_whose_descriptions_alone_are_others_makes_a_version_that_has_them(home: Home, root: Path):
    taken(home)
    (root / "bag-info.txt").write_text("Title: right\n")
    (root / "metadata").mkdir()
    (root / "metadata/ead.xml").write_text("<ead/>")
    (root / "tagmanifest-sha512.txt").unlink(missing_ok=True)
    for _ in range(2):
        (done,) = taken(home)
        assert (done.version, done.new) == (2, 0)
    assert state(home)["metadata/submission/v2/bag-info.txt"] == b"Title: right\n"
    assert state(home)["metadata/submission/v2/metadata/ead.xml"] == b"<ead/>"
    assert "originals/báo-cáo/quý-1.txt" in state(home)


def test_a_list_in_the_other_unicode_form_than_the_disk_is_understood(tmp_path: Path):
    root = made(tmp_path / "b")
    (root / "data/báo-cáo").rename(root / "data" / unicodedata.normalize("NFD", "báo-cáo"))
    assert told(root) == []


def test_two_files_that_differ_in_unicode_form_alone_are_not_mistaken_for_each_other(tmp_path: Path):
    forms = {unicodedata.normalize(form, "ế.txt"): form.encode() for form in ("NFC", "NFD")}
    root = made(tmp_path / "b", forms)
    assert told(root) == []
    (root / "data" / unicodedata.normalize("NFD", "ế.txt")).write_bytes(b"NFX")
    assert len(told(root)) == 1


def test_only_a_bag_that_counts_says_that_it_has_arrived(root: Path):
    assert bags.complete(batch(root))
    (root / "data/100%.txt").write_bytes(b"thre")
    assert not bags.complete(batch(root))
    (root / "data/100%.txt").write_bytes(b"three")
    (root / "bag-info.txt").unlink()
    assert not bags.complete(batch(root))


def test_a_plain_folder_is_no_bag(tmp_path: Path):
    (tmp_path / "b" / "bagit.txt").mkdir(parents=True)
    (tmp_path / "b" / "bagit.txt" / "x").write_bytes(b"")
    assert not bags.is_bag(walk(batch(tmp_path / "b")))


def test_a_bag_in_the_only_folder_of_a_folder_is_judged(home: Home, tmp_path: Path) -> None:
    root = tmp_path / "lô"
    made(root / "gói")
    for name in (".DS_Store", "._gói", ".ready"):
        (root / name).write_bytes(b"")
    (done,) = ingest(batch(root), home, Store(home.store), uuid.uuid4())
    assert (done.new, done.troubles) == (len(FILES), ())
    inventory = Store(home.store).inventory(done.aip)
    assert inventory is not None
    assert sum(path.startswith("originals/") for path in inventory.state()) == len(FILES)
    assert "originals/báo-cáo/quý-2.txt" in inventory.state()
    assert "metadata/submission/v1.container/._gói" in inventory.state()


def test_a_rotten_bag_in_the_only_folder_of_a_folder_is_refused(home: Home, tmp_path: Path) -> None:
    root = tmp_path / "lô"
    rotten = next(iter(FILES))
    (made(root / "gói") / "data" / rotten).write_bytes(b"other bytes")
    with pytest.raises(BatchRefused) as caught:
        ingest(batch(root), home, Store(home.store), uuid.uuid4())
    assert caught.value.code == "bag-mismatch"


@pytest.mark.parametrize("bags_at", [["one", "two"], ["deep/bag"], ["only"]])
def test_a_bag_that_nobody_would_judge_is_never_taken_as_files(home: Home, tmp_path: Path, bags_at: list[str]) -> None:
    root = tmp_path / "lô"
    for inner in bags_at:
        made(root / inner)
    (root / "._folder").mkdir()
    (root / "._folder" / "note.txt").write_bytes(b"a note")
    with pytest.raises(BatchRefused, match="deliver each bag by itself") as caught:
        ingest(batch(root), home, Store(home.store), uuid.uuid4())
    assert caught.value.code == "batch-unfit"


def test_a_bag_in_the_payload_of_a_bag_is_covered_by_the_outer_one(home: Home, tmp_path: Path) -> None:
    root = made(tmp_path / "lô", {"gói/bagit.txt": b"any", "gói/data/a": b"a"})
    (done,) = ingest(batch(root), home, Store(home.store), uuid.uuid4())
    assert (done.new, done.troubles) == (2, ())


@pytest.mark.parametrize("algorithm", ["sha3_256", "blake2b"])
def test_a_list_of_a_newer_algorithm_beside_a_right_one_is_compared_too(tmp_path: Path, algorithm: str) -> None:
    root = made(tmp_path / "lô", {"a": b"a"}, algorithm="sha256")
    right = hashlib.new(algorithm, b"a").hexdigest()
    (root / f"manifest-{algorithm}.txt").write_text(f"{right}  data/a\n")
    assert bags.read(root, walk(batch(root))).verify().words() == []
    (root / f"manifest-{algorithm}.txt").write_text(f"{right[::-1]}  data/a\n")
    (told,) = bags.read(root, walk(batch(root))).verify().words()
    assert f"other bytes than its {algorithm} says" in told


@pytest.mark.parametrize("algorithm", ["sha3-256", "SHA256", "shake_128", "whirl pool", "băm"])
def test_a_list_of_an_unknown_algorithm_is_told(tmp_path: Path, algorithm: str) -> None:
    root = made(tmp_path / "lô", {"a": b"a"}, algorithm="sha256")
    (root / f"manifest-{algorithm}.txt").write_text("00  data/a\n")
    (told,) = bags.read(root, walk(batch(root))).faults.words()
    assert f"the algorithm {algorithm} is not known" in told


def test_a_name_that_its_writer_did_not_escape_is_found(tmp_path: Path) -> None:
    root = made(tmp_path / "lô", {"a": b"a"}, version="0.97")
    (root / "data/a").rename(root / "data/100%25.txt")
    manifest = root / "manifest-sha512.txt"
    manifest.write_text(manifest.read_text().replace("data/a", "data/100%25.txt"))
    (root / "tagmanifest-sha512.txt").unlink()
    assert bags.read(root, walk(batch(root))).verify().words() == []


def test_a_name_that_is_escaped_is_found_beside_one_that_looks_like_it(tmp_path: Path) -> None:
    root = made(tmp_path / "lô", {"a%.txt": b"a", "a%25.txt": b"b"})
    assert bags.read(root, walk(batch(root))).verify().words() == []
