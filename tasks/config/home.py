"""PERENNE_HOME: the one folder that holds everything Perenne keeps, and the settings in its `perenne.toml`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tasks.config.settings import FILE, read
from tasks.config.settings import ConfigError as ConfigError
from tasks.config.settings import Settings as Settings
from tasks.premis.model import Agent

PERENNE = Agent("Perenne", version("perenne"))
"""Perenne itself, as an agent of each act that is its own work."""


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

    @property
    def settings_file(self) -> Path:
        """The settings; need not be there."""
        return self.root / FILE

    def settings(self) -> Settings:
        """The settings of `perenne.toml`, or the defaults. Raises ConfigError with every fault at once."""
        return read(self.settings_file)


CHECKOUT = Path(__file__).resolve().parents[2]


def home() -> Home:
    """The home named by PERENNE_HOME, else `~/perenne`; `~/perenne-home` where the checkout itself lies there."""
    if named := os.environ.get("PERENNE_HOME"):
        return Home(Path(named).absolute())
    usual = Path.home() / "perenne"
    return Home(usual.with_name("perenne-home") if usual.resolve() == CHECKOUT else usual)


if __name__ == "__main__":
    print(home().root)
