"""All verbs in one place, and the one edge where an error becomes words and an exit code."""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
from typing import Annotated

import typer

from flows.command import ask, config, doctor, plan, report, run, show, status, story, up
from flows.command.exits import Exit
from flows.command.stack import StackError
from tasks.aip.find import UnknownAip
from tasks.config.home import ConfigError
from tasks.config.home import home as the_home
from tasks.policy.load import PolicyError
from tasks.premis.log import LogError
from tasks.premis.model import Trouble
from tasks.report.stops import Stop, is_the_machines, stop
from tasks.sip.batch import BatchError
from tasks.store.errors import StoreError
from tasks.tools.machine import NotFit
from tasks.words import Language, speak, text

cli = typer.Typer(
    name="perenne",
    help="Format migration for archives: every file becomes a checked master, or a reason why not.",
    epilog="Exit codes: 0 all good; 1 something in what was named needs a person; 2 wrong use, settings or policy; "
    "3 the machine, a disk, the store or the log has to be mended; 130 stopped by you.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@cli.callback()
def _speak(
    lang: Annotated[
        Language | None,
        typer.Option("--lang", envvar="PERENNE_LANG", help="Speak this language."),
    ] = None,
) -> None:
    if lang is not None:
        speak(lang)
        return
    with contextlib.suppress(ConfigError):  # the verb itself refuses the settings with their faults
        speak(the_home().settings().lang)


for family in (run, plan, status, story, report, up, ask, config, doctor):
    family.add(cli)


def _keep_lines(of: typer.Typer) -> None:
    """An example in a help text keeps its lines, so that it can be copied: click's mark for that is a backspace."""
    for command in of.registered_commands:
        told = inspect.getdoc(command.callback) or ""
        command.help = re.sub(r"^(?=Examples?:)", "\b\n", told, flags=re.MULTILINE)
    for group in of.registered_groups:
        if group.typer_instance is not None:
            _keep_lines(group.typer_instance)


_keep_lines(cli)


def app() -> int:
    """Run the command line; returns the exit code. Wrong use ends in typer's own way, with exit code 2."""
    try:
        cli(args=language_first(sys.argv[1:]))
    except (PolicyError, ConfigError, BatchError, UnknownAip) as e:
        return _say(e, Exit.USE)
    except NotFit as e:
        return _not_fit(e)
    except StackError as e:
        return _say(e, Exit.MACHINE)
    except (StoreError, LogError, Trouble, MemoryError, OSError) as e:
        why = stop(e, the_home())
        return _say(_told(why), _exit(why.code))
    except KeyboardInterrupt:
        sys.stderr.write(f"{text('stopped-here')}\n")
        return Exit.INTERRUPTED
    return Exit.GOOD


def language_first(arguments: list[str]) -> list[str]:
    """The arguments with `--lang xx` or `--lang=xx` before the verb: people write it behind."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    for place, word in enumerate(arguments[:end]):
        size = 2 if word == "--lang" else 1 if word.startswith("--lang=") else 0
        if size:
            return [*arguments[place : place + size], *arguments[:place], *arguments[place + size :]]
    return arguments


def _told(why: Stop) -> str:
    return f"✕ {why.code}  {why.message}" if why.code else why.message


def _exit(code: str) -> Exit:
    return Exit.MACHINE if is_the_machines(code) else Exit.PERSON


def _say(error: Exception | str, code: Exit) -> int:
    sys.stderr.write(show.clean(f"{error}\n"))
    return code


def _not_fit(error: NotFit) -> int:
    if error.trouble:
        return _say(_told(stop(error, the_home())), Exit.MACHINE)
    return _say("\n".join(doctor.refusal(error.findings)), Exit.MACHINE)
