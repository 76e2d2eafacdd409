"""`perenne up`: server, deployments, worker and reports, until it is stopped; nothing stays behind."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import http.server
import logging
import os
import re
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import typer

from flows.command import show, stack
from flows.command.stack import ROOT, Address, StackError
from tasks.config.home import Home
from tasks.config.home import home as the_home
from tasks.tools import service
from tasks.words import moment, text

_LOG = logging.getLogger(__name__)
WORKER_STOP_S, LOOK_S = 15.0, 2.0
SERVER_STARTS, STARTS_WITHIN_S = 3, 600.0


def add(cli: typer.Typer) -> None:
    """Add this family's verbs."""
    cli.command()(up)


def up() -> None:
    """Start the Prefect server, the nightly schedule and the reports, and stay until Ctrl-C.

    Example: perenne up
    """
    home = the_home().prepare()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, functools.partial(_ask_to_end, over))
    with _alone(home), _reports(home), stack.server(home) as address:
        _prepare(home, address)
        from flows.command import runs

        worker = _Worker(home, address)
        try:
            _tell(home, address)
            _stay(over, home, address, worker)
        finally:
            show.say(text("up-stops"))
            with _server_may_be_gone():
                runs.cancel_all(WORKER_STOP_S)
            worker.end()
            with _server_may_be_gone():
                runs.sweep(home, workers_only=True)
                runs.settle_cut_off()


def _prepare(home: Home, address: Address) -> None:
    """Forms, states and the watch for zombies are today's. Raises StackError, also when the server goes meanwhile."""
    stack.pool(home, address)
    stack.deploy(home, address)
    from flows.command import runs

    try:
        runs.sweep(home, workers_only=not address.started)  # this is the home's only `up`, and has no worker yet
        runs.watch_for_zombies()
    except Exception as e:
        if stack.listens(address):
            raise
        raise StackError(text("server-gone", log=home.prefect / "server.log")) from e


def _stay(over: threading.Event, home: Home, address: Address, worker: _Worker) -> None:
    """Keep server and worker going and the forms fresh until it is over. Raises StackError when that is in vain."""
    from flows.command import runs

    shown: object = _choices(home)
    starts = deque[float](maxlen=SERVER_STARTS)
    while not over.wait(LOOK_S):
        if not stack.listens(address):
            _start_again(home, address, starts)
            shown = None  # its database may be a new one
        with _server_may_be_gone():
            worker.keep()
            runs.settle_cut_off()
        if (now := _choices(home)) != shown:
            _refresh(home, address, anew=shown is None)
            shown = now  # the forms list batches and AIPs as they were at their deployment


def _start_again(home: Home, address: Address, starts: deque[float]) -> None:
    """A server that somebody killed comes back where it was, and the runs at work go on; one that cannot live does not.

    Raises StackError.
    """
    if len(starts) == SERVER_STARTS and time.monotonic() - starts[0] < STARTS_WITHIN_S:
        raise StackError(text("server-gone-often", count=SERVER_STARTS + 1, log=home.prefect / "server.log"))
    starts.append(time.monotonic())
    show.say(text("server-again"))
    stack.again(home, address)


@contextlib.contextmanager
def _server_may_be_gone() -> Iterator[None]:
    """What cannot be told to the server now is told at the next look, or swept at the next start."""
    try:
        yield
    except Exception as e:
        _LOG.info("not told to the server: %s", e)


@contextlib.contextmanager
def _alone(home: Home) -> Iterator[None]:
    """One `perenne up` a home, from start to end. Raises StackError while another lives, however it was started."""
    with (home.prefect / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            who = lock.read() or text("up-starting")
            raise StackError(text("up-runs-already", home=home.root, who=who)) from None
        lock.truncate(0)
        lock.write(text("up-process", pid=str(os.getpid()), moment=moment(datetime.now(UTC))))
        lock.flush()
        yield


def _refresh(home: Home, address: Address, *, anew: bool) -> None:
    from flows.command import runs

    try:
        if anew:
            stack.pool(home, address)
        stack.deploy(home, address)
    except StackError as e:
        show.say(text("forms-old", why=e))  # the night goes on all the same
    with _server_may_be_gone():
        runs.watch_for_zombies()


def _choices(home: Home) -> tuple[frozenset[str], ...]:
    """What the forms offer: batches of the inbox, AIPs (each has a report since its first run), policies."""
    return _names(home.inbox), _names(home.reports), _names(home.policies)


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()


def _ask_to_end(over: threading.Event, _: int, __: FrameType | None) -> None:
    over.set()


class _Worker:
    """A Prefect worker that ends with this process, and with it every flow it started."""

    def __init__(self, home: Home, address: Address) -> None:
        self._home, self._address = home, address
        self._service = self._start()

    def _start(self) -> service.Service:
        env = {**os.environ, **stack.environment(self._home, self._address.port)}
        command = stack.prefect("worker", "start", "--pool", stack.POOL, "--name", "perenne")
        return service.bound(command, env=env, log=self._home.prefect / "worker.log", cwd=ROOT)

    def keep(self) -> None:
        """Start it again when it has ended; what it ran died with it."""
        if self._service.poll() is not None:
            from flows.command import runs

            runs.sweep(self._home, workers_only=True)
            self._service = self._start()

    def end(self) -> None:
        """End it, by force after a while."""
        self._service.terminate()
        end = time.monotonic() + WORKER_STOP_S
        while self._service.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        if self._service.poll() is None:
            self._service.kill()
            self._service.wait()


class _Pages(http.server.SimpleHTTPRequestHandler):
    """Reports, read-only; a page may not load anything from elsewhere."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """A page that was read is no news."""


@contextlib.contextmanager
def _reports(home: Home) -> Iterator[None]:
    """Serve the reports; before all else, so that a port that is taken leaves nothing running. Raises StackError."""
    handler = functools.partial(_Pages, directory=str(home.reports))
    port = home.settings().reports_port
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as e:
        raise StackError(text("port-taken-reports", port=str(port))) from e
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _zone() -> str:
    """Whose 02:00 it is, as prefect.yaml says."""
    found = re.findall(r"timezone: ([\w/+-]+)", (ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    return ", ".join(dict.fromkeys(found))


def _tell(home: Home, address: Address) -> None:
    show.labelled("Prefect", address.ui)
    show.labelled(text("label-reports"), f"http://127.0.0.1:{home.settings().reports_port}")
    show.labelled(text("label-inbox"), str(home.inbox))
    show.say(text("every-night", zone=_zone()))
