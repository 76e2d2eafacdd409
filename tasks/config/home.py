"""PERENNE_HOME: the one folder that holds everything Perenne keeps, and the settings in its `perenne.toml`."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tasks.premis.model import Agent
from tasks.words import LANGUAGES, Language

PERENNE = Agent("Perenne", version("perenne"))
"""Perenne itself, as an agent of each act that is its own work."""


class ConfigError(Exception):
    """`perenne.toml` cannot be used; the message names the line to mend."""


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
class Home:
    """The folders below PERENNE_HOME."""

    root: Path

    @property
    def inbox(self) -> Path:
        """Deliveries; read only, never written or emptied by Perenne."""
        return self.root / "inbox"

    @property
    def store(self) -> Path:
        """The OCFL storage root `ocfl/` and its `stage/`."""
        return self.root / "store"

    @property
    def log(self) -> Path:
        """PREMIS events in Parquet."""
        return self.root / "log"

    @property
    def work(self) -> Path:
        """Jobs, slots, locks; may be emptied whenever nothing runs."""
        return self.root / "work"

    @property
    def review(self) -> Path:
        """Products that wait for a person."""
        return self.root / "review"

    @property
    def reports(self) -> Path:
        """Pages for people, made anew from the log."""
        return self.root / "reports"

    @property
    def prefect(self) -> Path:
        """Prefect's own database and logs; may be emptied at any time."""
        return self.root / "prefect"

    @property
    def policies(self) -> Path:
        """The archive's own policies, `NAME.toml`."""
        return self.root / "policies"

    def prepare(self) -> Home:
        """Make the folders that are missing, closed to others, and return self."""
        for folder in (
            self.root,
            self.inbox,
            self.store,
            self.log,
            self.work,
            self.review,
            self.reports,
            self.prefect,
            self.policies,
        ):
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        return self

    def settings(self) -> Settings:
        """The settings of `perenne.toml`, or the defaults. Raises ConfigError naming what is wrong."""
        path = self.root / "perenne.toml"
        if not path.exists() and not path.is_symlink():
            return Settings()
        if not path.is_file():  # a pipe would be waited for, a device read without end
            raise ConfigError(f"{path} is not a file.")
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as e:
            raise ConfigError(f"{path}: {e}") from e
        return _checked(given, path)


_MANY = 1_000_000_000
_RANGES = {
    "aip_max_files": (1, 1_000_000),
    "archive_max_files": (1, _MANY),
    "archive_max_gb": (1, _MANY),
    "archive_max_ratio": (1, _MANY),
    "inbox_quiet_minutes": (0, _MANY),
    "verify_days": (1, 36_500),
    "chunk_files": (1, 100_000),
    "reserve_gb": (0, _MANY),
    "server_port": (0, 65_535),
    "reports_port": (1, 65_535),
}
"""What each number may be: outside of it a run would never end, never begin or never verify."""
_CHOICES: dict[str, tuple[str, ...]] = {"lang": LANGUAGES}


def _checked(given: dict[str, Any], path: Path) -> Settings:
    known = {f.name: type(f.default) for f in fields(Settings)}
    faults = [f"{key}: not a setting. Known: {', '.join(known)}" for key in given if key not in known]
    faults += [
        f"{key} = {value!r}: must be {known[key].__name__}"
        for key, value in given.items()
        if key in known and type(value) is not known[key]
    ]
    faults += [
        f"{key} = {given[key]}: must be from {least} to {most}"
        for key, (least, most) in _RANGES.items()
        if type(given.get(key)) is int and not least <= given[key] <= most
    ]
    faults += [
        f"{key} = {given[key]!r}: must be one of {', '.join(allowed)}"
        for key, allowed in _CHOICES.items()
        if type(given.get(key)) is str and given[key] not in allowed
    ]
    if faults:
        raise ConfigError(f"{path} has {len(faults)} fault(s). No file was touched.\n" + "\n".join(faults))
    return Settings(**given)


CHECKOUT = Path(__file__).resolve().parents[2]


def home() -> Home:
    """The home named by PERENNE_HOME, else `~/perenne`; `~/perenne-home` where the checkout itself lies there."""
    if named := os.environ.get("PERENNE_HOME"):
        return Home(Path(named).absolute())
    usual = Path.home() / "perenne"
    return Home(usual.with_name("perenne-home") if usual.resolve() == CHECKOUT else usual)


if __name__ == "__main__":
    print(home().root)
