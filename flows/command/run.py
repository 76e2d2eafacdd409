"""The verbs that work: run, reprocess, verify."""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.command import show, stack
from tasks.aip.find import find_aips
from tasks.aip.plan import Scope
from tasks.aip.progress import board
from tasks.config.home import Home
from tasks.config.home import home as the_home
from tasks.policy.load import find, load
from tasks.report.summary import Summary
from tasks.sip.batch import batch as batch_at
from tasks.tools.machine import fit

if TYPE_CHECKING:
    from prefect import State

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON on stdout.")]
INTERRUPTED = 130
Policy = Annotated[str, typer.Option(help="A policy's name or file.")]


def add(cli: typer.Typer) -> None:
    """Add this family's verbs."""
    cli.command()(run)
    cli.command()(reprocess)
    cli.command()(verify)


def run(
    batches: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BATCH…]", help="Folders, or names in the inbox; none: every ready one."),
    ] = None,
    policy: Policy = "",
    reason: Annotated[str, typer.Option(help="One sentence for the log, read by auditors.")] = "",
    json: Json = False,
) -> None:
    """Take batches in and make their masters; what is settled is not done again.

    Example: perenne run /deliveries/văn-bản-2003
    """
    if (policy or reason) and not batches:
        raise typer.BadParameter("--policy and --reason go with the name of a batch; a night follows perenne.toml")
    home = _ready(policy)
    wanted = [str(batch_at(_place(home, name)).path) for name in batches or []]
    policy = policy or home.settings().policy

    def start() -> State:
        from flows import batch, nightly

        if wanted:
            return batch.run(wanted, policy, reason, return_state=True)
        return nightly.nightly(return_state=True)

    _finish(home, start, json=json)


def reprocess(
    aips: Annotated[list[str], typer.Argument(metavar="AIP…", help="Ids, starts of ids, or batch names.")],
    reason: Annotated[str, typer.Option(help="One sentence for the log: why now?")],
    policy: Policy = "",
    which: Annotated[
        Scope, typer.Option(help="Which files besides those that are new or whose rule changed.")
    ] = Scope.CHANGED,
    rule: Annotated[list[str] | None, typer.Option(help="Only this rule; may be given again.")] = None,
    path: Annotated[list[str] | None, typer.Option(help="Only this file, folder or glob; may be given again.")] = None,
    json: Json = False,
) -> None:
    """Bring AIPs to today's rules: adds a version, removes nothing.

    Example: perenne reprocess văn-bản-2003 --reason "new fonts installed" --rule word-2b
    """
    home = _ready(policy)
    find_aips(home, aips)
    policy = policy or home.settings().policy
    rules = {r.id for r in load(find(policy, home)).rules}
    if unknown := [r for r in rule or [] if r not in rules]:
        raise typer.BadParameter(f"policy {policy} has no rule {', '.join(unknown)}; see perenne policy show")

    def start() -> State:
        from flows import reprocess as flows

        return flows.reprocess_named(aips, reason, policy, which, rule, path, return_state=True)

    _finish(home, start, json=json)


def verify(
    aips: Annotated[list[str] | None, typer.Argument(metavar="[AIP…]", help="Ids or batch names; none: all.")] = None,
    json: Json = False,
) -> None:
    """Read every stored byte and compare its digest; changes nothing.

    Example: perenne verify
    """
    home = the_home().prepare()
    find_aips(home, aips or [])
    with stack.server(home):
        from flows import verify as flows

        _quiet_prefect()
        state = flows.verify(flows.VerifyOptions(aips=aips or []), return_state=True)
    checked = [c.as_json() for c in _data(state)]
    if json:
        show.answer({"aips": checked, "message": state.message})
    else:
        show.say(state.message or "")
        for row in checked:
            for fault in row["faults"]:
                show.say(f"✕ {row['aip']}  {fault}")
    raise typer.Exit(0 if state.is_completed() else 1)


def _ready(policy: str) -> Home:
    """Everything that can be refused is refused here, before a server starts or a file is touched."""
    home = the_home().prepare()
    load(find(policy or home.settings().policy, home))
    fit(home)
    return home


def _place(home: Home, name: str) -> Path:
    inbox = home.inbox / name
    return inbox if "/" not in name and inbox.is_dir() else Path(name)


def _finish(home: Home, start: Callable[[], State], *, json: bool) -> None:
    began = time.monotonic()
    with stack.server(home) as address, show.progress(quiet=json):
        _quiet_prefect()
        _sweep(home, address)
        signal.signal(signal.SIGINT, _stop_softly)
        ready = time.monotonic() - began
        state = start()
    seconds = time.monotonic() - began
    summaries: tuple[Summary, ...] = _data(state)
    if state.name == "Stopped":
        sys.stderr.write(show.clean(f"Stopped: {state.message}\n"))
    if json:
        show.answer(_json(home, state, summaries, seconds) | {"server_seconds": round(ready, 1)})
    elif not summaries and state.name != "Stopped":
        show.say(f"{state.name}. {state.message}")
    elif summaries:
        show.result(home, summaries, worked=any(s.worked for s in summaries), seconds=seconds)
    raise typer.Exit(_code(state, summaries))


def _code(state: State, summaries: tuple[Summary, ...]) -> int:
    if board.stop.is_set():
        return INTERRUPTED
    if state.name == "Stopped" or any(s.needing for s in summaries):
        return 1
    return 0 if state.is_completed() else 1


def _json(home: Home, state: State, summaries: tuple[Summary, ...], seconds: float) -> dict[str, Any]:
    return {
        "run": str(state.state_details.flow_run_id),
        "state": state.name,
        "message": state.message,
        "batches": [s.as_json() for s in summaries],
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


def _stop_softly(_: int, __: FrameType | None) -> None:
    """Ctrl-C stops after the files in hand; a second one at once."""
    if board.stop.is_set():
        raise KeyboardInterrupt
    board.stop.set()
    sys.stderr.write("\nStopping after the files in hand; the same command goes on from there.\n")
