"""Flow: named batches, now. The form's page says the rest."""

# No `from __future__ import annotations`: Prefect builds a form from the types themselves.
from typing import Annotated

from prefect import State, flow, runtime
from pydantic import BaseModel, Field

from flows import ui
from flows.nightly import named, through
from flows.ui import plans
from flows.ui.forms import one_of, only_plans, options, titled
from flows.ui.reported import reported
from flows.ui.stops import outermost
from tasks.config.home import home as the_home
from tasks.report import phrases
from tasks.sip.batch import in_inbox
from tasks.words import text

INBOX = list(dict.fromkeys(b.name for b in in_inbox(the_home().inbox)))
"""The names in the inbox when the deployment was made; `perenne up` makes it anew."""


class BatchOptions(BaseModel):
    """Leave as it is for most batches."""

    model_config = options(text("form-options-batch"))
    policy: str = Field(
        ui.policy(),
        title=text("form-policy"),
        description=text("form-policy-help"),
        json_schema_extra=one_of(ui.policies()),
    )
    reason: str = Field("", title=text("form-reason"), description=text("form-reason-help"), max_length=300)
    dry_run: bool = Field(False, title=text("form-dry-run"), description=text("form-dry-run-help"))


def _named() -> str:
    asked = runtime.flow_run.parameters
    name = phrases.batches([str(asked["batch"])])
    return text("plan-of", name=name) if only_plans(asked) else name


@flow(
    name="batch",
    flow_run_name=_named,
    description=text("deployment-batch"),
    persist_result=False,
)
@outermost
@reported("batch")
def batch(
    batch: str = Field(description=text("form-batch"), json_schema_extra=titled("form-batch-title", **one_of(INBOX))),
    options: Annotated[BatchOptions, Field(json_schema_extra=titled("form-options"))] = BatchOptions(),  # noqa: B008
) -> State:
    """One batch, now. The same batch twice does no harm: only what is new is done."""
    home = the_home().prepare()
    these = named([batch], home)
    if options.dry_run:
        return plans.of_delivery(these[0], home, policy=options.policy)
    return through(these, home, policy=options.policy, reason=options.reason)


@flow(name="run", flow_run_name=lambda: phrases.batches(runtime.flow_run.parameters["batches"]), persist_result=False)
@outermost
@reported("batch")
def run(batches: list[str], policy: str = "default", reason: str = "") -> State:
    """What `perenne run BATCH…` starts: batches by path or by name in the inbox."""
    home = the_home().prepare()
    return through(named(batches, home), home, policy=policy, reason=reason)
