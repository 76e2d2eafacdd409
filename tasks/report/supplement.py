"""A batch that was received before: when and from where, and what the last delivery brought.

The same name always means the same AIP. So whoever delivers something else under a name that is taken has to see it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tasks.premis.model import Event, EventType
from tasks.sip.parts import SUBMISSION


@dataclass(frozen=True, slots=True)
class Supplement:
    """The last delivery of an AIP that was there already. `before_place` is "" where the log does not say it."""

    time: str
    place: str
    version: int
    new: int
    changed: int
    same: int
    before: str
    before_place: str
    now: bool  # it came in the run that was asked about

    def as_json(self) -> dict[str, Any]:
        """With stable, documented keys."""
        return {
            "time": self.time,
            "from": self.place,
            "version": self.version,
            "files": {"new": self.new, "changed": self.changed, "same": self.same},
            "received_before": self.before,
            "received_before_from": self.before_place,
        }


def last_supplement(events: Sequence[Event], head: Collection[str], run: UUID | None) -> Supplement | None:
    """The last delivery of an AIP, from its events, oldest first; None when it was the only one that is known.

    Not one that the `head`, its logical paths, has no list of: it was never made, or the store was put back to before
    it. An empty head is one that cannot be read.
    """
    arrivals = [e for e in events if e.type is EventType.INGESTION]
    told = [e for e in arrivals if "delivery" in e.detail]
    of_id = {str(e.id): e for e in told if not head or f"{SUBMISSION}v{e.detail['version']}.json" in head}
    told = [of_id[name] for e in arrivals if (name := e.detail.get("takes_up", str(e.id))) in of_id]
    if not told:
        return None
    last, version = told[-1], int(told[-1].detail["version"])
    before, place = (last.detail.get(name, "") for name in ("before", "before_from"))
    if not before:  # an older log leaves it to the AIP itself
        if version == 1:
            return None
        before, place = _before(arrivals, last, version)
    new, changed, same = (int(last.detail[name]) for name in ("new", "changed", "same"))
    return Supplement(
        time=last.time.isoformat(),
        place=last.detail["delivery"],
        version=version,
        new=new,
        changed=changed,
        same=same,
        before=before,
        before_place=place,
        now=any(e.run == run for e in arrivals if e.detail.get("takes_up", str(e.id)) == str(last.id)),
    )


def _before(arrivals: Sequence[Event], last: Event, version: int) -> tuple[str, str]:
    """When and from where the delivery came that is before the last one."""
    places = [e for e in arrivals if "delivery" in e.detail and int(e.detail["version"]) < version]
    stored = [e for e in arrivals if e.run != last.run and e.time < last.time and e.source and e.source.sha256]
    time = (places or stored)[-1].time.isoformat() if places or stored else ""
    return time, places[-1].detail["delivery"] if places else ""
