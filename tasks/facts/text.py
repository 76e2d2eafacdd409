"""Facts of plain text: asked inside the job, their shape checked here."""

from __future__ import annotations

from tasks.facts import NAMES
from tasks.premis.model import Fact, Trouble
from tasks.tools.job import Job

VERSION = "1"

PUIDS = frozenset(
    {
        "x-fmt/111",  # plain text
        "x-fmt/14", "x-fmt/15", "x-fmt/16", "x-fmt/21", "x-fmt/22", "x-fmt/130", "x-fmt/282", "x-fmt/283",  # by system
        "x-fmt/13", "x-fmt/18",  # tab- and comma-separated values
        "x-fmt/62",  # log
        "fmt/1149",  # Markdown
    }
)  # fmt: skip
"""What PRONOM calls text that has no mark-up to lose."""

ANSWERED = frozenset(("encoding", "lines", "characters", "kind", "encrypted"))


def facts(name: str, job: Job, /) -> dict[str, Fact]:
    """Returns the facts of a plain text, `name` being its path in the job; its `kind` is `text`.

    Raises Trouble `tool-crash` when the answer is not of the agreed shape: it comes from a process that met hostile
    bytes.
    """
    answer = job.call("tasks.sealed.plain_text:facts", name)
    if not isinstance(answer, dict) or set(answer) != ANSWERED:
        raise Trouble("tool-crash", tool="text facts", signal="an answer of another shape")
    for key, value in answer.items():
        if type(value) is not NAMES[key]:
            raise Trouble("tool-crash", tool="text facts", signal=f"{key} of another type")
    return dict(answer)
