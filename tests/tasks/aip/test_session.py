"""What is settled is not done again, what changed is, and nothing is lost or doubled."""

from __future__ import annotations

import shutil
import uuid
from collections import Counter
from pathlib import Path

import pytest

from tasks.aip.plan import Scope
from tasks.premis import log
from tasks.premis.model import Ending, Event, EventType
from tasks.report.summary import Summary
from tasks.store.export import export
from tests.tasks.aip.conftest import FORMATS
from tests.tasks.aip.pipeline import Pipeline

pytestmark = pytest.mark.slow


def endings(pipeline: Pipeline) -> Counter[tuple[str, str, str]]:
    return Counter(
        (e.source.path, e.rule, e.ending.value)
        for e in log.read(pipeline.home.log)
        if e.ending is not None and e.source
    )


def events(pipeline: Pipeline, kind: EventType) -> list[Event]:
    return [e for e in log.read(pipeline.home.log) if e.type is kind]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def masters(pipeline: Pipeline, summary: Summary) -> dict[str, str]:
    inventory = pipeline.store.inventory(summary.aip)
    assert inventory is not None
    return {p: e.sha256 for p, e in inventory.state().items() if p.startswith("masters/")}


def test_every_file_ends_exactly_once_and_the_inbox_is_untouched(pipeline: Pipeline) -> None:
    before = tree(pipeline.inbox)
    summary = pipeline.run()
    assert tree(pipeline.inbox) == before
    assert summary.version == 2
    assert dict(summary.ended) == {Ending.DONE: 3, Ending.KEPT: 1}
    assert set(endings(pipeline).values()) == {1}
    assert len(masters(pipeline, summary)) == 3


def test_a_file_that_no_rule_answers_for_is_kept_with_a_note(pipeline: Pipeline) -> None:
    summary = pipeline.run()
    (note,) = [r for r in summary.notes if r.file == "ảnh/chuông.wav"]
    assert note.code == "no-rule"
    assert "fmt/141" in note.seen


def test_version_1_gives_back_what_was_delivered_bit_for_bit(pipeline: Pipeline, tmp_path: Path) -> None:
    summary = pipeline.run()
    export(pipeline.store, summary.aip, 1, tmp_path / "out")
    assert tree(tmp_path / "out" / "originals") == tree(pipeline.inbox / "lô-1")


def test_a_second_run_makes_no_version_no_event_and_no_master(pipeline: Pipeline) -> None:
    first = pipeline.run()
    count = first.events
    second = pipeline.run()
    assert (second.version, second.events) == (first.version, count)
    assert not second.worked


def test_after_one_rule_changed_only_its_files_are_redone(pipeline: Pipeline, tmp_path: Path) -> None:
    shutil.copy(FORMATS / "fmt-20/có-mã-lệnh.pdf", pipeline.inbox / "lô-1")
    first = pipeline.run()
    export(pipeline.store, first.aip, 2, tmp_path / "before")
    pipeline.policy.write_text(pipeline.policy.read_text().replace('"none"', '"deflate"'))
    second = pipeline.run()
    assert second.version == 3
    redone = events(pipeline, EventType.MIGRATION)
    assert {e.rule for e in redone} == {"tiff"}
    assert len(redone) == 3
    assert len(masters(pipeline, second)) == 3
    export(pipeline.store, first.aip, 2, tmp_path / "after")
    assert tree(tmp_path / "after") == tree(tmp_path / "before")


def test_a_supplement_adds_a_version_and_leaves_the_rest_alone(pipeline: Pipeline) -> None:
    first = pipeline.run()
    shutil.copy(FORMATS / "fmt-11/trong-suốt.png", pipeline.inbox / "lô-1")
    second = pipeline.run()
    assert second.files == first.files + 1
    assert second.version == 4  # the supplement, then its master
    assert set(endings(pipeline).values()) == {1}


