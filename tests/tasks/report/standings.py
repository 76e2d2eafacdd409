"""Ledgers and summaries made by hand, for tests of what people see."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

from tasks.aip.ledger import About, Known, Ledger
from tasks.aip.plan import ask
from tasks.config.home import Home
from tasks.policy.load import load
from tasks.policy.rules import Policy
from tasks.premis import codes
from tasks.premis.model import Ending, Event, EventType, Identification, LinkedObject, Outcome
from tasks.report import summary as summaries
from tasks.report.summary import Row, Summary, summarize
from tasks.store.reader import Entry
from tests.tasks.premis.events import AIP, RUN, event, master

POLICY = """id = "test-1"
[[rule]]
id = "paper"
puids = ["fmt/18"]
purpose = "preservation"
action = "keep"
because = "A first rule."
[[rule]]
id = "words"
puids = ["fmt/18"]
purpose = "transcription"
action = "keep"
because = "A second rule for the same file."
[[rule]]
id = "any"
puids = ["*"]
purpose = "preservation"
action = "keep"
because = "The rest."
"""
KNOWN = Known(Identification("fmt/18"), {})
SHA256 = "ab" * 32


def policy(tmp_path: Path) -> Policy:
    """A policy with two rules for fmt/18."""
    path = tmp_path / "policy.toml"
    path.write_text(POLICY, encoding="utf-8")
    return load(path)


def ended(
    law: Policy,
    number: int,
    file: str,
    rule: str,
    ending: Ending,
    code: str,
    *,
    detail: Mapping[str, str] | None = None,
    run: uuid.UUID = RUN,
) -> Event:
    """How one (file, rule) ended, as the pipeline would have recorded it under this policy."""
    (row,) = [r for r in law.rules if r.id == rule]
    return event(
        number,
        f"originals/{file}",
        outcome=codes.code(code).premis,
        code=code,
        ending=ending,
        rule=rule,
        asked=ask(row, KNOWN, {}),
        run=run,
        detail=detail,
    )


def arrived(number: int, file: str) -> Event:
    """A file that came in."""
    return event(number, f"originals/{file}", kind=EventType.INGESTION, outcome=Outcome.SUCCESS, code="", rule="")


def refused(number: int, file: str, code: str, ending: Ending) -> Event:
    """A file that did not come in: no rule, no digest."""
    return event(
        number,
        f"originals/{file}",
        kind=EventType.INGESTION,
        outcome=Outcome.FAIL,
        code=code,
        ending=ending,
        rule="",
        sha256="",
        detail={"kind": "link"} if code == "not-a-file" else {},
    )


def standing(
    tmp_path: Path, law: Policy, files: Iterable[str], events: Iterable[Event], *, run: uuid.UUID | None = None
) -> Summary:
    """The summary of an AIP that stores these files and has these events."""
    content = tmp_path / "content"
    content.write_bytes(b"x")
    state = {f"originals/{file}": Entry("cd" * 64, SHA256, content) for file in files}
    ledger = Ledger(AIP, About("văn-bản-2003"), 2, state, tuple(events))
    return summarize(ledger, dict.fromkeys(state, KNOWN), law, "", run)


def summary(
    *,
    batch: str = "văn-bản-2003",
    files: int = 1,
    attention: tuple[Row, ...] = (),
    notes: tuple[Row, ...] = (),
    **ended: int,
) -> Summary:
    """A summary with plain numbers: `done=3, held=1`."""
    return Summary(
        batch=batch,
        aip=AIP,
        version=2,
        files=files,
        ended={Ending(word): count for word, count in ended.items()},
        attention=attention,
        notes=notes,
        alarm=False,
        new=len({r.file for r in attention}),
        unsafe=0,
        noted=len({r.file for r in notes}),
        masters=ended.get("done", 0),
        events=12,
        settled_since="2024-11-21T19:05:00+00:00",
        worked=True,
    )


def row(file: str, ending: Ending = Ending.HELD, code: str = "text-lost", **detail: str) -> Row:
    """One file that needs a person."""
    given = detail or {"lost": "3", "total": "61"}
    return Row(file, ending, code, given, stored=True, new=True, rule="paper", time="2024-11-21T19:05:00+00:00")


def held(
    home: Home,
    files: Iterable[str],
    *,
    code: str = "look-differs",
    detail: Mapping[str, str] | None = None,
    check: str = "",
) -> tuple[Ledger, list[Row]]:
    """An AIP whose files are held, each with a product that lies in review, and their rows. `check`: another code."""
    state, events, rows = {}, [], []
    for number, file in enumerate(files):
        path, sha256 = f"originals/{file}", f"{number:064x}"
        state[path] = Entry("cd" * 64, SHA256, home.root / file)
        waits = home.review / str(AIP) / sha256
        waits.parent.mkdir(parents=True, exist_ok=True)
        waits.write_bytes(b"%PDF-")
        made: tuple[LinkedObject, ...] = (master(f"masters/{file}/paper.pdf", sha256),)
        events.append(
            event(
                2 * number, path, kind=EventType.VALIDATION, outcome=Outcome.FAIL, code=check or code, rule="paper",
                products=made,
            )
        )  # fmt: skip
        last = event(
            2 * number + 1, path, outcome=Outcome.FAIL, code=code, ending=Ending.HELD, rule="paper",
            detail={"page": "3", "areas": "1", "score": "0.9"} if detail is None else detail,
        )  # fmt: skip
        events.append(last)
        rows.append(summaries.row(last, None))
    return Ledger(AIP, About("văn-bản-2003"), 2, state, tuple(events)), rows
