"""The pipeline without Prefect, for tests: what `migrate` does, on one page."""

from __future__ import annotations

import uuid
from pathlib import Path

from tasks.aip.mend import mend
from tasks.aip.plan import Choice, Scope
from tasks.aip.session import Session
from tasks.config.home import Home
from tasks.config.locks import aip_lock
from tasks.policy.load import load
from tasks.report.summary import Summary, summarize
from tasks.sip.batch import batch
from tasks.sip.ingest import Ingested, ingest
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

    def ingest(self, name: str = "lô-1") -> Ingested:
        """Take a batch of the inbox in."""
        run, one = uuid.uuid4(), batch(self.inbox / name)
        mend(self.home, self.store, run)
        with aip_lock(self.home, one.aip, run) as held:
            assert held
            return ingest(one, self.home, self.store, run)

    def migrate(self, aip: uuid.UUID, scope: Scope = Scope.CHANGED, **choice: tuple[str, ...]) -> Summary:
        """Bring an AIP to what the policy asks for."""
        wanted = Choice(scope, **choice)
        session = Session(self.home, self.store, load(self.policy), uuid.uuid4(), self.door, reason=self.reason)
        with session.holding([aip], wanted) as busy:
            assert not busy
            session.identify(session.unidentified, "identify")
            for number, _ in enumerate(session.cut(wanted)):
                session.work(number)
            session.package(aip)
            one = session.open[aip]
            return summarize(session.after(aip), one.known, session.policy, one.languages, session.run)

    def run(self, name: str = "lô-1") -> Summary:
        """A batch all the way."""
        return self.migrate(self.ingest(name).aip)
