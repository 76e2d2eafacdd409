"""Which work is chosen, and why: over a ledger made by hand, so that every reason can be had."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.aip.ledger import About, Known, Ledger, facts_detail, identification_detail
from tasks.aip.past import Because
from tasks.aip.plan import Choice, Scope, Task, ask, believed, plan
from tasks.policy.load import load
from tasks.policy.rules import Policy
from tasks.premis import codes
from tasks.premis.model import (
    Agent,
    Basis,
    Ending,
    Event,
    EventType,
    Fact,
    Identification,
    LinkedObject,
    Outcome,
)
from tasks.store.reader import Entry

AIP = uuid.UUID(int=7)
PNG = Identification("fmt/11", "Portable Network Graphics", basis=Basis.SIGNATURE)
POLICY = """
id = "test-1"
[[rule]]
id = "tiff"
puids = ["fmt/11", "fmt/12"]
purpose = "preservation"
target = "fmt/353"
action = "image_to_tiff"
parameters = { compression = "none" }
validators = { tiff = {} }
because = "A test."
[[rule]]
id = "words"
puids = ["fmt/11"]
when = { scanned_text = true }
purpose = "transcription"
target = "fmt/477"
action = "image_to_pdfa"
validators = { pdfa = {} }
because = "A test."
[[rule]]
id = "any"
puids = ["*"]
purpose = "preservation"
action = "keep"
because = "The rest."
"""


class Past:
    """An AIP with some originals, and what was done to them."""

    def __init__(self, folder: Path, policy: str = POLICY) -> None:
        self.folder = folder
        self.policy = law(folder, policy)
        self.state: dict[str, Entry] = {}
        self.known: dict[str, Known] = {}
        self.events: list[Event] = []
        self._seq = itertools.count()

    def file(self, name: str, facts: dict[str, Fact] | None = None, sha256: str = "a") -> None:
        path = self.folder / name
        path.write_bytes(b"x")
        self.state[f"originals/{name}"] = Entry("b" * 128, sha256 * 64, path)
        self.known[f"originals/{name}"] = Known(PNG, facts or {})

    def ended(
        self, name: str, ending: Ending, code: str = "same", *, rule: str = "tiff", made: bool = False, **detail: str
    ) -> None:
        path = f"originals/{name}"
        one = self.known[path]
        row = next(r for r in self.policy.rules if r.id == rule)
        objects = [LinkedObject("source", path, self.state[path].sha256, 1, one.identification.puid or "")]
        if ending is Ending.DONE:
            objects.append(LinkedObject("outcome", f"masters/{name}/{rule}.tif", "c" * 64, 5, "fmt/353"))
            if made:
                self.state[objects[1].path] = Entry("d" * 128, "c" * 64, self.folder / name)
        question = ask(row, one, one.facts)
        self.event(EventType.NORMALIZATION, code, objects, detail, rule=rule, asked=question, ending=ending)

    def identified(self, name: str, code: str, trouble: str = "") -> None:
        path = f"originals/{name}"
        source = [LinkedObject("source", path, self.state[path].sha256, 1)]
        self.event(EventType.IDENTIFICATION, code, source, identification_detail(PNG, {}))
        self.event(EventType.EXTRACTION, trouble, source, {} if trouble else facts_detail(self.known[path].facts))

    def event(
        self,
        kind: EventType,
        code: str,
        objects: list[LinkedObject],
        detail: dict[str, str],
        *,
        rule: str = "",
        asked: str = "",
        ending: Ending | None = None,
    ) -> None:
        seq = next(self._seq)
        action = next((r.action for r in self.policy.rules if r.id == rule), "")
        version = {"image_to_tiff": "2"}.get(action, "1")
        self.events.append(
            Event(
                uuid.uuid4(), kind, datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=seq), Outcome.SUCCESS, code,
                detail, asked, uuid.UUID(int=1), AIP, seq, 1, self.policy.name, rule, ending,
                (Agent(f"perenne/{action}", version),), tuple(objects),
            )
        )  # fmt: skip

    @property
    def ledger(self) -> Ledger:
        return Ledger(AIP, About("lô"), 2, self.state, tuple(self.events))

    def planned(self, choice: Choice = Choice(), policy: Policy | None = None, languages: str = "") -> list[Task]:  # noqa: B008
        return plan(self.ledger, self.known, policy or self.policy, choice, languages)

    def why(self, choice: Choice = Choice(), policy: Policy | None = None, languages: str = "") -> dict[str, Because]:  # noqa: B008
        found = self.planned(choice, policy, languages)
        return {f"{t.work.source.path.removeprefix('originals/')} {t.work.rule.id}": t.because for t in found}


def law(folder: Path, text: str) -> Policy:
    path = folder / "policy.toml"
    path.write_text(text, "utf-8")
    return load(path)


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)


def test_each_reason_why_work_is_to_be_done_is_told(past: Past) -> None:
    for name in ("new", "settled", "lost", "waits", "replaced"):
        past.file(name)
    past.ended("settled", Ending.DONE, made=True)
    past.ended("lost", Ending.DONE)
    past.ended("waits", Ending.WAITING, "tool-timeout")
    past.ended("replaced", Ending.DONE, made=True)
    past.file("replaced", sha256="e")
    assert past.why() == {
        "new tiff": Because.NEW,
        "lost tiff": Because.LOST,
        "waits tiff": Because.WAITING,
        "replaced tiff": Because.REPLACED,
    }


def test_a_rule_that_is_new_or_changed_is_told_apart_from_facts_that_changed(past: Past, tmp_path: Path) -> None:
    past.file("page")
    past.ended("page", Ending.DONE, made=True)
    deflated = law(tmp_path, POLICY.replace('"none"', '"deflate"'))
    assert past.why(policy=deflated) == {"page tiff": Because.RULE_CHANGED}
    past.known["originals/page"] = Known(PNG, {"scanned_text": True})
    assert past.why() == {"page words": Because.RULE_NEW}
    past.known["originals/page"] = Known(replace(PNG, puid="fmt/12"), {})
    assert past.why() == {"page tiff": Because.FACTS_CHANGED}


def test_other_languages_are_facts_that_changed(past: Past) -> None:
    past.file("page", {"scanned_text": True})
    past.ended("page", Ending.DONE, made=True)
    past.ended("page", Ending.FAILED, "pdfa-invalid", rule="words")
    assert past.why() == {}
    assert past.why(languages="fra") == {"page words": Because.FACTS_CHANGED}


def test_a_newer_version_of_an_action_is_a_changed_rule(past: Past) -> None:
    past.file("page")
    past.ended("page", Ending.FAILED, "tiff-invalid")
    last = past.events[-1]
    past.events[-1] = replace(last, asked="of an earlier version", agents=(Agent("perenne/image_to_tiff", "0"),))
    assert past.why() == {"page tiff": Because.RULE_CHANGED}


@pytest.mark.parametrize(
    ("scope", "why"), [(Scope.HELD, Because.HELD), (Scope.FAILED, Because.FAILED), (Scope.ALL, Because.ALL)]
)
def test_what_is_settled_is_taken_up_because_it_was_asked_for(past: Past, scope: Scope, why: Because) -> None:
    ended = {"held": Ending.HELD, "failed": Ending.FAILED, "done": Ending.DONE}
    for name, ending in ended.items():
        past.file(name)
        past.ended(name, ending, {"held": "pixels-differ", "failed": "tiff-invalid"}.get(name, "same"), made=True)
    wanted = ended if scope is Scope.ALL else [scope.value]
    assert past.why(Choice(scope)) == {f"{name} tiff": why for name in wanted}


def with_codes(past: Past) -> None:
    for name in ("new", "good", "invalid", "held", "noted", "doubtful", "waits"):
        past.file(name)
    past.ended("good", Ending.DONE, made=True)
    past.ended("invalid", Ending.FAILED, "tiff-invalid")
    past.ended("held", Ending.HELD, "pixels-differ")
    past.ended("noted", Ending.DONE, "fonts-replaced", made=True, **{"note tiff-invalid": "A sentence."})
    past.identified("doubtful", "format-doubtful")
    past.ended("doubtful", Ending.DONE, made=True)
    past.ended("waits", Ending.WAITING, "tool-timeout")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (("tiff-invalid",), {"invalid", "noted"}),
        (("pixels-differ", "same"), {"held", "good", "doubtful"}),
        (("format-doubtful",), {"doubtful"}),
        (("tool-timeout",), {"waits"}),
        (("pdfa-invalid",), set()),
    ],
)
def test_a_code_alone_takes_exactly_what_has_it_settled_or_not(
    past: Past, wanted: tuple[str, ...], found: set[str]
) -> None:
    with_codes(past)
    assert past.why(Choice(codes=wanted)) == {f"{name} tiff": Because.CODE for name in found}
    assert past.why(Choice(Scope.ALL, codes=wanted)) == past.why(Choice(codes=wanted))


def test_a_scope_keeps_a_code_to_what_ended_so(past: Past) -> None:
    with_codes(past)
    assert set(past.why(Choice(Scope.FAILED, codes=("tiff-invalid",)))) == {"invalid tiff"}
    assert past.why(Choice(Scope.HELD, codes=("tiff-invalid", "format-doubtful"))) == {}
    assert set(past.why(Choice(paths=("nothing", "held"), codes=("pixels-differ", "tiff-invalid")))) == {"held tiff"}
    assert past.why(Choice(rules=("words",), codes=("tiff-invalid",))) == {}


def test_a_code_of_bytes_that_are_no_more_is_not_the_files(past: Past) -> None:
    past.file("page")
    past.ended("page", Ending.FAILED, "tiff-invalid")
    past.file("page", sha256="e")
    assert past.why(Choice(codes=("tiff-invalid",))) == {}


def test_a_code_is_found_also_where_another_rule_answers_today(past: Past, tmp_path: Path) -> None:
    past.file("page")
    past.ended("page", Ending.FAILED, "tiff-invalid")
    renamed = law(tmp_path, POLICY.replace('id = "tiff"', 'id = "better"'))
    assert past.why(Choice(codes=("tiff-invalid",)), renamed) == {"page better": Because.CODE}


def test_only_what_a_chosen_code_complains_about_is_found_out_anew(past: Past) -> None:
    for name in ("sure", "doubtful", "damaged"):
        past.file(name)
    past.identified("sure", "")
    past.identified("doubtful", "format-doubtful")
    past.identified("damaged", "", trouble="source-damaged")

    def kept(choice: Choice) -> set[str]:
        return {path.removeprefix("originals/") for path, _ in believed(past.ledger, choice)}

    assert kept(Choice()) == {"sure", "doubtful", "damaged"}
    assert kept(Choice(Scope.FAILED)) == {"sure", "doubtful"}
    assert kept(Choice(Scope.ALL)) == set()
    assert kept(Choice(codes=("format-doubtful",))) == {"sure", "damaged"}
    assert kept(Choice(Scope.FAILED, codes=("source-damaged",))) == {"sure", "doubtful"}


def test_a_code_that_is_none_is_told_with_those_spelled_like_it() -> None:
    assert codes.unknown(["pdfa-invalid", "same"]) == {}
    told = codes.unknown(["pdfa-invalied", "qwertz"])
    assert told["pdfa-invalied"][0] == "pdfa-invalid"
    assert told["qwertz"] == ()
