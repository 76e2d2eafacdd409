"""Pictures for a report, through the real door: what can be drawn is, whatever else comes costs a picture alone."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from tasks.aip import ledger
from tasks.aip.ledger import Ledger
from tasks.config.home import Home
from tasks.premis.model import Ending, Limits, Trouble
from tasks.report import pictures, summary
from tasks.report.pictures import MOST_CARDS, Album, Pair, Picture, pair, picture
from tasks.report.summary import Row
from tasks.tools.door import Door, DoorClosed
from tests.tasks.aip.pipeline import PICTURES, Pipeline
from tests.tasks.answers import Answering
from tests.tasks.report import standings
from tests.tasks.sealed import paper

FIXTURES = Path(__file__).parents[3] / "fixtures"
FORMATS, HOSTILE = FIXTURES / "formats", FIXTURES / "hostile"
BOX = b"0.2 g 60 100 300 150 re f"
STRICT = """
id = "strict-1"
[[rule]]
id = "pdf"
puids = ["fmt/14", "fmt/15", "fmt/16", "fmt/17", "fmt/18", "fmt/19", "fmt/20", "fmt/276"]
purpose = "preservation"
target = "fmt/477"
action = "pdf_to_pdfa"
validators = { ink = { similarity = "2" } }
because = "No page is ever as like as that."
[[rule]]
id = "any"
puids = ["*"]
purpose = "preservation"
action = "keep"
because = "The rest."
"""


def shown(one: Picture | None) -> np.ndarray:
    assert one is not None
    image = Image.open(io.BytesIO(one.png))
    assert image.size == (one.width, one.height)
    return np.asarray(image.convert("L")).astype(int)


def numbers(one: Pair) -> list[tuple[int, int] | None]:
    return [p and (p.page, p.pages) for p in (one.source, one.product)]


# --- one file --------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "page", "expected"),
    [
        ("fmt-18/bordereau.pdf", 1, (446, 632, 1, 1)),
        ("fmt-353/nhiều-trang-lzw.tif", 2, None),
        ("fmt-11/màu-16-bit.png", 1, None),
        ("fmt-4/hoạt-hình.gif", 3, None),
        ("x-fmt-392/bản-đồ.jp2", 1, None),
        ("fmt-41/photo-cmyk.jpg", 1, None),
        ("fmt-566/lossy.webp", 1, None),
    ],
)
def test_pdfs_and_pictures_are_drawn(door: Door, name: str, page: int, expected: tuple[int, ...] | None) -> None:
    made = picture(door, FORMATS / name, page)
    assert np.ptp(shown(made)) > 60
    assert made is not None
    assert made.page == page <= made.pages
    assert expected in (None, (made.width, made.height, made.page, made.pages))
    assert made.uri.startswith("data:image/png;base64,iVBORw0KGgo")


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [
        HOSTILE / "source-encrypted/hợp-đồng-2011.pdf",
        HOSTILE / "source-damaged/nhiễu.pdf",
        HOSTILE / "source-damaged/quét-bị-cắt.tif",
        HOSTILE / "source-empty/trống.pdf",
        HOSTILE / "bomb-suspected/khổng-lồ.png",
        FORMATS / "fmt-412/quyết-định-147.docx",
        FORMATS / "fmt-141/chuông.wav",
        FORMATS / "not-there.pdf",
        FORMATS,
        Path("/dev/null"),
    ],
    ids=lambda path: path.name,
)
def test_what_cannot_be_drawn_has_no_picture(door: Door, path: Path) -> None:
    assert picture(door, path) is None


@pytest.mark.slow
@pytest.mark.parametrize("page", [-1, 0, 2, 10**12])
def test_a_page_that_is_not_there_has_no_picture(door: Door, page: int) -> None:
    assert picture(door, FORMATS / "fmt-18/bordereau.pdf", page) is None


@pytest.mark.slow
def test_a_door_that_was_closed_costs_the_picture_alone(tmp_path: Path) -> None:
    with Door(tmp_path / "work", cores=1) as door:
        pass
    with pytest.raises(DoorClosed), door.job():
        pass
    assert picture(door, FORMATS / "fmt-18/bordereau.pdf") is None
    assert pair(door, FORMATS / "fmt-18/bordereau.pdf", FORMATS / "fmt-18/bordereau.pdf") == Pair(None, None)


# --- source and product -------------------------------------------------------
@pytest.mark.slow
def test_without_a_number_the_page_that_differs_most_is_shown(door: Door, tmp_path: Path) -> None:
    texts = [paper.words(40, 100 * number) for number in range(4)]
    source = paper.pdf(tmp_path / "a.pdf", texts)
    product = paper.pdf(tmp_path / "b.pdf", [texts[0], "", paper.words(20, 900), texts[3]])
    assert numbers(pair(door, source, product)) == [(2, 4), (2, 4)]
    assert numbers(pair(door, source, paper.pdf(tmp_path / "c.pdf", [*texts[:2], "x\n" * 9, texts[3]]))) == [
        (3, 4),
        (3, 4),
    ]
    assert numbers(pair(door, source, product, 4)) == [(4, 4), (4, 4)]
    assert numbers(pair(door, source, source)) == [(1, 4), (1, 4)]


@pytest.mark.slow
def test_a_page_that_one_of_them_lacks_is_shown_of_the_other(door: Door, tmp_path: Path) -> None:
    source = paper.pdf(tmp_path / "a.pdf", ["one", "two", "three"])
    made = pair(door, source, paper.pdf(tmp_path / "b.pdf", ["one", "two"]))
    assert numbers(made) == [(3, 3), None]


@pytest.mark.slow
def test_a_source_that_cannot_be_drawn_leaves_the_product_alone(door: Door, tmp_path: Path) -> None:
    product = paper.pdf(tmp_path / "b.pdf", ["one", "two"])
    for source in (FORMATS / "fmt-412/quyết-định-147.docx", tmp_path / "gone.pdf"):
        assert numbers(pair(door, source, product)) == [None, (1, 2)]


@pytest.mark.slow
def test_a_picture_and_its_master_are_the_same_picture(door: Door) -> None:
    source = FORMATS / "fmt-353/quyết-định-quét.tif"
    made = pair(door, source, source)
    assert np.array_equal(shown(made.source), shown(made.product))


# --- a job that lies -----------------------------------------------------------------
class Lying(Answering):
    """A job that answers what the test wants, or raises it."""

    def give(self, source: Path, name: str) -> str:
        return f"in/{name}"

    def call(self, function: str, /, *args: Any, **named: Any) -> Any:
        answer = super().call(function, *args, **named)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class LyingDoor:
    """A door with such a job behind it."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers

    @contextlib.contextmanager
    def job(self, limits: Limits | None = None) -> Iterator[Lying]:
        yield Lying(self.answers)


