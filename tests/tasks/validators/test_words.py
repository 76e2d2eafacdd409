from __future__ import annotations

from typing import Any

import pytest

from tasks.premis.model import Identification, Outcome, Product, Role, Source, SourceFile, Trouble, Verdict
from tasks.validators.words import COUNTS, validate
from tests.tasks import answers

PRODUCT = Product(Role.MASTER, "out/master.pdf", "fmt/477", 9, "cd" * 32)


def source(kind: str = "document") -> Source:
    return Source(SourceFile("a", 9, "ab" * 32), "in/source", Identification("fmt/412"), {"kind": kind})


def verdict(*, thresholds: dict[str, Any] | None = None, **counts: int) -> Verdict:
    job, _ = answers.job({"words:compare": dict.fromkeys(COUNTS, 0) | counts})
    return validate(source(), PRODUCT, job, **(thresholds or {}))


def test_a_product_with_all_words_is_a_success_with_its_figures() -> None:
    good = verdict(total=100, hidden=7)
    assert good.outcome is Outcome.SUCCESS
    figures = {m.name: m.value for m in good.measures}
    assert (figures["words"], figures["words_lost"], figures["words_hidden"]) == ("100", "0", "7")


@pytest.mark.parametrize(
    ("counts", "outcome"),
    [
        ({"total": 1000, "lost": 20}, Outcome.SUCCESS),
        ({"total": 1000, "lost": 21}, Outcome.FAIL),
        ({"total": 8, "lost": 1}, Outcome.SUCCESS),
        ({"total": 8, "lost": 2}, Outcome.FAIL),
        ({"total": 1, "lost": 1}, Outcome.FAIL),
        ({"total": 1000, "clipped": 21}, Outcome.FAIL),
        ({"total": 1000, "lost": 2, "accented": 20, "accented_lost": 2}, Outcome.FAIL),
        ({"total": 1000, "legacy": 300}, Outcome.FAIL),
        ({"total": 0}, Outcome.SUCCESS),
    ],
)
def test_the_thresholds_hold_where_they_say(counts: dict[str, int], outcome: Outcome) -> None:
    assert verdict(**counts).outcome is outcome


def test_a_rule_may_set_other_thresholds() -> None:
    assert verdict(total=1000, lost=50, thresholds={"recall": "0.9"}).outcome is Outcome.SUCCESS
    assert verdict(total=1000, clipped=200, thresholds={"clipped": "0.25"}).outcome is Outcome.SUCCESS
    assert verdict(total=8, lost=2, thresholds={"spare": 2}).outcome is Outcome.SUCCESS


def test_the_loss_is_told_in_words() -> None:
    bad = verdict(total=100, lost=30, clipped=5)
    assert (bad.code, bad.detail) == ("text-lost", {"lost": "35", "total": "100"})


def test_a_source_without_an_independent_reader_is_a_warning() -> None:
    job, _ = answers.job({"words:compare": {"unread": "no independent reader for this format"}})
    found = validate(source(), PRODUCT, job)
    assert (found.outcome, found.code) == (Outcome.WARNING, "text-not-compared")
    assert {m.name: m.value for m in found.measures} == {"words": "0"}


def test_an_original_that_is_the_master_has_lost_nothing() -> None:
    job, seen = answers.job({})
    assert validate(source(), Product(Role.MASTER, "in/source"), job).outcome is Outcome.SUCCESS
    assert seen.asked == []


def test_plain_text_is_read_as_such() -> None:
    job, seen = answers.job({"words:compare": dict.fromkeys(COUNTS, 0)})
    validate(source("text"), PRODUCT, job)
    assert seen.asked[0][1]["plain"] is True


@pytest.mark.parametrize(
    "answer", [None, {}, {"total": 1}, dict.fromkeys(COUNTS, 0) | {"lost": 1}, dict.fromkeys(COUNTS, -1)]
)
def test_figures_that_do_not_add_up_are_refused(answer: Any) -> None:
    with pytest.raises(Trouble) as caught:
        validate(source(), PRODUCT, answers.job({"words:compare": answer})[0])
    assert caught.value.code == "tool-crash"
