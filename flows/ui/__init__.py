"""What the Prefect UI shows: names, states whose colour tells the truth, artifacts."""

from __future__ import annotations

import contextlib

from tasks import words
from tasks.config.home import ConfigError, home


def policy() -> str:
    """The policy that a form proposes: the one of `perenne.toml`."""
    try:
        return home().settings().policy
    except ConfigError:
        return "default"  # the run itself will refuse the settings with their faults


def policies() -> list[str]:
    """The policies that a form offers: the proposed one, ours, and the archive's own as they were at the deployment."""
    try:
        own = sorted(path.stem for path in home().policies.glob("*.toml"))
    except OSError:
        own = []
    return list(dict.fromkeys([policy(), "default", *own]))


def speak() -> None:
    """Speak the language of the settings, unless a command chose another: forms and a worker's flows begin here."""
    if not words.chosen():
        with contextlib.suppress(ConfigError):  # the run itself will refuse the settings with their faults
            words.speak(home().settings().lang)


speak()
