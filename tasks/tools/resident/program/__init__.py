"""What runs inside a resident's sandbox: our process imports none of these files, each is started as a program."""

from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent
"""Where the sources of the resident programs lie."""
