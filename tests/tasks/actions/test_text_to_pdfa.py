from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.actions.text_to_pdfa import migrate
from tasks.facts import text
from tasks.premis.model import Identification, Outcome, Source, SourceFile, Trouble
from tasks.tools.door import Door
from tasks.validators import pdfa, words
from tests.tasks import answers, jobs

FIXTURES = Path(__file__).parents[3] / "fixtures"


def source(size: int = 9) -> Source:
    return Source(SourceFile("a.txt", size, "ab" * 32), "in/source.txt", Identification("x-fmt/111"), {})


def made(**answer: Any) -> dict[str, Any]:
    return {
        "plain_text:make_pdfa": {"pages": 1, "characters": 9, "controls": 0, "encoding": "utf-8", "share": None}
        | answer
    }


def test_a_unicode_text_needs_no_note() -> None:
    job, seen = answers.job(made())
    migration = migrate(source(), job)
    assert migration.notes == ()
    assert migration.products[0].puid == "fmt/478"
    assert {m.name: m.value for m in migration.measures} == {"pages": "1", "characters": "9", "controls": "0"}
    assert seen.asked[0][1]["seed"] == "ab" * 32


def test_how_an_old_text_was_read_is_told() -> None:
    job, _ = answers.job(made(encoding="tcvn3", share="0.9951"))
    (note,) = migrate(source(), job).notes
    assert (note.code, note.detail) == ("encoding-converted", {"encoding": "TCVN3", "share": "99.5%"})
    job, _ = answers.job(made(encoding="cp1252"))
    (note,) = migrate(source(), job).notes
    assert (note.code, note.detail) == ("encoding-guessed", {"encoding": "cp1252"})


def test_an_empty_file_is_told_and_an_odd_answer_is_refused() -> None:
    with pytest.raises(Trouble) as caught:
        migrate(source(0), answers.job(made())[0])
    assert caught.value.code == "source-empty"
    with pytest.raises(Trouble) as caught:
        migrate(source(), answers.job(made(pages="many"))[0])
    assert caught.value.code == "tool-crash"
    with pytest.raises(ValueError, match="part"):
        migrate(source(), answers.job(made())[0], part=4)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((FIXTURES / "formats" / "x-fmt-111").iterdir()), ids=lambda p: p.stem)
def test_a_text_becomes_valid_pdfa_with_all_its_words_and_the_same_bytes_again(path: Path, door: Door) -> None:
    digests = set()
    for _ in range(2):
        with door.job() as job:
            facts = text.facts(job.give(path, "facts.txt"), job)
            original = jobs.source(job, path, puid="x-fmt/111", facts=facts)
            (master,) = migrate(original, job).products
            assert pdfa.validate(original, master, job).outcome is Outcome.SUCCESS
            assert words.validate(original, master, job).outcome is Outcome.SUCCESS
            digests.add(master.sha256)
    assert len(digests) == 1
