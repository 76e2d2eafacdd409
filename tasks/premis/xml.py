"""PREMIS 3.0 XML of one AIP version: the log's events told in the words that other archives read.

An export for people and other systems; the record is the Parquet beside it. Objects and events are taken from
iterators and written as they come, so that memory does not grow with the AIP. Terms come from the preservation
vocabularies of the Library of Congress (id.loc.gov/vocabulary/preservation). A hundred thousand files make half a
million events, so nothing is told twice: the address of a term stands where the term says what happened, how it went,
and how objects belong together; roles are the vocabularies' plain words; an agent's version stands with the agent.
"""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from functools import lru_cache
from typing import BinaryIO
from xml.sax.saxutils import escape

from tasks.premis import codes
from tasks.premis.model import NAMESPACE, Agent, AgentKind, Event, EventType, LinkedObject, Outcome, object_id

_LOC = "http://id.loc.gov/vocabulary/preservation"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<premis xmlns="http://www.loc.gov/premis/v3" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" version="3.0">\n'
)
_ORIGINALS = "originals/"
_TERMS: Mapping[str, Mapping[str, str]] = {
    "eventType": {
        EventType.INGESTION: "ing",
        EventType.DIGEST: "mes",
        EventType.IDENTIFICATION: "for",
        EventType.EXTRACTION: "mee",
        EventType.POLICY: "poa",
        EventType.NORMALIZATION: "nor",
        EventType.MIGRATION: "mig",
        EventType.VALIDATION: "val",
        EventType.CREATION: "cre",
        EventType.FIXITY: "fix",
    },
    "eventOutcome": {Outcome.SUCCESS: "suc", Outcome.WARNING: "war", Outcome.FAIL: "fai"},
    "agentType": {
        AgentKind.SOFTWARE: "sof",
        AgentKind.PERSON: "per",
        AgentKind.ORGANIZATION: "org",
        AgentKind.HARDWARE: "har",
    },
    "relationshipType": {"derivation": "der"},
    "relationshipSubType": {"has source": "hso", "is source of": "iso"},
    "cryptographicHashFunctions": {"SHA-256": "sha256", "SHA-512": "sha512"},
}
_ON_THE_OBJECT = {(EventType.DIGEST, "sha512")}
"""Details that the object itself has in the document, in an element of its own."""
# What XML 1.0 cannot carry at all (section 2.2), and the carriage return, which readers would turn into a line feed.
_FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Derivation:
    """PREMIS relationship of the type derivation: `kind` is `has source` or `is source of`, `event` what made it so."""

    kind: str
    other: uuid.UUID
    event: uuid.UUID


@dataclass(frozen=True, slots=True)
class File:
    """A PREMIS object of the category file. `size` in bytes; digests may be empty when the file never came in."""

    path: str
    sha256: str
    size: int
    puid: str = ""
    format_name: str = ""
    format_version: str = ""
    sha512: str = ""
    derivations: tuple[Derivation, ...] = ()


def files(events: Iterable[Event]) -> list[File]:
    """Every file that the events read or made, once in each state, in the order of its first mention.

    A product is tied to its source, both ways, by each event that made it and did not fail.
    """
    found: dict[uuid.UUID, File] = {}
    for event in events:
        for linked in event.objects:
            _learn(found, event, linked)
        source = event.source
        if source is None or event.outcome is Outcome.FAIL:
            continue
        for made in (linked for linked in event.objects if linked.role == "outcome"):
            one, other = _id(event, source), _id(event, made)
            _tie(found, other, Derivation("has source", one, event.id))
            _tie(found, one, Derivation("is source of", other, event.id))
    return list(found.values())


