"""The artifacts of a run, in the order of reading: summary, needs-a-person, progress, report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from tasks.aip.progress import Stage
from tasks.report import phrases
from tasks.report.summary import SHAPES, WORST, Row, Summary
from tasks.words import duration, roughly, text

SHOWN = 20
TABLE_ROWS = 1000
EVERY_S = 2.0
"""An update of the progress artifact costs the server 3.4 ms; more often than this nobody sees."""


class ProgressArtifact:
    """The live line `38 of 60 files, about 1 min left`."""

    def __init__(self) -> None:
        self._id: UUID | None = None
        self._last = 0.0

    def show(self, stage: Stage, *, last: bool = False) -> None:
        """Write the present state, at most every two seconds unless it is the last."""
        if not last and time.monotonic() - self._last < EVERY_S:
            return
        self._last = time.monotonic()
        share = 100.0 * stage.done / stage.files if stage.files else 100.0
        told = f"{text('n-of-files', done=stage.done, n=stage.files)}, {_time(stage)}"
        if self._id is None:
            self._id = create_progress_artifact(progress=share, key="progress", description=told)  # type: ignore[assignment]
        else:
            update_progress_artifact(artifact_id=self._id, progress=share, description=told)


def _time(stage: Stage) -> str:
    if stage.over:
        return duration(stage.seconds)
    return text("starting") if stage.left_s is None else text("about-left", time=roughly(stage.left_s))


def publish(summaries: Sequence[Summary], *, policy: str, seconds: float, reports: str) -> None:
    """Write summary, table of trouble and report link of a run that is through."""
    if not summaries:
        return
    create_markdown_artifact(
        markdown=markdown(summaries, policy=policy, seconds=seconds, reports=reports),
        key="summary",
        description=phrases.message(summaries),
    )
    rows = [(s, row) for s in summaries for row in s.attention]
    if rows:
        create_table_artifact(
            table=[_cells(s, row, many=len(summaries) > 1) for s, row in rows[:TABLE_ROWS]],
            key="needs-a-person",
            description=text("n-rows-worst-first", n=len(rows)),
        )
    for summary in summaries[:SHOWN]:
        create_link_artifact(
            link=f"{reports}/{summary.aip}.html", link_text=f"Open the report of {summary.batch}", key="report"
        )


def markdown(summaries: Sequence[Summary], *, policy: str, seconds: float, reports: str) -> str:
    """The summary in the order of face.md: verdict, safety, numbers, what needs a person."""
    lines = [f"## {phrases.verdict(summaries)}", ""]
    for summary in summaries[:SHOWN]:
        lines += _batch(summary, reports)
    if len(summaries) > SHOWN:
        lines.append(f"and {len(summaries) - SHOWN} more batches in the table.")
    masters = sum(s.masters for s in summaries)
    lines += ["", f"{text('n-masters', n=masters)} · {duration(seconds)} · policy {policy}"]
    return "\n".join(lines)


def _batch(summary: Summary, reports: str) -> list[str]:
    lines = [f"### {_text(summary.batch)}", phrases.safety(summary), ""]
    if summary.supplement and summary.supplement.now:
        lines += [f"**{_text(phrases.supplement(summary))}**", ""]
    lines += ["| | files | |", "|---|---:|---|"]
    lines += [
        f"| {SHAPES[ending]} {phrases.ended(ending)} | {n} | {phrases.means(ending)} |"
        for ending in reversed(WORST)
        if (n := summary.ended.get(ending, 0))
    ]
    lines += ["", f"[Open the report]({reports}/{summary.aip}.html)", ""]
    if summary.attention:
        lines.append("#### What needs a person")
    for row in summary.attention[:SHOWN]:
        lines += [
            f"**{SHAPES[row.ending]} {phrases.ended(row.ending)}** `{row.code}` **{_text(row.file)}**  ",
            f"{_text(row.seen)}  ",
        ]
        lines += [f"→ {_text(row.do)}", ""] if row.do else [""]
    if len(summary.attention) > SHOWN:
        lines.append(f"and {len(summary.attention) - SHOWN} more in the table.")
    return lines


def _cells(summary: Summary, row: Row, *, many: bool) -> dict[str, str]:
    file = f"{summary.batch}/{row.file}" if many else row.file
    return {
        "file": file,
        "code": f"{SHAPES[row.ending]} {row.code}",
        "do": row.do,
        "seen": row.seen,
        "aip": str(summary.aip),
    }


def _text(value: str) -> str:
    """A producer's text inside Markdown: nothing in it may become a link, a tag or a table cell."""
    for letter in "\\`*_{}[]<>()#|!":
        value = value.replace(letter, f"\\{letter}")
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in value)
