"""A plan says what the run then does, and leaves nothing behind."""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.aip import estimate
from tasks.aip.forecast import Plan, look_again
from tasks.aip.past import Because
from tasks.aip.plan import Choice, Scope
from tasks.policy.load import load
from tasks.premis import log
from tasks.report import planned
from tasks.sip.ahead import look_ahead
from tasks.sip.batch import BatchRefused, batch
from tasks.tools import shared
from tasks.words import spoken
from tests.tasks.aip.conftest import FORMATS
from tests.tasks.aip.pipeline import PICTURES, Pipeline

pytestmark = pytest.mark.slow


def ahead(pipeline: Pipeline, name: str = "lô-1", choice: Choice = Choice()) -> Plan:  # noqa: B008
    policy = load(pipeline.policy)
    return look_ahead(pipeline.home, pipeline.door, batch(pipeline.inbox / name), policy, choice, estimate.default())


def again(pipeline: Pipeline, choice: Choice = Choice()) -> Plan:  # noqa: B008
    aips = list(pipeline.store.aips())
    policy = load(pipeline.policy)
    return look_again(pipeline.home, pipeline.door, pipeline.store, aips, policy, choice, estimate.default())


def files(plan: Plan) -> dict[str, int]:
    return {line.rule: line.files for line in plan.lines}


def whys(plan: Plan) -> dict[str, dict[Because, int]]:
    return {line.rule: dict(line.because) for line in plan.lines}


def left(pipeline: Pipeline) -> list[str]:
    """Every file of the home but for the locks of resident programs, and everything of the inbox."""
    home = pipeline.home
    places = [home.store, home.log, home.review, home.reports, home.work / "unpacked", home.work / "seen"]
    found = [path for place in [*places, pipeline.inbox] for path in place.rglob("*")]
    return sorted(f"{path} {path.lstat().st_mtime_ns}" for path in found if not _own(path))


def _own(path: Path) -> bool:
    return path.parent.name == "unpacked" and path.name.endswith(".lock")


@pytest.fixture
def closing() -> Iterator[None]:
    yield
    shared.close()


def test_a_plan_of_a_folder_is_what_its_run_does_and_leaves_nothing(pipeline: Pipeline) -> None:
    before = left(pipeline)
    plan = ahead(pipeline)
    assert left(pipeline) == before
    pipeline.run()
    did = Counter(e.rule for e in log.read(pipeline.home.log) if e.ending is not None)
    assert files(plan) == dict(did) == {"tiff": 3, "any": 1}
    assert whys(plan) == {"tiff": {Because.NEW: 3}, "any": {Because.NEW: 1}}
    assert (plan.batch, plan.files, plan.settled, plan.no_rule, plan.refused) == ("lô-1", 4, 0, 1, {})
    made = sum(o.size for e in log.read(pipeline.home.log) if e.ending for o in e.objects if o.role == "outcome")
    assert plan.bytes_out == pytest.approx(made, rel=0.25)


def test_an_archive_is_planned_as_its_content_and_its_scratch_is_removed(pipeline: Pipeline, closing: None) -> None:
    with zipfile.ZipFile(pipeline.inbox / "gói.zip", "w") as packed:
        for path in sorted((pipeline.inbox / "lô-1" / "ảnh").iterdir()):
            packed.write(path, f"ảnh/{path.name}")
    before = left(pipeline)
    plan = ahead(pipeline, "gói.zip")
    assert [p for p in left(pipeline) if p not in before and "/unpacked" not in p] == []
    assert list((pipeline.home.work / "unpacked").rglob("*/*")) == []
    assert files(plan) == {"tiff": 3, "any": 1}
    assert plan.bytes == sum(p.stat().st_size for p in (pipeline.inbox / "lô-1" / "ảnh").iterdir())


