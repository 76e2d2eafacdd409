"""The verb `plan`, and what `reprocess --dry-run` shares with it: what a run would do, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from flows.command import complete, given, result, show
from tasks.aip import experience
from tasks.aip.find import UnknownAip, find_aips
from tasks.aip.forecast import Plan, look_again
from tasks.aip.gone import opened
from tasks.aip.plan import Choice, Scope
from tasks.config.home import Home
from tasks.config.home import home as the_home
from tasks.policy.load import find, load
from tasks.policy.rules import Policy
from tasks.premis import codes
from tasks.report import planned
from tasks.sip.ahead import look_ahead
from tasks.sip.batch import BatchError, BatchRefused
from tasks.sip.named import named
from tasks.sip.refusal import Refused
from tasks.tools import shared
from tasks.tools.door import Door
from tasks.tools.machine import fit
from tasks.words import listed, text


def add(cli: typer.Typer) -> None:
    """Add this verb."""
    cli.command()(plan)


def plan(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="BATCH…", help="Folders, names in the inbox, AIPs or batches.", autocompletion=complete.batches
        ),
    ],
    policy: given.Policy = "",
    which: given.Which = Scope.CHANGED,
    rule: given.Rules = None,
    path: given.Paths = None,
    code: given.Codes = None,
    json: given.Json = False,
) -> None:
    """What a run would do and what it would cost; nothing is written.

    Examples:
      perenne plan /deliveries/văn-bản-2003
      perenne plan văn-bản-2003 --policy draft.toml
    """
    home = the_home().prepare()
    law = load(find(policy or home.settings().policy, home))
    choice = chosen(law, which, rule, path, code)
    fit(home)
    plans, refused = [], []
    for name in names:
        try:
            plans.append(_of(home, name, law, choice))
        except BatchRefused as e:
            refused.append(Refused(name, str(e), e.code))
    again = command(names, policy, which, rule, path, code)
    if json:
        answer(plans, refused)
    else:
        for one in plans:
            tell(one, many=len(names) > 1)
        result.refusals(refused)
        if any(p.lines for p in plans):
            show.say(text("plan-not-written", command=again))
    raise typer.Exit(1 if refused or any(p.refused for p in plans) else 0)


def chosen(
    law: Policy, which: Scope, rules: Sequence[str] | None, paths: Sequence[str] | None, code: Sequence[str] | None
) -> Choice:
    """What was asked for. Raises BadParameter for a rule that the policy has not, and for what is no code."""
    known = {r.id for r in law.rules}
    if unknown := [r for r in rules or () if r not in known]:
        raise typer.BadParameter(text("use-no-rule", policy=law.id, names=listed(unknown)))
    for name, near in codes.unknown(code or ()).items():
        told = text("use-no-code-near", name=name, near=listed(near)) if near else text("use-no-code", name=name)
        raise typer.BadParameter(told)
    return Choice(which, tuple(rules or ()), tuple(paths or ()), tuple(code or ()))


def of_aips(home: Home, names: Sequence[str], law: Policy, choice: Choice, *, identify: bool = True) -> Plan:
    """The plan for AIPs that answer to these names; without `identify`, from what the log knows. Raises UnknownAip."""
    aips = find_aips(home, names)
    return look_again(home, _door(home), opened(home), aips, law, choice, experience.costs(home.log), identify=identify)


def answer(plans: Sequence[Plan], refused: Sequence[Refused] = ()) -> None:
    """Plans in JSON, with stable, documented keys."""
    show.answer({"plans": [p.as_json() for p in plans], "refused": [r.as_json() for r in refused]})


def tell(plan: Plan, *, many: bool = False) -> None:
    """A plan on the terminal: what would be done, what it costs by rule, what else is to be known."""
    if many:
        show.say(show.one_line(plan.batch))
    show.paragraph(planned.verdict(plan))
    show.say()
    if plan.lines:
        for line in show.table(planned.head(), [planned.cells(one) for one in plan.lines], left=2, last_left=True):
            show.say(f"  {line}")
        show.say()
    for aside in planned.asides(plan):
        show.paragraph(aside)
    for path, code in plan.refused_files:
        show.say(f"  {show.shortened(path, show.columns() - len(code) - 6)}  {code}")
    if planned.asides(plan):
        show.say()


def _of(home: Home, name: str, law: Policy, choice: Choice) -> Plan:
    """A delivery by its path or its name in the inbox, else what the store has under that name."""
    try:
        batch = named(name, home)
    except BatchRefused:
        raise
    except BatchError as missing:
        try:
            return of_aips(home, [name], law, choice)
        except UnknownAip:
            raise missing from None
    return look_ahead(home, _door(home), batch, law, choice, experience.costs(home.log))


def _door(home: Home) -> Door:
    return shared.shared(home.work, (home.store, home.inbox))


def command(
    names: Sequence[str],
    policy: str,
    which: Scope,
    rules: Iterable[str] | None,
    paths: Iterable[str] | None,
    code: Iterable[str] | None,
    *,
    reason: str = "",
) -> str:
    """The command that does what was planned; with a reason it is `reprocess`, whatever was asked for."""
    again = which is not Scope.CHANGED or rules or paths or code or reason
    words = ["perenne", "reprocess" if again else "run", *names]
    words += ["--policy", policy] if policy else []
    words += ["--which", which.value] if which is not Scope.CHANGED else []
    for option, values in (("--rule", rules), ("--path", paths), ("--code", code)):
        for value in values or ():
            words += [option, value]
    why = ["--reason", show.shell(reason) if reason else '"…"'] if again else []
    return " ".join([*map(show.shell, words), *why])
