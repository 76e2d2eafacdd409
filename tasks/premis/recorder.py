"""Makes the events of one run about one AIP: the run, the policy and the running number are said once, here."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from tasks.premis.model import Agent, Ending, Event, EventType, LinkedObject, Measure, Outcome


class Recorder:
    """A maker of events; threads may share it."""

    def __init__(self, run: uuid.UUID, aip: uuid.UUID, policy: str = "", reason: str = "") -> None:
        self.run, self.aip, self.policy = run, aip, policy
        self.reasoned = {"reason": reason} if reason else {}
        """Why a person asked for the run, as detail of each ending."""
        self._seq = itertools.count()

    def event(
        self,
        kind: EventType,
        outcome: Outcome,
        *,
        began: float,
        code: str = "",
        detail: Mapping[str, str] | None = None,
        asked: str = "",
        rule: str = "",
        ending: Ending | None = None,
        agents: Iterable[Agent] = (),
        objects: Iterable[LinkedObject] = (),
        measures: Iterable[Measure] = (),
    ) -> Event:
        """One event that began at `began` (seconds since the epoch) and ended now."""
        return Event(
            id=uuid.uuid4(),
            type=kind,
            time=datetime.fromtimestamp(began, UTC),
            outcome=outcome,
            code=code,
            detail=dict(detail or {}),
            asked=asked,
            run=self.run,
            aip=self.aip,
            seq=next(self._seq),
            duration_ms=max(0, round((time.time() - began) * 1000)),
            policy=self.policy,
            rule=rule,
            ending=ending,
            agents=tuple(agents),
            objects=tuple(objects),
            measures=tuple(measures),
        )