def lying(draw: Any, compare: Any = None) -> Door:
    return cast(Door, LyingDoor({"thumbnail:draw": draw, "look:compare": compare}))


GOOD = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABBAAAAAAUuc1XAAAACklEQVR42mPgBwAAEQAQBOQ5bQAAAABJRU5ErkJggg=="
"""A picture of two pixels, black and white."""
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | st.just(GOOD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["png", "pages"]), inner, max_size=2),
    max_leaves=6,
)


@given(json | st.fixed_dictionaries({"png": json, "pages": json}))
@example({"png": GOOD, "pages": 3})
def test_an_answer_of_any_shape_is_a_picture_or_none(answer: Any) -> None:
    made = picture(lying(answer), Path("a"))
    if made is not None:
        assert (made.width, made.height, made.page, made.pages) == (2, 1, 1, answer["pages"])
        assert shown(made).tolist() == [[0, 255]]
    assert (made is not None) == (
        isinstance(answer, dict)
        and answer.get("png") == GOOD
        and type(answer.get("pages")) is int
        and 1 <= answer["pages"] <= pictures.MOST_PAGES
    )


@pytest.mark.parametrize(
    "answer",
    [
        {"png": "<svg onload=alert(1)>", "pages": 1},
        {"png": GOOD + '" onerror="alert(1)', "pages": 1},
        {"png": GOOD, "pages": True},
        {"png": GOOD, "pages": 0},
        {"png": GOOD, "pages": 10**9},
        {"png": GOOD.encode().hex(), "pages": 1},
        {"png": "ảnh", "pages": 1},
        {"png": "A" * 1_000_000, "pages": 1},
        Trouble("source-damaged", what="x"),
        Trouble("disk-full", folder="x", free="0", need="1"),
        OSError(5, "Input/output error"),
    ],
)
def test_a_job_that_lies_or_fails_gives_no_picture(answer: Any) -> None:
    assert picture(lying(answer), Path("a")) is None
    assert pair(lying(answer), Path("a"), Path("b")) == Pair(None, None)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"blank": 3, "differing": []},
        {"blank": [99], "differing": []},
        {"blank": ["2"], "differing": []},
        {"blank": [], "differing": [[2, 1]]},
        {"blank": [], "differing": [[-5, 1, "0.1"]]},
        Trouble("tool-timeout", tool="x", limit="20 s"),
    ],
)
def test_a_comparison_that_lies_or_fails_leaves_the_first_page(answer: Any) -> None:
    assert numbers(pair(lying({"png": GOOD, "pages": 4}, answer), Path("a"), Path("b"))) == [(1, 4), (1, 4)]


