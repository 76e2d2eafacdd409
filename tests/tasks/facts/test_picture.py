"""Facts of pictures: the shape of the answer is checked, and every name is on the closed list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.facts import NAMES, picture
from tasks.premis.model import Trouble
from tests.tasks.sealed.raster import support
from tests.tasks.sealed.raster.support import noise, png


def test_every_fact_is_on_the_closed_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = support.source(tmp_path, png(noise(70, 80, 3)))
    told = picture.facts(source.name, support.job(tmp_path))
    assert told["width"] == 80
    assert {name: type(value) for name, value in told.items()} == {name: NAMES[name] for name in told}


@pytest.mark.parametrize(
    "answer", [None, {"width": 3}, dict.fromkeys(picture.TOLD, 1), dict.fromkeys(picture.TOLD, True)]
)
def test_an_answer_of_a_wrong_shape_is_not_believed(
    answer: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(support.DirectJob, "call", lambda *_args, **_named: answer)
    with pytest.raises(Trouble) as caught:
        picture.facts("in/source", support.job(tmp_path))
    assert caught.value.code == "tool-crash"
