"""Events of one AIP follow each other, whatever the clock says."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta

from tasks.premis import log
from tasks.premis.model import Ending, EventType, LinkedObject, Outcome
from tasks.premis.recorder import Recorder
from tests.tasks.premis.events import AIP

SOURCE = LinkedObject("source", "originals/a", "ab" * 32, 1)


def ended(recorder: Recorder, ending: Ending):
    return recorder.event(
        EventType.NORMALIZATION,
        Outcome.SUCCESS,
        began=time.time(),
        rule="r",
        asked="q",
        ending=ending,
        objects=(SOURCE,),
    )


def test_after_the_clock_stepped_back_the_later_run_still_has_the_last_word():
    ahead = datetime.now(UTC) + timedelta(hours=1)
    first = ended(Recorder(uuid.uuid4(), AIP, after=ahead), Ending.FAILED)
    second = ended(Recorder(uuid.uuid4(), AIP, after=first.time), Ending.KEPT)
    third = ended(Recorder(uuid.uuid4(), AIP, after=second.time), Ending.DONE)
    assert ahead < first.time < second.time < third.time < ahead + timedelta(seconds=1)
    (settled,) = log.settled([third, first, second]).values()
    assert settled.ending is Ending.DONE
    assert abs(datetime.fromisoformat(third.detail["clock"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_clock_that_goes_on_leaves_no_trace():
    event = ended(Recorder(uuid.uuid4(), AIP, after=datetime.now(UTC) - timedelta(seconds=1)), Ending.DONE)
    assert "clock" not in event.detail