def test_a_changed_original_gets_a_new_master_and_the_old_state_stays(pipeline: Pipeline, tmp_path: Path) -> None:
    first = pipeline.run()
    before = masters(pipeline, first)
    target = pipeline.inbox / "lô-1" / "ảnh" / "màu-8-bit.png"
    shutil.copy(FORMATS / "fmt-11/trong-suốt.png", target)
    second = pipeline.run()
    place = "masters/ảnh/màu-8-bit.png/tiff.tif"
    assert masters(pipeline, second)[place] != before[place]
    export(pipeline.store, first.aip, 2, tmp_path / "out")
    assert (tmp_path / "out/originals/ảnh/màu-8-bit.png").read_bytes() == (
        FORMATS / "fmt-11/màu-8-bit.png"
    ).read_bytes()


def test_equal_bytes_are_converted_once_and_told_of_both(pipeline: Pipeline) -> None:
    shutil.copy(pipeline.inbox / "lô-1/ảnh/biểu-đồ.bmp", pipeline.inbox / "lô-1/bản sao.bmp")
    summary = pipeline.run()
    made = {p: s for p, s in masters(pipeline, summary).items() if p.endswith(".bmp/tiff.tif")}
    assert len(made) == 2
    assert len(set(made.values())) == 1
    done = [e for e in events(pipeline, EventType.NORMALIZATION) if e.source and e.source.path.endswith(".bmp")]
    assert sorted("same_bytes_as" in e.detail for e in done) == [False, True]


def test_a_lost_product_is_made_again(pipeline: Pipeline) -> None:
    taken = pipeline.ingest()
    summary = pipeline.migrate(taken.aip)
    stage = pipeline.store.stage(summary.aip, uuid.uuid4())
    stage.clear()
    later = pipeline.migrate(taken.aip)
    assert later.version == summary.version
    assert set(endings(pipeline).values()) == {1}


def test_products_staged_by_a_killed_run_are_used_and_not_made_again(pipeline: Pipeline) -> None:
    """The run ends after the log was written and before the version: the next one only packs."""
    taken = pipeline.ingest()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.aip.session.pack", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            pipeline.migrate(taken.aip)
    made = endings(pipeline)
    summary = pipeline.migrate(taken.aip)
    assert summary.version == 2
    assert endings(pipeline) == made
    assert len(masters(pipeline, summary)) == 3


def test_reprocessing_all_files_redoes_what_is_settled(pipeline: Pipeline) -> None:
    first = pipeline.run()
    again = pipeline.migrate(first.aip, Scope.ALL, paths=("ảnh/*.png",))
    assert again.version == 3
    assert {p for (p, _, _), n in endings(pipeline).items() if n == 2} == {"originals/ảnh/màu-8-bit.png"}


def test_a_damaged_picture_fails_alone_with_advice(pipeline: Pipeline) -> None:
    shutil.copy(FORMATS.parent / "hostile/source-damaged/ảnh-thủng.png", pipeline.inbox / "lô-1")
    summary = pipeline.run()
    (row,) = summary.attention
    assert (row.file, row.code, row.ending) == ("ảnh-thủng.png", "source-damaged", Ending.FAILED)
    assert row.do
    assert summary.good == 4


def test_an_empty_file_is_safe_and_told(pipeline: Pipeline) -> None:
    (pipeline.inbox / "lô-1" / "trống.doc").touch()
    summary = pipeline.run()
    (row,) = summary.attention
    assert (row.file, row.code, row.stored) == ("trống.doc", "source-empty", True)


def test_what_is_no_file_is_told_and_not_stored(pipeline: Pipeline) -> None:
    (pipeline.inbox / "lô-1" / "liên kết").symlink_to("/etc/passwd")
    summary = pipeline.run()
    (row,) = summary.attention
    assert (row.code, row.stored) == ("not-a-file", False)
    assert summary.unsafe == 1
    again = pipeline.run()
    assert again.events == summary.events


def test_each_version_carries_its_own_events(pipeline: Pipeline) -> None:
    summary = pipeline.run()
    inventory = pipeline.store.inventory(summary.aip)
    assert inventory is not None
    carried = [
        e for p, x in inventory.state().items() if p.startswith("metadata/events/") for e in log.read_part(x.path)
    ]
    assert {e.id for e in carried} == {e.id for e in log.read(pipeline.home.log)}
    assert len(carried) == len({e.id for e in carried})
