"""What the shell completes: batches, AIPs, rules, codes, policies. No Prefect, no server; a fault completes nothing.

Each function is for typer's `autocompletion=`: it gets what was typed so far and returns what may stand there.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Iterable

from tasks.aip.find import batch_of, names
from tasks.config.home import home as the_home
from tasks.policy.load import find, load
from tasks.premis import codes as table
from tasks.premis.model import Ending

Complete = Callable[[str], list[str]]


def _quiet(listing: Callable[[], Iterable[str]]) -> Complete:
    """The names that begin as typed, each once; none when they cannot be had: a shell shows no error here."""

    @functools.wraps(listing)
    def complete(incomplete: str) -> list[str]:
        wanted = unicodedata.normalize("NFC", incomplete)
        try:
            found = list(dict.fromkeys(listing()))
        except Exception:
            return []
        return [name for name in found if unicodedata.normalize("NFC", name).startswith(wanted)]

    # typer looks at the annotations to see what it may give
    complete.__annotations__ = {"incomplete": str, "return": list[str]}
    del complete.__wrapped__  # else typer would ask the function within
    return complete


@_quiet
def aips() -> Iterable[str]:
    """Batches in the store, their parts, and the first eight letters of each AIP's id."""
    known = list(names(the_home()))
    yield from (batch_of(label) for _, label in known)
    yield from (label for _, label in known)
    yield from (str(aip)[:8] for aip, _ in known)


@_quiet
def batches() -> Iterable[str]:
    """What lies in the inbox, and batches in the store; folders elsewhere are completed by the shell."""
    inbox = the_home().inbox
    if inbox.is_dir():
        yield from sorted(path.name for path in inbox.iterdir() if path.is_dir() and not path.name.startswith("."))
    yield from (batch_of(label) for _, label in names(the_home()))


@_quiet
def rules() -> Iterable[str]:
    """The rules of the policy in force."""
    home = the_home()
    return [rule.id for rule in load(find(home.settings().policy, home)).rules]


@_quiet
def codes() -> Iterable[str]:
    """Every outcome code."""
    return table.CODES


@_quiet
def endings() -> Iterable[str]:
    """The words that a file may end as."""
    return [ending.value for ending in Ending]


@_quiet
def policies() -> Iterable[str]:
    """The policies that may be named: our own, and those of the home."""
    yield "default"
    yield from sorted(path.stem for path in the_home().policies.glob("*.toml"))
