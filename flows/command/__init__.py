"""The `perenne` command: one module a family of verbs. It starts flows; everything else it reads from store and log."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point; exit codes: 0 good, 1 a person is needed, 2 wrong use or policy, 3 machine not fit."""
    from flows.command.app import app

    sys.exit(app())
