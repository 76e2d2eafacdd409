"""What is settled is not done again, what changed is, and nothing is lost or doubled."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import uuid
from collections import Counter, deque
from pathlib import Path

import pytest

import flows.migrate as migration
from tasks.aip import ledger as ledgers
from tasks.aip.mend import mend
from tasks.aip.pack import pack
from tasks.aip.plan import Choice, Scope
from tasks.aip.progress import board
from tasks.aip.session import PORTION_BYTES, PORTION_FILES
from tasks.config import unfinished
from tasks.config.locks import aip_lock, holders
from tasks.config.unfinished import mark, marked
from tasks.premis import log
from tasks.premis.model import Ending, Event, EventType, SourceFile
from tasks.report.pictures import Album
from tasks.report.summary import Summary
from tasks.sip.batch import BatchError, batch
from tasks.store.errors import StoreError
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


@pytest.mark.provokes("no-rule")
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


@pytest.mark.provokes("source-damaged")
def test_a_damaged_picture_fails_alone_with_advice(pipeline: Pipeline) -> None:
    shutil.copy(FORMATS.parent / "hostile/source-damaged/ảnh-thủng.png", pipeline.inbox / "lô-1")
    summary = pipeline.run()
    (row,) = summary.attention
    assert (row.file, row.code, row.ending) == ("ảnh-thủng.png", "source-damaged", Ending.FAILED)
    assert row.do
    assert summary.good == 4


@pytest.mark.provokes("source-empty")
def test_an_empty_file_is_safe_and_told(pipeline: Pipeline) -> None:
    (pipeline.inbox / "lô-1" / "trống.doc").touch()
    summary = pipeline.run()
    (row,) = summary.attention
    assert (row.file, row.code, row.stored) == ("trống.doc", "source-empty", True)


@pytest.mark.provokes("not-a-file")
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


def test_another_runs_repair_leaves_a_stage_alone_that_is_being_filled(pipeline: Pipeline) -> None:
    """The moment before the first file is there: the stage looks as empty as one that was left."""
    one = batch(pipeline.inbox / "lô-1")
    with aip_lock(pipeline.home, one.aip, uuid.uuid4()) as held:
        assert held
        stage = pipeline.store.stage(one.aip, uuid.uuid4())
        (stage.folder / "files").mkdir(parents=True)
        (stage.folder / "taking-1").touch()
        assert mend(pipeline.home, pipeline.store, uuid.uuid4()) == ()
        assert (stage.folder / "taking-1").exists()
    mend(pipeline.home, pipeline.store, uuid.uuid4())
    assert not stage.folder.exists()


def test_a_version_is_refused_when_a_file_of_it_is_not_staged(pipeline: Pipeline) -> None:
    summary = pipeline.run()
    ledger = ledgers.read(pipeline.store, pipeline.home.log, summary.aip)
    assert ledger is not None
    with pytest.raises(StoreError, match="not in the stage"):
        pack(pipeline.store, ledger, uuid.uuid4(), [], keep=["masters/x"], message="a test")
    assert pipeline.store.inventory(summary.aip).head == summary.version  # type: ignore[union-attr]


def test_a_rule_that_takes_over_a_format_takes_the_old_rules_masters_out_of_the_head(pipeline: Pipeline) -> None:
    first = pipeline.run()
    assert "masters/ảnh/biểu-đồ.bmp/tiff.tif" in masters(pipeline, first)
    text = pipeline.policy.read_text()
    bmp = text[text.index("[[rule]]") : text.index('[[rule]]\nid = "any"')]
    taken = bmp.replace('id = "tiff"', 'id = "bmp"').replace(
        bmp[bmp.index("puids") : bmp.index("purpose")], 'puids = ["fmt/116"]\n'
    )
    pipeline.policy.write_text(
        text.replace('"fmt/116", ', "").replace('[[rule]]\nid = "any"', taken + '[[rule]]\nid = "any"')
    )
    second = pipeline.run()
    assert {p for p in masters(pipeline, second) if ".bmp/" in p} == {"masters/ảnh/biểu-đồ.bmp/bmp.tif"}
    assert len(masters(pipeline, second)) == 3


def test_each_check_names_what_judged_also_when_it_judged_before(pipeline: Pipeline) -> None:
    pipeline.run()
    checks = events(pipeline, EventType.VALIDATION)
    assert {e.detail["check"] for e in checks} == {"tiff", "pixels"}
    for event in checks:
        assert len(event.agents) >= 3, event.agents  # the check, our reader, its libraries


def test_a_state_that_is_delivered_again_has_its_own_event(pipeline: Pipeline) -> None:
    place = pipeline.inbox / "lô-1" / "x.bin"
    for content in (b"one", b"two", b"one"):
        place.write_bytes(content)
        pipeline.ingest()
    told = [e for e in events(pipeline, EventType.INGESTION) if e.source and e.source.path == "originals/x.bin"]
    assert len(told) == 3


def test_a_folder_may_take_the_place_of_a_file(pipeline: Pipeline, tmp_path: Path) -> None:
    place = pipeline.inbox / "lô-1" / "hồ-sơ"
    place.write_bytes(b"a file")
    first = pipeline.ingest()
    place.unlink()
    place.mkdir()
    (place / "trang-1.txt").write_bytes(b"a page")
    second = pipeline.ingest()
    assert second.version == first.version + 1
    export(pipeline.store, first.aip, 1, tmp_path / "old")
    assert (tmp_path / "old/originals/hồ-sơ").read_bytes() == b"a file"
    export(pipeline.store, first.aip, 2, tmp_path / "new")
    assert (tmp_path / "new/originals/hồ-sơ/trang-1.txt").read_bytes() == b"a page"


def test_a_changed_description_makes_a_version_and_counts_from_then_on(pipeline: Pipeline) -> None:
    first = pipeline.ingest()
    (pipeline.inbox / "lô-1.toml").write_text('languages = "fra"\n')
    second = pipeline.ingest()
    assert second.version == first.version + 1
    found = ledgers.read(pipeline.store, pipeline.home.log, first.aip)
    assert found is not None
    assert found.about.languages == "fra"
    assert pipeline.ingest().version == second.version


def test_the_night_remembers_what_was_taken_in_and_not_worked_on(pipeline: Pipeline) -> None:
    taken = pipeline.ingest()
    assert marked(pipeline.home) == [taken.aip]


def test_why_a_person_asked_stands_in_the_log(pipeline: Pipeline) -> None:
    pipeline.reason = "asked by the auditor"
    pipeline.run()
    assert {e.detail.get("reason") for e in log.read(pipeline.home.log) if e.ending} == {"asked by the auditor"}


def test_a_batch_without_a_file_is_refused(pipeline: Pipeline) -> None:
    (pipeline.inbox / "trống").mkdir()
    with pytest.raises(BatchError, match="holds no file"):
        pipeline.ingest("trống")


def test_the_process_that_drives_a_run_loads_no_parser(tmp_path: Path) -> None:
    script = tmp_path / "drive.py"
    script.write_text(DRIVE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, tmp_path, FORMATS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n", done.stderr


ROOT = Path(__file__).parents[3]
DRIVE = """
import shutil, sys
from pathlib import Path
sys.path.insert(0, "")
from tasks.tools.door import Door
from tests.tasks.aip.pipeline import Pipeline
root, formats = Path(sys.argv[1]), Path(sys.argv[2])
with Door(root / "door", cores=1) as door:
    pipeline = Pipeline(root, door, Path("tasks/policy/default.toml").read_text())
    (pipeline.inbox / "lô").mkdir()
    for name in ("fmt-116/biểu-đồ.bmp", "fmt-18/bordereau.pdf", "x-fmt-111/ghi-chú-utf-8.txt", "fmt-50/thư-cũ.rtf"):
        shutil.copy(formats / name, pipeline.inbox / "lô")
    assert pipeline.run("lô").masters == 4
