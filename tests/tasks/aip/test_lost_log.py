"""A log that is lost, or older than the store: what an AIP itself carries of its events still counts."""

from __future__ import annotations

import shutil
import uuid
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.aip import ledger as ledgers
from tasks.aip.ledger import EVENTS, Ledger
from tasks.aip.plan import Choice, Scope
from tasks.premis import log
from tasks.premis.log import check_clock
from tasks.premis.model import EventType, Trouble
from tasks.premis.recorder import Recorder
from tests.tasks.aip.conftest import FORMATS
from tests.tasks.aip.pipeline import Pipeline

pytestmark = pytest.mark.slow


def masters(pipeline: Pipeline, aip: uuid.UUID) -> dict[str, str]:
    inventory = pipeline.store.inventory(aip)
    assert inventory is not None
    return {p: e.sha256 for p, e in inventory.state().items() if p.startswith("masters/")}


def ledger(pipeline: Pipeline, aip: uuid.UUID) -> Ledger:
    found = ledgers.read(pipeline.store, pipeline.home.log, aip)
    assert found is not None
    return found


def copied(folder: Path, target: Path) -> None:
    """A backup put in the place of what is there."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)


def lost(pipeline: Pipeline, _: Path) -> None:
    shutil.rmtree(pipeline.home.log)
    pipeline.home.log.mkdir()


def older(pipeline: Pipeline, backup: Path) -> None:
    copied(backup, pipeline.home.log)


def a_part_less(pipeline: Pipeline, _: Path) -> None:
    parts = list(pipeline.home.log.rglob("*.image-to-tiff-*.parquet"))
    assert parts
    for part in parts:
        part.unlink()


@pytest.mark.parametrize("harm", [lost, older, a_part_less])
def test_one_file_done_again_takes_no_other_files_master_out_of_the_head_whatever_became_of_the_log(
    pipeline: Pipeline, tmp_path: Path, harm: Callable[[Pipeline, Path], None]
) -> None:
    aip = pipeline.ingest().aip
    copied(pipeline.home.log, tmp_path / "backup")
    pipeline.migrate(aip)
    before, told = masters(pipeline, aip), ledger(pipeline, aip).events
    assert len(before) == 3
    harm(pipeline, tmp_path / "backup")
    assert ledger(pipeline, aip).events == told
    again = pipeline.migrate(aip, Scope.ALL, paths=("ảnh/màu-8-bit.png",))
    assert again.version == 3
    assert masters(pipeline, aip) == before
    assert {e.type for e in ledger(pipeline, aip).events if e.ending and e.run != told[-1].run} == {EventType.MIGRATION}


@pytest.mark.parametrize("harm", [lost, older, a_part_less])
def test_what_is_settled_is_not_done_again_whatever_became_of_the_log(
    pipeline: Pipeline, tmp_path: Path, harm: Callable[[Pipeline, Path], None]
) -> None:
    aip = pipeline.ingest().aip
    copied(pipeline.home.log, tmp_path / "backup")
    first = pipeline.migrate(aip)
    harm(pipeline, tmp_path / "backup")
    second = pipeline.run()
    assert (second.version, second.events, second.worked) == (first.version, first.events, False)


def test_each_version_carries_no_event_twice_after_the_log_was_lost(pipeline: Pipeline, tmp_path: Path) -> None:
    aip = pipeline.ingest().aip
    pipeline.migrate(aip)
    lost(pipeline, tmp_path)
    shutil.copy(FORMATS / "fmt-11/trong-suốt.png", pipeline.inbox / "lô-1")
    assert pipeline.run().version == 4
    inventory = pipeline.store.inventory(aip)
    assert inventory is not None
    carried = [e.id for p, x in inventory.state().items() if p.startswith(EVENTS) for e in log.read_part(x.read())]
    assert len(carried) == len(set(carried))
    assert set(carried) == {e.id for e in ledger(pipeline, aip).events}
    assert {e.id for e in log.read(pipeline.home.log)} < set(carried)


def test_one_file_can_be_done_again_when_the_store_is_older_than_the_log(pipeline: Pipeline, tmp_path: Path) -> None:
    aip = pipeline.ingest().aip
    copied(pipeline.home.store, tmp_path / "backup")
    pipeline.migrate(aip)
    copied(tmp_path / "backup", pipeline.home.store)
    again = pipeline.migrate(aip, Scope.ALL, paths=("ảnh/màu-8-bit.png",))
    assert (again.version, list(masters(pipeline, aip))) == (2, ["masters/ảnh/màu-8-bit.png/tiff.tif"])
    whole = pipeline.migrate(aip)
    assert (whole.version, len(masters(pipeline, aip)), whole.needing) == (3, 3, 0)


def test_an_older_store_keeps_its_masters_in_the_head_while_the_newer_are_nowhere(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    aip = pipeline.run().aip
    before = masters(pipeline, aip)
    copied(pipeline.home.store, tmp_path / "backup")
    pipeline.policy.write_text(pipeline.policy.read_text().replace('"none"', '"deflate"'))
    pipeline.migrate(aip)
    newer = masters(pipeline, aip)
    copied(tmp_path / "backup", pipeline.home.store)
    again = "masters/ảnh/màu-8-bit.png/tiff.tif"
    pipeline.migrate(aip, Scope.ALL, paths=("ảnh/màu-8-bit.png",))
    assert masters(pipeline, aip) == before | {again: newer[again]}
    pipeline.migrate(aip)
    assert masters(pipeline, aip) == newer


def test_a_master_that_only_another_file_has_in_an_older_store_is_made_again(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    aip = pipeline.run().aip
    shutil.copy(pipeline.inbox / "lô-1/ảnh/biểu-đồ.bmp", pipeline.inbox / "lô-1/bản sao.bmp")
    pipeline.ingest()
    copied(pipeline.home.store, tmp_path / "backup")
    pipeline.migrate(aip)
    whole = masters(pipeline, aip)
    assert len(whole) == 4
    copied(tmp_path / "backup", pipeline.home.store)
    assert pipeline.migrate(aip).needing == 0
    assert masters(pipeline, aip) == whole


def test_what_a_wrong_clock_dated_and_was_set_aside_stays_in_the_head_and_wins_over_nothing_that_comes_later(
    pipeline: Pipeline,
) -> None:
    aip = pipeline.ingest().aip
    session = pipeline.session()
    with session.holding(deque([aip]), Choice()):
        session.open[aip].recorder = Recorder(session.run, aip, after=datetime.now(UTC) + timedelta(days=3650))
        session.identify(session.unidentified, "identify")
        for number, _ in enumerate(session.cut(Choice())):
            session.work(number)
        assert session.package(aip) == 2
    before = masters(pipeline, aip)
    with pytest.raises(Trouble, match="clock-behind"):
        check_clock(pipeline.home.log)
    *_, wrong = log.open_days(pipeline.home.log)
    shutil.rmtree(pipeline.home.log / f"events/open/day={wrong}")
    pipeline.policy.write_text(pipeline.policy.read_text().replace('"none"', '"deflate"'))
    again = "masters/ảnh/màu-8-bit.png/tiff.tif"
    assert pipeline.migrate(aip, paths=("ảnh/màu-8-bit.png",)).version == 3
    check_clock(pipeline.home.log)
    after = masters(pipeline, aip)
    assert {path for path, sha256 in after.items() if sha256 != before[path]} == {again}
    assert set(after) == set(before)
