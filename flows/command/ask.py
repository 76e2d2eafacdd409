"""The verbs that only read and need no module of their own: export, policy show. No Prefect, no server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.command import given, show
from tasks.aip.find import find_aip
from tasks.config.home import home as the_home
from tasks.policy.load import find, load
from tasks.policy.rules import Policy, Rule
from tasks.store.export import export as export_version
from tasks.store.ocfl import Store
from tasks.words import text


def add(cli: typer.Typer) -> None:
    """Add this family's verbs."""
    cli.command()(export)
    policy = typer.Typer(help="Look at the rules.", no_args_is_help=True, rich_markup_mode=None)
    policy.command("show")(policy_show)
    policy.callback()(lambda: None)
    cli.add_typer(policy, name="policy")


def export(
    aip: given.Aip,
    target: Annotated[Path, typer.Argument(help="An empty or new folder.")],
    version: Annotated[int, typer.Option(help="Which version; none: the head.")] = 0,
    json: given.Json = False,
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
        raise typer.BadParameter(text("use-no-version", version=number, head=inventory.head))
    if target.exists() and not target.is_dir():
        raise typer.BadParameter(text("use-not-a-folder", path=target))
    if target.exists() and any(target.iterdir()):
        raise typer.BadParameter(text("use-not-empty", path=target))
    count = export_version(store, found, number, target)
    if json:
        show.answer({"aip": str(found), "version": number, "files": count, "target": str(target)})
    else:
        show.say(text("files-of-version", n=count, version=number, target=target))


def policy_show(
    name: Annotated[str, typer.Argument(help="A policy's name or file.")] = "", json: given.Json = False
) -> None:
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
