"""Which rules answer for a file, and when work counts as asked already."""

from __future__ import annotations

from tasks.policy.rules import Policy, Rule, asked
from tasks.premis.model import Limits


def rule(name: str, puids: set[str], target: str = "fmt/477", digest: str = "d", **when: tuple[object, ...]) -> Rule:
    return Rule(name, frozenset(puids), when, "preservation", target, "keep", {}, (), Limits(), "because", digest)  # type: ignore[arg-type]


ANY = rule("any", {"*"}, "")


def ids(policy: Policy, puid: str | None, **facts: object) -> list[str]:
    return [r.id for r in policy.rules_for(puid, facts)]  # type: ignore[arg-type]


def test_the_rule_with_more_conditions_wins() -> None:
    policy = Policy("p", "d", (rule("pdf", {"fmt/18"}), rule("scan", {"fmt/18"}, scanned=(True,)), ANY))
    assert ids(policy, "fmt/18", scanned=True) == ["scan"]
    assert ids(policy, "fmt/18", scanned=False) == ["pdf"]
    assert ids(policy, "fmt/18") == ["pdf"]


def test_two_targets_are_two_answers() -> None:
    policy = Policy("p", "d", (rule("tiff", {"fmt/43"}, "fmt/353"), rule("pdf", {"fmt/43"}), ANY))
    assert ids(policy, "fmt/43") == ["tiff", "pdf"]


def test_the_star_answers_only_when_nothing_else_does() -> None:
    policy = Policy("p", "d", (rule("pdf", {"fmt/18"}, scanned=(True,)), ANY))
    assert ids(policy, "fmt/18", scanned=False) == ["any"]
    assert ids(policy, None) == ["any"]


def test_only_facts_that_are_used_enter_the_question() -> None:
    one = rule("scan", {"fmt/18"}, scanned=(True,))

    def question(facts: dict[str, object], *uses: str) -> str:
        return asked(one, "fmt/18", facts, uses=uses, versions={"action keep": "1"})  # type: ignore[arg-type]

    base = question({"scanned": True, "producer": "A"})
    assert base == question({"scanned": True, "producer": "B"})
    assert base != question({"scanned": False, "producer": "A"})
    assert question({"scanned": True, "producer": "A"}, "producer") != question(
        {"scanned": True, "producer": "B"}, "producer"
    )


def test_a_newer_action_asks_anew() -> None:
    one = rule("x", {"fmt/18"})
    assert asked(one, "fmt/18", {}, uses=(), versions={"a": "1"}) != asked(
        one, "fmt/18", {}, uses=(), versions={"a": "2"}
    )
