"""The checked-in fixtures are what they say, and the recipes make them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tomllib
import unicodedata
import zipfile
from pathlib import Path

import msoffcrypto
import pikepdf
import pytest

from tasks.premis import codes

FIXTURES = Path(__file__).parents[1] / "fixtures"
PASSWORD = "mo-ra-2011"
# pygfried's Go runtime hangs every process forked from the one that loaded it, so it gets one of its own.
IDENTIFY = (
    "import json, pygfried, sys\nprint(json.dumps({path: pygfried.identify(path) for path in json.load(sys.stdin)}))"
)


def files(folder: str) -> list[Path]:
    return sorted(path for path in (FIXTURES / folder).rglob("*") if path.is_file())


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FIXTURES / "make.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_siegfried_names_each_format_by_the_folder_it_lies_in():
    paths = [str(path) for path in files("formats")]
    assert len(paths) > 35
    done = subprocess.run(
        [sys.executable, "-c", IDENTIFY], input=json.dumps(paths), capture_output=True, text=True, check=True
    )
    found = {path: puid.replace("/", "-").lower() for path, puid in json.loads(done.stdout).items()}
    assert found == {path: Path(path).parent.name for path in paths}


def test_each_hostile_folder_is_a_code():
    names = {path.relative_to(FIXTURES / "hostile").parts[0] for path in files("hostile")}
    assert names <= codes.CODES.keys()
    assert {"source-encrypted", "source-empty", "source-damaged"} <= names


def test_locked_files_want_the_password_and_open_with_it():
    folder = FIXTURES / "hostile" / "source-encrypted"
    for path in folder.glob("*.pdf"):
        with pytest.raises(pikepdf.PasswordError):
            pikepdf.open(path)
        with pikepdf.open(path, password=PASSWORD) as pdf:
            assert len(pdf.pages) == 1
    for path in folder.glob("*.docx"):
        with path.open("rb") as locked:
            office = msoffcrypto.OfficeFile(locked)
            assert office.is_encrypted()
            plain = io.BytesIO()
            office.load_key(password=PASSWORD)
            office.decrypt(plain)
        assert "word/document.xml" in zipfile.ZipFile(plain).namelist()
    for path in folder.glob("*.odt"):
        with zipfile.ZipFile(path) as archive:
            assert b"encryption-data" in archive.read("META-INF/manifest.xml")
            assert not archive.read("content.xml").startswith(b"<?xml")
    assert {path.suffix for path in folder.iterdir()} == {".pdf", ".docx", ".odt"}


def test_hostile_archives_are_hostile():
    with zipfile.ZipFile(FIXTURES / "hostile" / "name-unsafe" / "trỏ-ra-ngoài.zip") as archive:
        assert any(name.startswith("../") for name in archive.namelist())
    with zipfile.ZipFile(FIXTURES / "hostile" / "bomb-suspected" / "phình-to.zip") as archive:
        assert all(info.file_size > 500 * info.compress_size for info in archive.infolist())
    assert all(path.stat().st_size == 0 for path in files("hostile/source-empty"))


def test_names_are_clean_and_the_whole_is_small():
    everything = [path for path in FIXTURES.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert all(unicodedata.is_normalized("NFC", str(path.relative_to(FIXTURES))) for path in everything)
    assert sum(path.stat().st_size for path in everything) < 3_000_000


def test_the_demo_batch_is_laid_once_from_the_fixtures(tmp_path):
    assert make("demo", str(tmp_path)).returncode == 0
    wanted = tomllib.loads((FIXTURES / "batches" / "demo.toml").read_text(encoding="utf-8"))
    assert 25 <= len(wanted) <= 30
    batch = tmp_path / "văn-bản-demo"
    laid = {str(path.relative_to(batch)): path.read_bytes() for path in batch.rglob("*") if path.is_file()}
    assert laid == {name: (FIXTURES / source).read_bytes() for name, source in wanted.items()}
    again = make("demo", str(tmp_path))
    assert (again.returncode, "there already" in again.stderr) == (1, True)


@pytest.mark.slow
def test_the_recipes_make_the_checked_in_files_byte_for_byte():
    done = make("check")
    if done.returncode == 2 and not (os.environ.get("CI") or os.environ.get("REQUIRE_TOOLS")):
        pytest.skip(f"other libraries or fonts than in made-with.json: {done.stdout.strip()}")
    assert (done.returncode, done.stdout) == (0, "")
