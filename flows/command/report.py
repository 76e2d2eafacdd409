"""The verb `report`: the pages made anew from log and store, in the language in force."""

from __future__ import annotations

import sys

import typer

from flows.command import given, result, show
from tasks.aip.find import find_aips, names
from tasks.config.home import home as the_home
from tasks.policy.load import find, load
from tasks.report import pages
from tasks.report.pictures import Album
from tasks.report.places import INDEX, aip_page
from tasks.report.standing import standings
from tasks.tools import shared
from tasks.words import text


def add(cli: typer.Typer) -> None:
    """Add this verb."""
    cli.command()(report)


def report(
    aips: given.AipsOrAll = None,
    policy: given.Policy = "",
    json: given.Json = False,
) -> None:
    """Make the pages of AIPs anew from the log, and say where they lie.

    Examples:
      perenne report                          after reports/ was emptied, or lang was changed
      perenne report văn-bản-2003 --lang fr   one batch, in French
    """
    home = the_home().prepare()
    law = load(find(policy or home.settings().policy, home))
    wanted = find_aips(home, aips, gone=True) if aips else dict(names(home, gone=True))
    troubles: list[str] = []
    album, made = Album(home, shared.shared(home.work, (home.store, home.inbox))), []
    for stands in standings(home, wanted, law):
        pages.write(home, stands, law, warn=troubles.append, album=album)
        made.append(home.reports / aip_page(stands.summary.aip))
    pages.index(home, warn=troubles.append)
    if json:
        index = str(home.reports / INDEX)
        show.answer({"reports": [str(path) for path in made], "index": index, "not_written": troubles})
    else:
        show.say(text("report-made", n=len(made)))
        for path in made if aips else [home.reports / INDEX]:
            show.labelled(text("label-report"), result.homely(path))
        for told in troubles:
            sys.stderr.write(show.clean(f"{told}\n"))
    raise typer.Exit(1 if troubles else 0)
