"""AIPs answer to their id, to the start of it, or to their batch's name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from uuid import UUID

from tasks.aip.ledger import about
from tasks.config.home import Home
from tasks.store.ocfl import Store


class UnknownAip(Exception):  # noqa: N818  it is what was named
    """Nothing in the store answers to a name, or several AIPs do."""


def names(home: Home) -> Iterator[tuple[UUID, str]]:
    """Every AIP with its batch's name, by name."""
    if not (home.store / "ocfl").is_dir():
        return
    store = Store(home.store)
    found = []
    for aip in store.aips():
        inventory = store.inventory(aip)
        if inventory is not None:
            found.append((about(inventory.state()).batch or str(aip), aip))
    yield from ((aip, name) for name, aip in sorted(found))


def labels(home: Home) -> tuple[str, ...]:
    """`văn-bản-2003 (0f3c9a21)` for every AIP, as forms show them."""
    return tuple(f"{name} ({str(aip)[:8]})" for aip, name in names(home))


def find_aips(home: Home, wanted: Sequence[str]) -> dict[UUID, str]:
    """The AIPs that the names mean, with their batches' names. Raises UnknownAip naming what does not fit."""
    known = dict(names(home))
    found: dict[UUID, str] = {}
    for one in wanted:
        matches = [aip for aip, name in known.items() if _answers(aip, name, one)]
        if len(matches) != 1:
            have = ", ".join(list(known.values())[:10]) or "none"
            said = "No AIP answers" if not matches else "Several AIPs answer"
            raise UnknownAip(f"{said} to {one!r}. In the store: {have}.")
        found[matches[0]] = known[matches[0]]
    return found


def _answers(aip: UUID, name: str, wanted: str) -> bool:
    wanted = unicodedata.normalize("NFC", wanted)
    name = unicodedata.normalize("NFC", name)
    start = wanted.removeprefix("urn:uuid:")
    return wanted in (name, f"{name} ({str(aip)[:8]})") or (len(start) >= 8 and str(aip).startswith(start))
