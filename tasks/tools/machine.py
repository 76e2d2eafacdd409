"""What this machine must have before a file is touched. `perenne doctor` shows the list, a run refuses without it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tasks.config.home import Home
from tasks.premis import codes, log
from tasks.premis.model import Trouble
from tasks.tools import belongings, floor
from tasks.tools.door import Door
from tasks.tools.findings import PATIENCE_S, installed, required
from tasks.tools.findings import Finding as Finding
from tasks.tools.findings import NotFit as NotFit
from tasks.tools.floor import Floor
from tasks.tools.kernel import landlock_abi
from tasks.tools.programs import TOOLS, Tool, fault, lines, probe
from tasks.tools.resident import kinds
from tasks.tools.words import seconds, size
from tasks.words import detail, listed, text
from tasks.words import size as decimal

ROOT = Path("/")
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
JUDGE = "veraPDF"
MEANS = {
    "LibreOffice": "doctor-means-office",
    "Java": "doctor-means-judge",
    "tesseract": "doctor-means-tesseract",
}
"""Program → the text that says what its absence means."""
SCANS = {"eng": "doctor-means-eng", "fra": "doctor-means-fra", "vie": "doctor-means-vie"}
CURES = {
    "missing: plain uid": "doctor-cure-uid",
    "missing: Landlock": "doctor-cure-landlock",
    "missing: seccomp": "doctor-cure-seccomp",
    "missing: bubblewrap": "doctor-cure-bubblewrap",
    "missing: count of files that are deleted while open": "doctor-cure-ptrace",
    "missing: files of others kept from being cut off": "doctor-cure-kernel",
}
"""A layer that the sandbox may lack → the text that says how it is had."""


def examine(home: Home, *, root: Path = ROOT, tools: Sequence[Tool] = TOOLS) -> list[Finding]:
    """Everything a run needs, looked at now. `root` is where the kernel's /proc and /sys are read."""
    programs = [finding for tool in tools if tool.name in NEEDED for finding in _program(tool, home)]
    judge = [_judge(home)] if all(f.good for f in programs if f.name == "Java") else []
    held = holding(next(tool for tool in tools if tool.name == REPLACED))
    looked = [held, *programs, *judge, *belongings.fonts(), *belongings.parts(ROOT)]
    return [*looked, *packages(looked), *_disks(home), memory(root), clock(home)]


def fit(home: Home, *, root: Path = ROOT, tools: Sequence[Tool] = TOOLS) -> None:
    """Return when the machine can do a run; else raise NotFit with all that is missing at once."""
    findings = examine(home, root=root, tools=tools)
    if not all(f.good for f in findings):
        raise NotFit(findings)


def holding(bubblewrap: Tool) -> Finding:
    """What will hold the jobs, tried for real."""
    name, package, means = bubblewrap.name, (bubblewrap.package,), text("doctor-means-sandbox")
    try:
        chosen = floor.found()
    except Trouble as trouble:
        told = f"{detail(trouble.detail['bubblewrap'])}; Landlock: {detail(trouble.detail['landlock'])}"
        return Finding(name, False, told, package, trouble, means)
    if chosen is Floor.LANDLOCK:
        told = text("doctor-landlock-instead", version=str(landlock_abi()))
        return Finding(name, True, told, hint=text("doctor-cure-bubblewrap"))
    wrong = fault(bubblewrap)
    return Finding(name, not wrong, detail(wrong) or probe(bubblewrap) or "", package, means=means if wrong else "")


def sandbox(door: Door) -> Finding:
    """The layers that seal a job, tried for real; a layer that is missing has its cure as the finding's hint."""
    try:
        with door.job() as job:
            job.folder.stat()
    except Trouble as trouble:
        return Finding("sandbox", False, str(trouble), (REPLACED,), trouble, text("doctor-means-sandbox"))
    hints = [text(cure) for layer, cure in CURES.items() if layer in door.layers]
    return Finding("sandbox", True, listed([detail(layer) for layer in door.layers]), hint=" ".join(hints))


def _smallest() -> bytes:
    """A PDF of one empty page, so that veraPDF has something to judge."""
    bodies = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
    )
    pdf, table = b"%PDF-1.4\n", b"0000000000 65535 f \n"
    for number, body in enumerate(bodies, 1):
        table += b"%010d 00000 n \n" % len(pdf)
        pdf += b"%d 0 obj%sendobj\n" % (number, body)
    return pdf + b"xref\n0 4\n%strailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (table, len(pdf))


def judging(door: Door) -> Finding:
    """Whether veraPDF answers, asked for real: its version and the time of its second answer, when it is warm."""
    try:
        with door.job() as job:
            (job.folder / "in" / "asked.pdf").write_bytes(_smallest())
            request = {"files": ["in/asked.pdf"], "path": "in/asked.pdf", "flavour": "2b"}
            job.ask("verapdf", request)
            began = time.monotonic()
            reply = job.ask("verapdf", request)
            took = time.monotonic() - began
            version = next((agent.version for agent in job.agents if agent.name == JUDGE), "")
    except Trouble as trouble:
        told = f"{trouble.code}: {codes.message(trouble.code, trouble.detail)}"
        return Finding(JUDGE, False, told, ("libjaxb-java",), means=text("doctor-means-judge"))
    if not isinstance(reply.get("valid"), bool):
        return Finding(JUDGE, False, text("doctor-judge-mute"), ("libjaxb-java",), means=text("doctor-means-judge"))
    return Finding(JUDGE, True, text("doctor-judge-answers", version=version, time=f"{max(1, round(took * 1000))} ms"))


