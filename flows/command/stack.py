"""The embedded Prefect stack: one server for all commands of one home; `perenne up` adds pool, deployments, worker."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import socket
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.command import blank, serve, show
from flows.command.history import set_aside_damaged
from tasks.config.home import Home
from tasks.report.stops import temporary
from tasks.store import disk
from tasks.tools import service, shared
from tasks.words import text

ROOT = Path(__file__).resolve().parents[2]
"""The checkout; Perenne is installed editable from it."""
START_LIMIT_S = 90.0
POOL = "local"
_LOOK_S, _REFUSALS, _STARTS = 3.0, 4, 3
_PROBE = 1 << 20
"""Bytes that a server needs to write at least."""


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
    """Prefect's settings for one machine and no stranger; to be set before its first import."""
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
def server(home: Home, ahead: Sequence[str] | None = None) -> Iterator[Address]:
    """The running server of this home, or a new one; it ends some seconds after its last user, whoever started it.

    A start takes one core for seconds. Meanwhile the other loads the flows, and where `ahead` is given, it opens the
    door and starts those resident programs.
    """

    def meanwhile(home: Home, port: int) -> None:
        _load(home, port, ahead)

    users = home.prefect / "users.lock"
    with users.open("a") as lock, (home.prefect / "start.lock").open("a") as start:
        fcntl.flock(lock, fcntl.LOCK_SH)
        fcntl.flock(start, fcntl.LOCK_EX)
        address = _running(home) or _start(home, users, home.settings().server_port, meanwhile=meanwhile)
        fcntl.flock(start, fcntl.LOCK_UN)
        _settle(home, address.port)
        yield address


def _load(home: Home, port: int, ahead: Sequence[str] | None = None) -> None:
    _settle(home, port)
    if ahead is not None:
        shared.begin(home.work, (home.store, home.inbox), ahead)
    importlib.import_module("flows.migrate")


def _settle(home: Home, port: int) -> None:
    """Prefect's settings of this process; it reads them at its first import, or now again where the port is another."""
    loaded, before = sys.modules.get("prefect.context"), os.environ.get("PREFECT_API_URL")
    os.environ.update(environment(home, port))
    if loaded is not None and os.environ["PREFECT_API_URL"] != before:
        loaded.refresh_global_settings_context()


def again(home: Home, address: Address) -> None:
    """Start a server that has gone once more, at the same address; another command may have been faster.

    Only inside `server`. Raises StackError when it does not start, or not there.
    """
    with (home.prefect / "start.lock").open("a") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        now = _running(home) or _start(home, home.prefect / "users.lock", address.port)
    if now.port != address.port:
        raise StackError(text("server-moved", before=str(address.port), now=str(now.port)))


def listens(address: Address) -> bool:
    """Whether anything listens at the address; a busy server still does."""
    try:
        socket.create_connection(("127.0.0.1", address.port), timeout=_LOOK_S).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return True
    return True


def check_disk(home: Home) -> None:
    """Write where the server writes: it does not say why it cannot. Raises OSError naming the folder."""
    for folder in (home.prefect, temporary()):
        try:
            with tempfile.TemporaryFile(dir=folder, buffering=0) as probe:
                disk.write_all(probe.fileno(), bytes(_PROBE))
                os.fsync(probe.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(folder)) from error


def watch(address: Address, gone: Callable[[], None]) -> None:
    """Call `gone` in a thread of its own when nothing has listened at the address for some looks."""

    def look() -> None:
        refused = 0
        while refused < _REFUSALS:
            time.sleep(_LOOK_S)
            refused = 0 if listens(address) else refused + 1
        gone()

    threading.Thread(target=look, name="watch", daemon=True).start()


def prefect(*arguments: str) -> list[str]:
    """The argv of Prefect's own command in this environment."""
    return [sys.executable, "-m", "prefect", *arguments]


def pool(home: Home, address: Address) -> None:
    """Make the work pool; doing it again changes nothing. Raises StackError."""
    _told(home, address, "work-pool", "create", POOL, "--type", "process", "--overwrite")


def deploy(home: Home, address: Address) -> None:
    """Deploy `prefect.yaml` into the pool; doing it again shows today's choices. Raises StackError."""
    _told(home, address, "--no-prompt", "deploy", "--all")


def _told(home: Home, address: Address, *arguments: str) -> None:
    env = {**os.environ, **environment(home, address.port)}
    code, text = service.once(prefect(*arguments), env=env, cwd=ROOT)
    if code:
        raise StackError(f"`prefect {' '.join(arguments)}` failed:\n{text[-2000:]}")


def _running(home: Home) -> Address | None:
    """The home's own server: another home's may answer at a port that was ours once.

    Raises StackError when it listens and does not answer: a second one beside it would do harm.
    """
    try:
        told = json.loads((home.prefect / "server.json").read_text())
        port, guard = int(told["port"]), int(told["guard"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    end = time.monotonic() + START_LIMIT_S
    while service.serves(guard, home.prefect / "users.lock", port):
        if _healthy(port):
            return Address(port, started=False)
        if time.monotonic() > end:
            raise StackError(text("server-silent", pid=str(guard), port=str(port)))
    return None


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _start(
    home: Home, users: Path, wanted: int, *, meanwhile: Callable[[Home, int], None] = lambda _home, _port: None
) -> Address:
    if aside := set_aside_damaged(home.prefect / "prefect.db"):
        _say(text("history-damaged", aside=aside))
    log = home.prefect / "server.log"
    ready = blank.lay(home.prefect / "prefect.db")
    for _ in range(_STARTS):
        port = _free(wanted)
        if port != wanted != 0:
            _say(text("port-taken-server", port=str(wanted), now=str(port)))
        command = [sys.executable, "-m", serve.__name__, str(port)]
        env = {**os.environ, **environment(home, port)}
        if ready:
            env["PREFECT_API_DATABASE_MIGRATE_ON_START"] = "false"
        guard = service.shared(command, users=users, env=env, log=log, cwd=ROOT)
        meanwhile(home, port)
        if _ready(guard, users, port):
            _write(home.prefect / "server.json", {"port": port, "home": str(home.root), "guard": guard.pid})
            return Address(port, started=True)
        guard.terminate()
        guard.wait()
        if _is_free(port):  # else another home's server was faster: its start takes seconds
            break
    check_disk(home)
    raise StackError(text("server-did-not-start", log=log))


def _ready(guard: service.Service, users: Path, port: int) -> bool:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end and guard.poll() is None:
        if _healthy(port) and service.serves(guard.pid, users, port):
            return True
        time.sleep(0.1)
    return False


def _write(path: Path, told: dict[str, object]) -> None:
    """At once: whoever reads it without a lock must not find half."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps(told))
    new.replace(path)


def _say(text: str) -> None:
    """To stderr: with --json the answer alone stands on stdout."""
    sys.stderr.write(show.clean(f"{text}\n"))
    sys.stderr.flush()


def _free(wanted: int) -> int:
    """The wanted port; any free one for 0, or where something else already listens there."""
    if wanted and _is_free(wanted):
        return wanted
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
