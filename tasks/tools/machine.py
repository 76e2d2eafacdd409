"""What this machine must have before a file is touched. `perenne doctor` shows the list, a run refuses without it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.config.home import Home
from tasks.premis.model import Trouble
from tasks.tools import floor
from tasks.tools.door import Door
from tasks.tools.floor import Floor
from tasks.tools.kernel import landlock_abi
from tasks.tools.programs import TOOLS, Tool, fault, lines, probe
from tasks.tools.resident import kinds
from tasks.tools.words import size

ROOT = Path("/")
PACKAGES = Path(__file__).resolve().parents[2] / "packages.txt"
CORES = os.cpu_count() or 1
LEAST_FREE = 1 << 30
"""Bytes that a folder must have left; a run's true need is estimated elsewhere."""
LEAST_MEMORY = 1 << 30
"""Bytes that one core's work takes: 190 MB for the run, 223 for Prefect's server, some 180 for a sealed job and 510 for
LibreOffice, or 435 for veraPDF (peaks of PSS in a run over 260 real files, halved where two cores were at work)."""
LANGUAGES = ("eng", "fra", "vie")
NEEDED = ("LibreOffice", "Java", "tesseract")
REPLACED = "bubblewrap"
"""The package that a run can do without, where Landlock takes its place."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `packages` are the Debian packages that mend it."""

    name: str
    good: bool
    told: str
    packages: tuple[str, ...] = ()
    trouble: Trouble | None = None
    """Its own code, where it has one."""

    def as_json(self) -> dict[str, object]:
        """The finding with stable keys."""
        return {"name": self.name, "good": self.good, "told": self.told, "packages": list(self.packages)}


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


def examine(home: Home, *, root: Path = ROOT, tools: Sequence[Tool] = TOOLS) -> list[Finding]:
    """Everything a run needs, looked at now. `root` is where the kernel's /proc and /sys are read."""
    programs = list(_programs(tools))
    java = all(f.good for f in programs if f.name == "Java")
    judge = [_judge(home)] if java else []
    held = holding(next(tool for tool in tools if tool.name == REPLACED))
    return [*packages(), held, *programs, *judge, _languages(home, tools), *_disks(home), memory(root)]


def fit(home: Home, *, root: Path = ROOT, tools: Sequence[Tool] = TOOLS) -> None:
    """Return when the machine can do a run; else raise NotFit with all that is missing at once."""
    findings = examine(home, root=root, tools=tools)
    if not all(f.good for f in findings):
        raise NotFit(findings)


def holding(bubblewrap: Tool) -> Finding:
    """What will hold the jobs, tried for real."""
    try:
        chosen = floor.found()
    except Trouble as trouble:
        told = f"{trouble.detail['bubblewrap']}; Landlock: {trouble.detail['landlock']}"
        return Finding("bubblewrap", False, told, (bubblewrap.package,), trouble)
    if chosen is Floor.LANDLOCK:
        return Finding("bubblewrap", True, f"does not work here; Landlock {landlock_abi()} does, which hides less")
    wrong = fault(bubblewrap)
    return Finding("bubblewrap", not wrong, wrong or probe(bubblewrap) or "", (bubblewrap.package,))


def sandbox(door: Door) -> Finding:
    """The layers that seal a job, tried for real."""
    try:
        with door.job() as job:
            job.folder.stat()
    except Trouble as trouble:
        return Finding("sandbox", False, str(trouble), ("bubblewrap",))
    return Finding("sandbox", True, ", ".join(door.layers))


def memory(root: Path = ROOT) -> Finding:
    """Whether the memory that is left, swap included, is enough for the work of one core; what cannot be read is."""
    try:
        left = min([_of_machine(root), *_of_groups(root)])
    except (OSError, ValueError, KeyError):
        return Finding("memory", True, "not told by this kernel")
    told = f"{size(left)} left"
    if left >= LEAST_MEMORY:
        return Finding("memory", True, told)
    return Finding("memory", False, told, trouble=Trouble("memory-short", free=size(left), need=size(LEAST_MEMORY)))


def _of_machine(root: Path) -> int:
    lines = (line.split() for line in (root / "proc/meminfo").read_text(encoding="ascii").splitlines())
    said = {words[0].rstrip(":"): int(words[1]) << 10 for words in lines}
    return said["MemAvailable"] + said.get("SwapFree", 0)


def _of_groups(root: Path) -> Iterator[int]:
    """What each control group above us leaves; memory that only caches files is given back when it is needed."""
    for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, kind, name = line.split(":", 2)
        if kind not in ("", "memory"):
            continue
        top = root / "sys/fs/cgroup" / kind
        most, now = ("memory.limit_in_bytes", "memory.usage_in_bytes") if kind else ("memory.max", "memory.current")
        for group in (top / name.lstrip("/"), *(top / name.lstrip("/")).parents):
            if not group.is_relative_to(top):
                break
            with contextlib.suppress(FileNotFoundError):
                limit = (group / most).read_text(encoding="ascii").strip()
                if limit != "max":
                    yield int(limit) - int((group / now).read_text(encoding="ascii")) + _cached(group)


def _cached(group: Path) -> int:
    lines = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
    return int(lines.get("inactive_file", 0))


def packages(patience_s: float = 30) -> Iterator[Finding]:
    """On Debian the packages by name: several of them are seen in no program's version (fonts, import filters)."""
    if shutil.which("dpkg-query") is None:
        return
    wanted = required()
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted]
    try:
        asked = subprocess.run(query, capture_output=True, text=True, check=False, timeout=patience_s)
    except subprocess.TimeoutExpired:
        yield Finding("packages", False, f"dpkg-query did not end within {patience_s:g} s")
        return
    there = {line.split()[0] for line in asked.stdout.splitlines() if line.endswith(" installed")}
    missing = [name for name in wanted if name not in there and name != REPLACED]
    told = (
        f"{len(missing)} of {len(wanted)} missing: {', '.join(missing)}" if missing else f"all {len(wanted)} installed"
    )
    yield Finding("packages", not missing, told, tuple(missing))


def _programs(tools: Sequence[Tool]) -> Iterator[Finding]:
    for tool in tools:
        if tool.name in NEEDED:
            wrong = fault(tool)
            yield Finding(tool.name, not wrong, wrong or probe(tool) or "", (tool.package,))


def _judge(home: Home) -> Finding:
    """What veraPDF is made of: an engine from our wheels, libraries from Debian, compiled once."""
    try:
        kinds.program("verapdf", home.work / "slots", kinds.Options.of_environment())
    except Trouble as trouble:
        return Finding("veraPDF", False, f"{trouble.detail.get('tool', 'veraPDF')} is missing", ("libjaxb-java",))
    return Finding("veraPDF", True, "engine and libraries are there")


def _languages(home: Home, tools: Sequence[Tool]) -> Finding:
    """The models of OCR: those that we promise, and those that the settings ask for."""
    wanted = dict.fromkeys((*LANGUAGES, *home.settings().languages.split("+")))
    tool = next(t for t in tools if t.name == "tesseract")
    listed = [line.strip() for line in lines(replace(tool, arguments=("--list-langs",)))]
    missing = [language for language in wanted if language and language not in listed]
    told = f"{', '.join(missing)} missing: such scans get no transcript" if missing else ", ".join(wanted)
    return Finding("OCR languages", not missing, told, tuple(f"tesseract-ocr-{m.replace('_', '-')}" for m in missing))


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
