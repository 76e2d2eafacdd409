"""Flow: stored bytes against their digests. Changes nothing; one wrong byte turns it red."""

# No `from __future__ import annotations`: Prefect builds a form from the types themselves.
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

from prefect import State, flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed, Failed
from pydantic import AfterValidator, BaseModel, Field

from flows.ui.artifacts import SUMMARY
from flows.ui.forms import Choices, one_of, options, titled
from flows.ui.markdown import escaped
from flows.ui.run import run_id, untagged, whole
from flows.ui.states import NEEDS, put_down, stopped
from flows.ui.stops import outermost
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
from tasks.words import moment, size, text

TASK_BYTES = 20_000_000_000
TASK_AIPS = 200
"""What one task run reads at most, but for a single larger AIP."""
SHOWN = 20


HOW_MUCH = Choices({"share-day": True, "share-everything": False})


class VerifyOptions(BaseModel):
    """Leave as it is for the day's share."""

    model_config = options(text("form-options-verify"))
    aips: list[str] = Field([], title=text("form-aips"), description=text("form-aips-help"))
    how_much: Annotated[str, AfterValidator(HOW_MUCH.checked)] = Field(
        HOW_MUCH.first,
        title=text("form-how-much"),
        description=text("form-how-much-help"),
        json_schema_extra=one_of(HOW_MUCH.shown),
    )
    minutes: int = Field(0, ge=0, title=text("form-minutes"), description=text("form-minutes-help"))
    gigabytes: int = Field(0, ge=0, title=text("form-gigabytes"), description=text("form-no-limit"))


@flow(
    name="verify", flow_run_name=lambda: text("run-store"), description=text("deployment-verify"), persist_result=False
)
@outermost
@untagged()
def verify(
    options: Annotated[VerifyOptions, Field(json_schema_extra=titled("form-options"))] = VerifyOptions(),  # noqa: B008
) -> State:
    """Reads stored bytes and compares their digests, those first that were not read for longest."""
    home = the_home().prepare()
    check_clock(home.log)
    store, days = opened(home), home.settings().verify_days
    try:
        wanted = find_aips(home, options.aips, gone=True) if options.aips else dict(names(home, gone=True))
    except UnknownAip as e:
        return stopped(str(e))
    held = [one for one in holdings(home, store) if one.aip in wanted]
    gone, there = [one for one in held if one.gone], [one for one in held if not one.gone]
    chosen = (
        share(there, days=days, now=datetime.now(UTC))
        if HOW_MUCH[options.how_much] and not options.aips
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
    state = _state(read, stray, covered, left=len(gone) + len(chosen) - len(read))
    _artifact(state, read, stray, covered)
    return state


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
    told = _much(read)
    good, data = text("every-byte-as-stored", read=told), (*read, covered)
    if bad:
        first = f"{bad[0].batch}: {bad[0].alarms[0]}"
        return Failed(name=NEEDS, message=text("read-alarm", read=told, n=len(bad), first=first), data=data)
    if stray:
        message = f"{good} {text('strangers', n=len(stray), first=stray[0])}"
        return Failed(name=NEEDS, message=message, data=data)
    if left and board.stop.is_set():
        return put_down(f"{good} {phrases.covered(covered)}", data=data)
    return Completed(name="Done", message=f"{good} {phrases.covered(covered)}", data=data)


def _artifact(state: State, read: list[Read], stray: list[str], covered: Coverage) -> None:
    """The summary: verdict, what is not as stored with what to do, and how much of the store was read lately."""
    bad = [r for r in read if r.alarms]
    lines = [f"## {text('verified-bad', n=len(bad)) if bad else text('verified-good')}", ""]
    for one in bad[:SHOWN]:
        lines += [f"**✕ {escaped(one.batch)}** `{one.aip}`", ""]
        lines += [*(f"- {escaped(fault)}" for fault in one.alarms[:SHOWN]), ""]
    lines += [f"→ {text('verified-do')}", ""] if bad else []
    lines += [f"- {text('in-the-storage-root')}: **{escaped(path)}**" for path in stray[:SHOWN]]
    lines += ["", "| | |", "|---|---|", f"| {text('verified-read')} | {_much(read)} |"]
    lines.append(f"| {text('verified-covered')} | {phrases.covered(covered)} |")
    lines += [f"| {text('verified-oldest')} | {moment(covered.oldest)} |"] if covered.oldest else []
    create_markdown_artifact(markdown="\n".join(lines), key=SUMMARY, description=state.message)


def _much(read: list[Read]) -> str:
    return text("aips-read", n=sum(r.files > 0 for r in read), size=size(sum(r.bytes for r in read)))
