"""How AIPs stand, read from store and log without any flow: what `status` shows and a report is made from."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from tasks.aip import ledger as ledgers
from tasks.config.home import Home
from tasks.policy.rules import Policy
from tasks.report.summary import Summary, summarize
from tasks.store.ocfl import Store


def standing(home: Home, aips: Iterable[uuid.UUID], policy: Policy) -> list[Summary]:
    """A summary of each AIP under a policy; nothing counts as new."""
    store = Store(home.store)
    found = []
    for aip in aips:
        one = ledgers.read(store, home.log, aip)
        if one is not None:
            known = {path: k for (path, sha256), k in one.known().items() if _is_now(one, path, sha256)}
            found.append(summarize(one, known, policy, one.about.languages or home.settings().languages, None))
    return found


def _is_now(one: ledgers.Ledger, path: str, sha256: str) -> bool:
    return path in one.state and one.state[path].sha256 == sha256
