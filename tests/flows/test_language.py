"""The language that the command speaks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.command.app import language_first

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from flows.command import main; main()"]


def perenne(home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "PERENNE_HOME": str(home), **env}
    return subprocess.run([*COMMAND, *arguments], env=given, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_settings_say_which_language_and_the_option_and_the_environment_go_before_them(tmp_path: Path) -> None:
    (tmp_path / "perenne.toml").write_text('lang = "vi"\n', encoding="utf-8")
    assert perenne(tmp_path, "status").stdout.startswith("Kho đang trống.")
    assert perenne(tmp_path, "status", PERENNE_LANG="fr").stdout.startswith("Le magasin est vide.")
    assert perenne(tmp_path, "--lang", "en", "status").stdout.startswith("The store is empty.")
    assert perenne(tmp_path, "status", "--lang=en", PERENNE_LANG="fr").stdout.startswith("The store is empty.")


@pytest.mark.slow
def test_a_language_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    refused = perenne(tmp_path, "status", "--lang", "de")
    assert refused.returncode == 2
    assert "'en', 'vi', 'fr'" in refused.stderr
    (tmp_path / "perenne.toml").write_text('lang = "de"\n', encoding="utf-8")
    broken = perenne(tmp_path, "status")
    assert broken.returncode == 2
    assert 'Allowed: "en", "fr", "vi"' in broken.stderr


@pytest.mark.parametrize(
    ("given", "first"),
    [
        (["status", "--lang", "vi", "x"], ["--lang", "vi", "status", "x"]),
        (["status", "--lang=vi"], ["--lang=vi", "status"]),
        (["status", "--", "--lang"], ["status", "--", "--lang"]),
        (["status", "--lang"], ["--lang", "status"]),
    ],
)
def test_the_language_may_stand_behind_the_verb(given: list[str], first: list[str]) -> None:
    assert language_first(given) == first
