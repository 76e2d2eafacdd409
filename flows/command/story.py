"""The verb `history`: everything that was done to one file, oldest first, by which tools and versions."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from flows.command import given, show
from tasks import words
from tasks.aip.find import find_aips
from tasks.aip.ledger import ORIGINALS
from tasks.config.home import Home
from tasks.config.home import home as the_home
from tasks.premis import log
from tasks.premis.model import Event
from tasks.report import acts, phrases
from tasks.words import text


def add(cli: typer.Typer) -> None:
    """Add this verb."""
    cli.command()(history)


def history(
    aip: given.Aip,
    file: Annotated[str, typer.Argument(help="A path as `status` shows it.")],
    json: given.Json = False,
) -> None:
    """Everything that was done to one file, by which tools.

    Example:
      perenne history văn-bản-2003 báo-cáo/quý-1.doc
    """
    home = the_home().prepare()
    found, path = _logical(home, list(find_aips(home, [aip])), file)
    events = log.history(home.log, found, path)
    if json:
        show.answer([_json(e) for e in events])
    else:
        _told(path.removeprefix(ORIGINALS), events)


def _logical(home: Home, aips: Sequence[UUID], file: str) -> tuple[UUID, str]:
    """The logical path that a person means, and its AIP: with or without `originals/`, matched after NFC.

    Raises BadParameter.
    """
    seen = {(o.path, aip) for aip in aips for e in log.read(home.log, aip=aip) for o in e.objects}
    wanted = unicodedata.normalize("NFC", file)
    for path, aip in sorted(seen):
        if unicodedata.normalize("NFC", path) in (wanted, ORIGINALS + wanted):
            return aip, path
    raise typer.BadParameter(text("use-no-file", name=repr(file)))


def _told(name: str, events: Sequence[Event]) -> None:
    last = next((e for e in reversed(events) if e.ending is not None), None)
    if last is not None and last.ending is not None:
        short = show.shortened(name, show.columns() - 30)
        show.say(show.ends(f"{show.mark(last.ending)} {short}", last.code, show.columns()))
    else:
        show.say(show.shortened(name, show.columns()))
    width, day = max((len(e.type.value) for e in events), default=0), ""
    for event in events:
        at = event.time.astimezone()
        if (now := words.day(at)) != day:
            show.say(f"{now} (UTC{words.offset(at)})")
            day = now
        _act(event, at, width)


def _act(event: Event, at: datetime, width: int) -> None:
    lead = f"{at:%H:%M:%S}  {event.type.value:{width}}  {event.outcome.value:8} "
    ending = f" {show.arrow()} {phrases.ended(event.ending)}" if event.ending else ""
    show.paragraph(f"{acts.told(event)}{ending}", indent=len(lead), first=lead)
    if why := event.detail.get("reason"):
        show.paragraph(text("for-reason", reason=why), indent=10)
    if event.agents:
        show.paragraph(text("by-agents", agents=acts.agents(event)), indent=10)


def _json(e: Event) -> dict[str, Any]:
    return {
        "id": str(e.id),
        "type": e.type.value,
        "time": e.time.isoformat(),
        "outcome": e.outcome.value,
        "code": e.code,
        "detail": dict(e.detail),
        "rule": e.rule,
        "ended": e.ending.value if e.ending else None,
        "policy": e.policy,
        "run": str(e.run),
        "agents": [{"name": a.name, "version": a.version, "kind": a.kind.value} for a in e.agents],
        "objects": [
            {"role": o.role, "path": o.path, "sha256": o.sha256, "size": o.size, "puid": o.puid} for o in e.objects
        ],
        "measures": [{"name": m.name, "value": m.value, "unit": m.unit} for m in e.measures],
    }
