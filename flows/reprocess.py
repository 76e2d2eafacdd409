"""Flow: an AIP again, under today's rules. Adds a version, removes nothing."""

# No `from __future__ import annotations`: Prefect builds a form from the types themselves.
from typing import Annotated
from uuid import UUID

from prefect import State, flow, runtime
from pydantic import AfterValidator, BaseModel, Field

from flows import ui
from flows.migrate import migrate
from flows.nightly import TAGS, close
from flows.ui import plans, states
from flows.ui.forms import Choices, one_of, only_plans, options, titled
from flows.ui.reported import reported
from flows.ui.run import one_heartbeat, tagged
from flows.ui.stops import outermost
from tasks.aip.find import UnknownAip, find_aips, labels
from tasks.aip.gone import check_store
from tasks.aip.plan import Choice, Scope
from tasks.config.home import home as the_home
from tasks.policy.load import find, load
from tasks.premis import codes
from tasks.premis import reason as reasons
from tasks.premis.log import check_clock
from tasks.tools.machine import fit
from tasks.words import listed, text

AIPS = labels(the_home())
WHICH = Choices(
    {
        "which-changed": Scope.CHANGED,
        "which-held": Scope.HELD,
        "which-failed": Scope.FAILED,
        "which-all": Scope.ALL,
    }
)
CODES = sorted(name for name, one in codes.CODES.items() if one.word in ("held", "failed", "note") and one.stored)
"""What a file may have ended with, or have noted of it; not what kept it out of the store, where nothing is to redo."""


LENGTH = {"minLength": reasons.LEAST, "maxLength": reasons.MOST}
"""Said to the form in its own words: of a parameter's `Field` Prefect hands on nothing but description and extras."""


class ReprocessOptions(BaseModel):
    """What to do again. Originals are never touched; every result is a new version."""

    model_config = options(text("form-options-reprocess"))
    which: Annotated[str, AfterValidator(WHICH.checked)] = Field(
        WHICH.first,
        title=text("form-which"),
        description=text("form-which-help"),
        json_schema_extra=one_of(WHICH.shown),
    )
    codes: list[str] = Field(
        [],
        title=text("form-code"),
        description=text("form-code-help"),
        json_schema_extra={"items": {"type": "string", "enum": [*CODES]}},
    )
    rules: list[str] = Field([], title=text("form-rules"), description=text("form-rules-help"))
    paths: list[str] = Field([], title=text("form-paths"), description=text("form-paths-help"))
    policy: str = Field(
        ui.policy(),
        title=text("form-policy"),
        description=text("form-policy-help"),
        json_schema_extra=one_of(ui.policies()),
    )
    dry_run: bool = Field(False, title=text("form-dry-run"), description=text("form-dry-run-help"))


def _named() -> str:
    asked = runtime.flow_run.parameters
    name = str(asked["aip"]).rsplit(" (", 1)[0]
    return text("plan-of", name=name) if only_plans(asked) else text("again", name=name)


@flow(
    name="reprocess",
    flow_run_name=_named,
    description=text("deployment-reprocess"),
    persist_result=False,
)
@outermost
@reported("reprocess")
def reprocess(
    aip: str = Field(description=text("form-aip"), json_schema_extra=titled("form-aip-title", **one_of(AIPS))),
    reason: Annotated[str, AfterValidator(reasons.checked)] = Field(
        description=text("form-why-now"), json_schema_extra=titled("form-reason", **LENGTH)
    ),
    options: Annotated[ReprocessOptions, Field(json_schema_extra=titled("form-options"))] = ReprocessOptions(),  # noqa: B008
) -> State:
    """An AIP again, under today's rules."""
    choice = Choice(WHICH[options.which], tuple(options.rules), tuple(options.paths), tuple(options.codes))
    return again([aip], reason, options.policy, choice, dry_run=options.dry_run)


@flow(
    name="reprocess",
    flow_run_name=lambda: text("again", name=listed(runtime.flow_run.parameters["aips"])),
    persist_result=False,
)
@outermost
@reported("reprocess")
def reprocess_named(
    aips: list[str],
    reason: str,
    policy: str = "default",
    which: Scope = Scope.CHANGED,
    rules: list[str] | None = None,
    paths: list[str] | None = None,
    codes: list[str] | None = None,
) -> State:
    """What `perenne reprocess AIP…` starts."""
    return again(aips, reason, policy, Choice(which, tuple(rules or ()), tuple(paths or ()), tuple(codes or ())))


def again(aips: list[str], reason: str, policy: str, choice: Choice, *, dry_run: bool = False) -> State:
    """Reprocess AIPs that answer to their id, the start of it, or their batch's name."""
    home = the_home().prepare()
    fit(home)
    check_clock(home.log)
    check_store(home)
    load(find(policy, home))
    try:
        found: dict[UUID, str] = find_aips(home, aips)
    except UnknownAip as e:
        return states.stopped(str(e))
    if dry_run:
        return plans.of_aips(list(found), home, policy=policy, choice=choice)
    tagged([*list(found.values())[:TAGS], *(str(aip)[:8] for aip in list(found)[:TAGS])])
    with one_heartbeat():
        state = migrate(
            [str(a) for a in found],
            list(found.values()),
            policy,
            reason,
            choice.scope,
            list(choice.rules),
            list(choice.paths),
            list(choice.codes),
            return_state=True,
        )
    return close(state, [], new=0, night=False)
