"""Settings are refused with every fault, never guessed."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest

from tasks.config.faults import written
from tasks.config.home import ConfigError, Home, Settings
from tasks.config.settings import ALLOWED, all_of


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert Home(tmp_path).settings() == Settings()


def test_what_the_file_says_is_taken(tmp_path: Path) -> None:
    (tmp_path / "perenne.toml").write_text('languages = "fra"\nchunk_files = 3\n')
    assert Home(tmp_path).settings() == Settings(languages="fra", chunk_files=3)


@pytest.mark.parametrize(
    "line", ["aip_max_files = 0", "archive_max_files = -5", "server_port = 99999", "reserve_gb = -4", "verify_days = 0"]
)
def test_a_number_with_which_no_run_would_end_or_begin_is_told(line: str, tmp_path: Path) -> None:
    (tmp_path / "perenne.toml").write_text(f"{line}\n")
    with pytest.raises(ConfigError, match="Write a whole number from"):
        Home(tmp_path).settings()


def test_a_typo_and_a_wrong_type_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "perenne.toml").write_text('langauges = "fra"\nchunk_files = "3"\n')
    with pytest.raises(ConfigError) as refused:
        Home(tmp_path).settings()
    assert "langauges" in str(refused.value)
    assert 'line 2  chunk_files = "3"\n        → Write a whole number from 1 to 100,000.' in str(refused.value)


@pytest.mark.parametrize(
    "lay", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to("nowhere")]
)
def test_settings_that_are_no_file_are_refused_and_never_waited_for(tmp_path: Path, lay) -> None:
    lay(tmp_path / "perenne.toml")
    with pytest.raises(ConfigError, match="is not a file"):
        Home(tmp_path).settings()


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 100_000])
def test_settings_that_no_parser_can_hold_are_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "perenne.toml").write_text(f"chunk_files = {value}\n")
    with pytest.raises(ConfigError):
        Home(tmp_path).settings()


def test_every_fault_is_told_with_its_line_and_what_may_stand_there(tmp_path: Path) -> None:
    text = '# mine\nlang = "de"\nchunk_fles = 3\nlanguages = "vie, eng"\n\n[reserve_gb]\nx = true\n'
    (tmp_path / "perenne.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        Home(tmp_path).settings()
    first, *rows = str(refused.value).splitlines()
    assert first == f"{tmp_path}/perenne.toml has 4 faults. No file was touched."
    assert rows[::2] == [
        'line 2  lang = "de"',
        "line 3  chunk_fles = 3",
        'line 4  languages = "vie, eng"',
        "line 6  reserve_gb = { x = true }",
    ]
    assert rows[1] == '        → Allowed: "en", "fr", "vi".'
    assert rows[3].startswith('        → Write "chunk_files". Allowed: "aip_max_files",')
    assert rows[5] == '        → Write languages as Tesseract names them, joined by +: "vie+eng".'


@pytest.mark.parametrize(
    ("text", "line", "seen"),
    [
        (b"lang = = 3\n", 1, "Invalid value"),
        (b'lang = "en"\nlang = "vi"\n', 2, "Cannot overwrite a value"),
        (b'lang = "en"\n\npolicy = "\xe9"\n', 3, "This is not UTF-8."),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path: Path, text: bytes, line: int, seen: str) -> None:
    (tmp_path / "perenne.toml").write_bytes(text)
    with pytest.raises(ConfigError) as refused:
        Home(tmp_path).settings()
    (fault,) = refused.value.faults
    assert (fault.line, fault.seen) == (line, seen)


def test_every_setting_says_what_it_does_and_its_default_is_allowed(tmp_path: Path) -> None:
    assert list(ALLOWED) == [field.name for field in fields(Settings)]
    written_out = "".join(f"{one.name} = {written(one.default)}\n" for one in all_of(tmp_path / "perenne.toml"))
    (tmp_path / "perenne.toml").write_text(written_out)
    assert Home(tmp_path).settings() == Settings()
    assert [one.line for one in all_of(tmp_path / "perenne.toml")] == list(range(1, len(ALLOWED) + 1))
    means = [one.as_json()["means"] for one in all_of(tmp_path / "perenne.toml")]
    assert all(isinstance(text, str) and text.endswith(".") for text in means)
