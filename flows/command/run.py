"""The verbs that work: run, reprocess, verify."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.command import ahead, complete, given, result, show, stack
from flows.command import plan as planning
from flows.command import progress as progressing
from flows.command.ending import Ending
from flows.command.exits import Exit
from tasks.aip.find import find_aips
from tasks.aip.gone import check_store
from tasks.aip.plan import Scope
from tasks.aip.progress import board
from tasks.config.home import Home
from tasks.config.home import home as the_home
from tasks.policy.load import find, load
from tasks.premis.log import check_clock
from tasks.report import phrases
from tasks.report.stops import is_the_machines
from tasks.report.summary import Summary, by_batch
from tasks.sip.batch import Batch, in_inbox
from tasks.sip.named import named
from tasks.sip.naming import told as as_told
from tasks.sip.refusal import Refused
from tasks.store.ocfl import Store
from tasks.tools.machine import fit
from tasks.words import text

if TYPE_CHECKING:
    from prefect import State


def add(cli: typer.Typer) -> None:
    """Add this family's verbs."""
    cli.command()(run)
    cli.command()(reprocess)
    cli.command()(verify)


def run(
    batches: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BATCH…]",
            help="Folders, or names in the inbox; none: every ready one.",
            autocompletion=complete.batches,
        ),
    ] = None,
    policy: given.Policy = "",
    reason: Annotated[str, typer.Option(help="One sentence for the log, read by auditors.")] = "",
    json: given.Json = False,
) -> None:
    """Take batches in and make their masters; what is settled is not done again.

    Example: perenne run /deliveries/văn-bản-2003
    """
    if (policy or reason) and not batches:
        raise typer.BadParameter(text("use-night-options"))
    home = _ready(policy)
    found = [named(name, home) for name in batches or []]
    wanted = [as_told(one.path) for one in found]
    policy = policy or home.settings().policy

    def start() -> State:
        from flows import batch, nightly

        if wanted:
            return batch.run(wanted, policy, reason, return_state=True)
        return nightly.nightly(return_state=True)

    title = _title(wanted or [text("ready-in-inbox")], policy)
    needs = ahead.programs(_new(home, found or in_inbox(home.inbox)))
    _finish(home, start, title, progressing.STAGES, needs, json=json)


def reprocess(
    aips: given.Aips,
    reason: given.Reason,
    policy: given.Policy = "",
    which: given.Which = Scope.CHANGED,
    rule: given.Rules = None,
    path: given.Paths = None,
    code: given.Codes = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done; write nothing.")] = False,
    json: given.Json = False,
) -> None:
    """Bring AIPs to today's rules: adds a version, removes nothing.

    Examples:
      perenne reprocess văn-bản-2003 --reason "new fonts installed" --rule word-2b
      perenne reprocess văn-bản-2003 --reason "veraPDF was mended" --code pdfa-invalid --dry-run
    """
    home = _ready(policy)
    found = find_aips(home, aips)
    policy_asked, policy = policy, policy or home.settings().policy
    law = load(find(policy, home))
    choice = planning.chosen(law, which, rule, path, code)
    if dry_run or not json:
        plan = planning.of_aips(home, aips, law, choice, identify=dry_run)
        planning.answer([plan]) if json else planning.tell(plan)
    if dry_run:
        if plan.lines and not json:
            again = planning.command(aips, policy_asked, which, rule, path, code, reason=reason)
            show.say(text("plan-not-written", command=again))
        return

    def start() -> State:
        from flows import reprocess as flows

        return flows.reprocess_named(aips, reason, policy, which, rule, path, code, return_state=True)

    _finish(home, start, _title(list(found.values()), policy), progressing.STAGES[1:], (ahead.JUDGE,), json=json)


def verify(
    aips: given.AipsOrAll = None,
    share: Annotated[bool, typer.Option(help="Only the day's share, so that verify_days cover everything.")] = False,
    minutes: Annotated[int, typer.Option(min=0, help="Begin no further AIP after so many minutes; 0: no limit.")] = 0,
    gb: Annotated[int, typer.Option(min=0, help="Read about so many gigabytes; 0: no limit.")] = 0,
    json: given.Json = False,
) -> None:
    """Read stored bytes and compare their digests, those first that were not read for longest; changes nothing.

    Example: perenne verify --minutes 60
    """
    home = the_home().prepare()
    check_clock(home.log)
    check_store(home)
    if aips:  # to look for those that are gone reads all of the log
        find_aips(home, aips, gone=True)

    def start() -> State:
        from flows import verify as flows

        much = "the day's share" if share else "everything"
        options = flows.VerifyOptions(aips=aips or [], how_much=much, minutes=minutes, gigabytes=gb)
        return flows.verify(options, return_state=True)

    state, _ = _worked(home, start)
    *read, covered = _data(state) or (None,)
    if json:
        told = {"aips": [r.as_json() for r in read], "message": state.message}
        show.answer(told | {"verification": covered.as_json() if covered else None})
    else:
        show.say(state.message or "")
        for one in read:
            for fault in one.faults:
                show.say(f"{'✕' if fault in one.alarms else '…'} {one.batch}  {fault}")
    raise typer.Exit(_code(state, ()))


