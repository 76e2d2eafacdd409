"""Write the pages that the code itself knows best: policy.md, codes.md, events.md, cli.md, settings.md.

.venv/bin/python docs/make.py            write them
.venv/bin/python docs/make.py --check    exit 1 when one of them is not what the code says today
"""

from __future__ import annotations

import importlib.util
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import typer.main

import tasks.facts
from flows.command.app import cli
from tasks.config.faults import written
from tasks.config.settings import ALLOWED, Settings
from tasks.policy import modules
from tasks.policy.load import DEFAULT, load
from tasks.policy.rules import ANY, Policy, Rule
from tasks.premis import codes, columns
from tasks.premis.model import Ending, EventType, Limits, Outcome
from tasks.pronom import names
from tasks.report import phrases
from tasks.report.summary import ASCII, SHAPES
from tasks.words import text

DOCS = Path(__file__).resolve().parent
MARK = "<!-- Written by docs/make.py from the code; change the code, then run it again. -->"
WIDTH = 100

COLUMNS = {
    "event_id": "the event; random (UUID version 4)",
    "event_type": "a term of the Library of Congress; see below",
    "event_datetime": "when the act began, UTC, microseconds",
    "outcome": "`success`, `warning` or `fail`",
    "outcome_code": "a row of [codes.md](codes.md); null where nothing needs to be said",
    "outcome_detail": "JSON, text to text: fills the holes of the code's message, and what else was found; see below",
    "ending": "on the one event that says how a (file, rule) ended; null on all others",
    "rule": "the rule's id; null where no rule was involved",
    "policy": "the policy's id",
    "asked": "SHA-256 of everything that shaped the result besides the bytes; equal means: need not be done again",
    "run_id": "the run: the id of the outermost Prefect flow run",
    "aip_id": "the AIP: `uuid5` of the batch's name",
    "seq": "counts the events of one AIP in one run",
    "duration_ms": "how long the act took",
    "object_id": "the source in one state: `uuid5(aip_id, path + newline + sha256)`; null for events about a whole AIP",
    "object_path": "the source's logical path",
    "agents": "programs, libraries and our own modules that acted, each with its exact version",
    "objects": "the source, and with role `outcome` what was made or judged; `sha256` is null for what never came in",
    "measures": "figures that an action or a validator took; of an ending also `cpu`, the CPU seconds of its job with all "
    "programs and checks; values are decimal text",
    "schema_version": "raised when columns are added; the schema never changes otherwise",
}
TYPES = {
    EventType.INGESTION: "an original was copied from the inbox and stored, or could not be",
    EventType.DIGEST: "its SHA-256 (in the object) and SHA-512 (in the detail)",
    EventType.IDENTIFICATION: "PRONOM's answer by Siegfried, and FIDO's beside it",
    EventType.EXTRACTION: "the facts that rules ask for, as JSON in `facts`; or why they could not be had",
    EventType.NORMALIZATION: "a rule was applied to this file for the first time in this AIP",
    EventType.MIGRATION: "the same rule again: after a change of the file, the rule or the code, or on demand",
    EventType.POLICY: "the file is kept: the original is the master",
    EventType.VALIDATION: "one check of one product, comparison with its source included; `check` names the validator",
    EventType.CREATION: "a transcript was made besides the master",
    EventType.FIXITY: "every stored byte of an AIP was read and compared with its digest",
}
DETAILS = (
    ("ingestion: of a file", "`batch`; `name_bytes` (hexadecimal) where the received name is not the logical path; "
     "the holes of the code"),
    ("ingestion: of a delivery", "`batch`, `delivery` (where it lay), the `version` that it makes; how many files are "
     "`new`, `changed`, the `same` as before; `empty_folders`, where it has some; `listing`: a digest of its names and "
     "sizes; `before`, `before_from`: when and from where the batch came before. What a killed run told is not told again: "
     "the run that goes on names that event with `takes_up`"),
    ("ingestion: of an archive", "`container` (its name), `size`, `sha256`, `sha512`"),
    ("ingestion: of a changed description", "`batch`; of `title`, `producer`, `languages`, `part` those that there are"),
    ("ingestion: of a delivery that is refused", "`batch`, the holes of the code, `faults` (the first 1,000, a line for "
     "each); when it is taken after all and nothing in it is new, one more with `batch` alone"),
    ("message digest calculation", "`sha512`"),
    ("format identification", "`puid`, `format`, `format_version`, `mime`, `basis`, `warning`, `others`, `release`; "
     "`fido`, `fido_basis`, `fido_release`, `fido_agrees`"),
    ("metadata extraction", "`facts`: a JSON object; the names are in [policy.md](policy.md)"),
    ("normalization, migration, policy assignment", "the holes of the code; `note CODE`: each note as a sentence"),
    ("validation", "`check`, and the holes of the code; of a bag `check` (`bagit`), `bagit_version`, `algorithms`, "
     "`files` (how many it lists)"),
)  # fmt: skip
FLOW = """\
## How one file and one rule become events

1. `ingestion` and `message digest calculation`, when the file comes in.
2. `format identification` and `metadata extraction`, once for each state of the file.
3. One `validation` for each check of each master that the rule's action made, in the order of the policy.
4. `creation`, when a transcript is published.
5. The event with the `ending`: `normalization` the first time, `migration` when this rule had an ending for this file
   before, `policy assignment` when the original is kept. Its agents are those of the action; its objects are the source
   and every published product.

A file that cannot be stored has one `ingestion` with outcome `fail` and an ending, and no rule.
A file whose facts cannot be had goes straight to step 5.

The work is settled when its last ending is `done`, `kept`, `held` or `failed` under the same `asked`; `done` only while
the store holds the products. `waiting` is not settled; the third `waiting` in a row counts as `failed`.
"""