def test_a_bag_that_a_run_would_refuse_is_refused_and_not_recorded(pipeline: Pipeline) -> None:
    bag = pipeline.inbox / "bao"
    (bag / "data").mkdir(parents=True)
    (bag / "data" / "x.txt").write_text("x")
    (bag / "bagit.txt").write_text("BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    (bag / "manifest-md5.txt").write_text(f"{'0' * 32}  data/x.txt\n")
    with pytest.raises(BatchRefused) as refused:
        ahead(pipeline, "bao")
    assert refused.value.code == "bag-mismatch"
    assert list(log.read(pipeline.home.log)) == []


def test_what_is_no_file_would_be_refused_and_is_told_by_name(pipeline: Pipeline) -> None:
    (pipeline.inbox / "lô-1" / "lối-tắt").symlink_to("/etc/passwd")
    plan = ahead(pipeline)
    assert dict(plan.refused) == {"not-a-file": 1}
    assert plan.refused_files == (("lối-tắt", "not-a-file"),)
    assert plan.files == 4


def test_a_file_that_cannot_be_read_as_what_it_is_will_get_no_master_and_costs_nothing(pipeline: Pipeline) -> None:
    shutil.rmtree(pipeline.inbox / "lô-1" / "ảnh")
    whole = (FORMATS / "fmt-11" / "màu-8-bit.png").read_bytes()
    (pipeline.inbox / "lô-1" / "hỏng.png").write_bytes(whole[:40])
    (line,) = ahead(pipeline).lines
    assert (line.rule, line.cpu_s, line.bytes_out) == ("tiff", 0.0, 0)
    assert dict(ahead(pipeline).troubles) == {"source-damaged": 1}


def test_of_a_batch_that_is_stored_only_what_is_new_or_other_is_planned(pipeline: Pipeline) -> None:
    pipeline.run()
    folder = pipeline.inbox / "lô-1" / "ảnh"
    assert (ahead(pipeline).lines, ahead(pipeline).settled) == ((), 4)
    shutil.copy(folder / "ảnh-kho.jpg", folder / "mới.jpg")
    shutil.copy(FORMATS / "fmt-11" / "màu-8-bit.png", folder / "biểu-đồ.bmp")
    plan = ahead(pipeline)
    assert whys(plan) == {"tiff": {Because.NEW: 1, Because.REPLACED: 1}}
    assert (plan.files, plan.settled) == (5, 3)


def test_equal_bytes_are_several_files_and_cost_once(pipeline: Pipeline) -> None:
    once = {line.rule: line for line in ahead(pipeline).lines}["tiff"]
    folder = pipeline.inbox / "lô-1" / "ảnh"
    for path in list(folder.iterdir()):
        shutil.copy(path, folder / f"bản-sao-{path.name}")
    twice = {line.rule: line for line in ahead(pipeline).lines}["tiff"]
    assert (twice.files, twice.bytes_in) == (2 * once.files, 2 * once.bytes_in)
    assert (twice.cpu_s, twice.bytes_out) == (once.cpu_s, once.bytes_out)


def test_a_delivery_for_several_aips_is_planned_as_a_whole(pipeline: Pipeline) -> None:
    whole = ahead(pipeline)
    (pipeline.home.root / "perenne.toml").write_text("aip_max_files = 3\n")
    parted = ahead(pipeline)
    assert files(parted) == files(whole)
    assert parted.cpu_s == pytest.approx(whole.cpu_s)


def test_an_aip_that_was_only_taken_in_is_identified_for_its_plan_and_nothing_is_recorded(pipeline: Pipeline) -> None:
    pipeline.ingest()
    before = left(pipeline)
    plan = again(pipeline)
    assert left(pipeline) == before
    assert files(plan) == {"tiff": 3, "any": 1}


def test_an_aip_is_planned_again_when_its_rules_change_or_a_person_asks(pipeline: Pipeline) -> None:
    pipeline.run()
    assert again(pipeline).lines == ()
    assert whys(again(pipeline, Choice(Scope.ALL, rules=("any",)))) == {"any": {Because.ALL: 1}}
    assert whys(again(pipeline, Choice(codes=("no-rule",)))) == {"any": {Because.CODE: 1}}
    pipeline.policy.write_text(PICTURES.replace('"none"', '"deflate"'), encoding="utf-8")
    plan = again(pipeline)
    assert whys(plan) == {"tiff": {Because.RULE_CHANGED: 3}}
    assert (plan.batch, plan.settled) == ("lô-1", 1)


def test_a_plan_tells_the_paths_that_no_file_answers_to_and_a_code_that_none_has(pipeline: Pipeline) -> None:
    pipeline.run()
    path = min(e.source.path for e in log.read(pipeline.home.log) if e.source).removeprefix("originals/")
    with spoken("en"):
        wrong = again(pipeline, Choice(Scope.ALL, paths=(path, "cong-van/")))
        assert (wrong.nowhere, wrong.files - wrong.settled) == (("cong-van/",), 1)
        assert planned.asides(wrong)[0].startswith("No file lies at cong-van/. ")
        assert planned.asides(again(pipeline, Choice(Scope.ALL, paths=(path,))))[0].startswith("3 are settled")
        none = planned.verdict(again(pipeline, Choice(codes=("text-lost",))))
        assert none == "Nothing would be done: none of 4 files has the code that was asked for."
        assert planned.verdict(again(pipeline)) == "Nothing would be done: all 4 files are settled."


def test_a_plan_as_json_has_stable_keys(pipeline: Pipeline) -> None:
    found = ahead(pipeline).as_json()
    assert set(found) == {
        "batch", "files", "bytes", "lines", "settled", "kept", "no_rule", "troubles", "refused", "refused_files",
        "cpu_s", "around_s", "starts_s", "bytes_out", "nowhere",
    }  # fmt: skip
    assert found["lines"][0].keys() == {"rule", "action", "files", "bytes_in", "cpu_s", "bytes_out", "because"}
    assert found["cpu_s"] == pytest.approx(
        sum(line["cpu_s"] for line in found["lines"]) + found["around_s"] + found["starts_s"], abs=0.3
    )
