"""Read a policy file and refuse every mistake, all at once, with the line and the mend, before a file is touched."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from tasks.config.faults import Fault, near, told, written
from tasks.config.home import Home
from tasks.config.settings import broken
from tasks.facts import NAMES as FACTS
from tasks.policy import modules
from tasks.policy.rules import ANY, Check, Condition, Policy, Rule, digest
from tasks.premis.model import Limits

DEFAULT = Path(__file__).with_name("default.toml")
PUID = re.compile(r"(x-)?fmt/[1-9][0-9]*\Z")
RULE_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
COLUMNS = ("id", "puids", "when", "purpose", "target", "action", "parameters", "validators", "limits", "because")
REQUIRED = ("id", "puids", "purpose", "action", "because")
PURPOSES = ("preservation", "transcription")
TEXTS = ("id", "purpose", "target", "action", "because")
KINDS: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes"}
"""A type as a person writes it in TOML."""


class PolicyError(Exception):
    """A policy that cannot be used; its text lists every fault and says that no file was touched."""

    def __init__(self, name: str, faults: Iterable[Fault]) -> None:
        self.name, self.faults = name, tuple(faults)
        super().__init__(told(name, self.faults))


def find(name: str, home: Home | None) -> Path:
    """The file of a policy: a path, a NAME.toml of the home's policies, or `default`. Raises PolicyError."""
    own = [] if home is None else [home.policies / f"{name}.toml"]
    for path in (*own, Path(name)):
        if path.is_file():
            return path
    for path in own:
        if path.is_symlink() or path.exists():  # the archive's own rules are meant, and not ours of the same name
            raise PolicyError(name, [Fault(0, "", f"{path} is not a file", "Put the policy there as a plain file.")])
    if name == "default":
        return DEFAULT
    raise PolicyError(
        name, [Fault(0, "", f"policy {written(name)} is not there", f"Name a file, or put {name}.toml into policies/.")]
    )


def load(path: Path) -> Policy:
    """The policy of one TOML file. Raises PolicyError with every fault at once."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as e:
        raise PolicyError(path.name, [broken(e)]) from e
    rows = table.get("rule", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        line = next((n for n, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[?\s*rule\b", line)), 1)
        raise PolicyError(path.name, [Fault(line, "", "rule is no list of tables", "Write [[rule]] above each rule.")])
    reader = _Reader(path.name, _lines(text))
    rules = [reader.rule(number, row) for number, row in enumerate(rows)]
    reader.whole(table, [r for r in rules if r is not None])
    if reader.faults:
        raise PolicyError(path.name, reader.faults)
    good = tuple(r for r in rules if r is not None)
    return Policy(str(table["id"]), digest([r.digest for r in good]), good)


def _lines(text: str) -> list[dict[str, int]]:
    """For each `[[rule]]` the line of its header (under "") and of each of its keys."""
    rows: list[dict[str, int]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip().startswith("[[rule]]"):
            rows.append({"": number})
        elif rows and (key := re.match(r"\s*([A-Za-z_]+)\s*=", line)):
            rows[-1].setdefault(key[1], number)
    return rows


class _Reader:
    """Turns rows into rules and gathers faults instead of stopping at the first."""

    def __init__(self, name: str, lines: list[dict[str, int]]) -> None:
        self.name, self.lines = name, lines
        self.faults: list[Fault] = []

    def fault(self, number: int, row: Mapping[str, Any], key: str, seen: str, mend: str) -> None:
        lines = self.lines[number] if number < len(self.lines) else {"": 0}
        self.faults.append(Fault(lines.get(key, lines[""]), str(row.get("id", number + 1)), seen, mend))

    def rule(self, number: int, row: Mapping[str, Any]) -> Rule | None:
        before = len(self.faults)
        for key, seen, mend in _row_faults(row):
            self.fault(number, row, key, seen, mend)
        return None if len(self.faults) > before else _rule(row)

    def whole(self, table: Mapping[str, Any], rules: list[Rule]) -> None:
        """What no single row can tell: the policy's id, doubles, the `*` row."""
        if not isinstance(table.get("id"), str) or not table["id"]:
            self.faults.append(Fault(1, "", "the policy has no id", 'Write id = "name-1" on the first line.'))
        for key in set(table) - {"id", "rule"}:
            self.faults.append(Fault(1, "", f"unknown key {key}", "A policy has an id and [[rule]] tables."))
        if not any(ANY in r.puids for r in rules) and not self.faults:
            self.faults.append(Fault(1, "", 'no rule for "*"', 'Add a rule with puids = ["*"] and action = "keep".'))
        seen: dict[object, str] = {}
        ids: set[str] = set()
        for number, rule in enumerate(rules):
            if rule.id in ids:
                self.fault(number, {"id": rule.id}, "id", f"id {rule.id} stands twice", "Give one of them another id.")
            ids.add(rule.id)
            for puid in sorted(rule.puids):
                answers = (puid, rule.purpose, rule.target, tuple(sorted((k, v) for k, v in rule.when.items())))
                if answers in seen:
                    other = seen[answers]
                    self.fault(
                        number,
                        {"id": rule.id},
                        "puids",
                        f"{puid} is answered by {other} too",
                        "Remove it from one of them, or add a `when`.",
                    )
                seen[answers] = rule.id


