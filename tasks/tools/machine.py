"""What this machine must have before a file is touched. `perenne doctor` shows the list, a run refuses without it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.config.home import Home
from tasks.premis.model import Trouble
from tasks.tools.door import Door
from tasks.tools.programs import TOOLS, probe

PACKAGES = Path(__file__).resolve().parents[2] / "packages.txt"
CORES = os.cpu_count() or 1
LEAST_FREE = 1 << 30
"""Bytes that a folder must have left; a run's true need is estimated elsewhere."""
LANGUAGES = ("eng", "fra", "vie")
NEEDED = ("bubblewrap", "LibreOffice", "Java", "tesseract")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `packages` are the Debian packages that mend it."""

    name: str
    good: bool
    told: str
    packages: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The finding with stable keys."""
        return {"name": self.name, "good": self.good, "told": self.told, "packages": list(self.packages)}


class NotFit(Exception):  # noqa: N818  it is what the machine is
    """The machine lacks something; the findings say what, and the command that mends it."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(f for f in findings if not f.good)
        super().__init__("; ".join(f"{f.name}: {f.told}" for f in self.findings))


def required() -> list[str]:
    """The Debian packages of packages.txt."""
    lines = (line.partition("#")[0].strip() for line in PACKAGES.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def examine(home: Home) -> list[Finding]:
    """Everything a run needs, looked at now."""
    return [*_packages(), *_programs(), _languages(), *_disks(home)]


def fit(home: Home) -> None:
    """Return when the machine can do a run; else raise NotFit with all that is missing at once."""
    findings = examine(home)
    if not all(f.good for f in findings):
        raise NotFit(findings)


def sandbox(door: Door) -> Finding:
    """The layers that seal a job, tried for real."""
    try:
        with door.job() as job:
            job.folder.stat()
    except Trouble as trouble:
        return Finding("sandbox", False, str(trouble), ("bubblewrap",))
    return Finding("sandbox", True, ", ".join(door.layers))


def _packages() -> Iterator[Finding]:
    """On Debian the packages by name: several of them are seen in no program's version (fonts, import filters)."""
    if shutil.which("dpkg-query") is None:
        return
    wanted = required()
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    there = {line.split()[0] for line in asked.stdout.splitlines() if line.endswith(" installed")}
    missing = [name for name in wanted if name not in there]
    told = (
        f"{len(missing)} of {len(wanted)} missing: {', '.join(missing)}" if missing else f"all {len(wanted)} installed"
    )
    yield Finding("packages", not missing, told, tuple(missing))


def _programs() -> Iterator[Finding]:
    for tool in TOOLS:
        if tool.name in NEEDED:
            version = probe(tool)
            yield Finding(tool.name, version is not None, version or f"{tool.program} is missing", (tool.package,))


def _languages() -> Finding:
    program = shutil.which("tesseract")
    if program is None:
        return Finding("OCR languages", False, "tesseract is missing", ("tesseract-ocr",))
    listed = subprocess.run([program, "--list-langs"], capture_output=True, text=True, check=False).stdout.split()
    missing = [language for language in LANGUAGES if language not in listed]
    told = f"{', '.join(missing)} missing: such scans get no transcript" if missing else ", ".join(LANGUAGES)
    return Finding("OCR languages", not missing, told, tuple(f"tesseract-ocr-{m}" for m in missing))


def _disks(home: Home) -> Iterator[Finding]:
    for name, folder in (("store", home.store), ("work", home.work), ("log", home.log)):
        try:
            free = shutil.disk_usage(folder).free
            writable = os.access(folder, os.W_OK)
        except OSError as e:
            yield Finding(f"disk {name}", False, f"{folder}: {e.strerror}")
            continue
        told = f"{free / 1e9:.0f} GB free" if writable else f"{folder} cannot be written"
        yield Finding(f"disk {name}", writable and free > LEAST_FREE, told)
