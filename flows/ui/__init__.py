"""What the Prefect UI shows: names, states whose colour tells the truth, artifacts."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from tasks import words
from tasks.config.home import ConfigError, home


def one_of(names: Sequence[str]) -> dict[str, Any]:
    """A form's list of choices, as it was when the deployment was made; a plain text field when there is none.

    A `Literal` would do the same, but with one value Prefect's form shows a constant that cannot be chosen.
    """
    return {"enum": list(names)} if names else {}


def policy() -> str:
    """The policy that a form proposes: the one of `perenne.toml`."""
    try:
        return home().settings().policy
    except ConfigError:
        return "default"  # the run itself will refuse the settings with their faults


def speak() -> None:
    """Speak the language of the settings, unless a command chose another: forms and a worker's flows begin here."""
    if not words.chosen():
        with contextlib.suppress(ConfigError):  # the run itself will refuse the settings with their faults
            words.speak(home().settings().lang)


speak()