def _learn(found: dict[uuid.UUID, File], event: Event, linked: LinkedObject) -> None:
    known = found.setdefault(_id(event, linked), File(linked.path, linked.sha256, linked.size))
    told = {"puid": linked.puid}
    if linked.role == "source" and event.type is EventType.IDENTIFICATION:
        told = {
            "puid": event.detail.get("puid", ""),
            "format_name": event.detail.get("format", ""),
            "format_version": event.detail.get("format_version", ""),
        }
    elif linked.role == "source" and event.type is EventType.DIGEST:
        told = {"sha512": event.detail.get("sha512", "")}
    found[_id(event, linked)] = replace(
        known,
        puid=known.puid or told.get("puid", ""),
        format_name=known.format_name or told.get("format_name", ""),
        format_version=known.format_version or told.get("format_version", ""),
        sha512=known.sha512 or told.get("sha512", ""),
    )


def _tie(found: dict[uuid.UUID, File], name: uuid.UUID, tie: Derivation) -> None:
    file = found[name]
    if all((tie.kind, tie.other) != (known.kind, known.other) for known in file.derivations):
        found[name] = replace(file, derivations=(*file.derivations, tie))


def premis(aip: uuid.UUID, events: Iterable[Event], objects: Iterable[File] | None = None) -> bytes:
    """The whole document in memory; without `objects`, those that the events name. For small AIPs and tests."""
    told = list(events)
    sink = io.BytesIO()
    write(sink, aip, files(told) if objects is None else objects, told)
    return sink.getvalue()


def write(out: BinaryIO, aip: uuid.UUID, objects: Iterable[File], events: Iterable[Event]) -> None:
    """Write the document of one AIP: the AIP as intellectual entity, its files, its events, and the agents met.

    Both iterables are taken once, one item at a time. Control letters, which XML cannot carry, appear as `\\u0007`.
    """
    out.write(_HEAD.encode())
    out.write(_entity(aip).encode())
    out.writelines("".join(_file(aip, file)).encode() for file in objects)
    agents: set[Agent] = set()
    for event in events:
        out.write("".join(_event(event)).encode())
        agents.update(event.agents)
    out.writelines("".join(_agent(agent)).encode() for agent in sorted(agents))
    out.write(b"</premis>\n")


def agent_id(agent: Agent) -> uuid.UUID:
    """The identifier of an agent in one version: the same in every AIP."""
    return uuid.uuid5(NAMESPACE, f"agent:{agent.kind.value}\n{_said(agent.name)}\n{_said(agent.version)}")


# --- the parts of a document ---------------------------------------------------
def _entity(aip: uuid.UUID) -> str:
    return f'<object xsi:type="intellectualEntity">{_identifier("object", "UUID", aip)}</object>\n'


def _file(aip: uuid.UUID, file: File) -> Iterator[str]:
    yield '<object xsi:type="file">'
    yield _identifier("object", "UUID", object_id(aip, file.path, file.sha256))
    yield _identifier("object", "logical path", file.path)
    yield "<objectCharacteristics>"
    for name, digest in (("SHA-256", file.sha256), ("SHA-512", file.sha512)):
        if digest:
            algorithm = _term("messageDigestAlgorithm", "cryptographicHashFunctions", name)
            yield f"<fixity>{algorithm}{_element('messageDigest', digest)}</fixity>"
    yield _element("size", str(file.size))
    yield f"<format>{''.join(_format(file))}</format></objectCharacteristics>"
    if file.path.startswith(_ORIGINALS):
        yield _element("originalName", file.path.removeprefix(_ORIGINALS))
    for tie in file.derivations:
        yield "<relationship>"
        yield _term("relationshipType", "relationshipType", "derivation")
        yield _term("relationshipSubType", "relationshipSubType", tie.kind)
        yield _identifier("relatedObject", "UUID", tie.other)
        yield _identifier("relatedEvent", "UUID", tie.event)
        yield "</relationship>"
    for event in dict.fromkeys(tie.event for tie in file.derivations):
        yield _identifier("linkingEvent", "UUID", event)
    yield "</object>\n"


