"""Refused deliveries in a run's state: what each was refused for, in bounds, and whether that is news."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.premis import codes
from tasks.sip.refusal import Refused
from tasks.words import listed, text

SHOWN, NAMED = 20, 5
LETTERS = 8000
"""Of a state's message at most: it stands in Prefect's database, on its pages and in its answers."""


def sentences(refused: Sequence[Refused], *, coded: bool = False) -> str:
    """Why each was refused, shorter the more there are; with its code where no code stands before them all."""
    share = LETTERS // max(1, min(len(refused), SHOWN))
    said = [f"{r.batch}: {f'{r.code}: ' if coded and r.code else ''}{r.why}" for r in refused[:SHOWN]]
    short = [text if len(text) <= share else f"{text[: share - 1]}…" for text in said]
    return " ".join([*short, *([f"{text('and-more', n=len(refused) - SHOWN)}."] if len(refused) > SHOWN else [])])


def still(older: Sequence[Refused]) -> str:
    """A sentence about those that were refused before, too; "" when there is none."""
    if not older:
        return ""
    names = list(dict.fromkeys(r.batch for r in older))
    more = f" {text('and-more', n=len(names) - NAMED)}" if len(names) > NAMED else ""
    return text("deliveries-still-refused", n=len(older), names=listed(names[:NAMED]) + more)


def news(refused: Sequence[Refused], *, night: bool) -> list[Refused]:
    """Those that a person has to be told of: a night does not tell again what the log has."""
    return [r for r in refused if not (night and r.known)]


def older(refused: Sequence[Refused], *, night: bool) -> list[Refused]:
    """The others: a night only says that they are still there."""
    return [r for r in refused if night and r.known]


def passing(refused: Sequence[Refused]) -> bool:
    """Whether nothing is wrong with any: another run works on each, or somebody still writes it."""
    return all(r.code in codes.CODES and codes.code(r.code).transient for r in refused)


def stop(refused: Sequence[Refused]) -> str:
    """The first code that says that something is wrong here and not with a delivery; "" for none."""
    return next((r.code for r in refused if r.code and codes.stops(r.code)), "")
