"""The pages say what the code does: written ones are fresh, links lead somewhere, verbs exist, no claim is too big."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import unicodedata
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
BIG_WORDS = re.compile(r"\b(certified|certification|compliant|compliance|guaranteed?)\b", re.IGNORECASE)
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"\s+#.*$")


@pytest.fixture(scope="module")
def make() -> ModuleType:
    """docs/make.py, which is a script and no part of a package."""
    spec = importlib.util.spec_from_file_location("docs_make", ROOT / "docs" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """The lines of the fenced blocks of one language."""
    found = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in found for line in block.splitlines()]


def anchors(page: Path) -> set[str]:
    """The names by which a page's headings can be linked, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", unicodedata.normalize("NFC", h).lower()).replace(" ", "-") for h in headings}


def test_the_written_pages_are_what_the_code_says(make: ModuleType) -> None:
    assert not make.stale(), "run: .venv/bin/python docs/make.py"


def test_check_exits_1_when_a_page_is_stale(
    make: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(make, "DOCS", tmp_path)
    assert make.main(["--check"]) == 1
    assert "docs/policy.md" in capsys.readouterr().err
    assert make.main([]) == 0
    assert make.main(["--check"]) == 0
    (tmp_path / "cli.md").write_text("old", encoding="utf-8")
    assert make.main(["--check"]) == 1


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def commands(page: Path) -> list[list[str]]:
    """Each `perenne …` command that a page shows, as words: in fenced shell lines and in code of a sentence."""
    text = page.read_text(encoding="utf-8")
    lines = [*blocks(page, "sh"), *re.findall(r"`([^`\n]+)`", FENCED.sub("", text))]
    matches = (re.match(r"(?:\.venv/bin/)?perenne(?: (.*))?$", COMMENT.sub("", line).strip()) for line in lines)
    return [shlex.split(match[1] or "") for match in matches if match]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_verb_that_a_page_names_is_there(make: ModuleType, page: Path) -> None:
    known = set(make.verbs())
    groups = {verb.split()[0] for verb in known if " " in verb}
    unknown = []
    for words in commands(page):
        verb = [w for w in words if re.fullmatch(r"[a-z]+", w)][:2]
        if verb and verb[0] not in known and " ".join(verb) not in known and not (len(verb) == 1 and verb[0] in groups):
            unknown.append(" ".join(words))
    assert not unknown


def shown_options(page: Path) -> list[tuple[str, set[str]]]:
    return [
        (" ".join(w for w in words[:2] if w.isalpha()), {w for w in words if w.startswith("--")})
        for words in commands(page)
    ]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_option_that_a_page_shows_is_one_of_its_verb(make: ModuleType, page: Path) -> None:
    helps = make.helps()
    everywhere = helps[""]  # `--lang` may stand behind any verb
    wrong = []
    for verb, options in shown_options(page):
        text = everywhere + (helps.get(verb) or helps.get(verb.split(" ")[0] if verb else "", ""))
        wrong += [f"{verb} {o}" for o in options if not re.search(rf"{re.escape(o)}\b", text)]
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_page_claims_what_only_others_could_grant(page: Path) -> None:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    assert not [m[0] for m in BIG_WORDS.finditer(text)]


README_VERBS = sorted({words[0] for words in commands(ROOT / "README.md") if words})


@pytest.mark.slow
@pytest.mark.parametrize("verb", README_VERBS)
def test_each_verb_of_the_readme_answers_to_help(verb: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("perenne")), verb, "--help"],
        env={**os.environ, "PERENNE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert verb in done.stdout
    assert not (tmp_path / "home").exists(), "help touches nothing"
