"""What the forms of the deployments are made of: choices in the language in force, and titles of nested options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from pydantic import ConfigDict

from tasks.words import LANGUAGES, listed, spoken, text

T = TypeVar("T")


class Choices(Generic[T]):
    """Values that a form shows by texts of the catalogue. What was chosen in one language is understood in every one:

    a run may have been asked for before the language was changed, and a command asks in English.
    """

    def __init__(self, values: Mapping[str, T]) -> None:
        self.shown = [text(key) for key in values]
        self._values: dict[str, T] = {}
        for language in LANGUAGES:
            with spoken(language):
                self._values |= {text(key): value for key, value in values.items()}

    @property
    def first(self) -> str:
        """What the form proposes."""
        return self.shown[0]

    def checked(self, given: str) -> str:
        """The same text. Raises ValueError for one that is no choice."""
        if given not in self._values:
            raise ValueError(text("form-choose", given=given, choices=listed(self.shown)))
        return given

    def __getitem__(self, given: str) -> T:
        return self._values[given]


def titled(key: str, **more: Any) -> dict[str, Any]:
    """What a field outside of the options adds to its schema: else Prefect shows the parameter's name."""
    return {"title": text(key), **more}


def one_of(names: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """A form's list of choices, as it was when the deployment was made; a plain text field when there is none.

    A `Literal` would do the same, but with one value Prefect's form shows a constant that cannot be chosen.
    """
    return {"enum": list(names)} if names else {}


def options(description: str) -> ConfigDict:
    """A nested model of a form: its title, and what it is for."""
    return ConfigDict(title=text("form-options"), json_schema_extra={"description": description})


def only_plans(asked: Mapping[str, Any]) -> bool:
    """Whether the parameters of a run ask for its plan alone."""
    given = asked.get("options") or {}
    return bool(given.get("dry_run") if isinstance(given, Mapping) else getattr(given, "dry_run", False))