# --- Markdown --------------------------------------------------------------------
def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar in a cell would end it, so it is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def page(title: str, *parts: str) -> str:
    """A page with its heading and the mark of a written page."""
    return "\n\n".join([f"# {title}", MARK, *(part.strip("\n") for part in parts)]) + "\n"


# --- policy.md -------------------------------------------------------------------
@cache
def formats() -> Mapping[str, tuple[str, str]]:
    """PUID → (name, version), as FIDO's copy of PRONOM has them; read as data, FIDO itself is not loaded."""
    spec = importlib.util.find_spec("fido")
    assert spec is not None
    assert spec.origin is not None
    (path,) = (Path(spec.origin).parent / "conf").glob("formats-v*.xml")
    return {
        row.findtext("puid", ""): (row.findtext("name", ""), row.findtext("version") or "")
        for row in ET.parse(path).getroot().iter("format")  # noqa: S314  a file of the package
    }


def policy_page() -> str:
    """Every rule of the default policy, and the facts that a rule may ask for."""
    policy = load(DEFAULT)
    return page(
        "The default policy",
        f"`{policy.id}`, from [tasks/policy/default.toml](../tasks/policy/default.toml). Each rule answers for the "
        "formats that it names, by PRONOM's PUID. A file gets one rule for each purpose and target: the one with "
        'the most conditions that fit. The rule with `"*"` answers where no other does. '
        "[operate.md](operate.md) says how to write a policy of your own.",
        "## All rules",
        _overview(policy),
        *(_rule(rule) for rule in policy.rules),
        "## Facts",
        "A rule's `when` may ask for these and no others. A fact that a file does not have fits no condition.",
        table(("fact", "type", "of", "values"), _facts()),
        "## Actions and validators",
        "A rule's `parameters` and the values beside a validator are the keyword parameters of these modules.",
        table(("module", "version", "parameters with their defaults", "what it is"), _modules()),
    )


def _overview(policy: Policy) -> str:
    return table(
        ("rule", "when", "action", "becomes", "because"),
        ((f"[{r.id}](#{r.id})", _when(r), f"`{r.action}`", _target(r), r.because) for r in policy.rules),
    )


def _target(rule: Rule) -> str:
    return names.name(rule.target) if rule.target else "the original"


def _when(rule: Rule) -> str:
    return ", ".join(f"`{name}` is {' or '.join(map(_value, values))}" for name, values in rule.when.items())


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'


def _rule(rule: Rule) -> str:
    rows = [("purpose", rule.purpose), ("action", _called(f"`{rule.action}`", rule.parameters))]
    if rule.target:
        rows.append(("becomes", f"{names.name(rule.target)} ({rule.target})"))
    if rule.when:
        rows.append(("when", _when(rule)))
    if rule.checks:
        rows.append(("checked by", ", ".join(_called(f"`{c.validator}`", c.parameters) for c in rule.checks)))
    rows.append(("limits of a job", _limits(rule.limits)))
    formats_ = [] if ANY in rule.puids else ["Formats: " + _formats(rule.puids)]
    return "\n\n".join([f"### {rule.id}", table(("", ""), rows), *formats_])


def _called(name: str, parameters: Mapping[str, object]) -> str:
    inside = ", ".join(f"{key} = {_value(value)}" for key, value in parameters.items())
    return f"{name} ({inside})" if inside else name


