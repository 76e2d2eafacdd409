"""What a verb may be given: arguments and options that several verbs share, with their help and completion."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.command import complete
from tasks.aip.plan import Scope
from tasks.premis import reason

_NAMES = "Ids, starts of ids, or batch names"

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON on stdout.")]
Aip = Annotated[
    str,
    typer.Argument(metavar="AIP", help="Its id, the start of it, or its batch's name.", autocompletion=complete.aips),
]
Aips = Annotated[list[str], typer.Argument(metavar="AIP…", help=f"{_NAMES}.", autocompletion=complete.aips)]
AipsOrAll = Annotated[
    list[str] | None, typer.Argument(metavar="[AIP…]", help=f"{_NAMES}; none: all.", autocompletion=complete.aips)
]
Policy = Annotated[str, typer.Option(help="A policy's name or file.", autocompletion=complete.policies)]


def _sentence(given: str) -> str:
    """A reason. Raises BadParameter for what is none."""
    try:
        return reason.checked(given)
    except ValueError as e:
        raise typer.BadParameter(str(e)) from None


Reason = Annotated[str, typer.Option(callback=_sentence, help="One sentence for the log: why now?")]
Which = Annotated[Scope, typer.Option(help="Which files besides those that are new or whose rule changed.")]
Rules = Annotated[
    list[str] | None,
    typer.Option("--rule", help="Only this rule; may be given again.", autocompletion=complete.rules),
]
Paths = Annotated[list[str] | None, typer.Option("--path", help="Only this file, folder or glob; may be given again.")]
Codes = Annotated[
    list[str] | None,
    typer.Option(
        "--code",
        help="Only what ended with this code or has a note of it; again for more.",
        autocompletion=complete.codes,
    ),
]
