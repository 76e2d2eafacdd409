"""Makes the events of one run about one AIP: the run, the policy and the running number are said once, here."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from tasks.premis.model import Agent, Ending, Event, EventType, LinkedObject, Measure, Outcome


class Recorder:
    """A maker of events; threads may share it."""

    def __init__(
        self,
        run: uuid.UUID,
        aip: uuid.UUID,
        policy: str = "",
        reason: str = "",
        *,
        after: datetime | None = None,
    ) -> None:
        """`after` is the time of the AIP's last event: what comes now is told to be later, whatever the clock says."""
        self.run, self.aip, self.policy = run, aip, policy
        self._earliest = after + timedelta(microseconds=1) if after else datetime.min.replace(tzinfo=UTC)
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
        """One event that began at `began` (seconds since the epoch) and ended now.

        Where the clock stepped back behind the AIP's last event, the detail `clock` keeps what it said.
        """
        said = datetime.fromtimestamp(began, UTC)
        detail = dict(detail or {})
        if said < self._earliest:
            detail["clock"] = said.isoformat()
        return Event(
            id=uuid.uuid4(),
            type=kind,
            time=max(said, self._earliest),
            outcome=outcome,
            code=code,
            detail=detail,
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
