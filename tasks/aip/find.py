"""AIPs answer to their id, to the start of it, or to their batch's name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from tasks.aip import gone as lost
from tasks.aip.name_index import label_of_aips
from tasks.config.home import Home
from tasks.store.ocfl import Store
from tasks.words import listed, text

_PART = re.compile(r" · part ([1-9]\d*)\Z")


class UnknownAip(Exception):  # noqa: N818  it is what was named
    """Nothing in the store answers to a name, or several AIPs do."""


def names(home: Home, *, gone: bool = False) -> Iterator[tuple[UUID, str]]:
    """Every AIP with its label (`About.label`), by batch and part.

    With `gone` also those that the store has no more; then the log names them, and those that cannot be read, too.
    """
    if not gone and not (home.store / "ocfl").is_dir():
        return
    store = lost.opened(home) if gone else Store(home.store)
    found = label_of_aips(home, store)
    if gone:
        unread = [aip for aip, name in found.items() if name == str(aip)]
        found |= lost.called(home, [*unread, *lost.gone(home, store, found)])
    yield from sorted(found.items(), key=lambda item: (*_parts(item[1]), item[0]))


def labels(home: Home) -> tuple[str, ...]:
    """`văn-bản-2003 (0f3c9a21)` for every AIP, as forms show them."""
    return tuple(_label(name, aip) for aip, name in names(home))


def _label(name: str, aip: UUID) -> str:
    return f"{name} ({str(aip)[:8]})"


def find_aips(home: Home, wanted: Sequence[str], *, gone: bool = False) -> dict[UUID, str]:
    """The AIPs that the names mean, with their labels; a batch's name means all its parts.

    With `gone` also those that the store has no more. Raises UnknownAip naming what does not fit.
    """
    known = dict(names(home, gone=gone))
    found: dict[UUID, str] = {}
    for one in wanted:
        matches = [aip for aip, name in known.items() if _answers(aip, name, one)]
        if not matches and not gone and any(_answers(aip, name, one) for aip, name in names(home, gone=True)):
            raise UnknownAip(text("aip-gone", name=repr(one)))
        if not matches or len({batch_of(known[aip]) for aip in matches}) > 1:
            raise UnknownAip(_not_one(one, known, matches))
        found |= {aip: known[aip] for aip in matches}
    return found


def _not_one(wanted: str, known: Mapping[UUID, str], matches: Sequence[UUID]) -> str:
    if matches:  # whose names may look the same
        which = ", ".join(_label(known[aip], aip) for aip in matches[:10])
        return text("aip-several", name=repr(wanted), which=which)
    return text("aip-unknown", name=repr(wanted), which=listed(list(known.values())[:10]) or text("nothing"))


def find_aip(home: Home, wanted: str) -> UUID:
    """The one AIP that the name means. Raises UnknownAip, also for a batch of several parts."""
    found = find_aips(home, [wanted])
    if len(found) > 1:
        raise UnknownAip(text("aip-has-parts", name=repr(wanted), n=len(found), which=listed([*found.values()])))
    return next(iter(found))


def _parts(label: str) -> tuple[str, int]:
    part = _PART.search(label)
    return batch_of(label), int(part[1]) if part else 0


def batch_of(label: str) -> str:
    """The batch's name in a label."""
    return _PART.sub("", label)


def _answers(aip: UUID, name: str, wanted: str) -> bool:
    wanted = unicodedata.normalize("NFC", wanted)
    name = unicodedata.normalize("NFC", name)
    start = wanted.removeprefix("urn:uuid:")
    return wanted in (name, batch_of(name), _label(name, aip)) or (len(start) >= 8 and str(aip).startswith(start))
