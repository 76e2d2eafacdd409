"""What a delivery can go wrong with, on small real files and through the whole pipeline: each ends with its code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest

from tasks.policy.load import DEFAULT
from tasks.premis import log
from tasks.premis.model import Ending, Event, Outcome
from tasks.tools.door import Door
from tasks.validators import words
from tests.tasks import jobs
from tests.tasks.aip.conftest import FORMATS
from tests.tasks.aip.pipeline import Pipeline

pytestmark = pytest.mark.slow

HOSTILE = FORMATS.parent / "hostile"


@pytest.fixture
def delivery(tmp_path: Path, door: Door) -> Pipeline:
    """An empty delivery under the default policy."""
    made = Pipeline(tmp_path, door, DEFAULT.read_text(encoding="utf-8"))
    (made.inbox / "lô-1").mkdir()
    return made


def told(pipeline: Pipeline) -> list[Event]:
    return list(log.read(pipeline.home.log))


def ended(pipeline: Pipeline, name: str) -> tuple[Ending | None, str]:
    """How a file ended and with which code; its last ending, where it has several."""
    events = [e for e in told(pipeline) if e.ending and e.source and e.source.path == f"originals/{name}"]
    last = max(events, key=lambda e: (e.time, e.seq))
    return last.ending, last.code


def noted(pipeline: Pipeline) -> set[str]:
    return {e.code for e in told(pipeline)}


def deliver(pipeline: Pipeline, path: Path, name: str = "") -> str:
    target = pipeline.inbox / "lô-1" / (name or path.name)
    shutil.copy(path, target)
    return target.name


@pytest.mark.parametrize(
    ("path", "ending", "code"),
    [
        pytest.param(
            HOSTILE / "source-encrypted/hợp-đồng-2011.pdf", Ending.HELD, "source-encrypted",
            marks=pytest.mark.provokes("source-encrypted"),
        ),
        pytest.param(
            HOSTILE / "bomb-suspected/khổng-lồ.png", Ending.HELD, "bomb-suspected",
            marks=pytest.mark.provokes("bomb-suspected"),
        ),
        pytest.param(
            HOSTILE / "source-damaged/báo-cáo-thủng.pdf", Ending.FAILED, "source-damaged",
            marks=pytest.mark.provokes("source-damaged"),
        ),
        pytest.param(
            FORMATS / "fmt-477/đã-chuẩn-2b.pdf", Ending.KEPT, "already-valid",
            marks=pytest.mark.provokes("already-valid"),
        ),
        pytest.param(FORMATS / "fmt-116/biểu-đồ.bmp", Ending.DONE, "same", marks=pytest.mark.provokes("same")),
        pytest.param(
            FORMATS / "x-fmt-111/lettres-cp1252.txt", Ending.DONE, "encoding-guessed",
            marks=pytest.mark.provokes("encoding-guessed"),
        ),
        pytest.param(
            FORMATS / "x-fmt-111/công-văn-tcvn3.txt", Ending.DONE, "encoding-converted",
            marks=pytest.mark.provokes("encoding-converted"),
        ),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else None,
)  # fmt: skip
def test_a_file_ends_with_the_code_that_says_why(delivery: Pipeline, path: Path, ending: Ending, code: str) -> None:
    name = deliver(delivery, path)
    delivery.run()
    assert ended(delivery, name) == (ending, code)


def test_a_compound_file_whose_table_is_broken_is_damaged_and_no_program_is_blamed(delivery: Pipeline) -> None:
    whole = (FORMATS / "fmt-40/báo-cáo-quý-3.doc").read_bytes()
    (delivery.inbox / "lô-1" / "a.doc").write_bytes(whole[:30] + b"\0\0" + whole[32:])
    (delivery.inbox / "lô-1" / "b.docx").write_bytes((FORMATS / "fmt-412/quyết-định-147.docx").read_bytes()[:-10])
    delivery.run()
    assert ended(delivery, "a.doc") == ended(delivery, "b.docx") == (Ending.FAILED, "source-damaged")


@pytest.mark.provokes("format-unknown")
def test_bytes_that_no_signature_knows_are_told_to_be_unknown(delivery: Pipeline) -> None:
    name = deliver(delivery, FORMATS / "unknown/dữ-liệu")
    delivery.run()
    assert ended(delivery, name)[0] is Ending.KEPT
    assert "format-unknown" in noted(delivery)


@pytest.mark.provokes("format-doubtful")
def test_a_format_that_rests_on_the_name_alone_is_doubtful(delivery: Pipeline) -> None:
    (delivery.inbox / "lô-1" / "a.log").write_bytes(b"\x00\x01\x02\xfe" * 16)
    delivery.run()
    assert "format-doubtful" in noted(delivery)


@pytest.mark.provokes("kept-by-rule")
def test_a_rule_that_keeps_a_format_says_so(pipeline: Pipeline) -> None:
    rule = (
        '[[rule]]\nid = "wave"\npuids = ["fmt/141"]\npurpose = "preservation"\naction = "keep"\nbecause = "A test."\n'
    )
    pipeline.policy.write_text(pipeline.policy.read_text() + rule)
    pipeline.run()
    assert ended(pipeline, "ảnh/chuông.wav") == (Ending.KEPT, "kept-by-rule")


@pytest.mark.provokes("unexpected")
def test_a_rule_that_sends_a_picture_to_the_office_fails_that_file_and_no_other(pipeline: Pipeline) -> None:
    """No filter fits: an action's complaint about its policy is no trouble that it may raise."""
    text = pipeline.policy.read_text().replace('"fmt/116", ', "")
    rule = textwrap.dedent(
        """
        [[rule]]
        id = "wrong"
        puids = ["fmt/116"]
        purpose = "preservation"
        target = "fmt/477"
        action = "office_to_pdfa"
        validators = { pdfa = {} }
        because = "A mistake."
        """
    )
    pipeline.policy.write_text(text + rule)
    summary = pipeline.run()
    assert ended(pipeline, "ảnh/biểu-đồ.bmp") == (Ending.FAILED, "unexpected")
    assert summary.good == 3