def _limits(limits: Limits) -> str:
    gib = 1 << 30
    return (
        f"{limits.wall_s:g} s, {limits.memory_bytes / gib:g} GiB of memory, {limits.output_bytes / gib:g} GiB "
        f"of output, {limits.processes} processes"
    )


def _formats(puids: Iterable[str]) -> str:
    """Formats by name, each with its versions and PUIDs; a PUID younger than the list stands alone at the end."""
    by_name: dict[str, list[str]] = {}
    for puid in sorted(puids, key=_number):
        name, version = formats().get(puid, ("", ""))
        by_name.setdefault(name, []).append(f"{version} {puid}".strip())
    alone = by_name.pop("", [])
    return " · ".join([*(f"{name} ({', '.join(rows)})" for name, rows in by_name.items()), *alone])


def _number(puid: str) -> tuple[str, int]:
    kind, _, number = puid.partition("/")
    return kind, int(number)


def _facts() -> Iterator[tuple[str, str, str, str]]:
    """(name, type, group, values) from the table in tasks/facts/__init__.py and its comments."""
    source = Path(tasks.facts.__file__).read_text(encoding="utf-8").partition("NAMES:")[2].partition("\n}")[0]
    group, told = "", {}
    for line in source.splitlines():
        if match := re.fullmatch(r"\s*#\s*(.+)", line):
            group = match[1]
        elif match := re.fullmatch(r'\s*"(\w+)": (\w+),(?:\s*#\s*(.+))?', line):
            told[match[1]] = (match[1], match[2], group, match[3] or "")
    assert told.keys() == tasks.facts.NAMES.keys(), "a line of tasks.facts.NAMES was not understood"
    yield from ((f"`{name}`", kind, of, values) for name, kind, of, values in told.values())


def _modules() -> Iterator[tuple[str, str, str, str]]:
    for name in sorted(modules.actions()):
        yield _module("action", name, modules.action(name), modules.action(name).migrate)
    for name in sorted(modules.validators()):
        yield _module("validator", name, modules.validator(name), modules.validator(name).validate)


def _module(
    kind: str, name: str, module: modules.Action | modules.Validator, function: Callable[..., object]
) -> tuple[str, str, str, str]:
    schema = modules.schema(function)
    parameters = ", ".join(f"{key} = {_value(p.default)}" for key, p in schema.items())
    return f"{kind} `{name}`", module.VERSION, parameters, (module.__doc__ or "").strip().split("\n", 1)[0]


# --- codes.md --------------------------------------------------------------------
def codes_page() -> str:
    """Every code with its texts."""
    rows = list(codes.CODES.values())
    return page(
        "Codes",
        "Everything that Perenne says about a file, from [tasks/premis/codes.toml](../tasks/premis/codes.toml). A code "
        "never changes its name, word or outcome; its texts may get better. `{…}` is filled from the event's detail.",
        "A file ends as one of these words. *Needs a person* is held and failed; *in good order* is done and kept, "
        "with or without a note.",
        table(
            ("word", "shape", "means"),
            [
                *((e.value, f"{SHAPES[e]} `{ASCII[e]}`", phrases.means(e)) for e in Ending),
                ("note", "", "done or kept, with something worth knowing"),
            ],
        ),
        "## English",
        table(
            ("word", "code", "PREMIS outcome", "what was seen", "what to do"),
            ((c.word, f"`{c.code}`", c.premis.value, c.en.message + _stored(c), c.en.advice) for c in rows),
        ),
        "## Tiếng Việt",
        table(("mã", "điều đã thấy", "việc cần làm"), ((f"`{c.code}`", *c.vi) for c in rows)),
        "## Français",
        table(("code", "constat", "que faire"), ((f"`{c.code}`", *c.fr) for c in rows)),
    )


def _stored(code: codes.Code) -> str:
    return "" if code.stored else " *(The file is not in the store.)*"


