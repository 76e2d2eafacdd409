"""All verbs in one place, and the one edge where an error becomes words and an exit code."""

from __future__ import annotations

import sys
from enum import IntEnum

import typer

from flows.command import ask, run, show, up
from flows.command.stack import StackError
from tasks.aip.find import UnknownAip
from tasks.config.home import ConfigError
from tasks.policy.load import PolicyError
from tasks.premis.log import LogError
from tasks.sip.batch import BatchError
from tasks.store.errors import StoreError
from tasks.tools.machine import NotFit


class Exit(IntEnum):
    """What the shell is told (DESIGN §9)."""

    GOOD = 0
    PERSON = 1
    USE = 2
    MACHINE = 3


cli = typer.Typer(
    name="perenne",
    help="Format migration for archives: every file becomes a checked master, or a reason why not.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for family in (run, up, ask):
    family.add(cli)


def app() -> int:
    """Run the command line; returns the exit code. Wrong use ends in typer's own way, with exit code 2."""
    try:
        cli()
    except (PolicyError, ConfigError, BatchError, UnknownAip) as e:
        return _say(e, Exit.USE)
    except NotFit as e:
        return _not_fit(e)
    except StackError as e:
        return _say(e, Exit.MACHINE)
    except (StoreError, LogError, OSError) as e:
        return _say(e, Exit.PERSON)
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. The same command goes on from here.\n")
        return 130
    return Exit.GOOD


def _say(error: Exception, code: Exit) -> int:
    sys.stderr.write(show.clean(f"{error}\n"))
    return code


def _not_fit(error: NotFit) -> int:
    for finding in error.findings:
        sys.stderr.write(f"✕ {finding.name:14} {finding.told}\n")
    packages = sorted({p for f in error.findings for p in f.packages})
    sys.stderr.write("\nNot fit yet. No file was touched.\n")
    if packages:
        sys.stderr.write(f"  sudo apt-get install -y --no-install-recommends {' '.join(packages)}\n")
    return Exit.MACHINE