@pytest.mark.provokes("name-not-utf8")
def test_a_name_in_an_old_encoding_is_shown_and_its_bytes_are_kept(pipeline: Pipeline) -> None:
    raw = "hồ sơ cũ".encode("utf-16-le")[:7].replace(b"\0", b"\xfe") + b".bin"
    Path(os.fsdecode(os.fsencode(pipeline.inbox / "lô-1") + b"/" + raw)).write_bytes(b"x")
    pipeline.run()
    (event,) = [e for e in told(pipeline) if e.code == "name-not-utf8"]
    assert event.detail["name_bytes"] == raw.hex()


@pytest.mark.provokes("fixity-broken")
def test_a_stored_original_that_rotted_is_an_alarm_and_is_not_worked_on(pipeline: Pipeline) -> None:
    taken = pipeline.ingest()
    inventory = pipeline.store.inventory(taken.aip)
    assert inventory is not None
    stored = inventory.state()["originals/ảnh/biểu-đồ.bmp"].path
    stored.chmod(0o644)
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    stored.write_bytes(content)
    pipeline.migrate(taken.aip)
    assert ended(pipeline, "ảnh/biểu-đồ.bmp") == (Ending.FAILED, "fixity-broken")


def text_in(path: Path, font: pikepdf.Dictionary) -> Path:
    """A PDF of one line in a font that is not embedded."""
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page(page_size=(300, 100))
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F0=font))
        page.Contents = pdf.make_stream(b"BT /F0 12 Tf 10 50 Td (ABC) Tj ET")
        pdf.save(path)
    return path


HELVETICA = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
SIGNS = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.TrueType, BaseFont=pikepdf.Name.Wingdings)


@pytest.mark.provokes("fonts-replaced")
def test_a_font_that_is_not_in_the_file_is_replaced_and_named(delivery: Pipeline, tmp_path: Path) -> None:
    name = deliver(delivery, text_in(tmp_path / "a.pdf", HELVETICA))
    delivery.run()
    assert ended(delivery, name) == (Ending.DONE, "fonts-replaced")


@pytest.mark.provokes("parts-lost")
def test_letters_whose_shape_nothing_proves_wait_for_a_person(delivery: Pipeline, tmp_path: Path) -> None:
    name = deliver(delivery, text_in(tmp_path / "a.pdf", SIGNS))
    delivery.run()
    assert ended(delivery, name) == (Ending.HELD, "parts-lost")


