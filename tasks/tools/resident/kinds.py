"""The programs that may be resident: how each is started, and when it has served long enough."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tasks.premis.model import Trouble
from tasks.tools.resident import judge
from tasks.tools.resident.program import PROGRAMS

SYSTEM_PYTHON = Path("/usr/bin/python3")
"""The only Python for which Debian's python3-uno exists."""

SHARED_EXTENSIONS = Path("/var/spool/libreoffice")
"""What LibreOffice has a link to; it ends at once when the folder is there and cannot be read."""
JAVA_LIBRARIES = Path("/usr/share/java")
JAXB = ("jaxb-api", "jaxb-core", "jaxb-runtime", "istack-commons-runtime", "txw2", "stax-ex", "javax.activation")
"""What veraPDF reads its profiles with; the engine's wheel lacks most of it (Debian: libjaxb-java)."""

ENGINE_VARIABLE = "PERENNE_VERAPDF_JAR"
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


JUDGES = frozenset({"verapdf"})
"""The kinds that make nothing: what they say of the same bytes is the same."""
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
    launcher = judge.found("soffice", "LibreOffice")
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
    java = judge.found("java", "Java")
    jar = options.verapdf_jar or judge.engine()
    if not jar.is_file():
        raise Trouble("tool-missing", tool=f"veraPDF ({jar})")
    path = [jar.resolve(), *_jaxb()]
    ready = judge.compiled(java, jar.resolve(), cache)
    classes, start = ([ready, *path], "Judge") if ready else (path, str(judge.SOURCE))
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


def _jaxb() -> list[Path]:
    # They come after the engine's jar, so that an engine which brings its own parts is not touched by them.
    jars = [JAVA_LIBRARIES / f"{name}.jar" for name in JAXB]
    if not all(jar.is_file() for jar in jars):
        raise Trouble("tool-missing", tool="libjaxb-java")
    return [jar.resolve() for jar in jars]
