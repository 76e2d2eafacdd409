"""The embedded Prefect stack: one server for all commands of one home; `perenne up` adds pool, deployments, worker."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.config.home import Home
from tasks.tools import service

ROOT = Path(__file__).resolve().parents[2]
"""The checkout; Perenne is installed editable from it."""
START_LIMIT_S = 90.0
POOL = "local"
_LOOK_S, _REFUSALS = 3.0, 4


class StackError(Exception):
    """Prefect's server could not be started; the message names its log."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server answers, and whether this process is the one that started it."""

    port: int
    started: bool

    @property
    def ui(self) -> str:
        """The page for people."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        """The address for clients."""
        return f"{self.ui}/api"


def environment(home: Home, port: int) -> dict[str, str]:
    """Prefect's settings (research/prefect.md, recommended shape 1 and 2); to be set before its first import."""
    lease = "prefect.server.concurrency.lease_storage.filesystem"
    return {
        "PERENNE_HOME": str(home.root),
        "PERENNE_ROOT": str(ROOT),
        "PREFECT_HOME": str(home.prefect),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_UI_V2_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": lease,
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    }


@contextlib.contextmanager
def server(home: Home) -> Iterator[Address]:
    """The running server of this home, or a new one; it ends some seconds after its last user, whoever started it."""
    users = home.prefect / "users.lock"
    with users.open("a") as lock, (home.prefect / "start.lock").open("a") as start:
        fcntl.flock(lock, fcntl.LOCK_SH)
        fcntl.flock(start, fcntl.LOCK_EX)
        address = _running(home) or _start(home, users)
        fcntl.flock(start, fcntl.LOCK_UN)
        os.environ.update(environment(home, address.port))
        yield address


def watch(address: Address, gone: Callable[[], None]) -> None:
    """Call `gone` in a thread of its own when nothing listens at the address any more; a busy server still does."""

    def look() -> None:
        refused = 0
        while refused < _REFUSALS:
            time.sleep(_LOOK_S)
            try:
                socket.create_connection(("127.0.0.1", address.port), timeout=_LOOK_S).close()
                refused = 0
            except ConnectionRefusedError:
                refused += 1
            except OSError:
                continue
        gone()

    threading.Thread(target=look, name="watch", daemon=True).start()


def prefect(*arguments: str) -> list[str]:
    """The argv of Prefect's own command in this environment."""
    return [sys.executable, "-m", "prefect", *arguments]


def deploy(home: Home, address: Address) -> None:
    """Make the work pool and deploy `prefect.yaml`; doing it again changes nothing."""
    env = {**os.environ, **environment(home, address.port)}
    for command in (
        prefect("work-pool", "create", POOL, "--type", "process", "--overwrite"),
        prefect("--no-prompt", "deploy", "--all"),
    ):
        code, text = service.once(command, env=env, cwd=ROOT)
        if code:
            raise StackError(f"`{' '.join(command[2:])}` failed:\n{text[-2000:]}")


def _running(home: Home) -> Address | None:
    try:
        port = int(json.loads((home.prefect / "server.json").read_text())["port"])
    except (OSError, ValueError, KeyError):
        return None
    return Address(port, started=False) if _healthy(port) else None


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _start(home: Home, users: Path) -> Address:
    port = _free(home.settings().server_port)
    log = home.prefect / "server.log"
    command = prefect("server", "start", "--host", "127.0.0.1", "--port", str(port))
    guard = service.shared(command, users=users, env={**os.environ, **environment(home, port)}, log=log, cwd=ROOT)
    end = time.monotonic() + START_LIMIT_S
    while not _healthy(port):
        if time.monotonic() > end or guard.poll() is not None:
            raise StackError(f"Prefect's server did not start. Its last words are in {log}.")
        time.sleep(0.1)
    (home.prefect / "server.json").write_text(json.dumps({"port": port}))
    return Address(port, started=True)


def _free(wanted: int) -> int:
    """The wanted port, or any free one where something else already listens there."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StackError("No free port on 127.0.0.1.")
