"""Rules as frozen values, and which of them answer for one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tasks.premis.model import Fact, Facts, Limits

ANY = "*"
"""The row that answers for every file that no other row answers for."""

Condition = Mapping[str, tuple[Fact, ...]]
"""Fact name → the values that fit; a fact that is absent never fits."""


@dataclass(frozen=True, slots=True)
class Check:
    """One validator of a rule with its thresholds."""

    validator: str
    parameters: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One decision with its reason. `digest` covers every value of the row, defaults included."""

    id: str
    puids: frozenset[str]
    when: Condition
    purpose: str
    target: str
    action: str
    parameters: Mapping[str, Fact]
    checks: tuple[Check, ...]
    limits: Limits
    because: str
    digest: str

    def fits(self, facts: Facts) -> bool:
        """Whether every condition over the facts holds."""
        return all(facts.get(name) in values for name, values in self.when.items())


@dataclass(frozen=True, slots=True)
class Policy:
    """All rules in the order of the file; `digest` is the SHA-256 of its rows, not of its comments."""

    id: str
    digest: str
    rules: tuple[Rule, ...]

    @property
    def name(self) -> str:
        """Id and digest, as events name it: an id that was edited in place is told apart."""
        return f"{self.id} {self.digest[:12]}"

    def rules_for(self, puid: str | None, facts: Facts) -> tuple[Rule, ...]:
        """One rule per (purpose, target): the one with most conditions that fit; the `*` row where none fits."""
        chosen: dict[tuple[str, str], Rule] = {}
        for rule in self.rules:
            key = (rule.purpose, rule.target)
            if puid not in rule.puids or not rule.fits(facts):
                continue
            if key not in chosen or len(rule.when) > len(chosen[key].when):
                chosen[key] = rule
        return tuple(chosen.values()) or self._fallback()

    def _fallback(self) -> tuple[Rule, ...]:
        return tuple(r for r in self.rules if ANY in r.puids)[:1]


def digest(value: object) -> str:
    """SHA-256 of a value's canonical JSON (sorted keys, no spaces, UTF-8)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def asked(rule: Rule, puid: str | None, facts: Facts, *, uses: Iterable[str], versions: Mapping[str, str]) -> str:
    """Digest of everything that shapes a result besides the bytes: the settled-work key of DESIGN §1.

    `uses` are the facts the action reads, `versions` those of the action and the validators.
    Versions of programs stay outside: newer tools redo on demand, not by themselves.
    """
    names = sorted({*uses, *rule.when})
    return digest(
        {
            "rule": rule.digest,
            "puid": puid,
            "facts": {n: facts[n] for n in names if n in facts},
            "versions": dict(versions),
        }
    )
