"""`perenne up` as an operator has it: a plan that writes nothing, a red run that tells its page and its people."""

from __future__ import annotations

import email
import email.policy
import http.server
import json
import os
import shutil
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.ui import states
from tests.flows import kills

ROOT = Path(__file__).resolve().parents[2]
NOTIFY = ROOT / "docs" / "automations" / "notify.py"
EMPTY = ROOT / "fixtures" / "hostile" / "source-empty" / "trống.pdf"
WITHIN_S = 90.0


def test_the_automation_waits_for_the_names_that_runs_end_with() -> None:
    from prefect.events.schemas.automations import AutomationCore

    text = (NOTIFY.parent / "needs-a-person.yaml").read_text(encoding="utf-8")
    one = AutomationCore.model_validate(yaml.safe_load(text.replace("THE-ID-OF-THE-BLOCK", str(uuid.uuid4()))))
    assert set(one.trigger.expect) == {  # type: ignore[union-attr]
        f"prefect.flow-run.{name}" for name in (states.NEEDS, states.stopped("").name, "Crashed")
    }


class Webhook(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted."""

    got: list[str]

    def do_POST(self) -> None:
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


class Post(socketserver.StreamRequestHandler):
    """As much of SMTP as takes a message."""

    got: list[str]

    def handle(self) -> None:
        self.say("220 here")
        letter: list[str] | None = None
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if letter is not None and line != ".":
                letter.append(line)
            elif letter is not None:
                self.got.append("\n".join(letter))
                letter = None
                self.say("250 kept")
            elif line.upper() == "DATA":
                letter = []
                self.say("354 go on")
            else:
                self.say("221 bye" if line.upper() == "QUIT" else "250 well")

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def receiver(kind: type) -> Iterator[tuple[int, list[str]]]:
    """Its port, and what it got so far."""
    got: list[str] = []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), type(kind.__name__, (kind,), {"got": got})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], got
        server.shutdown()


def eventually(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + WITHIN_S
    while not true() and time.monotonic() < end:
        time.sleep(0.2)
    return true()


def notify(home: Path, *arguments: str) -> None:
    env = {**os.environ, "PERENNE_HOME": str(home)}
    subprocess.run([sys.executable, str(NOTIFY), *arguments], env=env, cwd=ROOT, check=True, capture_output=True)


def ended(home: Path, deployment: str, parameters: dict[str, object]) -> tuple[str, dict[str, object]]:
    """The id and the last state of a run, triggered as its form does."""
    run = kills.trigger(home, deployment, parameters)
    kills.final(home, run)
    return run, dict(kills.api(home, f"/flow_runs/{run}")["state"])  # type: ignore[call-overload]


def artifacts(home: Path, run: str) -> dict[str, dict[str, object]]:
    """Key → artifact of a run's own page."""
    port = json.loads((home / "prefect" / "server.json").read_text())["port"]
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/artifacts/filter",
        data=json.dumps({"artifacts": {"flow_run_id": {"any_": [run]}}}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return {str(one["key"]): one for one in json.load(answer)}


@pytest.mark.slow
def test_a_plan_writes_nothing_then_a_red_run_tells_its_page_and_its_people(tmp_path: Path) -> None:
    home = tmp_path / "home"
    kills.environment(home)
    batch = home / "inbox" / "lô-1"
    batch.mkdir(parents=True)
    shutil.copy(EMPTY, batch)
    (batch / "ghi-chú.bin").write_bytes(b"a")
    with kills.stack_up(home), receiver(Webhook) as (hook, called), receiver(Post) as (smtp, letters):
        _, planned = ended(home, "batch/batch", {"batch": "lô-1", "options": {"dry_run": True}})
        assert (planned["type"], planned["name"]) == ("COMPLETED", "Only planned")
        assert not list((home / "log").rglob("*.parquet"))
        assert not list((home / "store").glob("ocfl/*/*"))

        notify(home, "--mail", f"mailto://127.0.0.1:{smtp}?mode=insecure&from=perenne@here.vn&to=archive@here.vn")
        run, red = ended(home, "batch/batch", {"batch": "lô-1"})
        assert (red["type"], red["name"]) == ("FAILED", "Needs a person")
        assert eventually(lambda: bool(letters))
        letter = email.message_from_string(letters[0], policy=email.policy.default)
        assert (letter["subject"], letter["to"]) == ("Needs a person: lô-1", "archive@here.vn")
        own = artifacts(home, run)
        assert {"summary", "needs-a-person", "report"} <= own.keys()
        assert "source-empty" in str(own["summary"]["data"])
        assert {"perenne", "lô-1"} < set(kills.api(home, f"/flow_runs/{run}")["tags"])  # type: ignore[call-overload]
        # Prefect would ask for a limit of each tag before each of them, and that takes seconds.
        rows: Any = kills.api(home, "/task_runs/paginate", {})["results"]
        flows = [row for row in rows if row["tags"]]
        assert 0 < len(flows) < len(rows)
        assert {row["name"].rpartition("-")[0] for row in flows} <= {"ingest", "migrate"}

        notify(home, "--webhook", f"http://127.0.0.1:{hook}/")
        other, _ = ended(home, "batch/batch", {"batch": "lô-1"})
        assert eventually(lambda: bool(called))
        assert called[0].startswith("Needs a person: lô-1\n")
        assert called[0].rstrip().endswith(f"/runs/flow-run/{other}")
        assert (len(called), len(letters)) == (1, 1)