def _row_faults(row: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Every fault of one row as (key, what was seen, what to write)."""
    for key in row:
        if key not in COLUMNS:
            yield key, f"unknown column {key}", near(key, COLUMNS)
    strange = {key for key in TEXTS if not isinstance(row.get(key, ""), str)}
    for key in TEXTS:
        if key in strange:
            yield key, f"{key} = {written(row[key])}", f"Write {KINDS[str]}."
    row = {key: value for key, value in row.items() if key not in strange}
    for key in REQUIRED:
        if not row.get(key) and key not in strange:
            yield key, f"{key} is missing", f"Write {key} = …; a rule without it cannot be explained later."
    if (ident := row.get("id")) and not RULE_ID.match(str(ident)):
        yield "id", f'id = "{ident}"', "Use small letters, digits and hyphens: it becomes part of file names."
    yield from _puid_faults(row)
    if (purpose := row.get("purpose")) and purpose not in PURPOSES:
        yield "purpose", f'purpose = "{purpose}"', near(str(purpose), PURPOSES)
    yield from _when_faults(row.get("when", {}))
    yield from _action_faults(row)
    yield from _check_faults(row.get("validators", {}))
    yield from _limit_faults(row.get("limits", {}))


def _puid_faults(row: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    puids = row.get("puids", [])
    if not isinstance(puids, list):
        yield "puids", f"puids = {written(puids)}", 'Write a list: puids = ["fmt/18"].'
        return
    for puid in puids:
        if puid != ANY and not PUID.match(str(puid)):
            yield "puids", f"puids has {written(puid)}", 'A PUID looks like "fmt/18" or "x-fmt/111".'
    if ANY in puids and (len(puids) > 1 or row.get("when")):
        yield "puids", '"*" with others', 'The "*" row stands alone and has no `when`.'
    if (target := row.get("target")) and not PUID.match(str(target)):
        yield "target", f"target = {written(target)}", 'Write the PUID of what comes out, as "fmt/477".'


def _when_faults(when: object) -> Iterator[tuple[str, str, str]]:
    if not isinstance(when, Mapping):
        yield "when", f"when = {written(when)}", "Write a table: when = { scanned = true }."
        return
    for name, value in when.items():
        if name not in FACTS:
            yield "when", f"fact {name} is not known", near(str(name), tuple(FACTS))
        for one in value if isinstance(value, list) else [value]:
            if name in FACTS and type(one) is not FACTS[name]:
                yield "when", f"{name} = {written(one)}", f"Write {KINDS[FACTS[name]]}."


def _action_faults(row: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    action = row.get("action")
    if not action:
        return
    if action not in modules.actions():
        yield "action", f'action = "{action}"', near(str(action), modules.actions())
        return
    yield from _parameter_faults(
        "parameters", modules.schema(modules.action(str(action)).migrate), row.get("parameters", {})
    )
    if action != "keep" and not row.get("target"):
        yield "target", "target is missing", "Name the PUID of what comes out."


def _check_faults(checks: object) -> Iterator[tuple[str, str, str]]:
    if not isinstance(checks, Mapping):
        yield "validators", f"validators = {written(checks)}", "Write a table: validators = { pdfa = {}, text = {} }."
        return
    for name, parameters in checks.items():
        if name not in modules.validators():
            yield "validators", f"validator {name} is not known", near(str(name), modules.validators())
        elif not isinstance(parameters, Mapping):
            yield "validators", f"{name} = {written(parameters)}", f"Write {name} = {{}} or its thresholds."
        else:
            yield from _parameter_faults(
                "validators", modules.schema(modules.validator(str(name)).validate), parameters
            )


def _limit_faults(limits: object) -> Iterator[tuple[str, str, str]]:
    schema = {f.name: (int, float) if f.name == "wall_s" else int for f in fields(Limits)}
    if not isinstance(limits, Mapping):
        yield "limits", f"limits = {written(limits)}", "Write a table: limits = { wall_s = 300 }."
        return
    for name, value in limits.items():
        if name not in schema:
            yield "limits", f"limit {name} is not known", near(str(name), tuple(schema))
        elif isinstance(value, bool) or not isinstance(value, schema[name]) or value <= 0:
            yield "limits", f"{name} = {written(value)}", "Write a number above zero."


def _parameter_faults(
    key: str, schema: Mapping[str, inspect.Parameter], given: object
) -> Iterator[tuple[str, str, str]]:
    if not isinstance(given, Mapping):
        yield key, f"{key} = {written(given)}", "Write a table."
        return
    for name, value in given.items():
        if name not in schema:
            yield key, f"{name} = {written(value)}", near(str(name), tuple(schema))
        elif mend := _wrong(value, schema[name].annotation):
            yield key, f"{name} = {written(value)}", mend
    for name, parameter in schema.items():
        if parameter.default is inspect.Parameter.empty and name not in given:
            yield key, f"{name} is missing", f"Write {name} = {KINDS.get(parameter.annotation, '…')}."


def _wrong(value: object, wanted: Any) -> str:
    """How to mend a value that is not of the wanted type or not one of the wanted words; empty when it is."""
    if get_origin(wanted) is Literal:
        return "" if value in get_args(wanted) else near(str(value), get_args(wanted))
    return "" if type(value) is wanted else f"Write {KINDS.get(wanted, wanted.__name__)}."


def _rule(row: Mapping[str, Any]) -> Rule:
    """A rule from a row without faults, every default filled in, so that its digest covers them."""
    action = modules.action(row["action"])
    values = {
        "id": row["id"],
        "puids": sorted(row["puids"]),
        "when": {k: v if isinstance(v, list) else [v] for k, v in row.get("when", {}).items()},
        "purpose": row["purpose"],
        "target": row.get("target", ""),
        "action": row["action"],
        "parameters": _filled(modules.schema(action.migrate), row.get("parameters", {})),
        "checks": [
            [name, _filled(modules.schema(modules.validator(name).validate), given)]
            for name, given in row.get("validators", {}).items()
        ],
    }
    limits = Limits(**row.get("limits", {}))
    when: Condition = {k: tuple(v) for k, v in values["when"].items()}
    return Rule(
        id=values["id"],
        puids=frozenset(values["puids"]),
        when=when,
        purpose=values["purpose"],
        target=values["target"],
        action=values["action"],
        parameters=values["parameters"],
        checks=tuple(Check(name, parameters) for name, parameters in values["checks"]),
        limits=limits,
        because=row["because"],
        # A reason reworded or more PUIDs in the list change nothing about a file that is done;
        # more memory or time may, so the limits count.
        digest=digest(
            {k: v for k, v in values.items() if k != "puids"}
            | {"limits": [str(limits.wall_s), limits.memory_bytes, limits.output_bytes, limits.processes]}
        ),
    )


def _filled(schema: Mapping[str, inspect.Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given.get(name, parameter.default) for name, parameter in schema.items()}
