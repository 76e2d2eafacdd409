"""Flow: an AIP again, under today's rules. Adds a version, removes nothing."""

# No `from __future__ import annotations`: Prefect builds a form from the types themselves.
from typing import Literal
from uuid import UUID

from prefect import State, flow, runtime
from pydantic import BaseModel, Field

from flows import ui
from flows.migrate import migrate
from flows.nightly import close
from flows.ui import states
from flows.ui.reported import reported
from flows.ui.run import one_heartbeat
from flows.ui.stops import stops_clearly
from tasks.aip.find import UnknownAip, find_aips, labels
from tasks.aip.gone import check_store
from tasks.aip.plan import Scope
from tasks.config.home import home as the_home
from tasks.policy.load import find, load
from tasks.premis.log import check_clock
from tasks.tools.machine import fit

AIPS = labels(the_home())
WHICH = {
    "everything new or changed": Scope.CHANGED,
    "held files": Scope.HELD,
    "failed files": Scope.FAILED,
    "all files": Scope.ALL,
}


class ReprocessOptions(BaseModel):
    """What to do again. Originals are never touched; every result is a new version."""

    which: Literal["everything new or changed", "held files", "failed files", "all files"] = Field(
        "everything new or changed",
        title="Which files",
        description="Files whose rule did not change are left alone, unless you choose otherwise.",
    )
    rules: list[str] = Field([], title="Only these rules", description="Rule names, for example pdf-2b. Empty: all.")
    paths: list[str] = Field(
        [], title="Only these paths", description="Files or folders, for example báo-cáo/. Empty: all."
    )
    policy: str = Field(ui.policy(), title="Policy", description="The rules that decide what each format becomes.")


@flow(
    name="reprocess",
    flow_run_name=lambda: f"{str(runtime.flow_run.parameters['aip']).split(' (')[0]} again",
    persist_result=False,
)
@stops_clearly
@reported("reprocess")
def reprocess(
    aip: str = Field(description="The AIP to work on.", json_schema_extra=ui.one_of(AIPS)),
    reason: str = Field(description="One sentence for the log: why now?", min_length=8, max_length=300),
    options: ReprocessOptions = ReprocessOptions(),  # noqa: B008  the form shows its fields
) -> State:
    """An AIP again, under today's rules."""
    return again([aip], reason, options.policy, WHICH[options.which], options.rules, options.paths)


@flow(
    name="reprocess",
    flow_run_name=lambda: "again: " + ", ".join(runtime.flow_run.parameters["aips"]),
    persist_result=False,
)
@stops_clearly
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
    return again(aips, reason, policy, which, rules, paths, codes)


def again(
    aips: list[str],
    reason: str,
    policy: str,
    which: Scope,
    rules: list[str] | None,
    paths: list[str] | None,
    codes: list[str] | None = None,
) -> State:
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
    with one_heartbeat():
        state = migrate(
            [str(a) for a in found], list(found.values()), policy, reason, which, rules, paths, codes, return_state=True
        )
    return close(state, [], new=0, night=False)
