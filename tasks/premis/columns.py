"""Events as columns: the schema of the log, and the two mirror images that write and read it.

The schema only grows, and only by columns that may be null: a reader fills what an older part lacks and passes over
what a newer one adds. Values keep to a profile that any library writes canonically the same (ASCII keys, no floats,
nothing for "nothing"), because each row can be a leaf of a seal.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.premis.model import (
    Agent,
    AgentKind,
    Ending,
    Event,
    EventType,
    LinkedObject,
    Measure,
    Outcome,
    object_id,
)

SCHEMA_VERSION = 1
"""Written into every row; raised when columns are added."""

Row = Mapping[str, Any]

_ID = pa.uuid()


def _list(*fields: tuple[str, pa.DataType]) -> pa.DataType:
    # "element" is the child name that the Parquet specification asks for; other readers insist on it.
    return pa.list_(pa.field("element", pa.struct(list(fields))))


SCHEMA = pa.schema(
    [
        ("event_id", _ID),
        ("event_type", pa.string()),
        ("event_datetime", pa.timestamp("us", tz="UTC")),
        ("outcome", pa.string()),
        ("outcome_code", pa.string()),
        ("outcome_detail", pa.string()),
        ("ending", pa.string()),
        ("rule", pa.string()),
        ("policy", pa.string()),
        ("asked", pa.string()),
        ("run_id", _ID),
        ("aip_id", _ID),
        ("seq", pa.int32()),
        ("duration_ms", pa.int64()),
        ("object_id", _ID),
        ("object_path", pa.string()),
        ("agents", _list(("name", pa.string()), ("version", pa.string()), ("type", pa.string()))),
        (
            "objects",
            _list(
                ("role", pa.string()),
                ("object_id", _ID),
                ("path", pa.string()),
                ("sha256", pa.string()),
                ("size", pa.int64()),
                ("puid", pa.string()),
            ),
        ),
        ("measures", _list(("name", pa.string()), ("value", pa.string()), ("unit", pa.string()))),
        ("schema_version", pa.int16()),
    ]
)
"""The columns of the log, in PREMIS's own names; docs/events.md says what each one holds."""