@pytest.mark.provokes("source-repaired")
def test_a_pdf_whose_table_of_objects_is_wrong_is_mended_and_told(delivery: Pipeline, tmp_path: Path) -> None:
    whole = (FORMATS / "fmt-477/đã-chuẩn-2b.pdf").read_bytes()
    (delivery.inbox / "lô-1" / "a.pdf").write_bytes(re.sub(rb"startxref\s+\d+", b"startxref\n7", whole))
    delivery.run()
    assert "source-repaired" in noted(delivery)


@pytest.mark.provokes("text-not-compared")
def test_a_format_that_only_the_office_reads_has_its_words_uncompared(door: Door, tmp_path: Path) -> None:
    old, made = tmp_path / "a.wpd", text_in(tmp_path / "b.pdf", HELVETICA)
    old.write_bytes(b"\xffWPC" + bytes(100))
    with door.job() as job:
        verdict = words.validate(jobs.source(job, old, puid="x-fmt/44"), jobs.product(job, made), job)
    assert (verdict.outcome, verdict.code) == (Outcome.WARNING, "text-not-compared")


# --- while it is being read ----------------------------------------------------------------------------------------


class Meddler:
    """Does something again and again from another thread, until the block is left."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act, self._done = act, threading.Event()
        self._thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        while not self._done.is_set():
            self._act()
            time.sleep(0.0005)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


@pytest.mark.provokes("source-changing")
def test_a_file_that_somebody_still_writes_waits(pipeline: Pipeline) -> None:
    growing = pipeline.inbox / "lô-1" / "a-film.mkv"
    growing.write_bytes(bytes(16 << 20))

    def grow() -> None:
        with growing.open("ab") as file:
            file.write(b"more")

    with Meddler(grow):
        taken = pipeline.ingest()
    assert ended(pipeline, "a-film.mkv") == (Ending.WAITING, "source-changing")
    assert taken.version == 1
    pipeline.run()
    assert ended(pipeline, "a-film.mkv")[0] is Ending.KEPT


@pytest.mark.provokes("source-unreadable")
def test_a_file_that_vanishes_before_it_is_read_is_told_and_the_rest_is_stored(pipeline: Pipeline) -> None:
    (pipeline.inbox / "lô-1" / "0-film.mkv").write_bytes(bytes(64 << 20))
    vanishing = pipeline.inbox / "lô-1" / "z.txt"
    vanishing.write_bytes(b"soon gone")
    stage = pipeline.home.store

    def vanish() -> None:
        if any(stage.glob("stage/*/taking-*")):  # the film is being copied
            vanishing.unlink(missing_ok=True)

    with Meddler(vanish):
        pipeline.ingest()
    assert ended(pipeline, "z.txt") == (Ending.FAILED, "source-unreadable")
    assert pipeline.migrate(pipeline.ingest().aip).good == 5


# --- a small disk ----------------------------------------------------------------------------------------------------

FULL = """
import sys
from pathlib import Path
from tasks.premis.model import Trouble
from tasks.tools.job import Job
from tasks.premis.model import Limits
work, big = Path(sys.argv[1]), Path(sys.argv[2])
(work / "1").mkdir()
job = Job(work / "1", Limits(), None)
try:
    job.give(big, "source")
except Trouble as trouble:
    print(trouble.code, sorted(trouble.detail), (job.folder / "in" / "source").exists())
"""


@pytest.mark.provokes("disk-full")
def test_a_full_work_folder_is_told_and_leaves_no_half_copy(tmp_path: Path) -> None:
    """On a file system of one MiB, which the sandbox program makes for whoever runs the tests."""
    work, big = tmp_path / "work", tmp_path / "big"
    work.mkdir()
    big.write_bytes(os.urandom(2 << 20))
    small = ["bwrap", "--dev-bind", "/", "/", "--size", str(1 << 20), "--tmpfs", str(work)]
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [*small, sys.executable, "-c", FULL, work, big], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.stdout == "disk-full ['folder', 'free', 'need'] False\n", done.stderr
