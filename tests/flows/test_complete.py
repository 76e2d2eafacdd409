"""What the shell is offered: names of this home, by their first letters, without Prefect, and never an error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from flows.command import complete
from tasks.config.home import Home
from tasks.sip.batch import batch
from tasks.sip.ingest import take_in
from tasks.store.ocfl import Store

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("PERENNE_HOME", str(tmp_path))
    return Home(tmp_path).prepare()


def test_batches_are_those_of_the_inbox_and_of_the_store(home: Home) -> None:
    for name in ("văn-bản-1", "văn-bản-2", "khác"):
        (home.inbox / name).mkdir()
    (home.inbox / "văn-bản-1" / "a.txt").write_bytes(b"a")
    (done,) = take_in(batch(home.inbox / "văn-bản-1"), home, Store(home.store), uuid.uuid4())
    assert done.batch == "văn-bản-1"
    (home.inbox / "văn-bản-1" / "a.txt").unlink()
    (home.inbox / "văn-bản-1").rmdir()
    assert complete.batches("văn") == ["văn-bản-2", "văn-bản-1"]
    aips = complete.aips("")
    assert aips[0] == "văn-bản-1"
    assert complete.aips(aips[-1][:4]) == [aips[-1]]
    assert len(aips[-1]) == 8


def test_rules_codes_words_and_policies_are_those_in_force(home: Home) -> None:
    (home.policies / "own.toml").write_text("")
    assert complete.policies("") == ["default", "own"]
    assert complete.codes("source-d") == ["source-damaged"]
    assert complete.endings("h") == ["held"]
    assert "word-2b" in complete.rules("wo")
    (home.root / "perenne.toml").write_text('policy = "own"\n')
    assert complete.rules("wo") == [], "a policy that cannot be used completes nothing and tells nothing"


def test_typer_asks_them_with_what_was_typed(home: Home) -> None:
    cli = typer.Typer()

    @cli.command()
    def one(code: Annotated[str, typer.Argument(autocompletion=complete.codes)]) -> None:
        raise AssertionError(code)

    asked = {"_ROOT_COMPLETE": "complete_bash", "COMP_WORDS": "root source-em", "COMP_CWORD": "1"}
    done = CliRunner().invoke(cli, env=asked, prog_name="root")
    assert done.stdout.split() == ["source-empty"]


SHELLS = {
    "bash": {"COMP_WORDS": "perenne doc", "COMP_CWORD": "1"},
    "zsh": {"_TYPER_COMPLETE_ARGS": "perenne doc"},
    "fish": {"_TYPER_COMPLETE_ARGS": "perenne doc", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}
SCRIPTS = {
    "bash": ".bash_completions/perenne.sh",
    "zsh": ".zfunc/_perenne",
    "fish": ".config/fish/completions/perenne.fish",
}


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_in_use_is_given_its_script_and_its_question_is_answered_without_prefect(
    tmp_path: Path, shell: str
) -> None:
    env = {**os.environ, "HOME": str(tmp_path), "PERENNE_HOME": str(tmp_path / "home")}
    named = tmp_path / shell
    shutil.copy("/bin/bash", named)  # the shell is known by the name of the process that asks
    perenne = Path(sys.executable).with_name("perenne")
    done = subprocess.run(
        [named, "-c", '"$1" --install-completion; exit $?', shell, perenne],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"complete_{shell}" in (tmp_path / SCRIPTS[shell]).read_text()
    env |= {"_PERENNE_COMPLETE": f"complete_{shell}", **SHELLS[shell]}
    program = tmp_path / "perenne"
    program.write_text(
        "import sys; from flows.command import main\ntry: main()\nfinally: assert 'prefect' not in sys.modules"
    )
    answered = subprocess.run([sys.executable, program], env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "doctor" in answered.stdout, answered.stderr
    assert "Error" not in answered.stderr
    assert not (tmp_path / "home").exists()
