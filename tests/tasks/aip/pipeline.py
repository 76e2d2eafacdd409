"""The pipeline without Prefect, for tests: what `migrate` does, on one page."""

from __future__ import annotations

import uuid
from collections import deque
from pathlib import Path

from tasks.aip.mend import mend
from tasks.aip.plan import Choice, Scope
from tasks.aip.session import Session
from tasks.aip.space import Budget
from tasks.config.home import Home
from tasks.policy.load import load
from tasks.report.summary import Summary, summarize
from tasks.sip.batch import batch
from tasks.sip.ingest import ingest
from tasks.sip.taking import Ingested
from tasks.store.ocfl import Store
from tasks.tools.door import Door

PICTURES = """
id = "pictures-1"
[[rule]]
id = "tiff"
puids = ["fmt/11", "fmt/12", "fmt/13", "fmt/116", "fmt/43", "fmt/44"]
purpose = "preservation"
target = "fmt/353"
action = "image_to_tiff"
parameters = { compression = "none" }
validators = { tiff = {}, pixels = {} }
because = "A test."
[[rule]]
id = "any"
puids = ["*"]
purpose = "preservation"
action = "keep"
because = "The rest."
"""


class Pipeline:
    """One home with one door."""

    def __init__(self, root: Path, door: Door, policy: str = PICTURES) -> None:
        self.home = Home(root / "home").prepare()
        self.inbox = root / "inbox"
        self.inbox.mkdir()
        self.door = door
        self.policy = root / "policy.toml"
        self.policy.write_text(policy, encoding="utf-8")
        self.store = Store(self.home.store)
        self.reason = ""
        self.budget: Budget | None = None

    def ingest(self, name: str = "lô-1") -> Ingested:
        """Take a batch of the inbox in that is small enough for one AIP."""
        (found,) = self.ingest_parts(name)
        return found

    def ingest_parts(self, name: str = "lô-1") -> tuple[Ingested, ...]:
        """Take a batch of the inbox in."""
        run, one = uuid.uuid4(), batch(self.inbox / name)
        mend(self.home, self.store, run)
        return ingest(one, self.home, self.store, run)

    def migrate(self, aip: uuid.UUID, scope: Scope = Scope.CHANGED, **choice: tuple[str, ...]) -> Summary:
        """Bring an AIP to what the policy asks for."""
        wanted = Choice(scope, **choice)
        session = self.session()
        with session.holding(deque([aip]), wanted) as busy:
            assert not busy
            session.identify(session.unidentified, "identify")
            for number, _ in enumerate(session.cut(wanted)):
                session.work(number)
            session.package(aip)
            one = session.open[aip]
            return summarize(session.after(aip), one.known, session.policy, one.languages, session.run)

    def session(self) -> Session:
        """A run of its own."""
        law = load(self.policy)
        return Session(self.home, self.store, law, uuid.uuid4(), self.door, reason=self.reason, budget=self.budget)

    def run(self, name: str = "lô-1") -> Summary:
        """A batch all the way."""
        return self.migrate(self.ingest(name).aip)
