"""The `perenne` command: one module a family of verbs. It starts flows; everything else it reads from store and log."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """The entry point; exit codes: 0 good, 1 a person is needed, 2 wrong use or policy, 3 machine to be mended."""
    os.umask(0o027)  # what Perenne writes is for its own group; worker and server inherit this
    from flows.command.app import app

    sys.exit(app())
