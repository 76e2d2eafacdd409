"""What every migration path, check and facts module owes the rest, and what no file of the project may hold."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import tasks.facts
from tasks.aip.examine import families
from tasks.policy import modules
from tasks.policy.load import DEFAULT, _parameter_faults, load
from tasks.policy.rules import ANY, Rule
from tasks.premis import codes
from tasks.premis.model import Outcome
from tests import versions

ROOT = Path(__file__).resolve().parents[1]
SHAPES = {
    "actions": ("migrate", ("source", "job")),
    "validators": ("validate", ("source", "product", "job")),
    "facts": ("facts", ("name", "job")),
}
"""Folder → its function and the positional parameters of it."""
FAMILY_FACTS = set(tasks.facts.NAMES) - {"languages"}
"""Facts that a module of tasks.facts finds; `languages` is told by the batch."""
PARSERS = {
    "pikepdf",
    "pypdf",
    "pypdfium2",
    "PIL",
    "tifffile",
    "imagecodecs",
    "ocrmypdf",
    "img2pdf",
    "weasyprint",
    "docx",
    "lxml",
    "olefile",
    "msoffcrypto",
    "fido",
    "pygfried",
    "fontTools",
}


def found(folder: str) -> list[str]:
    return [m.name for m in pkgutil.iter_modules([str(ROOT / "tasks" / folder)])]


EVERY = [(folder, name) for folder in SHAPES for name in found(folder)]


def module(folder: str, name: str) -> ModuleType:
    return importlib.import_module(f"tasks.{folder}.{name}")


@pytest.mark.parametrize(("folder", "name"), EVERY)
def test_every_module_says_what_it_is_for_and_carries_a_version(folder: str, name: str) -> None:
    one = module(folder, name)
    assert (one.__doc__ or "").strip(), "a module docstring says formats and rungs"
    assert re.fullmatch(r"[1-9]\d*", one.VERSION)


@pytest.mark.parametrize(("folder", "name"), EVERY)
def test_every_module_has_the_function_that_its_folder_promises(folder: str, name: str) -> None:
    function, wanted = SHAPES[folder]
    parameters = list(inspect.signature(getattr(module(folder, name), function)).parameters.values())
    positional = [p for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert all(p.kind is inspect.Parameter.POSITIONAL_ONLY for p in positional)
    assert len(positional) == len(wanted)
    assert positional[-1].name.lstrip("_") == "job"


@pytest.mark.parametrize(("folder", "name"), [one for one in EVERY if one[0] != "facts"])
def test_a_parameter_is_a_plain_value_with_a_default_so_that_a_policy_row_can_set_it(folder: str, name: str) -> None:
    schema = modules.schema(getattr(module(folder, name), SHAPES[folder][0]))
    for key, parameter in schema.items():
        assert type(parameter.default) in (bool, int, str), f"{key} has no default that TOML can write"
        assert list(_parameter_faults("parameters", schema, {key: parameter.default})) == []


@pytest.mark.parametrize(("folder", "name"), EVERY)
def test_a_fact_that_a_module_reads_is_on_the_closed_list(folder: str, name: str) -> None:
    assert set(getattr(module(folder, name), "FACTS", ())) <= set(tasks.facts.NAMES)


@pytest.mark.parametrize("name", found("facts"))
def test_a_facts_module_names_its_formats_and_no_other_module_claims_them(name: str) -> None:
    puids = module("facts", name).PUIDS
    assert puids
    assert all(re.fullmatch(r"(x-)?fmt/[1-9]\d*", puid) for puid in puids)
    assert {puid for puid in puids if families()[puid].__name__ != f"tasks.facts.{name}"} == set()


@pytest.mark.parametrize("rule", load(DEFAULT).rules, ids=lambda rule: rule.id)
def test_a_rule_whose_condition_or_action_asks_for_facts_names_formats_that_have_them(rule: Rule) -> None:
    asked = FAMILY_FACTS & {*rule.when, *modules.facts_of(modules.action(rule.action))}
    without = sorted(puid for puid in rule.puids if puid not in families()) if asked else []
    assert not without, f"no facts module reads {', '.join(without)}, and the rule asks for {', '.join(sorted(asked))}"


@pytest.mark.parametrize("rule", [r for r in load(DEFAULT).rules if r.action != "keep"], ids=lambda rule: rule.id)
def test_a_rule_names_no_format_twice_and_has_a_check_for_what_it_makes(rule: Rule) -> None:
    rows = {row["id"]: row for row in tomllib.loads(DEFAULT.read_text(encoding="utf-8"))["rule"]}
    named = rows[rule.id]["puids"]
    assert sorted(named) == sorted(set(named))
    assert rule.checks
    assert ANY not in rule.puids


# --- codes ---------------------------------------------------------------------
def named_codes() -> Iterator[tuple[str, int, str, str, set[str] | None]]:
    """(file, line, who, code, details) of each code that the code names; details: None where not literal."""
    for path in sorted([*(ROOT / "tasks").rglob("*.py"), *(ROOT / "flows").rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (one := _code(node)) is not None:
                who, code, details = one
                yield path.relative_to(ROOT).as_posix(), node.lineno, who, code, details


def _code(call: ast.Call) -> tuple[str, str, set[str] | None] | None:
    who = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    place = {"Trouble": 0, "Note": 0, "Verdict": 1}.get(who)
    if place is None or len(call.args) <= place:
        return None
    code = call.args[place]
    if not (isinstance(code, ast.Constant) and isinstance(code.value, str) and code.value):
        return None
    if who == "Trouble":
        keys = [k.arg for k in call.keywords]
        return who, code.value, None if None in keys else {k for k in keys if k}
    rest = call.args[place + 1] if len(call.args) > place + 1 else ast.Dict(keys=[], values=[])
    if isinstance(rest, ast.Dict) and all(isinstance(k, ast.Constant) for k in rest.keys):
        return who, code.value, {str(k.value) for k in rest.keys if isinstance(k, ast.Constant)}
    return who, code.value, None


Named = list[tuple[str, int, str, str, set[str] | None]]


@pytest.fixture(scope="module")
def named() -> Named:
    return list(named_codes())


def test_the_search_for_codes_finds_them(named: Named) -> None:
    assert {who for _, _, who, _, _ in named} == {"Trouble", "Note", "Verdict"}
    assert len(named) > 50


def test_every_code_that_the_code_names_has_a_row_in_the_table(named: Named) -> None:
    unknown = [f"{file}:{line} {code}" for file, line, _, code, _ in named if code not in codes.CODES]
    assert not unknown, "no row in tasks/premis/codes.toml for " + ", ".join(unknown)


def test_whoever_names_a_code_fills_the_holes_of_its_message(named: Named) -> None:
    open_holes = [
        f"{file}:{line} {code} lacks {', '.join(sorted(codes.code(code).holes - details))}"
        for file, line, _, code, details in named
        if code in codes.CODES and details is not None and not codes.code(code).holes <= details
    ]
    assert not open_holes, "\n".join(open_holes)


def test_a_note_is_a_note_and_a_refusal_is_none(named: Named) -> None:
    wrong = [
        f"{file}:{line} {who} {code}"
        for file, line, who, code, _ in named
        if code in codes.CODES and who == "Trouble" and codes.code(code).word in ("done", "kept", codes.NOTE)
    ]
    assert not wrong, ", ".join(wrong)


def test_every_outcome_of_premis_is_used_by_a_code() -> None:
    assert {c.premis for c in codes.CODES.values()} == set(Outcome)


# --- versions ------------------------------------------------------------------
def test_a_change_of_an_action_or_validator_is_either_bumped_or_said_to_give_the_same() -> None:
    if told := versions.faults(versions.present(), versions.recorded()):
        lines = [f"tasks/{name.replace('.', '/')}.py {what}" for name, what in told.items()]
        pytest.fail("\n".join(lines), pytrace=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for folder in ("actions", "validators", "sealed"):
        shutil.copytree(ROOT / "tasks" / folder, tmp_path / "tasks" / folder)
    return tmp_path


def edit(checkout: Path, file: str, text: str) -> None:
    path = checkout / "tasks" / file
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("actions/text_to_pdfa.py", {"actions.text_to_pdfa"}),
        ("sealed/plain_text.py", {"actions.text_to_pdfa"}),
        ("actions/office_filters.toml", {"actions.office_to_pdfa"}),
    ],
)
def test_the_digest_sees_the_module_the_sealed_code_it_calls_and_their_data(
    checkout: Path, file: str, changed: set[str]
) -> None:
    before = versions.present(checkout)
    edit(checkout, file, "\nextra_key_1 = 1\n")
    after = versions.present(checkout)
    assert {name for name in after if after[name] != before[name]} >= changed
    assert after["actions.keep"] == before["actions.keep"]


def test_a_comment_or_docstring_changes_no_digest(checkout: Path) -> None:
    before = versions.present(checkout)
    edit(checkout, "actions/keep.py", "\n# a word\n")
    assert versions.present(checkout) == before


def test_code_that_changed_under_the_same_version_is_told_with_both_ways_out() -> None:
    then = {"actions.keep": versions.Entry("1", "a")}
    (told,) = versions.faults({"actions.keep": versions.Entry("1", "b")}, then).values()
    assert "--same-output actions.keep" in told
    assert "--bumped actions.keep" in told
    assert "tasks/actions/keep.py" in told


def test_bumped_is_refused_while_the_version_is_the_old_one() -> None:
    then = {"actions.keep": versions.Entry("1", "a")}
    with pytest.raises(ValueError, match="still 1"):
        versions.accept({"actions.keep": versions.Entry("1", "b")}, then, bumped=True)
    now = {"actions.keep": versions.Entry("2", "b")}
    assert versions.accept(now, then, bumped=True) == now
    with pytest.raises(ValueError, match="--bumped"):
        versions.accept(now, then, bumped=False)


# --- no byte outside the door ----------------------------------------------------
IMPORT_ALL = """
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
print(json.dumps(list(sys.modules)))
"""


def unsealed() -> list[str]:
    """Every module that the process of a flow may import: all but sealed code and the programs of the residents."""
    files = [p.relative_to(ROOT).with_suffix("") for f in ("flows", "tasks") for p in (ROOT / f).rglob("*.py")]
    names = {".".join(p.parts).removesuffix(".__init__") for p in files}
    outside = ("tasks.sealed", "tasks.tools.resident.program")
    flows = ["flows.nightly", "flows.batch", "flows.reprocess", "flows.verify", "flows.command.app"]
    return [*flows, *sorted(n for n in names - set(flows) if not n.startswith(outside))]


@pytest.mark.slow
def test_the_process_of_a_flow_never_loads_a_parser(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    environment = {
        **os.environ,
        "PERENNE_HOME": str(tmp_path / "home"),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    }
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps(unsealed())],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert {f"tasks.actions.{name}" for name in found("actions")} <= set(loaded)
    assert sorted({m.partition(".")[0] for m in loaded} & PARSERS) == []
    assert [m for m in loaded if m.startswith("tasks.sealed.")] == []


# --- what no file holds ----------------------------------------------------------
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("deb", "debian", "org"),
        ("registry", "npmjs", "org"),
        ("conda", "anaconda", "org"),
        ("repo1", "maven", "org"),
        ("crates", "io"),
    )
]
MACHINE = re.compile(rb"(?<![\w.~}$/*-])/(?:" + b"|".join((b"root", b"work", b"home" + rb"/[a-z]\w*")) + rb")/\w")


def tracked() -> list[Path]:
    """The files that git knows, or would be told of: those it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    if listed.returncode:
        pytest.skip("not a checkout")
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def test_no_file_names_the_host_of_a_registry() -> None:
    hosts = re.compile("|".join(map(re.escape, REGISTRIES)).encode())
    seen = [
        f"{path.relative_to(ROOT)}: {m[0].decode()}" for path in tracked() if (m := hosts.search(path.read_bytes()))
    ]
    assert not seen, "\n".join(seen)


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    seen = [
        f"{path.relative_to(ROOT)}: {m[0].decode()}" for path in tracked() if (m := MACHINE.search(path.read_bytes()))
    ]
    assert not seen, "\n".join(seen)


@pytest.mark.parametrize(
    ("before", "folder", "after", "bad"),
    [
        (b'open("', b"root", b"/x", True),
        (b"=", b"work", b"/main", True),
        (b"", b"home", b"/anna/x", True),
        (b"$HOME", b"work", b"/x", False),
        (b"~", b"work", b"/jobs", False),
        (b"perenne", b"work", b"/jobs", False),
        (b"", b"home", b"/<you>/x", False),
    ],
)
def test_a_path_of_a_machine_is_told_from_one_below_a_home(
    before: bytes, folder: bytes, after: bytes, bad: bool
) -> None:
    assert bool(MACHINE.search(before + b"/" + folder + after)) is bad