parsers = ("pikepdf", "pypdf", "pypdfium2", "PIL", "tifffile", "imagecodecs", "ocrmypdf", "img2pdf", "weasyprint",
           "docx", "lxml", "olefile", "msoffcrypto", "fido", "pygfried", "fontTools")
print([name for name in parsers if name in sys.modules])
"""


def test_a_wave_takes_as_many_aips_as_hold_the_files_of_one(pipeline: Pipeline) -> None:
    for name in ("lô-2", "lô-3"):
        shutil.copytree(pipeline.inbox / "lô-1", pipeline.inbox / name)
    (pipeline.home.root / "perenne.toml").write_text("aip_max_files = 9\n", encoding="utf-8")
    aips = [pipeline.ingest(f"lô-{n}").aip for n in (1, 2, 3)]
    waiting, waves = deque(aips), []
    while waiting:
        session = pipeline.session()
        with session.holding(waiting, Choice()) as busy:
            assert not busy
            waves.append(list(session.open))
            assert len(session.unidentified) == 4 * len(session.open)
    assert waves == [aips[:2], aips[2:]]


@pytest.mark.parametrize("damaged", ["inventory.json", "v1/content/metadata/aip.json"])
def test_an_aip_that_is_damaged_is_set_apart_and_the_others_are_worked_on(pipeline: Pipeline, damaged: str) -> None:
    shutil.copytree(pipeline.inbox / "lô-1", pipeline.inbox / "lô-2")
    broken, sound = pipeline.ingest("lô-1").aip, pipeline.ingest("lô-2").aip
    inventory = pipeline.store.inventory(broken)
    assert inventory is not None
    hurt = inventory.object / damaged
    hurt.chmod(0o644)
    hurt.write_bytes(b"{")
    session = pipeline.session()
    with session.holding(deque([broken, sound]), Choice()) as apart:
        assert {aip: trouble.code for aip, trouble in apart.items()} == {broken: "store-broken"}
        assert list(session.open) == [sound]


@pytest.mark.parametrize("late", [False, True], ids=["before the run", "while it is worked on"])
def test_an_aip_whose_packed_events_are_damaged_is_set_apart_and_the_others_are_packed(
    pipeline: Pipeline, *, late: bool
) -> None:
    shutil.copytree(pipeline.inbox / "lô-1", pipeline.inbox / "lô-2")
    broken, sound = pipeline.run("lô-1").aip, pipeline.run("lô-2").aip
    inventory = pipeline.store.inventory(broken)
    assert inventory is not None
    hurt = inventory.object / "v2/content/metadata/events/v2.parquet"
    hurt.chmod(0o644)
    flipped = bytes([hurt.read_bytes()[0] ^ 1]) + hurt.read_bytes()[1:]
    session = pipeline.session()
    again = Choice(Scope.ALL)
    if not late:
        hurt.write_bytes(flipped)
    with session.holding(deque([broken, sound]), again) as apart:
        assert list(session.open) == ([broken, sound] if late else [sound])
        hurt.write_bytes(flipped)
        session.identify(session.unidentified, "identify")
        for number, _ in enumerate(session.cut(again)):
            session.work(number)
        assert [session.package(aip) for aip in list(session.open)] == ([None, 3] if late else [3])
        assert [after.id for _, after in session.ended()] == [sound]
        assert {aip: trouble.code for aip, trouble in apart.items()} == {broken: "store-broken"}


def test_a_mark_is_cleared_while_the_aip_is_still_held(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    aip = pipeline.run().aip
    mark(pipeline.home, aip)
    for step in ("plan", "_identify", "_normalize", "_package"):
        monkeypatch.setattr(migration, step, lambda *_, **__: ())
    monkeypatch.setattr(migration, "get_run_logger", logging.getLogger)  # there is no run
    held: list[set[str]] = []
    monkeypatch.setattr(unfinished, "clear", lambda home, _: held.append(set(holders(home))))
    migration._wave(pipeline.session(), deque([aip]), Choice(), Album(pipeline.home, pipeline.door))
    assert held == [{str(aip)}]


def test_a_run_asked_to_stop_identifies_nothing_more_and_every_file_waits(pipeline: Pipeline) -> None:
    aip = pipeline.ingest().aip
    board.stop.set()
    try:
        put_down = pipeline.migrate(aip)
    finally:
        board.stop.clear()
    assert dict(put_down.ended) == {Ending.WAITING: put_down.files}
    assert events(pipeline, EventType.IDENTIFICATION) == []
    assert Ending.WAITING not in pipeline.migrate(aip).ended


def test_portions_are_bounded_in_number_and_in_bytes_and_leave_nothing_out(pipeline: Pipeline) -> None:
    session = pipeline.session()
    sizes = [1, PORTION_BYTES + 1, 5, *[1] * (PORTION_FILES + 2), PORTION_BYTES, 1]
    for number, size in enumerate(sizes):
        file = SourceFile(f"originals/{number}", size, "")
        session.unidentified.append((uuid.UUID(int=1), (file, Path())))
    pieces = session.portions()
    assert [n for first, last in pieces for n in range(first, last)] == list(range(len(sizes)))
    assert all(last - first <= PORTION_FILES for first, last in pieces)
    assert all(last - first == 1 or sum(sizes[first:last]) <= PORTION_BYTES for first, last in pieces)
    session.unidentified.clear()
    assert session.portions() == []
