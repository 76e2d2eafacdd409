"""What a plan looks like in Prefect: a state with a name of its own, and the artifact `plan`, a row a rule."""

from __future__ import annotations

from collections.abc import Iterator

from prefect import State
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed

from flows.ui.markdown import escaped
from tasks.aip.forecast import Plan
from tasks.report.planned import asides, cells, head, verdict
from tasks.words import size, text

PLAN = "plan"
ONLY_PLANNED = "Only planned"


def show(plan: Plan) -> State:
    """Write the artifact; the state says that nothing but this was done."""
    told = verdict(plan)
    create_markdown_artifact(markdown=markdown(plan), key=PLAN, description=told)
    return Completed(name=ONLY_PLANNED, message=told)


def markdown(plan: Plan) -> str:
    """The plan with the dearest rule first, what is known to go wrong, and how to have it done."""
    lines = [f"## {verdict(plan)}", "", text("plan-nothing-written", option=text("form-dry-run")), ""]
    lines += [f"**{escaped(plan.batch)}** · {text('n-files', n=plan.files)} · {size(plan.bytes)}", ""]
    lines += _table(plan) if plan.lines else []
    for aside in asides(plan):
        lines += [escaped(aside), ""]
    lines += [f"- {escaped(path)}: `{code}`" for path, code in plan.refused_files]
    return "\n".join(lines)


def _table(plan: Plan) -> Iterator[str]:
    yield f"| {' | '.join(head())} |"
    yield "|---|---|---:|---:|---:|---|"
    for line in plan.lines:
        rule, *rest = cells(line)
        yield f"| `{rule}` | {' | '.join(rest)} |"
    yield ""
