"""What was found on a machine: each thing that was looked at, what it means for the archive, and what mends it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.premis import codes
from tasks.premis.model import Trouble

PACKAGES = Path(__file__).resolve().parents[2] / "packages.txt"
LISTS = Path("/var/lib/apt/lists")
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    `name` is stable; `told` says what was seen, `means` what that does to the archive, in the language in force.
    `packages` are the Debian packages that mend it; where none does, `advice` says how.
    """

    name: str
    good: bool
    told: str
    packages: tuple[str, ...] = ()
    trouble: Trouble | None = None
    """Its own code, where it has one."""
    means: str = ""
    hint: str = ""
    """What to do, where no code says it."""

    @property
    def advice(self) -> str:
        """What to do besides installing packages; empty when there is nothing."""
        return codes.advice(self.trouble.code, self.trouble.detail) if self.trouble else self.hint

    @property
    def sentence(self) -> str:
        """What was seen, and what it means."""
        return f"{self.told}: {self.means}" if self.means else self.told

    def as_json(self) -> dict[str, object]:
        """The finding with stable keys; `cure` is the command or the advice that mends it, null when it is good."""
        cure = command(self.packages) if self.packages else self.advice
        return {
            "name": self.name,
            "good": self.good,
            "told": self.told,
            "means": self.means,
            "packages": list(self.packages),
            "cure": cure if cure and (not self.good or self.advice) else None,
        }


class NotFit(Exception):  # noqa: N818  it is what the machine is
    """The machine lacks something; the findings say what, and the command that mends it."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(f for f in findings if not f.good)
        troubles = [f.trouble for f in self.findings]
        self.trouble = troubles[0] if len(troubles) == 1 else None
        super().__init__("; ".join(f"{f.name}: {f.told}{_of_debian(f)}" for f in self.findings))


def _of_debian(finding: Finding) -> str:
    return f" (Debian: {', '.join(finding.packages)})" if finding.packages else ""


def required() -> list[str]:
    """The Debian packages of packages.txt."""
    lines = (line.partition("#")[0].strip() for line in PACKAGES.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def wanting(findings: Sequence[Finding]) -> list[str]:
    """The packages that mend these findings, each once."""
    return sorted({package for finding in findings if not finding.good for package in finding.packages})


def command(packages: Sequence[str], *, lists: Path = LISTS) -> str:
    """The one line that installs these packages on Debian, as a person may paste it here; "" for none.

    It asks for `sudo` only where that is needed, for the lists of packages where there are none yet (a new container),
    and for installing again where Debian believes to have what is not there.
    """
    if not packages:
        return ""
    sudo = "" if os.geteuid() == 0 else "sudo "
    again = ["--reinstall"] if installed(tuple(packages)) else []
    update = "" if any(lists.glob("*_Packages*")) else f"{sudo}apt-get update && "
    line = ["apt-get", "install", "-y", "--no-install-recommends", *again, *packages]
    return f"{update}{sudo}{shlex.join(line)}"


def installed(packages: tuple[str, ...], patience_s: float = PATIENCE_S) -> frozenset[str] | None:
    """Those of these packages that Debian says are installed; None where there is no dpkg, or no answer in time."""
    if shutil.which("dpkg-query") is None:
        return None
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages]
    try:
        asked = subprocess.run(query, capture_output=True, text=True, check=False, timeout=patience_s)
    except subprocess.TimeoutExpired:
        return None
    return frozenset(line.split()[0] for line in asked.stdout.splitlines() if line.endswith(" installed"))