def _plain(kind: pa.DataType) -> pa.DataType:
    """The same type with ids as 16 bytes: Arrow cannot build nested extension types from Python values."""
    if kind == _ID:
        return pa.binary(16)
    if pa.types.is_list(kind):
        return pa.list_(pa.field("element", _plain(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(child.name, _plain(child.type)) for child in kind])
    return kind


_PLAIN = pa.schema([pa.field(column.name, _plain(column.type)) for column in SCHEMA])


# --- writing -------------------------------------------------------------------
def table(events: Sequence[Event]) -> pa.Table:
    """The events as rows of the schema, in their order.

    Raises ValueError when an event breaks the profile: a time without zone, a detail key outside ASCII, a value that
    is no text, a path that is not clean Unicode.
    """
    rows = [_row(event) for event in events]
    columns = {column.name: [row[column.name] for row in rows] for column in _PLAIN}
    return pa.table(columns, schema=_PLAIN).cast(SCHEMA)


def _row(event: Event) -> dict[str, Any]:
    if event.time.tzinfo is None:
        raise ValueError(f"event {event.id}: its time has no zone")
    source = event.source
    return {
        "event_id": event.id.bytes,
        "event_type": event.type.value,
        "event_datetime": event.time.astimezone(UTC),
        "outcome": event.outcome.value,
        "outcome_code": event.code or None,
        "outcome_detail": _detail(event) if event.detail else None,
        "ending": event.ending.value if event.ending else None,
        "rule": event.rule or None,
        "policy": event.policy or None,
        "asked": event.asked or None,
        "run_id": event.run.bytes,
        "aip_id": event.aip.bytes,
        "seq": event.seq,
        "duration_ms": event.duration_ms,
        "object_id": _object_id(event, source) if source else None,
        "object_path": source.path if source else None,
        "agents": [{"name": _clean(a.name), "version": _clean(a.version), "type": a.kind.value} for a in event.agents],
        "objects": [_object(event, linked) for linked in event.objects],
        "measures": [{"name": m.name, "value": _clean(m.value), "unit": m.unit or None} for m in event.measures],
        "schema_version": SCHEMA_VERSION,
    }


def _object(event: Event, linked: LinkedObject) -> dict[str, Any]:
    return {
        "role": linked.role,
        "object_id": _object_id(event, linked),
        "path": linked.path,
        "sha256": linked.sha256 or None,
        "size": linked.size,
        "puid": linked.puid or None,
    }


def _object_id(event: Event, linked: LinkedObject) -> bytes:
    return object_id(event.aip, linked.path, linked.sha256).bytes


def _detail(event: Event) -> str:
    """The canonical JSON of an event's detail: sorted ASCII keys, text values, no spaces."""
    for key, value in event.detail.items():
        if not (isinstance(key, str) and key.isascii() and isinstance(value, str)):
            raise ValueError(f"event {event.id}: detail {key!r} is not ASCII with a text")
    clean = {key: _clean(value) for key, value in event.detail.items()}
    return json.dumps(clean, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _clean(text: str) -> str:
    """The text, lone surrogates spelled out: what a tool said about a hostile file must not cost us the event."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def together(tables: Sequence[pa.Table]) -> pa.Table:
    """The rows of parts of different releases under one schema: what an older part lacks is null."""
    return pa.concat_tables(tables, promote_options="default")


def shared(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """The schema of what `together` makes of tables of these."""
    return pa.unify_schemas(list(schemas), promote_options="default")


# --- reading -------------------------------------------------------------------
def is_of(rows: pa.Table, aips: Collection[uuid.UUID]) -> pa.ChunkedArray:
    """Of each row, whether it is one of these AIPs'."""
    wanted = pa.array([aip.bytes for aip in aips], pa.binary(16))
    return pc.is_in(rows.column("aip_id").cast(pa.binary(16)), value_set=wanted)


def of_path(rows: pa.Table, path: str) -> pa.Table:
    """The rows whose act read or made the file of that path."""
    objects = rows.column("objects").combine_chunks()
    found = pc.equal(pc.struct_field(pc.list_flatten(objects), "path"), path)
    return rows.take(pc.unique(pc.list_parent_indices(objects).filter(found)))


def events(rows: pa.Table) -> Iterator[Event]:
    """The events of a table in its order; the mirror image of `table`."""
    present = [column.name for column in SCHEMA if column.name in rows.column_names]
    columns = [rows.column(name).to_pylist() for name in present]
    for values in zip(*columns, strict=True):
        yield _event(dict(zip(present, values, strict=True)))


def _event(row: Row) -> Event:
    time: datetime = row["event_datetime"]
    ending = row.get("ending")
    return Event(
        id=_uuid(row["event_id"]),
        type=EventType(row["event_type"]),
        time=time.astimezone(UTC),
        outcome=Outcome(row["outcome"]),
        code=row.get("outcome_code") or "",
        detail=json.loads(row.get("outcome_detail") or "{}"),
        asked=row.get("asked") or "",
        run=_uuid(row["run_id"]),
        aip=_uuid(row["aip_id"]),
        seq=row["seq"],
        duration_ms=row["duration_ms"],
        policy=row.get("policy") or "",
        rule=row.get("rule") or "",
        ending=Ending(ending) if ending else None,
        agents=tuple(Agent(a["name"], a["version"], AgentKind(a["type"])) for a in row.get("agents") or ()),
        objects=tuple(_linked(o) for o in row.get("objects") or ()),
        measures=tuple(Measure(m["name"], m["value"], m["unit"] or "") for m in row.get("measures") or ()),
    )


@dataclass(frozen=True, slots=True)
class Brief:
    """How an act on an AIP ended and when: an event without its agents, its objects and its measures."""

    aip: uuid.UUID
    time: datetime
    seq: int
    outcome: Outcome
    detail: Mapping[str, str]


BRIEF = ("aip_id", "event_datetime", "seq", "outcome", "outcome_detail")
"""The columns that `briefs` needs: about a tenth of what a row takes to read."""


def briefs(rows: pa.Table) -> Iterator[Brief]:
    """The events of a table in its order, in brief."""
    for aip, time, seq, outcome, detail in zip(*(rows.column(name).to_pylist() for name in BRIEF), strict=True):
        yield Brief(_uuid(aip), time.astimezone(UTC), seq, Outcome(outcome), json.loads(detail or "{}"))


def _linked(row: Row) -> LinkedObject:
    return LinkedObject(row["role"], row["path"], row["sha256"] or "", row["size"], row["puid"] or "")


def _uuid(value: uuid.UUID | bytes) -> uuid.UUID:
    """An id, also from a part whose writer knew 16 bytes but no UUID type."""
    return value if isinstance(value, uuid.UUID) else uuid.UUID(bytes=value)
