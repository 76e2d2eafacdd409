"""What programs need besides themselves: fonts, import filters, libraries, tables. Looked at, not believed of dpkg."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.tools.findings import PATIENCE_S, Finding
from tasks.words import listed, text

FC_LIST = "fc-list"
OFFICE_PARTS = {
    "writer": "doctor-means-writer",
    "calc": "doctor-means-calc",
    "impress": "doctor-means-impress",
    "draw": "doctor-means-draw",
}
"""Part of LibreOffice → the text that says what its absence means. The package is `libreoffice-PART`."""
REGISTRIES = ("share/.registry", "share/registry")
"""Where LibreOffice lists its parts, below its own folder. Debian has both: the second leads to /etc, where a removed
package may leave its file."""


@dataclass(frozen=True, slots=True)
class Font:
    """A family that is needed: `families` as fontconfig names them, all of them; `speaks` a language they must have."""

    name: str
    package: str
    families: tuple[str, ...]
    means: str
    speaks: str = ""


FONTS = (
    Font("Liberation", "fonts-liberation2", ("Liberation Serif", "Liberation Sans", "Liberation Mono"),
         "doctor-means-liberation", speaks="vi"),
    Font("Carlito", "fonts-crosextra-carlito", ("Carlito",), "doctor-means-carlito"),
    Font("Noto", "fonts-noto-core", ("Noto Sans", "Noto Serif"), "doctor-means-noto"),
    Font("DejaVu", "fonts-dejavu-core", ("DejaVu Sans", "DejaVu Sans Mono"), "doctor-means-dejavu"),
    Font("URW base 35", "fonts-urw-base35", ("Nimbus Roman", "Nimbus Sans", "Nimbus Mono PS"), "doctor-means-urw"),
    Font("Droid Fallback", "fonts-droid-fallback", ("Droid Sans Fallback",), "doctor-means-droid"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """A library or file that a program of ours opens by name, and the text that says what its absence means."""

    name: str
    package: str
    means: str
    path: str = ""
    """The file or folder; empty for a library, which is loaded by its `name`."""


PARTS = (
    Part("libpango-1.0.so.0", "libpango-1.0-0", "doctor-means-pango"),
    Part("libpangoft2-1.0.so.0", "libpangoft2-1.0-0", "doctor-means-pango"),
    Part("libharfbuzz-subset.so.0", "libharfbuzz-subset0", "doctor-means-pango"),
    Part("python3-uno", "python3-uno", "doctor-means-office", path="usr/lib/python3/dist-packages/uno.py"),
    Part("poppler-data", "poppler-data", "doctor-means-poppler", path="usr/share/poppler/cMap"),
)


def fonts(patience_s: float = PATIENCE_S) -> list[Finding]:
    """One finding for each family that is missing or lacks its letters; a single good one when all are there."""
    try:
        there = _families(patience_s)
    except (OSError, subprocess.TimeoutExpired):
        told = text("doctor-fonts-unlisted", tool=FC_LIST)
        return [Finding("fonts", False, told, ("fontconfig",), means=text("doctor-means-liberation"))]
    missing = list(_missing(there))
    return missing or [Finding("fonts", True, listed([font.name for font in FONTS]))]


def _missing(there: dict[str, set[str]]) -> Iterator[Finding]:
    for font in FONTS:
        lacking = [family for family in font.families if family not in there]
        mute = [family for family in font.families if family in there and font.speaks not in {"", *there[family]}]
        if lacking:
            told = text("doctor-font-missing", font=font.name)
        elif mute:
            told = text("doctor-font-mute", font=mute[0])
        else:
            continue
        yield Finding("fonts", False, told, (font.package,), means=text(font.means))


def _families(patience_s: float) -> dict[str, set[str]]:
    """Family → the languages that its fonts can write, as fontconfig finds them on the disk now."""
    if (program := shutil.which(FC_LIST)) is None:
        raise FileNotFoundError(FC_LIST)
    asked = subprocess.run(
        [program, "--format", "%{family}\t%{lang}\n"],
        capture_output=True, text=True, errors="replace", check=False, timeout=patience_s,
    )  # fmt: skip
    found: dict[str, set[str]] = {}
    for line in asked.stdout.splitlines():
        families, _, languages = line.partition("\t")
        for family in families.split(","):
            found.setdefault(family.replace("\\-", "-"), set()).update(languages.split("|"))
    return found


def parts(root: Path) -> list[Finding]:
    """One finding for each library or file that is missing; a single good one when all are there."""
    missing = [
        Finding("libraries", False, text("doctor-missing", what=part.name), (part.package,), means=text(part.means))
        for part in PARTS
        if not (_exists(root / part.path) if part.path else _loads(part.name))
    ]
    return missing or [Finding("libraries", True, listed(["Pango", "HarfBuzz", "UNO", "poppler-data"]))]


def _exists(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def office_parts(program: str) -> tuple[list[str], list[Finding]]:
    """The parts of LibreOffice that are there, and a finding for each that is not."""
    found = shutil.which(program)
    if found is None:
        return [], []
    folder = Path(found).resolve().parents[1]
    registries = [folder / name for name in REGISTRIES if (folder / name).is_dir()]
    if not registries:  # a LibreOffice of another make, with all of it in one piece
        return [], []
    there = set.intersection(*({path.stem for path in registry.glob("*.xcd")} for registry in registries))
    lacking = [
        Finding("LibreOffice", False, text("doctor-missing", what=part), (f"libreoffice-{part}",), means=text(means))
        for part, means in OFFICE_PARTS.items()
        if part not in there
    ]
    return [part for part in OFFICE_PARTS if part in there], lacking
