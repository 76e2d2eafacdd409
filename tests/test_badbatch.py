"""A delivery in which everything is wrong goes through to its end, and each thing in it has its documented code."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import uuid
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.premis import log
from tasks.premis.model import Ending, Event
from tasks.report.summary import WORST
from tasks.store.export import export
from tasks.store.fixity import verify_object
from tasks.tools.door import Door
from tests import badbatch
from tests.flows.kills import descendants
from tests.tasks.aip.pipeline import Pipeline
from tests.tasks.aip.test_provoked import Meddler

pytestmark = pytest.mark.slow

POLICY = Path(__file__).resolve().parents[1] / "tasks" / "policy" / "default.toml"
TAKE = """
import sys, uuid
from pathlib import Path
from tasks.config.home import Home
from tasks.sip.batch import batch
from tasks.sip.ingest import take_in
from tasks.store.ocfl import Store
from tasks.tools import kernel
home = Home(Path(sys.argv[1]))
kernel.drop_capabilities()  # root too may read only what its mode allows
for done in take_in(batch(Path(sys.argv[2])), home, Store(home.store), uuid.uuid4()):
    print(done.version)
"""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """The delivery after it went all the way once, with somebody writing into it while it was taken in."""
    root = tmp_path_factory.mktemp("bad")
    others = descendants(os.getpid())  # of tests that share a door
    with Door(root / "work", cores=2) as door:
        made = Pipeline(root, door, POLICY.read_text(encoding="utf-8"))
        made.others = others  # type: ignore[attr-defined]
        folder = badbatch.lay(made.inbox / "bad")
        made.before = digests(folder)  # type: ignore[attr-defined]
        with Meddler(lambda: badbatch.grow(folder)):
            taken = subprocess.run(
                [sys.executable, "-c", TAKE, made.home.root, folder],
                cwd=POLICY.parents[2], capture_output=True, text=True, check=True,
            )  # fmt: skip
        assert taken.stdout == "1\n", taken.stderr
        made.summary = made.migrate(aip(made))  # type: ignore[attr-defined]
        yield made


def aip(pipeline: Pipeline) -> uuid.UUID:
    (found,) = pipeline.store.aips()
    return found


def digests(folder: Path) -> dict[str, str]:
    """Everything in the delivery as it is, links by where they lead; not the file that grows."""
    found = {}
    for path in sorted(folder.iterdir()):
        status = path.lstat()
        if path.name == badbatch.GROWING:
            continue
        if not path.is_symlink() and path.is_file():
            with path.open("rb") as file:
                found[path.name] = f"{status.st_mtime_ns} {hashlib.file_digest(file, 'sha256').hexdigest()}"
        else:
            found[path.name] = f"{status.st_mode} {path.readlink() if path.is_symlink() else ''}"
    return found


def endings(pipeline: Pipeline) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = defaultdict(list)
    for event in log.read_many(pipeline.home.log, [aip(pipeline)])[aip(pipeline)]:
        if event.ending is not None and event.source is not None:
            found[event.source.path.removeprefix("originals/")].append(event)
    return found


def worst(events: list[Event]) -> tuple[Ending | None, str]:
    ending = next(e for e in WORST if any(event.ending is e for event in events))
    return ending, next(event.code for event in events if event.ending is ending)


def test_each_thing_in_it_has_its_documented_ending_and_code(pipeline: Pipeline) -> None:
    found = {name: worst(events) for name, events in endings(pipeline).items()}
    assert {name: found.get(name) for name in badbatch.EXPECTED} == badbatch.EXPECTED
    others = {name: ending for name, (ending, _) in found.items() if name not in badbatch.EXPECTED}
    assert set(others.values()) == {Ending.DONE}, others
    assert len(found) == len(list((pipeline.inbox / "bad").iterdir()))


@pytest.mark.provokes("name-twice", "name-not-utf8")
def test_names_that_differ_in_their_bytes_alone_are_stored_apart_and_told(pipeline: Pipeline) -> None:
    noted = {row.file: row.code for row in pipeline.summary.notes}  # type: ignore[attr-defined]
    assert [noted[name] for name in badbatch.TWINS] == ["name-twice", "name-twice"]
    assert noted["c%F4ng v%F4n.txt"] == "name-not-utf8"


def test_the_delivery_is_as_it_was(pipeline: Pipeline) -> None:
    assert digests(pipeline.inbox / "bad") == pipeline.before  # type: ignore[attr-defined]


def test_originals_come_back_bit_for_bit_under_the_names_they_came_with(pipeline: Pipeline, tmp_path: Path) -> None:
    export(pipeline.store, aip(pipeline), 1, tmp_path / "out")
    back = {os.fsencode(p.name): p for p in (tmp_path / "out" / "originals").iterdir()}
    came = {os.fsencode(p.name): p for p in (pipeline.inbox / "bad").iterdir() if p.is_file() and not p.is_symlink()}
    refused = {os.fsencode(name) for name in (badbatch.UNREADABLE, badbatch.GROWING)}
    assert set(back) == set(came) - refused
    for name, path in back.items():
        with path.open("rb") as one, came[name].open("rb") as other:
            assert hashlib.file_digest(one, "sha256").digest() == hashlib.file_digest(other, "sha256").digest()


def test_what_is_mended_is_taken_by_the_next_run_and_nothing_else_is_done_again(pipeline: Pipeline) -> None:
    before = endings(pipeline)
    folder = pipeline.inbox / "bad"
    (folder / badbatch.UNREADABLE).chmod(0o644)
    summary = pipeline.run("bad")
    after = endings(pipeline)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {badbatch.UNREADABLE, badbatch.GROWING}
    assert summary.version == 4  # what came late, and its masters


def test_the_store_holds_what_it_says_and_no_process_is_left(pipeline: Pipeline) -> None:
    assert not verify_object(pipeline.store, aip(pipeline))
    pipeline.door.close()
    assert descendants(os.getpid()) <= pipeline.others  # type: ignore[attr-defined]