def memory(root: Path = ROOT) -> Finding:
    """Whether the memory that is left, swap included, is enough for the work of one core; what cannot be read is."""
    try:
        left = min([_of_machine(root), *_of_groups(root)])
    except (OSError, ValueError, KeyError):
        return Finding("memory", True, text("doctor-memory-untold"))
    told = text("doctor-memory", left=detail(size(left)))
    if left >= LEAST_MEMORY:
        return Finding("memory", True, told)
    trouble = Trouble("memory-short", free=size(left), need=size(LEAST_MEMORY))
    return Finding("memory", False, told, trouble=trouble, means=text("doctor-means-memory"))


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


def clock(home: Home) -> Finding:
    """Whether the clock agrees with the log, which is never ahead of it by more than a day."""
    try:
        log.check_clock(home.log)
    except Trouble as trouble:
        return Finding("clock", False, codes.message(trouble.code, trouble.detail), trouble=trouble)
    except (log.LogError, OSError) as error:
        return Finding("clock", True, text("doctor-log-unread", why=str(error).splitlines()[0]))
    return Finding("clock", True, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")


def packages(looked: Sequence[Finding] = (), patience_s: float = PATIENCE_S) -> Iterator[Finding]:
    """On Debian the packages by name; those that a finding of `looked` names are not told once more."""
    if shutil.which("dpkg-query") is None:
        return
    wanted = required()
    there = installed(tuple(wanted), patience_s)
    if there is None:
        told = text("doctor-dpkg-hangs", limit=detail(seconds(patience_s)))
        yield Finding("packages", False, told, hint=text("doctor-cure-dpkg"))
        return
    told_already = {package for finding in looked if not finding.good for package in finding.packages}
    missing = [name for name in wanted if name not in there and name != REPLACED and name not in told_already]
    if missing:
        told = text("doctor-packages-missing", n=len(missing), total=str(len(wanted)), names=listed(missing))
        yield Finding("packages", False, told, tuple(missing))
    elif there.issuperset(set(wanted) - {REPLACED}):
        yield Finding("packages", True, text("doctor-packages-there", n=len(wanted)))


def _program(tool: Tool, home: Home) -> Iterator[Finding]:
    """The program itself, and what belongs to it: parts of LibreOffice, languages of Tesseract."""
    if wrong := fault(tool):
        yield Finding(tool.name, False, detail(wrong), (tool.package,), means=text(MEANS[tool.name]))
        return
    there: list[str] = []
    lacking: list[Finding] = []
    if tool.name == "LibreOffice":
        there, lacking = belongings.office_parts(tool.program)
    elif tool.name == "tesseract":
        there, lacking = _languages(tool, home)
    version = probe(tool) or ""
    if lacking:
        yield from lacking
    else:
        yield Finding(tool.name, True, text("doctor-with", version=version, parts=listed(there)) if there else version)


def _languages(tool: Tool, home: Home) -> tuple[list[str], list[Finding]]:
    """The models of OCR: those that we promise, and those that the settings ask for."""
    wanted = [one for one in dict.fromkeys((*LANGUAGES, *home.settings().languages.split("+"))) if one]
    listing = [line.strip() for line in lines(replace(tool, arguments=("--list-langs",)))]
    lacking = [
        Finding(
            tool.name,
            False,
            text("doctor-language-missing", language=one),
            (f"tesseract-ocr-{one.replace('_', '-')}",),
            means=text(SCANS[one]) if one in SCANS else text("doctor-means-language", language=one),
        )
        for one in wanted
        if one not in listing
    ]
    return [one for one in wanted if one in listing], lacking


def _judge(home: Home) -> Finding:
    """What veraPDF is made of: an engine from our wheels, libraries from Debian, compiled once."""
    try:
        kinds.program("verapdf", home.work / "slots", kinds.Options.of_environment())
    except Trouble as trouble:
        told = text("doctor-missing", what=trouble.detail.get("tool", JUDGE))
        return Finding(JUDGE, False, told, ("libjaxb-java",), means=text("doctor-means-judge"))
    return Finding(JUDGE, True, text("doctor-judge-there"))


def _disks(home: Home) -> Iterator[Finding]:
    """One good finding for all disks, or one for each folder that lacks room or rights."""
    left: dict[str, str] = {}
    faults = []
    for name, folder in (("store", home.store), ("work", home.work), ("log", home.log)):
        try:
            found = os.statvfs(folder)
        except OSError as e:
            what = e.strerror or str(e)
            trouble = Trouble("no-permission", folder=str(folder), what=what)
            faults.append(Finding("disk", False, f"{folder}: {detail(what)}", trouble=trouble))
            continue
        free = found.f_bavail * found.f_frsize
        left[name] = decimal(free)
        if found.f_flag & os.ST_RDONLY:
            trouble = Trouble("read-only", folder=str(folder))
        elif not os.access(folder, os.W_OK | os.X_OK):
            trouble = Trouble("no-permission", folder=str(folder), what=os.strerror(errno.EACCES))
        elif free <= LEAST_FREE:
            trouble = Trouble(
                "space", folder=str(folder), free=size(free), need=size(LEAST_FREE), reserve=_reserve(home)
            )
            told = text("doctor-disk-short", folder=str(folder), free=detail(size(free)), need=detail(size(LEAST_FREE)))
            faults.append(Finding("disk", False, told, trouble=trouble, means=text("doctor-means-disk")))
            continue
        else:
            continue
        faults.append(Finding("disk", False, codes.message(trouble.code, trouble.detail), trouble=trouble))
    yield from faults or [Finding("disk", True, text("doctor-disk", **left))]


def _reserve(home: Home) -> str:
    return size(home.settings().reserve_gb * 10**9)
