"""Settings are refused with every fault, never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.config.home import ConfigError, Home, Settings


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert Home(tmp_path).settings() == Settings()


def test_what_the_file_says_is_taken(tmp_path: Path) -> None:
    (tmp_path / "perenne.toml").write_text('languages = "fra"\nchunk_files = 3\n')
    assert Home(tmp_path).settings() == Settings(languages="fra", chunk_files=3)


def test_a_typo_and_a_wrong_type_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "perenne.toml").write_text('langauges = "fra"\nchunk_files = "3"\n')
    with pytest.raises(ConfigError) as refused:
        Home(tmp_path).settings()
    assert "langauges" in str(refused.value)
    assert "chunk_files = '3': must be int" in str(refused.value)