# --- the rows of a report ----------------------------------------------------------
def row_of(ledger: Ledger, name: str, ending: Ending) -> Row:
    """The row of what happened to a file, as a summary makes it."""
    (event,) = [e for e in ledger.events if e.source and e.source.path == f"originals/{name}" and e.ending is ending]
    return summary.row(event, None)


def known(pipeline: Pipeline, name: str = "lô-1") -> Ledger:
    aip = pipeline.ingest(name).aip
    pipeline.migrate(aip)
    found = ledger.read(pipeline.store, pipeline.home.log, aip)
    assert found is not None
    return found


@pytest.fixture
def strict(tmp_path: Path, door: Door) -> Pipeline:
    made = Pipeline(tmp_path, door, STRICT)
    folder = made.inbox / "lô-1"
    folder.mkdir()
    paper.pdf(folder / "a.pdf", [paper.words(40), "two"], drawing=BOX)
    shutil.copy(folder / "a.pdf", folder / "twin.pdf")
    return made


@pytest.mark.slow
def test_a_held_file_shows_its_page_and_that_of_the_product_that_waits(strict: Pipeline) -> None:
    found = known(strict)
    rows = [row_of(found, name, Ending.HELD) for name in ("a.pdf", "twin.pdf")]
    assert {row.code for row in rows} == {"look-differs"}
    made = Album(strict.home, strict.door).pairs(found, rows)
    assert list(made) == rows
    for one in made.values():
        assert numbers(one) == [(1, 2), (1, 2)]
        assert np.abs(shown(one.source) - shown(one.product)).mean() < 2


@pytest.mark.slow
def test_what_was_taken_out_of_review_is_not_shown(strict: Pipeline) -> None:
    found = known(strict)
    row = row_of(found, "a.pdf", Ending.HELD)
    shutil.rmtree(strict.home.review)
    assert Album(strict.home, strict.door).pairs(found, [row]) == {}


@pytest.mark.slow
def test_a_published_file_shows_its_master(tmp_path: Path, door: Door) -> None:
    pipeline = Pipeline(tmp_path, door, PICTURES)
    folder = pipeline.inbox / "lô-1"
    folder.mkdir()
    for name in ("fmt-43/ảnh-kho.jpg", "fmt-141/chuông.wav"):
        shutil.copy(FORMATS / name, folder)
    found = known(pipeline)
    rows = [row_of(found, "chuông.wav", Ending.KEPT), row_of(found, "ảnh-kho.jpg", Ending.DONE)]
    made = Album(pipeline.home, door).pairs(found, rows)
    assert list(made) == rows[1:]  # a file that was only kept has nothing to be compared with
    assert np.array_equal(shown(made[rows[1]].source), shown(made[rows[1]].product))


@pytest.mark.slow
def test_an_album_whose_patience_is_over_makes_no_picture(strict: Pipeline) -> None:
    found = known(strict)
    rows = [row_of(found, "a.pdf", Ending.HELD)]
    assert Album(strict.home, strict.door, patience_s=-1).pairs(found, rows) == {}


def test_no_more_files_than_a_page_has_cards_have_pictures(tmp_path: Path) -> None:
    home, files = Home(tmp_path), [f"{number:03d}.pdf" for number in range(MOST_CARDS + 3)]
    found, rows = standings.held(home, files)
    made = Album(home, lying({"png": GOOD, "pages": 3})).pairs(found, rows)
    assert list(made) == rows[:MOST_CARDS]
