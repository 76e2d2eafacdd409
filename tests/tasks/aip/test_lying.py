"""Residents that lie, under the whole pipeline: the file they lied about is told, the others are as they would be."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.policy.load import DEFAULT
from tasks.premis import log
from tasks.premis.model import Ending, Outcome, Trouble
from tasks.tools.door import Door
from tasks.tools.resident import kinds
from tasks.tools.resident.kinds import Options, Program
from tasks.validators import pdfa
from tests.tasks import jobs
from tests.tasks.aip.conftest import FORMATS
from tests.tasks.aip.pipeline import Pipeline

pytestmark = pytest.mark.slow

FAKE = FORMATS.parent / "fakes" / "lying_resident.py"


def liar(folder: Path, kind: str) -> Program:
    """The fake in the place of a resident; its honest product is a PDF/A of a text that no test delivers."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    script, honest = folder / "lying_resident.py", folder / "honest.pdf"
    for source, target in ((FAKE, script), (FORMATS / "fmt-477/đã-chuẩn-2b.pdf", honest)):
        shutil.copyfile(source, target)
        target.chmod(0o644)
    argv = (sys.executable, "-I", str(script), kind, str(honest))
    return Program(kinds.TOOLS[kind], argv, requests=1000, read=(folder,))


def opened(folder: Path, kind: str) -> Door:
    return Door(folder / "work", cores=1, options=Options(instead={kind: liar(folder / "program", kind)}))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("office"), "office") as door:
        yield door


@pytest.fixture(scope="module")
def siegfried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("siegfried"), "siegfried") as door:
        yield door


@pytest.fixture(scope="module")
def verapdf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("verapdf"), "verapdf") as door:
        yield door


def endings(pipeline: Pipeline) -> dict[str, tuple[Ending, str]]:
    return {
        e.source.path.removeprefix("originals/"): (e.ending, e.code)
        for e in log.read(pipeline.home.log)
        if e.ending is not None and e.source
    }


OFFICE = {
    "nothing_written": (Ending.FAILED, "product-missing"),
    "other_name": (Ending.FAILED, "product-missing"),
    "empty_product": (Ending.FAILED, "product-missing"),
    "cut_product": (Ending.FAILED, "pdfa-invalid"),
    "other_type": (Ending.FAILED, "tool-crash"),
    "other_document": (Ending.HELD, "text-lost"),
    "holes": (Ending.FAILED, "output-too-large"),
    "link": (Ending.FAILED, "tool-crash"),
    "exit_0": (Ending.FAILED, "tool-crash"),
    "of_another": (Ending.FAILED, "tool-crash"),
}


def test_an_office_that_lies_makes_no_master_and_nothing_of_a_failed_file_is_kept(tmp_path: Path, office: Door) -> None:
    pipeline = Pipeline(tmp_path, office, DEFAULT.read_text(encoding="utf-8"))
    (pipeline.inbox / "lô-1").mkdir()
    for lie in OFFICE:
        text = rf"{{\rtf1\ansi A text of some words, about which is told a lie: office.{lie} \par}}"
        (pipeline.inbox / "lô-1" / f"{lie}.rtf").write_text(text)
    shutil.copy(FORMATS / "fmt-116/biểu-đồ.bmp", pipeline.inbox / "lô-1")
    pipeline.run()
    found = endings(pipeline)
    assert found.pop("biểu-đồ.bmp")[0] is Ending.DONE
    assert found == {f"{lie}.rtf": told for lie, told in OFFICE.items()}
    held = [word for word, _ in OFFICE.values() if word is Ending.HELD]
    assert len([path for path in pipeline.home.review.rglob("*") if path.is_file()]) == len(held)


def test_a_siegfried_that_lies_spoils_the_files_it_lied_about_and_no_other(tmp_path: Path, siegfried: Door) -> None:
    pipeline = Pipeline(tmp_path, siegfried)
    (pipeline.inbox / "lô-1").mkdir()
    lies = ("no_puid", "long_words", "no_basis", "other_file", "killed", "deep", "half_a_letter", "twice")
    for lie in lies:
        (pipeline.inbox / "lô-1" / f"{lie}.txt").write_text(f"lie: siegfried.{lie}\n")
    for name in ("a.txt", "z.txt"):
        (pipeline.inbox / "lô-1" / name).write_text("a plain text")
    pipeline.run()
    found = endings(pipeline)
    assert {found.pop(f"{name}.txt")[0] for name in ("a", "z", "twice")} == {Ending.KEPT}
    assert set(found.values()) == {(Ending.FAILED, "tool-crash")}


@pytest.mark.parametrize("lie", ["contradiction", "invalid_without_reason", "valid_in_words", "strange_clauses"])
def test_a_verdict_that_contradicts_itself_is_none(tmp_path: Path, verapdf: Door, lie: str) -> None:
    good, lied = tmp_path / "good.pdf", tmp_path / "lied.pdf"
    good.write_bytes(b"%PDF-1.7\n")
    lied.write_text(f"%PDF-1.7\n% lie: {lie}\n")
    with verapdf.job() as job, pytest.raises(Trouble) as caught:
        pdfa.validate(jobs.source(job, good), jobs.product(job, lied), job)
    assert caught.value.code == "tool-crash"
    with verapdf.job() as job:
        assert pdfa.validate(jobs.source(job, good), jobs.product(job, good), job).outcome is Outcome.SUCCESS
