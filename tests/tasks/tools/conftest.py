"""A door whose zygotes know the hostile functions beside the sealed code."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.tools.door import Door
from tasks.tools.floor import Floor

HOSTILE = Path(__file__).parents[3] / "fixtures" / "fakes" / "hostile_jobs.py"


@pytest.fixture(scope="package")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


FLOORS = [
    pytest.param(Floor.BUBBLEWRAP, id="bubblewrap"),
    pytest.param(Floor.LANDLOCK, id="Landlock", marks=pytest.mark.slow),
]


@pytest.fixture(scope="package", params=FLOORS)
def floor(request: pytest.FixtureRequest) -> Floor:
    """What holds the jobs of a test; each of its tests is two."""
    chosen: Floor = request.param
    return chosen


@pytest.fixture(scope="package")
def door(tmp_path_factory: pytest.TempPathFactory, sources: Path, floor: Floor) -> Iterator[Door]:
    work = tmp_path_factory.mktemp("work")
    with Door(work, sources=(sources,), cores=2, extra_paths=(HOSTILE,), floor=floor) as door:
        yield door


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A job's folder without a door, as residents are asked about."""
    folder = tmp_path / "job"
    (folder / "in").mkdir(parents=True)
    (folder / "out").mkdir()
    return folder
