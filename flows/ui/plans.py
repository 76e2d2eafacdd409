"""What a run would do, said instead of done: nothing is written to the store or the log."""

from collections.abc import Sequence
from uuid import UUID

from prefect import State
from prefect.states import Failed

from flows.ui import planned, states
from tasks.aip.experience import costs
from tasks.aip.forecast import look_again
from tasks.aip.gone import opened
from tasks.aip.plan import Choice
from tasks.config.home import Home
from tasks.policy.load import find, load
from tasks.sip.ahead import look_ahead
from tasks.sip.batch import Batch, BatchRefused
from tasks.sip.refusal import Refused
from tasks.tools import shared
from tasks.tools.machine import fit


def of_delivery(one: Batch, home: Home, *, policy: str) -> State:
    """The plan for a delivery in the inbox; one that a run would refuse needs a person."""
    fit(home)
    law, door = load(find(policy, home)), shared.shared(home.work, (home.store, home.inbox))
    try:
        plan = look_ahead(home, door, one, law, Choice(), costs(home.log))
    except BatchRefused as refused:
        found = Refused(one.name, str(refused), refused.code)
        return Failed(name=states.NEEDS, message=f"{one.name}: {found.code}: {found.why}", data=(found,))
    return planned.show(plan)


def of_aips(aips: Sequence[UUID], home: Home, *, policy: str, choice: Choice) -> State:
    """The plan for AIPs that are stored."""
    fit(home)
    law, door = load(find(policy, home)), shared.shared(home.work, (home.store, home.inbox))
    return planned.show(look_again(home, door, opened(home), aips, law, choice, costs(home.log)))