def _format(file: File) -> Iterator[str]:
    if file.format_name or not file.puid:
        yield f"<formatDesignation>{_element('formatName', file.format_name or 'unknown')}"
        yield f"{_element('formatVersion', file.format_version) if file.format_version else ''}</formatDesignation>"
    if file.puid:
        key = _element("formatRegistryKey", file.puid)
        yield f"<formatRegistry>{_element('formatRegistryName', 'PRONOM')}{key}</formatRegistry>"


def _event(event: Event) -> Iterator[str]:
    yield f"<event>{_identifier('event', 'UUID', event.id)}{_term('eventType', 'eventType', event.type)}"
    yield _element("eventDateTime", event.time.astimezone(UTC).isoformat().replace("+00:00", "Z"))
    yield f"<eventDetailInformation>{_element('eventDetail', _asked(event))}</eventDetailInformation>"
    yield f"<eventOutcomeInformation>{_term('eventOutcome', 'eventOutcome', event.outcome)}"
    for note in _notes(event):
        yield f"<eventOutcomeDetail>{_element('eventOutcomeDetailNote', note)}</eventOutcomeDetail>"
    yield "</eventOutcomeInformation>"
    yield from map(_link, dict.fromkeys(event.agents))
    for linked in event.objects:
        role = _element("linkingObjectRole", linked.role)
        yield _identifier("linkingObject", "UUID", _id(event, linked), role)
    if not event.objects:
        yield _identifier("linkingObject", "UUID", event.aip)
    yield "</event>\n"


@lru_cache(maxsize=1024)
def _link(agent: Agent) -> str:
    acts = agent.kind in (AgentKind.SOFTWARE, AgentKind.HARDWARE)
    role = _element("linkingAgentRole", "executing program" if acts else "implementer")
    return _identifier("linkingAgent", "UUID", agent_id(agent), role)


def _asked(event: Event) -> str:
    """What was asked: the row's other columns, so that the document alone tells how the event came about."""
    told = {"run": str(event.run), "policy": event.policy, "rule": event.rule, "asked": event.asked}
    return "; ".join([f"{name}: {value}" for name, value in told.items() if value] + [f"took: {event.duration_ms} ms"])


def _notes(event: Event) -> Iterator[str]:
    """The outcome code with its message, how the file ended, what was found out, and the figures."""
    if event.code:
        known = codes.CODES.get(event.code)
        yield f"{event.code}: {codes.message(event.code, event.detail)}" if known else event.code
    if event.ending:
        yield f"ending: {event.ending.value}"
    for name, value in sorted(event.detail.items()):
        if (event.type, name) not in _ON_THE_OBJECT:
            yield f"{name}: {value}"
    for measure in event.measures:
        yield f"{measure.name}: {measure.value} {measure.unit}".rstrip()


def _agent(agent: Agent) -> Iterator[str]:
    yield f"<agent>{_identifier('agent', 'UUID', agent_id(agent))}{_element('agentName', agent.name)}"
    yield _term("agentType", "agentType", agent.kind)
    if agent.version:
        yield _element("agentVersion", agent.version)
    yield "</agent>\n"


# --- elements ------------------------------------------------------------------
def _id(event: Event, linked: LinkedObject) -> uuid.UUID:
    return _cached_id(event.aip, linked.path, linked.sha256)


_cached_id = lru_cache(maxsize=4096)(object_id)  # the events of one file follow each other


def _said(text: str) -> str:
    """The text with everything that XML cannot carry spelled out."""
    return _FORBIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(_said(text))}</{name}>"


def _identifier(what: str, kind: str, value: uuid.UUID | str, more: str = "") -> str:
    name = f"{what}Identifier"
    return f"<{name}>{_element(f'{name}Type', kind)}{_element(f'{name}Value', str(value))}{more}</{name}>"


@lru_cache(maxsize=256)
def _term(name: str, vocabulary: str, term: str) -> str:
    """A term with its address, which names the vocabulary too, where the vocabulary has it."""
    code = _TERMS[vocabulary].get(term)
    if code is None:
        return _element(name, term)
    return f'<{name} valueURI="{_LOC}/{vocabulary}/{code}">{escape(term)}</{name}>'
