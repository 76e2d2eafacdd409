"""What interrupted runs left, put right AIP by AIP; an AIP that a live run holds is left to it."""

from __future__ import annotations

import uuid

from tasks.config.home import Home
from tasks.config.locks import aip_lock
from tasks.store.ocfl import Store
from tasks.store.repair import Repaired, repair_aip, staged


def mend(home: Home, store: Store, run: uuid.UUID) -> tuple[Repaired, ...]:
    """Repair every AIP with a stage that nobody works on; returns what was done, and what is broken."""
    found = []
    for aip in list(staged(store)):
        with aip_lock(home, aip, run) as held:
            if held and (done := repair_aip(store, aip)) is not None:
                found.append(done)
    return tuple(found)
