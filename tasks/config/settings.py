"""What `perenne.toml` may say: every setting with its default, what is allowed, and the text that says what it does."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tasks.config.faults import Fault, near, told, written
from tasks.words import LANGUAGES, Language, number, text

FILE = "perenne.toml"
LONGEST = 200
"""So many characters of what was read are shown."""
_MANY = 1_000_000_000
_NAME = r"[A-Za-z0-9]+([_/][A-Za-z0-9]+)*"


class ConfigError(Exception):
    """`perenne.toml` cannot be used; the message lists every fault with its line and its mend."""

    def __init__(self, path: Path, faults: tuple[Fault, ...]) -> None:
        self.path, self.faults = path, faults
        super().__init__(told(path, faults))


@dataclass(frozen=True, slots=True)
class Settings:
    """What `perenne.toml` may say; every key has a default."""

    policy: str = "default"
    languages: str = "vie+eng"
    lang: Language = "en"
    """What people read: messages, pages, forms."""
    aip_max_files: int = 10_000
    archive_max_gb: int = 500
    archive_max_ratio: int = 100
    archive_max_files: int = 1_000_000
    inbox_quiet_minutes: int = 30
    verify_days: int = 30
    chunk_files: int = 64
    reserve_gb: int = 1
    server_port: int = 4200
    reports_port: int = 4201


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one setting may be: a number `between` two others, `one_of` these words, or a text of a form.

    `means` is the text of the catalogue that says what the setting does, `form` the one that describes the form.
    """

    means: str
    between: tuple[int, int] | None = None
    one_of: tuple[str, ...] = ()
    pattern: str = ""
    form: str = ""

    @property
    def told(self) -> str:
        """What is allowed, in the language in force."""
        if self.between:
            return text("setting-between", least=number(self.between[0]), most=number(self.between[1]))
        return ", ".join(map(written, self.one_of)) if self.one_of else text(self.form)


ALLOWED: Mapping[str, Allowed] = MappingProxyType(
    {
        "policy": Allowed("setting-policy", pattern=r"[^\x00-\x1f]+", form="setting-a-policy"),
        "languages": Allowed("setting-languages", pattern=rf"{_NAME}(\+{_NAME})*", form="setting-tesseract"),
        "lang": Allowed("setting-lang", one_of=LANGUAGES),
        "aip_max_files": Allowed("setting-aip-max-files", between=(1, 1_000_000)),
        "archive_max_gb": Allowed("setting-archive-max-gb", between=(1, _MANY)),
        "archive_max_ratio": Allowed("setting-archive-max-ratio", between=(1, _MANY)),
        "archive_max_files": Allowed("setting-archive-max-files", between=(1, _MANY)),
        "inbox_quiet_minutes": Allowed("setting-inbox-quiet-minutes", between=(0, _MANY)),
        "verify_days": Allowed("setting-verify-days", between=(1, 36_500)),
        "chunk_files": Allowed("setting-chunk-files", between=(1, 100_000)),
        "reserve_gb": Allowed("setting-reserve-gb", between=(0, _MANY)),
        "server_port": Allowed("setting-server-port", between=(0, 65_535)),
        "reports_port": Allowed("setting-reports-port", between=(1, 65_535)),
    }
)
"""Every setting. Outside of a number's bounds a run would never end, never begin or never verify."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in force: its value and where that comes from, `default` or `perenne.toml` with the line."""

    name: str
    value: str | int
    default: str | int
    line: int
    """0: the default holds."""

    @property
    def source(self) -> str:
        """Where the value comes from."""
        return f"{FILE}:{self.line}" if self.line else "default"

    def as_json(self) -> dict[str, object]:
        """The setting with stable keys; `least` and `most` are null for texts, `one_of` for numbers and free texts."""
        allowed = ALLOWED[self.name]
        return {
            "name": self.name,
            "value": self.value,
            "default": self.default,
            "source": FILE if self.line else "default",
            "line": self.line or None,
            "least": allowed.between[0] if allowed.between else None,
            "most": allowed.between[1] if allowed.between else None,
            "one_of": list(allowed.one_of) or None,
            "allowed": allowed.told,
            "means": text(allowed.means),
        }


def read(path: Path) -> Settings:
    """The settings of that file, or the defaults. Raises ConfigError with every fault at once."""
    given, _ = _given(path)
    return Settings(**given)


def all_of(path: Path) -> list[Setting]:
    """Every setting in force, in the order of the documentation. Raises ConfigError."""
    given, lines = _given(path)
    defaults = Settings()
    return [
        Setting(name, given.get(name, getattr(defaults, name)), getattr(defaults, name), lines.get(name, 0))
        for name in ALLOWED
    ]


def _given(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """What the file says, without a fault, and the line of each key."""
    if not path.exists() and not path.is_symlink():
        return {}, {}
    if not path.is_file():  # a pipe would be waited for, a device read without end
        raise ConfigError(path, (Fault(0, "", "This is not a file.", "Put the settings there as a plain file."),))
    try:
        source = path.read_bytes().decode("utf-8")
        given = tomllib.loads(source)
    except (ValueError, RecursionError) as error:
        raise ConfigError(path, (broken(error),)) from error
    lines = {key: number for key, number in _lines(source) if key in given}
    if faults := tuple(_faults(given, lines)):
        raise ConfigError(path, faults)
    return given, lines


def broken(error: Exception) -> Fault:
    """The fault of a file that is no TOML."""
    if isinstance(error, UnicodeDecodeError):
        return Fault(error.object[: error.start].count(b"\n") + 1, "", "This is not UTF-8.", "Save the file as UTF-8.")
    found = re.search(r"line (\d+)", str(error))
    why = str(error).partition(" (at ")[0] or type(error).__name__
    return Fault(int(found[1]) if found else 0, "", why[:LONGEST], "Mend the TOML of this line.")


def _lines(source: str) -> Iterator[tuple[str, int]]:
    """The keys at the starts of lines, tables included, each where it is first named."""
    seen = set()
    for number_, line in enumerate(source.splitlines(), 1):
        found = re.match(r"""\s*\[{0,2}\s*["']?([^\s"'=.\]]+)""", line)
        if found and found[1] not in seen and not line.lstrip().startswith("#"):
            seen.add(found[1])
            yield found[1], number_


def _faults(given: Mapping[str, Any], lines: Mapping[str, int]) -> Iterator[Fault]:
    for key, value in given.items():
        seen, line = f"{key} = {written(value)}"[:LONGEST], lines.get(key, 0)
        if key not in ALLOWED:
            yield Fault(line, "", seen, near(key, ALLOWED))
        elif mend := _wrong(ALLOWED[key], value):
            yield Fault(line, "", seen, mend)


def _wrong(allowed: Allowed, value: object) -> str:
    """What to write instead; "" when the value may stand."""
    if allowed.between:
        least, most = allowed.between
        if type(value) is int and least <= value <= most:
            return ""
        return f"Write a whole number from {least:,} to {most:,}."
    if allowed.one_of:
        return "" if value in allowed.one_of else near(str(value), allowed.one_of)
    if isinstance(value, str) and re.fullmatch(allowed.pattern, value):
        return ""
    return MENDS[allowed.form]


MENDS = {
    "setting-a-policy": 'Write the name of a policy in quotes: "default".',
    "setting-tesseract": 'Write languages as Tesseract names them, joined by +: "vie+eng".',
}
