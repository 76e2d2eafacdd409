"""Facts of office documents: asked inside the job, their shape checked here."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tasks.facts import NAMES
from tasks.premis.model import Fact, Trouble
from tasks.tools.job import Job

VERSION = "1"

FILTERS = Path(__file__).parents[1] / "actions" / "office_filters.toml"
PUIDS = frozenset(
    puid
    for row in tomllib.loads(FILTERS.read_text("utf-8")).values()
    for puid in [*row["puids"], *row.get("generic", ())]
)
"""Every format that a LibreOffice filter is known for: one list, so that a new filter brings its facts."""

ANSWERED = frozenset(
    ("encrypted", "kind", "words", "macros", "embedded", "comments", "tracked", "links", "signed")
)  # a fact that the format's reader cannot know is left out


def facts(name: str, job: Job, /) -> dict[str, Fact]:
    """Returns the facts of an office document, `name` being its path in the job; `encrypted` is always among them.

    Raises Trouble `source-damaged`, `bomb-suspected`; `tool-crash` when the answer is not of the agreed shape: it comes
    from a process that met hostile bytes.
    """
    answer = job.call("tasks.sealed.office_facts:facts", name)
    if not isinstance(answer, dict) or not {"encrypted"} <= set(answer) <= ANSWERED:
        raise Trouble("tool-crash", tool="office facts", signal="an answer of another shape")
    for key, value in answer.items():
        if type(value) is not NAMES[key]:
            raise Trouble("tool-crash", tool="office facts", signal=f"{key} of another type")
    return dict(answer)
