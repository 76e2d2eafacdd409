"""A machine that cannot do the work of one core, or whose tools are missing or lie, is told so before a run."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.config.home import Home
from tasks.report.stops import stop
from tasks.tools import machine, programs
from tasks.tools.machine import NotFit

MB = 1 << 20


def kernel(root: Path, *, left: int, swap: int = 0, group: str = "0::/a/b\n", **files: str) -> Path:
    """A /proc and a /sys that say so much; `files` are those of the groups, `__` for a slash, `_` for a dot."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable: {left >> 10} kB\nSwapFree: {swap >> 10} kB\n")
    (root / "proc/self/cgroup").write_text(group)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / re.sub(r"memory_(?=[a-z])", "memory.", name.replace("__", "/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.provokes("memory-short")
def test_a_machine_with_too_little_memory_is_stopped_with_its_code_before_a_file_is_touched(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").prepare()
    with pytest.raises(NotFit) as caught:
        machine.fit(home, root=kernel(tmp_path / "k", left=300 * MB))
    why = stop(caught.value, home)
    assert (why.code, why.detail) == ("memory-short", {"free": "300.0 MB", "need": "1.0 GB"})


def test_this_machine_has_enough() -> None:
    assert machine.memory().good


def test_swap_counts_and_a_kernel_that_tells_nothing_stops_nobody(tmp_path: Path) -> None:
    assert machine.memory(kernel(tmp_path / "k", left=300 * MB, swap=2000 * MB)).good
    assert machine.memory(tmp_path / "nothing").good


def test_the_narrowest_group_above_counts_less_what_only_caches_files(tmp_path: Path) -> None:
    stat = f"anon 1\ninactive_file {100 * MB}\n"
    above = {"a__memory_max": str(800 * MB), "a__memory_current": str(700 * MB), "a__memory_stat": stat}
    own = {"a__b__memory_max": "max\n", "a__b__memory_current": "1"}
    found = machine.memory(kernel(tmp_path / "k", left=9000 * MB, **above, **own))
    assert (found.good, found.told) == (False, "200.0 MB left")


def test_a_group_of_the_first_version_counts_too(tmp_path: Path) -> None:
    files = {f"memory__x__memory_{k}": str(v) for k, v in {"limit_in_bytes": 500 * MB, "usage_in_bytes": MB}.items()}
    files["memory__x__memory_stat"] = "inactive_file 0\n"
    found = machine.memory(kernel(tmp_path / "k", left=9000 * MB, group="4:memory:/x\n1:cpu:/x\n", **files))
    assert (found.good, found.told) == (False, "499.0 MB left")


VERSIONS = {
    "bubblewrap": "bubblewrap 0.8.0",
    "tesseract": "tesseract 5.3.0",
    "LibreOffice": "LibreOffice 7.4.7",
    "Java": 'openjdk version "17.0.1"',
}
LIES = {
    "fails": ("{said}\nexit 77", "ended with exit code 77"),
    "hangs": ("{said}\nexec sleep 60", "did not end within 2 s"),
    "rubbish": ("head -c 3000 /dev/urandom", "does not tell its version"),
}


def with_one(folder: Path, name: str, body: str | None) -> list[programs.Tool]:
    """All programs of this machine, but one that lies, or none in its place."""
    script = folder / "liar"
    if body is not None:
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
    return [replace(t, program=str(script), patience_s=2.0) if t.name == name else t for t in programs.TOOLS]


@pytest.mark.parametrize("name", [t.name for t in programs.TOOLS])
@pytest.mark.parametrize("lie", ["missing", *LIES])
def test_a_program_that_is_missing_or_lies_about_its_version_stops_the_run(tmp_path: Path, name: str, lie: str) -> None:
    home = Home(tmp_path / "home").prepare()
    body, told = LIES.get(lie, (None, "is missing"))
    said = f"echo '{VERSIONS[name]}'"
    with pytest.raises(NotFit) as caught:
        machine.fit(home, tools=with_one(tmp_path, name, body and body.format(said=said)))
    (row,) = [t for t in programs.TOOLS if t.name == name]
    why = stop(caught.value, home)
    assert why.code == "machine-not-fit"
    assert f"{name}: " in why.message
    assert told in why.message
    assert row.package in why.message
    assert "make install" in why.message


def test_an_ocr_model_that_the_settings_ask_for_and_tesseract_lacks_stops_the_run(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").prepare()
    liar = with_one(tmp_path, "tesseract", "echo 'tesseract 5.3.0'; echo eng; echo fra; echo vie")
    machine.fit(home, tools=liar)
    (home.root / "perenne.toml").write_text('languages = "vie+chi_sim"\n')
    with pytest.raises(NotFit) as caught:
        machine.fit(home, tools=liar)
    assert "tesseract-ocr-chi-sim" in stop(caught.value, home).message


def test_a_verapdf_that_is_not_there_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNE_VERAPDF_JAR", str(tmp_path / "gone.jar"))
    with pytest.raises(NotFit) as caught:
        machine.fit(Home(tmp_path / "home").prepare())
    assert "gone.jar" in str(caught.value)


def test_a_font_package_that_debian_does_not_have_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = tmp_path / "dpkg-query"
    query.write_text('#!/bin/sh\nshift 3\nfor p; do [ "$p" = fonts-liberation2 ] || echo "$p installed"; done\n')
    query.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(NotFit) as caught:
        machine.fit(Home(tmp_path / "home").prepare())
    assert "Debian: fonts-liberation2" in str(caught.value)


def test_a_package_manager_that_hangs_is_told_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = tmp_path / "dpkg-query"
    query.write_text("#!/bin/sh\nexec sleep 60\n")
    query.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (finding,) = machine.packages(patience_s=0.3)
    assert (finding.good, finding.told) == (False, "dpkg-query did not end within 0.3 s")