# --- events.md -------------------------------------------------------------------
def events_page() -> str:
    """The columns of the log and what an event means."""
    assert COLUMNS.keys() == set(columns.SCHEMA.names), "COLUMNS in docs/make.py does not name the schema's columns"
    assert TYPES.keys() == set(EventType), "TYPES in docs/make.py does not name every event type"
    rows = [c for c in codes.CODES.values() if c.word != codes.NOTE]
    used = {o: ", ".join(f"`{c.code}`" for c in rows if c.premis is o) for o in Outcome}
    return page(
        "Events",
        "One row of the log is one PREMIS event: one act on one file, done, warned or failed. The log is Parquet; "
        "[queries.md](queries.md) asks it with DuckDB alone. Each AIP version carries its own events, as "
        "`metadata/events/vN.parquet` with the same columns and as PREMIS 3.0 in `metadata/premis/vN.xml`.",
        "## Columns",
        table(("column", "type", "meaning"), ((f"`{f.name}`", _type(f.type), COLUMNS[f.name]) for f in columns.SCHEMA)),
        "## Event types",
        table(("event_type", "recorded when"), ((kind.value, TYPES[kind]) for kind in EventType)),
        "## outcome_detail",
        table(("event_type", "keys"), DETAILS),
        "## Outcomes and endings",
        table(("outcome", "codes of that outcome"), [
            (Outcome.SUCCESS.value, used[Outcome.SUCCESS]),
            (Outcome.WARNING.value, f"every note; {used[Outcome.WARNING]}"),
            (Outcome.FAIL.value, used[Outcome.FAIL]),
        ]),
        table(("ending", "means"), ((e.value, phrases.means(e)) for e in Ending)),
        FLOW,
    )  # fmt: skip


def _type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return "list of (" + ", ".join(f"`{f.name}` {_type(f.type)}" for f in kind.value_type) + ")"
    plain = {"extension<arrow.uuid>": "UUID", "timestamp[us, tz=UTC]": "timestamp, µs, UTC"}
    return plain.get(str(kind), str(kind))


# --- cli.md ----------------------------------------------------------------------
def cli_page() -> str:
    """The help of every verb, as `--help` prints it."""
    return page(
        "The perenne command",
        "Exit codes: 0 all good · 1 something in what was named needs a person · 2 wrong use, settings or policy · "
        "3 the machine, a disk, the store or the log has to be mended · 130 stopped by you. Every answering verb has "
        "`--json`: the answer on stdout, progress on stderr.",
        *(f"## {name}\n\n{_fenced(text)}" if name else _fenced(text) for name, text in helps().items()),
    )


def helps() -> dict[str, str]:
    """The help of every verb by its name; "" is that of the command itself."""
    root = _context(typer.main.get_command(cli), "perenne")
    return {name: context.command.get_help(context) for name, context in [("", root), *_verbs(root)]}


def verbs() -> list[str]:
    """Every verb, those of a group with their group: `run`, `policy show`."""
    return [name for name in helps() if name]


def _context(command: Any, name: str, parent: Any = None) -> Any:
    """What a command's help is printed in; Typer brings a Click of its own, so the command says which class that is."""
    return command.context_class(command, info_name=name, parent=parent, terminal_width=WIDTH, color=False)


def _verbs(context: Any) -> Iterator[tuple[str, Any]]:
    """(verb, its context) of all that lies below a group, groups themselves left out."""
    for name, command in getattr(context.command, "commands", {}).items():
        inner = _context(command, name, context)
        if getattr(command, "commands", None):
            yield from _verbs(inner)
        else:
            yield inner.command_path.removeprefix("perenne "), inner


def _fenced(text: str) -> str:
    return "```text\n" + re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE) + "\n```"


# --- settings.md -----------------------------------------------------------------
def settings_page() -> str:
    """Every setting with its default, what is allowed and what it does."""
    defaults = Settings()
    rows = (
        (f"`{name}`", f"`{written(getattr(defaults, name))}`", allowed.told, text(allowed.means))
        for name, allowed in ALLOWED.items()
    )
    return page(
        "Settings",
        "What `perenne.toml` in the home folder may say. All may be missing. `perenne config show` prints the values in "
        "force and where each comes from. A file with a mistake is refused as a whole, with every mistake, its line and "
        "what may stand there; no file is touched then.",
        table(("setting", "default", "allowed", "what it does"), rows),
        "With `--json` each setting has `name`, `value`, `default`, `source` (`default` or `perenne.toml`), `line`, "
        "`least`, `most`, `one_of`, `allowed` and `means`.",
    )


# --- all -------------------------------------------------------------------------
def pages() -> dict[Path, str]:
    """Every written page with its text."""
    made = {
        "policy.md": policy_page,
        "codes.md": codes_page,
        "events.md": events_page,
        "cli.md": cli_page,
        "settings.md": settings_page,
    }
    return {DOCS / name: make() for name, make in made.items()}


def stale() -> list[str]:
    """The names of the pages that are not what the code says."""
    return [p.name for p, text in pages().items() if not p.is_file() or p.read_text(encoding="utf-8") != text]


def main(arguments: Sequence[str]) -> int:
    """Write, or with `--check` only look; returns the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write((__doc__ or "") + "\n")
        return 2
    if arguments:
        for name in (found := stale()):
            sys.stderr.write(f"docs/{name} is not what the code says. Run: .venv/bin/python docs/make.py\n")
        return 1 if found else 0
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
