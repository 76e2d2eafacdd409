"""The verbs that only read: status, history, export, policy show, doctor. No Prefect, no server."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from flows.command import show
from tasks import words
from tasks.aip.coverage import Coverage, coverage, holdings
from tasks.aip.find import batch_of, find_aip, find_aips, names
from tasks.aip.gone import opened
from tasks.aip.ledger import ORIGINALS
from tasks.config.home import Home
from tasks.config.home import home as the_home
from tasks.policy.load import find, load
from tasks.policy.rules import Policy, Rule
from tasks.premis import codes, log
from tasks.premis.model import Ending, Event
from tasks.report import phrases
from tasks.report.standing import refusals, standing
from tasks.report.summary import WORST, Summary, by_batch
from tasks.sip.batch import in_inbox
from tasks.store.export import export as export_version
from tasks.store.ocfl import Store
from tasks.tools import machine
from tasks.tools.shared import shared

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON on stdout.")]
Aip = Annotated[str, typer.Argument(metavar="AIP", help="Its id, the start of it, or its batch's name.")]


def add(cli: typer.Typer) -> None:
    """Add this family's verbs."""
    cli.command()(status)
    cli.command()(history)
    cli.command()(export)
    cli.command()(doctor)
    policy = typer.Typer(help="Look at the rules.", no_args_is_help=True, rich_markup_mode=None)
    policy.command("show")(policy_show)
    policy.callback()(lambda: None)
    cli.add_typer(policy, name="policy")


def status(
    aips: Annotated[list[str] | None, typer.Argument(metavar="[AIP…]", help="Ids or batch names; none: all.")] = None,
    policy: Annotated[str, typer.Option(help="Judge by this policy.")] = "",
    json: Json = False,
) -> None:
    """How every batch stands, and what needs a person.

    Example: perenne status văn-bản-2003
    """
    home = the_home().prepare()
    law = load(find(policy or home.settings().policy, home))
    known = dict(names(home, gone=True))
    summaries = standing(home, find_aips(home, aips, gone=True) if aips else known, law)
    inbox = {b.name for b in in_inbox(home.inbox)}
    waiting = sorted(inbox - {batch_of(name) for name in known.values()})
    refused = refusals(home, inbox)
    if json:
        told = {name: row.as_json() for name, row in refused.items()}
        answer = {"batches": by_batch(summaries), "inbox": waiting, "refused": told}
        show.answer(answer | {"verification": _covered(home).as_json()})
    else:
        _status(summaries, [name for name in waiting if name not in refused], len(refused), full=bool(aips))
        for name, row in refused.items():
            show.fault(row, name)
        if not aips and summaries:
            show.say(f"Verified: {phrases.covered(_covered(home))}")
    raise typer.Exit(1 if refused or any(s.needing for s in summaries) else 0)


def _covered(home: Home) -> Coverage:
    return coverage(holdings(home, opened(home)), days=home.settings().verify_days, now=datetime.now(UTC))


def _status(summaries: list[Summary], waiting: list[str], refused: int, *, full: bool) -> None:
    if not summaries and refused:
        show.say(f"{words.text('store-empty')} {phrases.needs((), refused)}")
    elif not summaries:
        show.say(f"{words.text('store-empty')} {words.text('put-a-folder')}")
    if not summaries:
        return
    show.say(f"  {'batch':24} {'files':>6}   done   kept   held   failed   waiting   version")
    for s in summaries:
        cells = "".join(f"{s.ended.get(e, 0) or '':>7}" for e in (Ending.DONE, Ending.KEPT, Ending.HELD))
        cells += f"{s.ended.get(Ending.FAILED, 0) or '':>9}{s.ended.get(Ending.WAITING, 0) or '':>10}"
        worst = Ending.FAILED if s.alarm else next((e for e in WORST if s.ended.get(e, 0)), Ending.DONE)
        show.say(f"{show.mark(worst, word=False)} {show.one_line(s.batch):24} {s.files:>6}{cells}{s.version:>10}")
    show.say()
    if full:
        for s in summaries:
            if s.supplement:
                show.say(f"{show.one_line(s.batch)}: {show.one_line(phrases.supplement(s))}")
            for row in (*s.attention, *s.waiting):
                show.fault(row, row.file)
            for row in s.notes:
                show.say(f"  {row.file}  {row.code}: {row.seen}")
    for s in summaries:
        if s.alarm and not full:
            show.fault(s.attention[0], s.batch)
    show.say(phrases.needs(summaries, refused))
    if waiting:
        show.say(words.text("in-the-inbox", n=len(waiting), names=words.listed(waiting[:5])))


def history(
    aip: Aip, file: Annotated[str, typer.Argument(help="A path as `status` shows it.")], json: Json = False
) -> None:
    """Everything that was done to one file, by which tools.

    Example: perenne history văn-bản-2003 báo-cáo/quý-1.doc
    """
    home = the_home().prepare()
    found, path = _logical(home, list(find_aips(home, [aip])), file)
    events = log.history(home.log, found, path)
    if json:
        show.answer([_event_json(e) for e in events])
        return
    show.say(path.removeprefix(ORIGINALS))
    for e in events:
        _event(e)


