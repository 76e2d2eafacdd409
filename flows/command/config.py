"""`perenne config show`: every setting, its value, where it comes from, what is allowed and what it does."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from flows.command import given, show
from tasks.config import settings
from tasks.config.faults import written
from tasks.config.home import home as the_home
from tasks.words import text


def add(cli: typer.Typer) -> None:
    """Add this family's verbs."""
    config = typer.Typer(help="Look at the settings.", no_args_is_help=True, rich_markup_mode=None)
    config.command("show")(config_show)
    config.callback()(lambda: None)
    cli.add_typer(config, name="config")


def config_show(json: given.Json = False) -> None:
    """Every setting in force; refuses a broken perenne.toml with every fault.

    Example: perenne config show
    """
    path = the_home().settings_file
    found = settings.all_of(path)
    if json:
        show.answer({"file": str(path), "there": path.exists(), "settings": [one.as_json() for one in found]})
        return
    show.say(text("settings-of" if path.exists() else "settings-none", file=str(path)))
    for one in found:
        show.say()
        for line in _lines(one):
            show.say(line)


def _lines(one: settings.Setting) -> Iterator[str]:
    allowed = settings.ALLOWED[one.name]
    default = text("setting-from-default")
    source = text("setting-from-line", line=str(one.line), default=written(one.default)) if one.line else default
    yield f"{one.name:20} {written(one.value)}   ({source})"
    yield f"  {text(allowed.means)}"
    yield f"  {text('setting-allowed', allowed=allowed.told)}"
