"""Flow: stored bytes against their digests. Changes nothing; one wrong byte turns it red."""

# No `from __future__ import annotations`: Prefect builds a form from the types themselves.
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal

from prefect import State, flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed, Failed
from pydantic import BaseModel, Field

from flows.ui.run import run_id, whole
from flows.ui.states import put_down
from flows.ui.stops import stops_clearly
from tasks.aip.coverage import Coverage, Holding, coverage, due, holdings, share, within
from tasks.aip.find import UnknownAip, find_aips, names
from tasks.aip.fixity import Read
from tasks.aip.gone import opened
from tasks.aip.progress import board
from tasks.config.home import home as the_home
from tasks.premis.log import check_clock
from tasks.report import pages, phrases
from tasks.store.strangers import strangers
from tasks.verify import verify as verify_some
from tasks.words import size, text

TASK_BYTES = 20_000_000_000
TASK_AIPS = 200
"""What one task run reads at most, but for a single larger AIP."""
SHOWN = 20


class VerifyOptions(BaseModel):
    """Leave as it is for the day's share."""

    aips: list[str] = Field([], title="Only these AIPs", description="Ids or batch names. Empty: all of the store.")
    how_much: Literal["the day's share", "everything"] = Field(
        "the day's share",
        title="How much",
        description="The day's share is so much that everything is read once in the days of the setting verify_days.",
    )
    minutes: int = Field(0, ge=0, title="At most minutes", description="0: no limit. An AIP is always read whole.")
    gigabytes: int = Field(0, ge=0, title="At most gigabytes", description="0: no limit.")


@flow(name="verify", flow_run_name="store", persist_result=False)
@stops_clearly
def verify(options: VerifyOptions = VerifyOptions()) -> State:  # noqa: B008  the form shows its fields
    """Reads stored bytes and compares their digests, those first that were not read for longest."""
    home = the_home().prepare()
    check_clock(home.log)
    store, days = opened(home), home.settings().verify_days
    try:
        wanted = find_aips(home, options.aips, gone=True) if options.aips else dict(names(home, gone=True))
    except UnknownAip as e:
        return Failed(name="Stopped", message=str(e))
    held = [one for one in holdings(home, store) if one.aip in wanted]
    gone, there = [one for one in held if one.gone], [one for one in held if not one.gone]
    chosen = (
        share(there, days=days, now=datetime.now(UTC))
        if options.how_much == "the day's share" and not options.aips
        else due(there)
    )
    if options.gigabytes:
        chosen = list(within(chosen, options.gigabytes * 1_000_000_000))
    until = time.monotonic() + options.minutes * 60 if options.minutes else None
    read: list[Read] = []
    for group in _groups([*gone, *chosen]):  # to tell of what is gone costs nothing, and cannot wait for its day
        if board.stop.is_set() or (until is not None and time.monotonic() > until):
            break
        named = phrases.batches([wanted[one.aip] for one in group])
        these = [(one.aip, wanted[one.aip], one.checked) for one in group]
        read += verify_some(named, whole(these), whole(home), run_id(), until)
    stray = list(strangers(store)) if not options.aips and not board.stop.is_set() else []
    covered = coverage(holdings(home, store), days=days, now=datetime.now(UTC))
    pages.verified(home, [r.aip for r in read], {r.aip for r in read if r.alarms}, warn=get_run_logger().warning)
    _artifact(read, stray, covered)
    return _state(read, stray, covered, left=len(gone) + len(chosen) - len(read))


def _groups(chosen: Sequence[Holding]) -> Iterator[list[Holding]]:
    group: list[Holding] = []
    for one in chosen:
        if group and (len(group) == TASK_AIPS or sum(o.size for o in group) + one.size > TASK_BYTES):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _state(read: list[Read], stray: list[str], covered: Coverage, *, left: int) -> State:
    bad = [r for r in read if r.alarms]
    told = text("aips-read", n=sum(r.files > 0 for r in read), size=size(sum(r.bytes for r in read)))
    good, data = text("every-byte-as-stored", read=told), (*read, covered)
    if bad:
        first = f"{bad[0].batch}: {bad[0].alarms[0]}"
        return Failed(name="Needs a person", message=text("read-alarm", read=told, n=len(bad), first=first), data=data)
    if stray:
        message = f"{good} {text('strangers', n=len(stray), first=stray[0])}"
        return Failed(name="Needs a person", message=message, data=data)
    if left and board.stop.is_set():
        return put_down(f"{good} {phrases.covered(covered)}", data=data)
    return Completed(name="Done", message=f"{good} {phrases.covered(covered)}", data=data)


def _artifact(read: list[Read], stray: list[str], covered: Coverage) -> None:
    lines = [f"## {phrases.covered(covered)}", ""]
    lines += [f"- `{r.batch}`: {fault}" for r in read for fault in r.faults][:SHOWN]
    lines += [f"- in the storage root: `{path}`" for path in stray[:SHOWN]]
    create_markdown_artifact(markdown="\n".join(lines), key="verification", description=phrases.covered(covered))
