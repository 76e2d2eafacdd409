"""`perenne doctor`: what this machine has, what it lacks, what that means, and the command that mends it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace

import typer

from flows.command import given, show
from flows.command.exits import Exit
from tasks.config.home import Home
from tasks.config.home import home as the_home
from tasks.premis.model import Ending, Trouble
from tasks.tools import machine
from tasks.tools.findings import Finding, command, wanting
from tasks.tools.shared import shared
from tasks.words import text

SEALED = "bubblewrap"
CHECKS = ("sandbox", "fonts", "libraries", "packages", "disk", "memory", "clock")
"""Findings whose names are words; the others are called after a program."""


def add(cli: typer.Typer) -> None:
    """Add this family's verbs."""
    cli.command()(doctor)


def doctor(json: given.Json = False) -> None:
    """Whether this machine can do a run, and the one command that mends it.

    Example: perenne doctor
    """
    home = the_home()
    with contextlib.suppress(OSError):  # what keeps a folder from being made is among the findings
        home.prepare()
    findings = sorted(examined(home), key=lambda finding: not finding.good)
    if json:
        show.answer([finding.as_json() for finding in findings])
    else:
        for line in (*(line for finding in findings for line in lines(finding)), "", *ending(findings)):
            show.say(line)
    if not all(finding.good for finding in findings):
        raise typer.Exit(Exit.MACHINE)


def examined(home: Home) -> list[Finding]:
    """What a run looks at, and besides it what takes seconds: the sandbox and the judge are used for real."""
    findings = machine.examine(home)
    bad = {finding.name for finding in findings if not finding.good}
    if bad & {SEALED, "packages", "disk", "libraries"}:
        return findings
    try:
        door = shared(home.work)
    except Trouble as trouble:
        return [Finding("sandbox", False, str(trouble), trouble=trouble), *findings]
    sealed = machine.sandbox(door)
    held = next(finding for finding in findings if finding.name == SEALED)
    if sealed.good and SEALED in sealed.told and not held.hint:
        sealed = replace(sealed, told=sealed.told.replace(SEALED, f"{SEALED} {held.told}", 1))
        findings.remove(held)
    place = next((number for number, finding in enumerate(findings) if finding.name == machine.JUDGE), None)
    if place is not None and findings[place].good:
        findings[place] = machine.judging(door)
    return [sealed, *findings]


def refusal(findings: Sequence[Finding]) -> list[str]:
    """What a run says that refuses this machine: its faults, and the command that mends them."""
    return [*(line for finding in findings for line in lines(finding)), "", *ending(findings, untouched=True)]


def lines(finding: Finding) -> Iterator[str]:
    """A finding as it is shown: shape, name, what was seen and what it means; below it what to do."""
    shape = show.mark(Ending.DONE if finding.good else Ending.FAILED, word=False)
    yield f"{shape} {_named(finding.name):13} {finding.sentence}"
    if finding.advice and (finding.good or not finding.packages or finding.trouble):
        yield f"{'':15} {'→' if show.unicode_ok() else '->'} {finding.advice}"


def _named(name: str) -> str:
    """What was looked at, in the language in force; in JSON its name stays the English one."""
    return text(f"check-{name}") if name in CHECKS else name


def ending(findings: Sequence[Finding], *, untouched: bool = False) -> Iterator[str]:
    """The verdict, and the one command for all that packages mend."""
    bad = [finding for finding in findings if not finding.good]
    if not bad:
        yield text("doctor-fit")
        return
    said = [text("doctor-not-fit"), *([text("doctor-untouched")] if untouched else [])]
    if cure := command(wanting(bad)):
        said.append(_mends(sum(bool(finding.packages) for finding in bad), len(bad)))
    yield " ".join(said)
    if cure:
        yield f"  {cure}"
        if shutil.which("apt-get") is None:
            yield text("doctor-mends-elsewhere")
        elif untouched:
            yield f"  {text('doctor-or')}"


def _mends(some: int, every: int) -> str:
    if some < every:
        return text("doctor-mends-some", n=some)
    if some == 1:
        return text("doctor-mends-it")
    return text("doctor-mends-both") if some == 2 else text("doctor-mends-all", n=some)