def _ready(policy: str) -> Home:
    """Everything that can be refused is refused here, before a server starts or a file is touched."""
    home = the_home().prepare()
    load(find(policy or home.settings().policy, home))
    fit(home)
    check_clock(home.log)
    check_store(home)
    return home


def _new(home: Home, batches: Sequence[Batch]) -> list[Path]:
    """Those that the store does not have; of the others there is mostly nothing to do."""
    store = Store(home.store)
    return [one.path for one in batches if not store.object_path(one.aip).exists()]


def _title(names: Sequence[str], policy: str) -> str:
    return text("run-title", names=phrases.batches(names), policy=policy)


def _finish(
    home: Home, start: Callable[[], State], title: str, stages: Sequence[str], needs: Sequence[str], *, json: bool
) -> None:
    """`needs`: the resident programs that are started while Prefect's server starts."""
    began = time.monotonic()
    with progressing.progress(title, stages, quiet=json):
        state, working = _worked(home, start, needs)
    ready = working - began
    seconds = time.monotonic() - began
    told = _data(state)
    summaries = tuple(one for one in told if isinstance(one, Summary))
    refused = tuple(one for one in told if isinstance(one, Refused))
    if state.name == "Stopped":
        sys.stderr.write(show.clean(f"{text('stopped-because', why=state.message)}\n"))
    if json:
        answer = _json(home, state, summaries, seconds)
        show.answer(answer | {"refused": [r.as_json() for r in refused], "server_seconds": round(ready, 1)})
    elif not summaries and state.name != "Stopped":
        show.say(f"{state.name}. {state.message}")
        if state.is_cancelled():  # else the message has them
            result.refusals(refused)
    elif summaries:
        # What stopped the run was told with its message.
        more = refused if state.name != "Stopped" else ()
        result.result(home, summaries, more, worked=any(s.worked for s in summaries), seconds=seconds)
    raise typer.Exit(_code(state, summaries))


def _worked(home: Home, start: Callable[[], State], needs: Sequence[str] | None = None) -> tuple[State, float]:
    """The run's last state, and when it could begin; one that was ended at once ends the command here."""
    with stack.server(home, needs) as address:
        _quiet_prefect()
        _sweep(home, address)
        ready, ended, state = time.monotonic(), Ending(), None
        with ended.watched(address):
            state = _heard(home, start)
    if ended.why or state is None:
        raise typer.Exit(Exit.INTERRUPTED)
    return state, ready


def _heard(home: Home, start: Callable[[], State]) -> State:
    """The run's state. Raises OSError or StackError where the server cannot write down what it is told."""
    from prefect.exceptions import PrefectHTTPStatusError

    from flows.ui.states import code_of

    try:
        state = start()
        if state.is_crashed() or (state.name in ("Failed", "Stopped") and not code_of(state)):
            stack.check_disk(home)  # something broke that has no name, perhaps that
        return state
    except PrefectHTTPStatusError as error:
        stack.check_disk(home)
        raise stack.StackError(text("server-refuses", log=home.prefect / "server.log")) from error


def _code(state: State, summaries: tuple[Summary, ...]) -> int:
    from flows.ui.states import code_of

    if state.name == "Stopped":  # before the board: a run that could not go on tells its other threads to stop, too
        return Exit.MACHINE if is_the_machines(code_of(state)) else Exit.PERSON
    if board.stop.is_set():
        return Exit.INTERRUPTED
    return Exit.GOOD if state.is_completed() and not any(s.needing for s in summaries) else Exit.PERSON


def _json(home: Home, state: State, summaries: tuple[Summary, ...], seconds: float) -> dict[str, Any]:
    return {
        "run": str(state.state_details.flow_run_id),
        "state": state.name,
        "message": state.message,
        "batches": by_batch(summaries),
        "seconds": round(seconds, 1),
        "stages": [{"name": s.name, "files": s.files, "seconds": round(s.seconds, 2)} for s in board.stages()],
        "report": str(home.reports / "index.html"),
    }


def _data(state: State) -> tuple[Any, ...]:
    from flows.ui.states import data_of

    return data_of(state)


def _sweep(home: Home, address: stack.Address) -> None:
    """Whoever starts the server tells the runs that a power cut left “running” as crashed."""
    if address.started:
        from flows.command import runs

        runs.sweep(home)


def _quiet_prefect() -> None:
    """Prefect's own lines go to its server; the terminal belongs to the person."""
    from prefect.logging.configuration import setup_logging

    setup_logging()
    names = [name for name in logging.root.manager.loggerDict if name.startswith("prefect")]
    for name in (None, *names):
        for handler in logging.getLogger(name).handlers:
            if type(handler).__name__ == "PrefectConsoleHandler":
                handler.setLevel(logging.CRITICAL)
