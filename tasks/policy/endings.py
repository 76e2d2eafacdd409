"""How one piece of work ends: done, kept, held, failed or waiting, with the code that says why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks.actions import Migration
from tasks.policy.rules import ANY, Rule
from tasks.premis import codes
from tasks.premis.model import Ending, Identification, Measure, Note, Outcome, Trouble, Verdict
from tasks.pronom import names


@dataclass(frozen=True, slots=True)
class Ended:
    """An ending before it is an event."""

    ending: Ending
    outcome: Outcome
    code: str
    detail: dict[str, str]
    measures: tuple[Measure, ...] = ()


def worst(verdicts: Sequence[Verdict]) -> Verdict | None:
    """A product that is not valid fails, whatever else differs; then the first check that found a difference."""
    return min(verdicts, key=lambda v: codes.code(v.code).word != Ending.FAILED, default=None)


def from_trouble(trouble: Trouble) -> Ended:
    """The ending of what could not be done."""
    return from_verdict(Verdict(Outcome.FAIL, trouble.code, trouble.detail))


def from_verdict(verdict: Verdict) -> Ended:
    """The ending of what was refused. A code that is only a note refuses nothing: whoever gave it is at fault."""
    row = codes.code(verdict.code)
    if row.word == codes.NOTE:
        return from_trouble(Trouble("unexpected", what=f"refused with the note {verdict.code}"))
    return Ended(codes.ending(verdict.code), row.premis, verdict.code, dict(verdict.detail), verdict.measures)


def good(kept: bool, rule: Rule, found: Identification, migration: Migration, verdicts: Sequence[Verdict]) -> Ended:
    """done or kept; the first note's code stands for the file, all notes stand in the detail."""
    warned = (Note(v.code, v.detail) for v in verdicts if v.outcome is Outcome.WARNING)
    notes = [*_no_rule(rule, found), *migration.notes, *warned]
    ending = Ending.KEPT if kept else Ending.DONE
    if notes:
        detail = {f"note {n.code}": codes.message(n.code, n.detail) for n in notes} | dict(notes[0].detail)
        return Ended(ending, Outcome.WARNING, notes[0].code, detail, migration.measures)
    target = names.name(rule.target)
    if not kept:
        return Ended(ending, Outcome.SUCCESS, "same", {"target": target}, migration.measures)
    code = "kept-by-rule" if rule.action == "keep" else "already-valid"
    return Ended(ending, Outcome.SUCCESS, code, {"because": rule.because, "format": target}, migration.measures)


def _no_rule(rule: Rule, found: Identification) -> Iterator[Note]:
    """The note of a file that only the `*` row answers for."""
    if ANY not in rule.puids:
        return
    if found.puid is None:
        yield Note("format-unknown", {"release": found.release})
    else:
        yield Note("no-rule", {"name": f"{found.name} {found.version}".strip(), "puid": found.puid})
