"""Finds actions and validators by name: a module in `tasks/actions/` or `tasks/validators/` is all there is to it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol, cast, get_type_hints

import tasks.actions
import tasks.validators
from tasks.actions import Migration
from tasks.premis.model import Verdict


class Action(Protocol):
    """A module of `tasks.actions`."""

    @property
    def VERSION(self) -> str:  # noqa: N802  a module constant
        """Raised when the same question would be answered otherwise."""

    @property
    def migrate(self) -> Callable[..., Migration]:
        """`migrate(source, job, /, *, …) -> Migration`."""


class Validator(Protocol):
    """A module of `tasks.validators`."""

    @property
    def VERSION(self) -> str:  # noqa: N802
        """Raised when the same product would be judged otherwise."""

    @property
    def validate(self) -> Callable[..., Verdict]:
        """`validate(source, product, job, /, *, …) -> Verdict`."""


@cache
def actions() -> frozenset[str]:
    """The names of all migration paths."""
    return frozenset(m.name for m in pkgutil.iter_modules(tasks.actions.__path__))


@cache
def validators() -> frozenset[str]:
    """The names of all checks."""
    return frozenset(m.name for m in pkgutil.iter_modules(tasks.validators.__path__))


def action(name: str) -> Action:
    """The module of one migration path."""
    return cast(Action, importlib.import_module(f"tasks.actions.{name}"))


def validator(name: str) -> Validator:
    """The module of one check."""
    return cast(Validator, importlib.import_module(f"tasks.validators.{name}"))


def facts_of(module: Action) -> tuple[str, ...]:
    """The names of the facts that an action reads."""
    return cast(tuple[str, ...], getattr(module, "FACTS", ()))


def compares(module: Validator) -> bool:
    """False for a check that judges a product by itself: the only kind that can say anything of a kept original."""
    return cast(bool, getattr(module, "COMPARES", True))


def schema(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The keyword-only parameters of `migrate` or `validate`, annotations resolved: the schema of a policy row."""
    hints = get_type_hints(function)
    return {
        name: parameter.replace(annotation=hints[name])
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def versions(action_name: str, checks: tuple[str, ...]) -> dict[str, str]:
    """The versions of an action and its checks, for the settled-work key."""
    named = {f"action {action_name}": action(action_name).VERSION}
    return named | {f"validator {name}": validator(name).VERSION for name in checks}
