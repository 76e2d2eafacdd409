"""What a home has measured corrects what is expected, within bounds, and only where there is enough of it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.aip import estimate, experience
from tasks.aip.estimate import Cost
from tasks.aip.ledger import facts_detail
from tasks.premis import log
from tasks.premis.model import Agent, Ending, Event, EventType, Fact, LinkedObject, Measure, Outcome

AIP = uuid.UUID(int=3)
COSTS = estimate.load(
    """
    [starts]
    run = 10
    office_to_pdfa = 5
    [looked]
    file = 0.1
    [around]
    file = 0.2
    mb = 1
    [image_to_tiff]
    cpu_s = { file = 1, megapixel = 2 }
    bytes = { raw_mb = 1000000 }
    [office_to_pdfa]
    cpu_s = { file = 3 }
    bytes = { file = 30 }
    ["office_to_pdfa spreadsheet"]
    cpu_s = { file = 7, kword = 1 }
    bytes = { file = 70 }
    [pdf_to_pdfa]
    cpu_s = { file = 1, page = 0.5 }
    bytes = { mb = 1 }
    [other]
    cpu_s = { file = 4 }
    bytes = { file = 40 }
    [locked]
    cpu_s = {}
    bytes = {}
    """
)
PICTURE: dict[str, Fact] = {"width": 1000, "height": 500, "channels": 3, "bits": 16, "frames": 2}


def recorded(root: Path, count: int, *, cpu_s: float, made: int, ending: Ending = Ending.DONE, first: int = 0) -> None:
    """So many pictures in the log, each with facts and an ending that spent and made that."""
    events = []
    for number in range(first, first + count):
        source = LinkedObject("source", f"originals/{number}.png", f"{number:064x}", 10, "fmt/11")
        product = LinkedObject("outcome", f"masters/{number}.tif", "e" * 64, made, "fmt/353")
        told = ((EventType.EXTRACTION, None, (source,)), (EventType.NORMALIZATION, ending, (source, product)))
        for seq, (kind, how, objects) in enumerate(told):
            measures = (Measure("cpu", f"{cpu_s:.3f}", "s"),) if how else ()
            events.append(
                Event(
                    uuid.uuid4(), kind, datetime.now(UTC) + timedelta(milliseconds=seq), Outcome.SUCCESS, "",
                    {} if how else facts_detail(PICTURE), "asked" if how else "", uuid.UUID(int=1), AIP,
                    2 * number + seq, 1, "test-1", "tiff" if how else "", how,
                    (Agent("perenne/image_to_tiff", "2"),), objects, measures,
                )
            )  # fmt: skip
    log.append(events, root, name=f"part-{first}")


def test_units_of_a_file_make_its_cost() -> None:
    assert COSTS.of("image_to_tiff", 10, PICTURE) == Cost(3.0, 6_000_000.0)
    assert COSTS.of("pdf_to_pdfa", 10, {"pages": 5}).cpu_s == 3.0
    assert COSTS.of("office_to_pdfa", 10, {"kind": "spreadsheet", "words": 2000}).cpu_s == 9.0
    assert COSTS.of("office_to_pdfa", 10, {"kind": "document"}) == Cost(3.0, 30.0)
    assert COSTS.of("office_to_pdfa", 10, {"encrypted": "open"}) == Cost()
    assert COSTS.of("an_action_of_ones_own", 10, {}) == Cost(4.0, 40.0)
    assert COSTS.of("keep", 10, {}) == Cost()


def test_what_a_file_claims_of_its_pages_is_not_believed_without_end() -> None:
    assert COSTS.of("pdf_to_pdfa", 10, {"pages": 10**12}).cpu_s < 10**6
    assert COSTS.of("image_to_tiff", 10, {"width": 10**9, "height": 10**9}).cpu_s < 10**6


def test_every_action_that_converts_has_measured_costs() -> None:
    from tasks.policy import modules

    default = estimate.default()
    assert {name for name in modules.actions() if default.of(name, 100_000, {}).cpu_s == 0} <= {"keep"}


def test_a_table_that_names_no_action_is_refused() -> None:
    with pytest.raises(ValueError, match="pdf_to_pdfb"):
        estimate.load("[starts]\n[looked]\n[around]\n[pdf_to_pdfb]\ncpu_s = {}\nbytes = {}\n")


def test_a_home_that_measured_three_times_as_much_expects_nearly_that(tmp_path: Path) -> None:
    recorded(tmp_path, 190, cpu_s=9.0, made=3_000_000)
    factor = experience.costs(tmp_path, COSTS).factors["tiff"]
    assert factor.cpu_s == pytest.approx((190 * 3 + 10) / 200)
    assert factor.bytes == pytest.approx((190 * 0.5 + 10) / 200)


def test_a_few_jobs_and_those_put_off_say_nothing(tmp_path: Path) -> None:
    recorded(tmp_path, experience.ENOUGH - 1, cpu_s=9.0, made=1)
    recorded(tmp_path, 50, cpu_s=90.0, made=1, ending=Ending.WAITING, first=1000)
    assert experience.costs(tmp_path, COSTS).factors == {}


def test_no_factor_is_without_bounds_and_one_job_that_hung_decides_nothing(tmp_path: Path) -> None:
    recorded(tmp_path / "far", 400, cpu_s=600.0, made=10**12)
    far = experience.costs(tmp_path / "far", COSTS).factors["tiff"]
    assert far == Cost(experience.FURTHEST, experience.FURTHEST)
    recorded(tmp_path / "hung", 99, cpu_s=3.0, made=6_000_000)
    recorded(tmp_path / "hung", 1, cpu_s=3000.0, made=0, ending=Ending.FAILED, first=500)
    hung = experience.costs(tmp_path / "hung", COSTS).factors["tiff"]
    assert 1.0 < hung.cpu_s < 1.2


def test_a_log_of_nothing_is_no_experience(tmp_path: Path) -> None:
    assert experience.costs(tmp_path, COSTS) == COSTS
