"""The next version of an AIP: what was made and checked, and the events that tell of it."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from tasks.aip.ledger import EVENTS, Ledger
from tasks.config.home import PERENNE
from tasks.premis import log, xml
from tasks.premis.model import Ending, Event
from tasks.store.errors import StoreError
from tasks.store.ocfl import Store
from tasks.store.stage import Stage

PRODUCTS = ("masters/", "transcripts/", "tables/", "appendices/", "extracted/")


def unpacked(ledger: Ledger) -> list[Event]:
    """The events of an AIP that no version of it carries yet, oldest first."""
    return [e for e in ledger.events if e.id not in ledger.packed]


def in_force(ledger: Ledger, answering: Collection[tuple[str, str]]) -> dict[str, str]:
    """Logical path → SHA-256 of every product that the head should show.

    That is what the last good ending of each (file, rule) made, as long as it was made from the bytes that the
    original has now, and the rule still answers for the file (`answering`: path and rule id) or nothing that does has
    a good ending yet. A product that is nowhere counts as never made: the store may be older than the log.
    """
    now = {file.path: file.sha256 for file, _ in ledger.originals}
    last: dict[tuple[str, str], Event] = {}
    for event in ledger.events:
        source = event.source
        if event.ending not in (Ending.DONE, Ending.KEPT) or source is None or now.get(source.path) != source.sha256:
            continue
        if ledger.has_products(event):
            last[source.path, event.rule] = event
    replaced = {path for path, rule in last if (path, rule) in answering}
    return {
        made.path: made.sha256
        for (path, rule), event in last.items()
        if (path, rule) in answering or path not in replaced
        for made in event.objects
        if made.role == "outcome"
    }


def pack(
    store: Store,
    ledger: Ledger,
    run: uuid.UUID,
    events: Sequence[Event],
    *,
    keep: Collection[str],
    message: str,
    remove: Collection[str] = (),
) -> int:
    """Make the next version of the staged files `keep` and of `events`; returns its number.

    Everything else in the stage is a leftover of a killed run and is dropped.
    """
    number = ledger.head + 1
    stage = store.stage(ledger.id, run)
    # The commit flushes all of it before it publishes; after a power cut both are written anew.
    stage.put_bytes(log.write_aip_events(events), f"{EVENTS}v{number}.parquet", durable=False)
    _put_premis(stage, ledger.id, events, f"metadata/premis/v{number}.xml")
    if missing := sorted(set(keep) - set(stage.entries())):
        raise StoreError(f"{ledger.id}: {len(missing)} of {len(keep)} files are not in the stage, first {missing[0]}")
    left = set(stage.entries()) - set(keep)
    stage.drop(path for path in left if not path.startswith("metadata/"))
    return store.commit(
        ledger.id,
        stage,
        expected_head=ledger.head,
        message=message,
        user=(PERENNE.name, f"urn:perenne:{PERENNE.version}"),
        created=datetime.now(UTC),
        remove=remove,
    )


def _put_premis(stage: Stage, aip: uuid.UUID, events: Sequence[Event], logical: str) -> None:
    """The PREMIS document by way of a file: of ten thousand files it is a hundred megabytes long."""
    written = stage.folder / f"premis-{uuid.uuid4().hex}"
    try:
        with written.open("xb") as out:
            xml.write(out, aip, xml.files(events), events)
        stage.put(written, logical, durable=False)
    finally:
        written.unlink(missing_ok=True)
