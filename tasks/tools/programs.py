"""The programs that Perenne may start, and how each says its version. No bytes of a producer are met here."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache

from tasks.tools.bubblewrap import ENVIRONMENT

_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Tool:
    """One program: `name` is the PREMIS agent's name, `program` what is started, `package` Debian's name for it.

    `version` is a regular expression whose first group is the version in what `program *arguments` prints.
    """

    name: str
    program: str
    arguments: tuple[str, ...]
    version: str
    package: str


TOOLS: tuple[Tool, ...] = (
    Tool("bubblewrap", "bwrap", ("--version",), r"bubblewrap (\S+)", "bubblewrap"),
    Tool("tesseract", "tesseract", ("--version",), r"tesseract v?(\S+)", "tesseract-ocr"),
    Tool("LibreOffice", "soffice", ("--version",), r"LibreOffice (\S+)", "libreoffice-writer"),
    Tool("Java", "java", ("-version",), r'version "([^"]+)"', "openjdk-17-jre-headless"),
)


def tool(program: str) -> Tool | None:
    """The row of a program, by the name that is started or by its agent's name; None for a stranger."""
    return next((row for row in TOOLS if program in (row.program, row.name)), None)


@cache
def probe(row: Tool) -> str | None:
    """The version of a program on this machine; None when it is missing or does not say. Asked once a process."""
    path = shutil.which(row.program, path=ENVIRONMENT["PATH"])
    if path is None:
        return None
    try:
        said = subprocess.run(
            [path, *row.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**ENVIRONMENT, "HOME": "/nonexistent"},
            timeout=_PATIENCE_S,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(row.version, said.decode("utf-8", "replace"))
    return found.group(1) if found else None