def _logical(home: Home, aips: Sequence[UUID], file: str) -> tuple[UUID, str]:
    """The logical path that a person means, and its AIP: with or without `originals/`, matched after NFC.

    Raises BadParameter.
    """
    seen = {(o.path, aip) for aip in aips for e in log.read(home.log, aip=aip) for o in e.objects}
    wanted = unicodedata.normalize("NFC", file)
    for path, aip in sorted(seen):
        if unicodedata.normalize("NFC", path) in (wanted, ORIGINALS + wanted):
            return aip, path
    raise typer.BadParameter(f"the log knows no file {file!r} in this AIP")


def _event(e: Event) -> None:
    what = f"{e.rule}: " if e.rule else ""
    told = codes.message(e.code, e.detail) if e.code in codes.CODES else e.detail.get("puid", e.detail.get("check", ""))
    agents = ", ".join(f"{a.name} {a.version}" for a in e.agents[:6])
    ending = f" → {e.ending.value}" if e.ending else ""
    show.say(f"{e.time.astimezone():%Y-%m-%d %H:%M:%S}  {e.type.value:28} {e.outcome.value:8} {what}{told}{ending}")
    if agents:
        show.say(f"{'':21}by {agents}")


def _event_json(e: Event) -> dict[str, Any]:
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


def export(
    aip: Aip,
    target: Annotated[Path, typer.Argument(help="An empty or new folder.")],
    version: Annotated[int, typer.Option(help="Which version; none: the head.")] = 0,
    json: Json = False,
) -> None:
    """Give a version back as a folder, bit for bit and under its received names.

    Example: perenne export văn-bản-2003 /tmp/out --version 1
    """
    home = the_home().prepare()
    found = find_aip(home, aip)
    store = Store(home.store)
    inventory = store.inventory(found)
    assert inventory is not None  # find_aip names only what the store holds
    number = version or inventory.head
    if not 1 <= number <= inventory.head:
        raise typer.BadParameter(f"there is no version {number}; the head is {inventory.head}")
    if target.exists() and not target.is_dir():
        raise typer.BadParameter(f"{target} is not a folder")
    if target.exists() and any(target.iterdir()):
        raise typer.BadParameter(f"{target} is not empty")
    count = export_version(store, found, number, target)
    if json:
        show.answer({"aip": str(found), "version": number, "files": count, "target": str(target)})
    else:
        show.say(words.text("files-of-version", n=count, version=number, target=target))


def policy_show(name: Annotated[str, typer.Argument(help="A policy's name or file.")] = "", json: Json = False) -> None:
    """The rules in force, each with its reason; refuses a broken policy with every fault.

    Example: perenne policy show default
    """
    home = the_home()
    law = load(find(name or home.settings().policy, home))
    if json:
        show.answer(_policy_json(law))
        return
    show.say(f"policy {law.id}, {len(law.rules)} rules, digest {law.digest[:16]}")
    for rule in law.rules:
        show.say()
        show.say(f"{rule.id:20} {rule.action}{' → ' + rule.target if rule.target else ''}")
        show.say(f"  {rule.because}")
        show.say(f"  formats  {' '.join(sorted(rule.puids))}")
        if rule.when:
            show.say("  when     " + ", ".join(f"{k} is {' or '.join(map(str, v))}" for k, v in rule.when.items()))
        if rule.checks:
            show.say("  checks   " + ", ".join(_check(c.validator, c.parameters) for c in rule.checks))


def _check(name: str, parameters: Any) -> str:
    inside = ", ".join(f"{k} {v}" for k, v in parameters.items())
    return f"{name} ({inside})" if inside else name


def _policy_json(law: Policy) -> dict[str, Any]:
    return {"id": law.id, "digest": law.digest, "rules": [_rule_json(r) for r in law.rules]}


def _rule_json(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "puids": sorted(rule.puids),
        "when": {k: list(v) for k, v in rule.when.items()},
        "purpose": rule.purpose,
        "target": rule.target,
        "action": rule.action,
        "parameters": dict(rule.parameters),
        "validators": {c.validator: dict(c.parameters) for c in rule.checks},
        "limits": {
            "wall_s": rule.limits.wall_s,
            "memory_bytes": rule.limits.memory_bytes,
            "output_bytes": rule.limits.output_bytes,
            "processes": rule.limits.processes,
        },
        "because": rule.because,
        "digest": rule.digest,
    }


def doctor(json: Json = False) -> None:
    """Whether this machine can do a run, and the one command that mends it.

    Example: perenne doctor
    """
    home = the_home().prepare()
    findings = machine.examine(home)
    if all(f.good for f in findings if f.name in ("bubblewrap", "packages")):
        findings.insert(0, machine.sandbox(shared(home.work)))
    if json:
        show.answer([f.as_json() for f in findings])
    else:
        for f in sorted(findings, key=lambda f: not f.good):
            show.say(f"{'✓' if f.good else '✕'} {f.name:14} {f.told}")
    if not all(f.good for f in findings):
        raise machine.NotFit(findings)
