"""`perenne doctor` on machines that really lack something: it is named with what that means and with its cure."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.command.doctor import lines
from tasks.tools import belongings, findings, machine, programs
from tasks.tools.findings import Finding, command, required
from tasks.words import Language, spoken
from tests.tasks.tools.test_door import FORBIDDING
from tests.test_full import namespaces

ROOT = Path(__file__).resolve().parents[2]
DOCTOR = [sys.executable, "-c", "from flows.command import main; main()", "doctor"]
LACKING = 'set -e; T="$1"; shift; {lack}; exec "$@"'
alone = pytest.mark.skipif(not namespaces(), reason="no mount namespace can be made here")

NO_PROGRAM = 'mount --bind "$T/nothing" "$(readlink -f /usr/bin/{0})"'
NO_FOLDER = "mount -t tmpfs tmpfs {0}"
MUTE = """printf '#!/bin/sh\\necho tesseract 5.3.0\\necho eng\\necho fra\\n' > "$T/mute"; chmod 755 "$T/mute"
mount --bind "$T/mute" /usr/bin/tesseract"""
NO_IMPRESS = """R=/usr/lib/libreoffice/share/.registry; cp -r $R "$T/registry"; rm "$T/registry/impress.xcd"
mount --bind "$T/registry" $R"""
LITTLE = 'mkdir -p "$PERENNE_HOME/work"; mount -t tmpfs -o size=100m tmpfs "$PERENNE_HOME/work"'
READ_ONLY = 'mkdir -p "$PERENNE_HOME/store"; mount -t tmpfs -o ro tmpfs "$PERENNE_HOME/store"'
FONTS = "/usr/share/fonts/truetype"


def doctor(tmp_path: Path, lack: str, *options: str) -> subprocess.CompletedProcess[str]:
    """What it says in a mount namespace of its own, in which something is really not there."""
    (tmp_path / "nothing").touch(mode=0o644)
    spaces = ["unshare", "-m" if os.geteuid() == 0 else "-Urm", "sh", "-c", LACKING.format(lack=lack), "sh"]
    env = {**os.environ, "PERENNE_HOME": str(tmp_path / "home")}
    line = [*spaces, str(tmp_path), *DOCTOR, *options]
    return subprocess.run(line, env=env, cwd=ROOT, capture_output=True, text=True, check=False)


LACKS = [
    (MUTE, "language vie is missing: Vietnamese scans get no transcript", "tesseract-ocr-vie"),
    (NO_IMPRESS, "impress is missing: PowerPoint slides get no master", "libreoffice-impress"),
    (NO_FOLDER.format(f"{FONTS}/crosextra"), "Carlito is missing: lines of", "fonts-crosextra-carlito"),
    (NO_FOLDER.format("/usr/share/poppler"), "poppler-data is missing: text in Chinese", "poppler-data"),
    (NO_FOLDER.format("/usr/share/java"), "veraPDF       libjaxb-java is missing: no PDF/A", "libjaxb-java"),
]
"""What is taken away, what is said of it, and the package that brings it."""


def told(done: subprocess.CompletedProcess[str], said: list[str], mends: str) -> list[str]:
    """The packages of the one command that mends what was named, below all that is good."""
    assert done.returncode == 3, done.stderr
    assert [one for one in said if one not in done.stdout] == []
    good, bad = done.stdout.partition(f"Not fit yet. One command mends {mends}:\n")[::2]
    assert re.search("^✓ disk", good, re.MULTILINE)
    assert good.index("✓ disk") < good.index("✕")
    assert len(re.findall("^✕", good, re.MULTILINE)) == len(said)
    return sorted(word for word in shlex.split(bad) if word in required())


@alone
@pytest.mark.slow
def test_a_program_that_is_missing_is_named_with_what_it_means_and_with_the_package_that_brings_it(
    tmp_path: Path,
) -> None:
    done = doctor(tmp_path, NO_PROGRAM.format("tesseract"))
    assert told(done, ["tesseract is missing: scans get no transcript"], "it") == ["tesseract-ocr"]
    assert shlex.split(done.stdout)[-1] == "tesseract-ocr"


@alone
@pytest.mark.slow
def test_all_that_is_missing_is_named_with_what_it_means_and_one_command_mends_it(tmp_path: Path) -> None:
    done = doctor(tmp_path, "; ".join(lack for lack, _, _ in LACKS))
    packages = told(done, [said for _, said, _ in LACKS], f"all {len(LACKS)}")
    assert packages == sorted(package for _, _, package in LACKS)


@alone
@pytest.mark.slow
def test_liberation_without_vietnamese_letters_is_told_as_missing_and_so_is_no_liberation(tmp_path: Path) -> None:
    none = doctor(tmp_path, f"for F in {FONTS}/liberation*; do mount -t tmpfs tmpfs $F; done", "--json")
    (fonts,) = [one for one in json.loads(none.stdout) if not one["good"]]
    assert (fonts["told"], fonts["means"]) == ("Liberation is missing", "lines of Word letters would break anew")
    old = "mount -t tmpfs tmpfs /usr/share/fonts/truetype/liberation2"
    if Path(FONTS, "liberation").is_dir():  # version 1 is here, too
        (fonts,) = [one for one in json.loads(doctor(tmp_path, old, "--json").stdout) if not one["good"]]
        assert fonts["told"] == "Liberation Serif lacks Vietnamese letters"
    assert fonts["cure"].endswith(" fonts-liberation2")


@alone
@pytest.mark.slow
def test_two_things_that_packages_mend_are_mended_by_one_command(tmp_path: Path) -> None:
    done = doctor(tmp_path, f"{MUTE}; {NO_FOLDER.format(f'{FONTS}/liberation2')}; {NO_FOLDER.format(f'{FONTS}/noto')}")
    assert "One command mends all 3:" in done.stdout
    assert done.stdout.split()[-3:] == ["fonts-liberation2", "fonts-noto-core", "tesseract-ocr-vie"]


@alone
@pytest.mark.slow
@pytest.mark.parametrize(
    ("lack", "said", "advice"),
    [
        (LITTLE, r"disk +/.*/work has [\d.]+ MB left of the 1.0 GB .*: a run would stop halfway", "Free space or"),
        (READ_ONLY, r"disk +/.*/store cannot be written: its file system is read-only", "See why"),
    ],
)  # fmt: skip
def test_a_disk_that_is_full_or_read_only_is_named_with_advice_and_no_command(
    tmp_path: Path, lack: str, said: str, advice: str
) -> None:
    done = doctor(tmp_path, lack)
    assert done.returncode == 3, done.stderr
    assert re.search(f"^✕ {said}", done.stdout, re.MULTILINE)
    assert f"→ {advice}" in done.stdout
    assert done.stdout.rstrip().endswith("Not fit yet.")
    assert "apt-get" not in done.stdout


@pytest.mark.slow
def test_where_no_sandbox_can_be_made_both_reasons_and_both_cures_are_told(tmp_path: Path) -> None:
    code = FORBIDDING.partition("from pathlib import Path")[0] + "from flows.command import main; main()"
    bare = "".join(f'ln -s "$(command -v {name})" "$T/{name}"; ' for name in ("fc-list", "dpkg-query", "apt-get"))
    subprocess.run(["sh", "-c", f'T="$1"; {bare}', "sh", tmp_path], check=True)
    env = {"PATH": str(tmp_path), "PERENNE_HOME": str(tmp_path / "home"), "LANG": "C.UTF-8"}
    line = [sys.executable, "-c", code.replace("sys.path.insert(0, sys.argv[1])", ""), "doctor"]
    done = subprocess.run(line, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert (
        "bubblewrap    not installed; Landlock: not in this kernel, or not allowed here: nothing could" in done.stdout
    )
    assert "→ Install bubblewrap and allow it namespaces" in done.stdout
    assert done.stdout.split()[-1] == "bubblewrap"


def test_every_package_that_a_cure_may_name_is_one_of_those_that_are_installed_with_perenne() -> None:
    named = {font.package for font in belongings.FONTS} | {part.package for part in belongings.PARTS}
    named |= {f"libreoffice-{part}" for part in belongings.OFFICE_PARTS} | {tool.package for tool in programs.TOOLS}
    named |= {f"tesseract-ocr-{language}" for language in machine.LANGUAGES}
    assert named - set(required()) == set()


def test_every_font_package_that_is_installed_with_perenne_is_looked_for_on_the_disk() -> None:
    assert {font.package for font in belongings.FONTS} == {name for name in required() if name.startswith("fonts-")}


def run_of(line: str, folder: Path) -> list[list[str]]:
    """What apt-get is asked when a shell runs this line; sudo gives it on."""
    said = folder / "said"
    for name, body in (("apt-get", f'printf "%s\\n" "$*" >> {said}'), ("sudo", 'exec "$@"')):
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    subprocess.run(["sh", "-c", line], env={"PATH": f"{folder}:/usr/bin:/bin"}, check=True)
    return [words.split() for words in said.read_text().splitlines()]


def test_the_command_installs_the_packages_and_fetches_lists_where_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    without = run_of(command(["not-there-a", "not-there-b"], lists=tmp_path / "lists"), tmp_path)
    install = ["install", "-y", "--no-install-recommends", "not-there-a", "not-there-b"]
    assert without == [["update"], install]
    (tmp_path / "said").unlink()
    (tmp_path / "lists" / "deb_dists_stable_main_binary-amd64_Packages.lz4").touch()
    assert run_of(command(["not-there-a", "not-there-b"], lists=tmp_path / "lists"), tmp_path) == [install]
    assert command([]) == ""


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="not Debian")
def test_what_debian_believes_to_have_is_installed_again() -> None:
    assert "--reinstall" in command(["coreutils"])


def test_a_finding_in_json_has_keys_that_stay() -> None:
    told: dict[str, Any] = Finding("disk", False, "full", hint="Free space.").as_json()
    assert told == {
        "name": "disk", "good": False, "told": "full", "means": "", "packages": [], "cure": "Free space."
    }  # fmt: skip
    assert findings.NotFit([Finding("disk", False, "full", ("a",))]).args == ("disk: full (Debian: a)",)


@pytest.mark.parametrize(("lang", "memory"), [("en", "memory"), ("vi", "bộ nhớ"), ("fr", "mémoire")])
def test_a_finding_is_called_in_the_language_in_force_and_a_program_by_its_name(lang: Language, memory: str) -> None:
    with spoken(lang):
        said = [next(lines(Finding(name, True, "5.3.0"))) for name in ("memory", "tesseract")]
    assert said == [f"✓ {memory:13} 5.3.0", "✓ tesseract     5.3.0"]
