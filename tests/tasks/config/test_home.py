"""Settings are refused with every fault, never guessed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.config.home import ConfigError, Home, Settings


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
    with pytest.raises(ConfigError, match="must be from"):
        Home(tmp_path).settings()


def test_a_typo_and_a_wrong_type_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "perenne.toml").write_text('langauges = "fra"\nchunk_files = "3"\n')
    with pytest.raises(ConfigError) as refused:
        Home(tmp_path).settings()
    assert "langauges" in str(refused.value)
    assert "chunk_files = '3': must be int" in str(refused.value)


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
