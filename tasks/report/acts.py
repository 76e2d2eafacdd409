"""What an event tells of an act, in a line: `history` and the page of a file say it alike."""

from __future__ import annotations

from tasks import words
from tasks.premis import codes
from tasks.premis.model import Event, EventType
from tasks.words import detail, text

DIGEST = 8
"""Letters of a digest that are shown where the whole stands elsewhere."""

BASES = {
    "container": "page-basis-container",
    "signature": "page-basis-signature",
    "text": "page-basis-text",
    "extension": "page-basis-extension",
    "empty": "page-basis-empty",
}
"""What identified a format → how it is said."""


def told(event: Event) -> str:
    """The act's particulars: what was stored, found, made, checked; with its code's message where it has one."""
    message = codes.message(event.code, event.detail) if event.code in codes.CODES else ""
    told = ". ".join(filter(None, (_particulars(event), message)))
    return f"{event.rule}: {told}" if event.rule else told


def agents(event: Event) -> str:
    """Who did it, with exact versions."""
    return words.listed([f"{a.name} {a.version}" for a in event.agents])


def _particulars(event: Event) -> str:
    match event.type:
        case EventType.INGESTION:
            return _stored(event)
        case EventType.DIGEST:
            return words.listed([f"{name} {digest[:DIGEST]}…" for name, digest in event.detail.items()])
        case EventType.IDENTIFICATION:
            return _identified(event)
        case EventType.VALIDATION:
            return event.detail.get("check", "") if not event.code else ""
        case _:
            return words.listed([f"{o.path}, {words.size(o.size)}" for o in event.objects if o.role == "outcome"])


def _stored(event: Event) -> str:
    source = event.source
    return f"{words.size(source.size)}, sha256 {source.sha256[:DIGEST]}…" if source and source.sha256 else ""


def _identified(event: Event) -> str:
    said = event.detail
    if not said.get("puid"):
        return text("identified-as-unknown", release=said.get("release", "")) if not event.code else ""
    name = " ".join(filter(None, (said.get("format", ""), said.get("format_version", ""))))
    basis, release = said.get("basis", ""), said.get("release", "").partition(" ")[0]
    how = text(BASES[basis]) if basis in BASES else detail(basis)
    return text("identified-as", name=name, puid=said["puid"], basis=how, release=release)
